//! What becomes of a line that its slot cannot take: at a boundary, after a failure, behind a fragment.

use crate::report::Operation;
use crate::sys::{self, Opened};
use crate::time::clock::Second;
use crate::upkeep::room::Wanted;
use crate::write::lease::Lease;
use crate::write::log::Log;
use crate::write::pin::Pin;
use crate::write::rollover::{Rolled, copy_of};
use crate::write::size_limit::TRIES;
use crate::write::unwritten::Unwritten;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// So many short writes in a row are tried again: a disk that is full says so by then.
const SHORT_WRITES: u32 = 2;

/// The most bytes that one write takes, less than a page of 64 KiB: the kernel's limit is INT_MAX, rounded down to a
/// page (`write(2)`), so 2 147 479 552 bytes where a page has 4 KiB.
const ONE_WRITE: usize = 0x7fff_0000;

impl Log {
    /// A boundary is near, or the file of this event is not open: finds the exact time if it is not `known`, rolls over
    /// if need be, and appends.
    #[cold]
    pub(crate) fn write_at_boundary(self: &Arc<Self>, line: &[u8], known: Option<Second>) -> Result<(), Unwritten> {
        let now = known.unwrap_or_else(|| Second::exact(self.site.clock.exact_second()));
        let at = now.at;
        if let Some(pin) = self.slots.pin(now) {
            return self.write(pin, line, at);
        }
        let rolled = self.roll_over(at);
        let after_write = match (self.slots.pin(now), &rolled) {
            (Some(pin), _) => self.write(pin, line, at),
            // Another thread is rolling over, or the slot is still in use: not waited for.
            (None, Ok(_)) => self.write_with_own_descriptor(line, at),
            (None, Err(error)) => self.write_to_any_open_file(line, at, copy_of(error)),
        };
        match rolled {
            Ok(Rolled::Forward) => self.file_was_opened(at),
            Ok(Rolled::Back) => self.upkeep.earlier_file_was_opened(self.current(at)),
            Ok(Rolled::No) | Err(_) => {}
        }
        after_write
    }

    /// Opens the file of `at` for this one line.
    fn write_with_own_descriptor(self: &Arc<Self>, line: &[u8], at: i64) -> Result<(), Unwritten> {
        // As at a rollover: the file before takes the lines until the next try.
        if self.slots.is_open()
            && let Err(error) = self.state.retry.may_open(at)
        {
            return self.write_to_any_open_file(line, at, error);
        }
        let mut tries = 1..TRIES;
        loop {
            let (opened, index) = match self.open_apart(at, line.len()) {
                Ok(opened) => opened,
                Err(error) => return self.write_to_any_open_file(line, at, error),
            };
            let is_last = tries.next().is_none();
            let outcome = self.write_to(opened.file.borrow(), line, opened.torn, at, !is_last);
            let is_gone = !opened.leased && !self.upkeep.keeps_name(opened.file.borrow());
            match outcome {
                Some(outcome) if is_last || !is_gone => {
                    self.site.counters().lines_apart.fetch_add(1, Relaxed);
                    self.slots.leave_behind(at, index);
                    return self.whole(outcome, line, at);
                }
                _ => {}
            }
        }
    }

    /// Opens a file for one line. After that the thread's next line must not go to the file before.
    fn open_apart(&self, at: i64, length: usize) -> io::Result<(Opened, u32)> {
        let opened = self.open_for(at, length)?;
        self.state.retry.succeeded();
        Ok(opened)
    }

    fn write_without_limit(&self, opened: &Opened, line: &[u8], at: i64) -> io::Result<usize> {
        self.write_to(opened.file.borrow(), line, opened.torn, at, false).unwrap_or(Ok(0))
    }

    /// The file of `at` cannot be opened: a line in the file before it, or in one that was inherited through a fork, is
    /// better than a lost one. This is the last resort: it leads nowhere else.
    fn write_to_any_open_file(self: &Arc<Self>, line: &[u8], at: i64, error: io::Error) -> Result<(), Unwritten> {
        if let Some(pin) = self.slots.pin_any(at, |file| self.upkeep.keeps_name(file)) {
            let lease = self.lease(&pin, at);
            let outcome = match lease {
                Lease::Held | Lease::Missing => self.write_to_slot(&pin, line, at, false).unwrap_or(Ok(0)),
                Lease::Lost => Err(error),
            };
            let outcome = self.unless_gone(lease, pin.file(), outcome);
            if let Some(file) = pin.file()
                && !self.end_own(file, line, &outcome)
            {
                pin.status().tear();
            }
            drop(pin);
            return self.whole(outcome, line, at);
        }
        self.site.counters().lines_apart.fetch_add(1, Relaxed);
        let inherited = self.slots.inherited(|file| self.upkeep.keeps_name(file));
        let inherited = inherited.map(|file| (file, self.take_lease(file, at)));
        let outcome = match inherited {
            None | Some((_, Lease::Lost)) => Err(error),
            Some((file, lease)) => {
                let outcome = self.write_to(file, line, true, at, false).unwrap_or(Err(error));
                self.unless_gone(lease, Some(file), outcome)
            }
        };
        self.whole(outcome, line, at)
    }

    /// What has come of a write, unless the line has gone with its file.
    fn unless_gone(&self, lease: Lease, file: Option<BorrowedFd<'_>>, outcome: io::Result<usize>) -> io::Result<usize> {
        let is_gone = lease == Lease::Missing && !file.is_some_and(|file| self.upkeep.keeps_name(file));
        if is_gone { outcome.and(Err(io::ErrorKind::NotFound.into())) } else { outcome }
    }

    /// Appends to a slot that needs care, or to the one that comes next if that is full.
    #[cold]
    pub(crate) fn write_with_care(self: &Arc<Self>, pin: Pin<'_>, line: &[u8], at: i64) -> Result<(), Unwritten> {
        let (mut pinned, mut tries) = (Some(pin), 0..TRIES);
        while let Some(pin) = pinned {
            let is_open = match self.lease(&pin, at) {
                Lease::Held if !pin.status().needs_care() => return self.write(pin, line, at),
                Lease::Missing if !pin.status().needs_more_than_lease() => {
                    match self.write_without_lease(pin, line, at) {
                        Some(after_write) => return after_write,
                        None => self.open_anew(at),
                    }
                }
                Lease::Lost => {
                    pin.cancel();
                    self.open_anew(at)
                }
                lease => match self.write_to_slot(&pin, line, at, true) {
                    Some(Ok(_)) if lease == Lease::Missing && !pin.has_name(|file| self.upkeep.keeps_name(file)) => {
                        pin.cancel();
                        self.open_anew(at)
                    }
                    Some(Ok(length)) if length == line.len() => return Ok(()),
                    Some(outcome) => return self.write_failed(pin, outcome, line, at),
                    None => {
                        pin.cancel();
                        self.move_on(at, line.len())
                    }
                },
            };
            if tries.next().is_none() || !is_open {
                break;
            }
            pinned = self.slots.pin(Second::exact(at));
        }
        self.write_with_own_descriptor(line, at)
    }

    /// A write to a slot failed or fell short.
    #[cold]
    pub(crate) fn write_failed(
        self: &Arc<Self>,
        pin: Pin<'_>,
        outcome: io::Result<usize>,
        line: &[u8],
        at: i64,
    ) -> Result<(), Unwritten> {
        // The program closed what it does not own, as a daemon does on its way, and may have the number for something
        // else.
        if !pin.is_intact() {
            drop(pin);
            self.site.counters().lines_failed.fetch_add(1, Relaxed);
            let lost = self.slots.try_roll().is_some_and(|rolling| rolling.forget());
            if lost {
                self.report_lost_descriptor(at);
            }
            return self.write_with_own_descriptor(line, at);
        }
        if pin.file().is_none_or(|file| !self.end_own(file, line, &outcome)) {
            pin.status().tear();
        }
        drop(pin);
        self.whole(outcome, line, at)
    }

    /// If the disk is full, removes old files, as far as `min_log_files` allows, until there is room for the line.
    /// Whole lines that are in the file already are not written again.
    fn make_room_for(&self, outcome: io::Result<usize>, line: &[u8], at: i64) -> io::Result<usize> {
        if !self.upkeep.makes_room_for_lines() {
            return outcome;
        }
        let (mut begin, mut outcome, mut short_writes) = (0, outcome, 0);
        loop {
            let rest = &line[begin..];
            match &outcome {
                // It does not say why: no room, a file-size limit, or a limit on one write. So it is tried again before
                // a file goes.
                Ok(written) if *written < rest.len() && short_writes < SHORT_WRITES && !is_cut(rest, *written) => {
                    short_writes += 1;
                    begin += rest[..*written].iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
                }
                Err(error) if sys::is_want_of_room(error) && self.upkeep.no_room(Wanted::Line) => short_writes = 0,
                Ok(written) => return Ok(begin + written),
                // The caller is told that the lines before `begin` are in the file, and does not try them again.
                Err(_) => return if begin > 0 { Ok(begin) } else { outcome },
            }
            outcome = self.try_again(&line[begin..], at);
        }
    }

    fn try_again(&self, line: &[u8], at: i64) -> io::Result<usize> {
        let (opened, _) = self.open_apart(at, line.len())?;
        self.write_without_limit(&opened, line, at)
    }

    /// What cuts a write to a regular file: a full disk, a quota or a file-size limit, or the kernel's limit of 2 GiB
    /// (`write(2)`).
    fn fell_short(&self, line: &[u8], written: usize) -> io::Error {
        let kind = io::ErrorKind::WriteZero;
        if !self.site.process.may_allocate() {
            return kind.into();
        }
        let why = if is_cut(line, written) {
            "one write takes no more (write(2)), and the option lock_writes is off, or a process writes without it"
        } else {
            "the disk, a quota or the file-size limit is full"
        };
        io::Error::new(kind, format!("{written} of {} bytes went in: {why}", line.len()))
    }

    /// If a line has not been written whole, counts and reports it, and tells its caller.
    fn whole(&self, outcome: io::Result<usize>, line: &[u8], at: i64) -> Result<(), Unwritten> {
        let (error, written) = match self.make_room_for(outcome, line, at) {
            Ok(written) if written == line.len() => return Ok(()),
            Ok(written) => (self.fell_short(line, written), written),
            Err(error) => (error, 0),
        };
        let counters = self.site.counters();
        let lines = line[written..].iter().filter(|&&byte| byte == b'\n').count().max(1);
        counters.lines_failed.fetch_add(1, Relaxed);
        counters.lines_lost.fetch_add(lines as u64, Relaxed);
        counters.bytes_lost.fetch_add((line.len() - written) as u64, Relaxed);
        let copy = copy_of(&error);
        self.report_at(Operation::Write, at, error);
        Err(Unwritten { error: copy, written })
    }

    /// Counts and reports a line that could not be put together, of which so many bytes are known.
    pub(crate) fn refuse(&self, error: io::Error, bytes: usize) -> io::Error {
        let counters = self.site.counters();
        counters.lines_lost.fetch_add(1, Relaxed);
        counters.bytes_lost.fetch_add(bytes as u64, Relaxed);
        let copy = copy_of(&error);
        self.report_at(Operation::Write, self.site.clock.exact_second(), error);
        copy
    }
}

/// Whether the first line is longer than what one write takes. Trying again would leave another piece of it.
fn is_cut(lines: &[u8], written: usize) -> bool {
    written >= ONE_WRITE && !lines[..written].contains(&b'\n')
}
