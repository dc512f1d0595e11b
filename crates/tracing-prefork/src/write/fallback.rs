//! What becomes of a line that its slot cannot take: at a boundary, after a failure, without a lease, under the lock.

use crate::sys::Opened;
use crate::time::clock::Second;
use crate::write::lease::Lease;
use crate::write::lines::Lines;
use crate::write::locked::{Appended, IfFull};
use crate::write::log::Log;
use crate::write::pin::Pin;
use crate::write::rollover::{Rolled, copy_of};
use crate::write::size_limit::TRIES;
use crate::write::unwritten::Unwritten;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What has become of a line that was meant for a slot.
enum InSlot {
    /// The line is in the file, or lost.
    Settled(Result<(), Unwritten>),
    /// The file has been removed, or is about to be. The line is in no file that has a name.
    Removed,
    /// The file has no room for the line (`max_file_bytes`).
    NoRoom,
}

impl Log {
    /// Writes a line near a boundary, or a line whose file is not open. If the exact second is not `known`, this finds
    /// it. If need be, this rolls over.
    #[cold]
    pub(crate) fn write_at_boundary(self: &Arc<Self>, line: Lines<'_>, known: Option<Second>) -> Result<(), Unwritten> {
        // 1. The exact second may lie in a slot.
        let now = known.unwrap_or_else(|| Second::exact(self.site.clock.exact_second()));
        let at = now.at;
        if let Some(pin) = self.slots.pin(now) {
            return self.write(pin, line, at);
        }
        // 2. Roll over.
        let rolled = self.roll_over(at);
        // 3. Write the line.
        let written = match (self.slots.pin(now), &rolled) {
            (Some(pin), _) => self.write(pin, line, at),
            // Another thread is rolling over, or a writer is in the slot. This thread does not wait.
            (None, Ok(_)) => self.write_with_own_descriptor(line, at),
            (None, Err(error)) => self.write_to_any_open_file(line, at, copy_of(error)),
        };
        // 4. The work that follows a rollover does not keep the line back.
        self.has_rolled(rolled, at);
        written
    }

    /// The work that follows a rollover.
    fn has_rolled(self: &Arc<Self>, rolled: io::Result<Rolled>, at: i64) {
        match rolled {
            Ok(Rolled::Forward) => self.file_was_opened(at),
            Ok(Rolled::Back) => self.upkeep.earlier_file_was_opened(self.current(at)),
            Ok(Rolled::No) | Err(_) => {}
        }
    }

    /// Does what the next line of `at`, of `length` bytes, would do before its write: looks, rolls over, goes on to the
    /// next file. Returns the number of the period's file that takes the line.
    pub(crate) fn open_before(self: &Arc<Self>, at: i64, length: usize) -> io::Result<u32> {
        if self.state.seconds.is_new(at) {
            self.each_second(at);
        }
        if self.slots.index(at).is_none() {
            let rolled = self.roll_over(at);
            let failed = rolled.as_ref().err().map(copy_of);
            self.has_rolled(rolled, at);
            if let Some(error) = failed {
                return Err(error);
            }
        }
        if self.size_limit.is_some() && self.slots.index(at).is_some_and(|index| self.has_next(at, index)) {
            self.look_for_next();
        }
        self.move_on(at, length);
        match self.slots.index(at) {
            Some(index) => Ok(index),
            // Another thread exchanges files. The line would open its file for itself.
            None => self.open_for(at, length).map(|(_, index)| index),
        }
    }

    /// Appends to a slot, whatever that takes. If the slot's file is full or has been removed, appends to the file that
    /// takes its place.
    #[cold]
    pub(crate) fn write(self: &Arc<Self>, pin: Pin<'_>, line: Lines<'_>, at: i64) -> Result<(), Unwritten> {
        let (mut pinned, mut tries) = (Some(pin), 0..TRIES);
        while let Some(pin) = pinned {
            let is_another_open = match self.try_slot(pin, line, at) {
                InSlot::Settled(outcome) => return outcome,
                InSlot::Removed => self.open_anew(at),
                InSlot::NoRoom => self.move_on(at, line.len()),
            };
            if tries.next().is_none() || !is_another_open {
                break;
            }
            pinned = self.slots.pin(Second::exact(at));
        }
        self.write_with_own_descriptor(line, at)
    }

    /// Appends to this very slot, if its file takes the line.
    fn try_slot(self: &Arc<Self>, pin: Pin<'_>, line: Lines<'_>, at: i64) -> InSlot {
        // 1. A file with a lease stays where it is.
        let lease = self.lease(&pin, at);
        if lease == Lease::Lost {
            pin.cancel();
            return InSlot::Removed;
        }
        // 2. Append, in one system call if that is all.
        let in_one_call = !pin.status().needs_more_than_lease() && line.journal().is_none();
        let appended = if in_one_call {
            Appended::Tried(pin.append(&line))
        } else {
            self.write_to_slot(&pin, line, at, IfFull::Refuse)
        };
        // 3. Did the line go in, and has the file a name still?
        match appended {
            Appended::NoRoom => {
                pin.cancel();
                InSlot::NoRoom
            }
            Appended::Tried(Ok(_)) if lease == Lease::Missing && !pin.has_name(|file| self.upkeep.keeps_name(file)) => {
                pin.cancel();
                InSlot::Removed
            }
            Appended::Tried(outcome) if in_one_call => InSlot::Settled(self.after_write(pin, outcome, line, at)),
            Appended::Tried(Ok(length)) if length == line.len() => InSlot::Settled(Ok(())),
            Appended::Tried(outcome) => InSlot::Settled(self.write_failed(pin, outcome, line, at)),
        }
    }

    /// A write to a slot failed or fell short.
    #[cold]
    pub(crate) fn write_failed(
        self: &Arc<Self>,
        pin: Pin<'_>,
        outcome: io::Result<usize>,
        line: Lines<'_>,
        at: i64,
    ) -> Result<(), Unwritten> {
        // 1. The program has closed the descriptor, as a daemon does on its way, and may have the number for something
        //    else.
        if !pin.is_intact() {
            drop(pin);
            self.site.counters().writes_failed.fetch_add(1, Relaxed);
            let lost = self.slots.try_roll().is_some_and(|rolling| rolling.forget());
            if lost {
                self.report_lost_descriptor(at);
            }
            return self.write_with_own_descriptor(line, at);
        }
        // 2. A piece of the line may be in the file. If it cannot be ended here, the next line ends it.
        self.end_own_in_slot(&pin, line, &outcome);
        drop(pin);
        // 3. Try again, or report the loss.
        self.settle(outcome, line, at)
    }

    /// Ends the piece of a line that a write to a slot has left, or notes that there may be one.
    fn end_own_in_slot(&self, pin: &Pin<'_>, line: Lines<'_>, outcome: &io::Result<usize>) {
        if pin.file().is_none_or(|file| !self.end_own(file, &line, outcome)) {
            pin.status().tear();
        }
    }

    /// Opens the file of `at` for this one line.
    fn write_with_own_descriptor(self: &Arc<Self>, line: Lines<'_>, at: i64) -> Result<(), Unwritten> {
        // As at a rollover: until the next try to open the file, the file before takes the lines.
        if self.slots.is_open() {
            if let Err(error) = self.state.retry.may_open(at) {
                return self.write_to_any_open_file(line, at, error);
            }
        }
        let mut tries = 1..TRIES;
        loop {
            let (opened, index) = match self.open_apart(at, line.len()) {
                Ok(opened) => opened,
                Err(error) => return self.write_to_any_open_file(line, at, error),
            };
            // The last try takes a file even if it is full, or has been removed.
            let is_last = tries.next().is_none();
            let if_full = if is_last { IfFull::Append } else { IfFull::Refuse };
            let appended = self.write_to(opened.file.borrow(), line, opened.torn, at, if_full);
            let is_gone = !opened.leased && !self.upkeep.keeps_name(opened.file.borrow());
            match appended {
                Appended::Tried(outcome) if is_last || !is_gone => {
                    self.site.counters().writes_apart.fetch_add(1, Relaxed);
                    self.slots.leave_behind(at, index);
                    return self.settle(outcome, line, at);
                }
                _ => {}
            }
        }
    }

    /// Opens a file for one line. After that the thread's next line must not go to the file before.
    pub(crate) fn open_apart(&self, at: i64, length: usize) -> io::Result<(Opened, u32)> {
        let opened = self.open_for(at, length)?;
        self.state.retry.succeeded();
        Ok(opened)
    }

    /// The file of `at` cannot be opened, for the reason that `error` says. A line in the file before it, or in a file
    /// that was inherited through a fork, is better than a lost line. This is the last resort: it leads nowhere else.
    fn write_to_any_open_file(self: &Arc<Self>, line: Lines<'_>, at: i64, error: io::Error) -> Result<(), Unwritten> {
        let outcome = match self.slots.pin_any(at, |file| self.upkeep.keeps_name(file)) {
            Some(pin) => self.write_to_any_slot(pin, line, at, error),
            None => self.write_to_inherited_file(line, at, error),
        };
        self.settle(outcome, line, at)
    }

    fn write_to_any_slot(&self, pin: Pin<'_>, line: Lines<'_>, at: i64, error: io::Error) -> io::Result<usize> {
        let lease = self.lease(&pin, at);
        let outcome = match lease {
            Lease::Held | Lease::Missing => self.write_to_slot(&pin, line, at, IfFull::Append).outcome(),
            Lease::Lost => Err(error),
        };
        let outcome = self.unless_gone(lease, pin.file(), outcome);
        self.end_own_in_slot(&pin, line, &outcome);
        outcome
    }

    fn write_to_inherited_file(&self, line: Lines<'_>, at: i64, error: io::Error) -> io::Result<usize> {
        self.site.counters().writes_apart.fetch_add(1, Relaxed);
        let Some(file) = self.slots.inherited(|file| self.upkeep.keeps_name(file)) else { return Err(error) };
        let lease = self.take_lease(file, at);
        if lease == Lease::Lost {
            return Err(error);
        }
        let outcome = self.write_to(file, line, true, at, IfFull::Append).outcome();
        self.unless_gone(lease, Some(file), outcome)
    }

    /// The outcome of a write, or an error if the line has gone with its file.
    fn unless_gone(&self, lease: Lease, file: Option<BorrowedFd<'_>>, outcome: io::Result<usize>) -> io::Result<usize> {
        let is_gone = lease == Lease::Missing && !file.is_some_and(|file| self.upkeep.keeps_name(file));
        if is_gone { outcome.and(Err(io::ErrorKind::NotFound.into())) } else { outcome }
    }
}
