//! [`Rolling`]: the right to exchange the files of the slots.

use crate::sys::sync::fence;
use crate::sys::{self, FileId, Opened, Taken, WriteMode};
use crate::time::calendar::Span;
use crate::time::clock::Second;
use crate::write::slots::{Slots, State};
use crate::write::status::{FULL, LEFT, LOCKED, TORN, UNLEASED};
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

/// Writers in the middle of a write have so much time to finish.
const DRAINED: Duration = Duration::from_millis(30);

/// Whether a file takes lines as soon as it is in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Lines,
    /// Not before [`Rolling::set_not_full`] says so.
    NoLinesYet,
}

/// The right to exchange files, until this is dropped.
#[derive(Debug)]
pub(crate) struct Rolling<'a> {
    slots: &'a Slots,
    state: &'a State,
    /// One thread at a time.
    _turn: Taken<'a>,
}

impl Slots {
    /// The right to exchange files. `None`: another thread has it. Nobody waits for it.
    pub(crate) fn try_roll(&self) -> Option<Rolling<'_>> {
        let state = &*self.state;
        let _turn = state.roller.try_take()?;
        Some(Rolling { slots: self, state, _turn })
    }
}

impl Rolling<'_> {
    pub(crate) fn has(&self, at: i64) -> bool {
        self.state.bounds.iter().any(|bounds| bounds.status.is_open() && bounds.contain(Second::exact(at)))
    }

    /// Whether no file is open: at build, and at the first event of a forked child.
    pub(crate) fn nothing_open(&self) -> bool {
        self.state.bounds.iter().all(|bounds| !bounds.status.is_open())
    }

    /// Whether `at` lies behind every open period, so that its file is the newest.
    pub(crate) fn is_forward(&self, at: i64) -> bool {
        self.state.bounds.iter().all(|bounds| !bounds.status.is_open() || bounds.end.load(Relaxed) <= at)
    }

    /// The file that is open for `at`.
    pub(crate) fn file(&self, at: i64) -> Option<FileId> {
        self.state.slot_of(at).map(|slot| self.slots.descriptors[slot].installed())
    }

    /// Whether the descriptors of all open slots lead to their files. They do not if the program has closed one.
    pub(crate) fn are_intact(&self) -> bool {
        let mut slots = self.state.bounds.iter().zip(&self.slots.descriptors);
        slots.all(|(bounds, descriptor)| !bounds.status.is_open() || descriptor.is_intact())
    }

    /// From now on the file that is open for `at` takes no lines.
    pub(crate) fn set_full(&self, at: i64) {
        if let Some(slot) = self.state.slot_of(at) {
            self.state.bounds[slot].status.set(FULL);
        }
    }

    /// From now on the file that is open for `at` takes lines again, if the file `is_last` and no line has gone to a
    /// later file meanwhile.
    pub(crate) fn set_not_full(&self, at: i64, is_last: impl FnOnce(u32) -> bool) {
        let Some(slot) = self.state.slot_of(at) else { return };
        let bounds = &self.state.bounds[slot];
        bounds.status.clear(LEFT);
        if is_last(bounds.index.load(Relaxed)) {
            bounds.status.clear_full_unless_left();
        }
    }

    pub(crate) fn is_full(&self, at: i64) -> bool {
        self.state.slot_of(at).is_some_and(|slot| self.state.bounds[slot].status.has(FULL))
    }

    /// The size of the file that is open for `at`, and its number in the period.
    pub(crate) fn size(&self, at: i64) -> Option<(u64, u32)> {
        let slot = self.state.slot_of(at)?;
        let size = sys::size(self.slots.descriptors[slot].borrow()?).ok()?;
        Some((size, self.state.bounds[slot].index.load(Relaxed)))
    }

    /// Rolls over: a file of the period `span` takes the place of the older file. `false`: a writer is in that slot,
    /// and nothing has changed.
    pub(crate) fn install(&self, span: Span, index: u32, opened: Opened, takes: Takes) -> bool {
        // 1. Nobody may write to the file that goes.
        let slot = self.state.next_slot();
        if !self.close(slot) {
            return false;
        }
        // 2. The new file takes its place.
        let nothing_open = self.nothing_open();
        self.slots.descriptors[slot].install(opened.file);
        self.state.bytes.count.store(0, Relaxed);
        // 3. The period comes first, and the status last: from then on writers pin the slot.
        let bounds = &self.state.bounds[slot];
        bounds.start.store(span.start, Relaxed);
        bounds.end.store(span.end, Relaxed);
        bounds.index.store(index, Relaxed);
        bounds.refused.store(i64::MIN, Relaxed);
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        let flags = flag(takes == Takes::NoLinesYet, FULL)
            | flag(self.slots.write_mode() == WriteMode::Locked, LOCKED)
            | flag(!opened.leased, UNLEASED)
            | flag(opened.torn, TORN);
        bounds.status.open(flags);
        // Another thread may have called `Slots::lock_writes` meanwhile.
        fence(SeqCst);
        if self.slots.write_mode() == WriteMode::Locked {
            bounds.status.set(LOCKED);
        }
        self.state.latest.store(slot, Relaxed);
        // 4. At the first file of a forked child, the other descriptor leads to a file of the parent.
        if nothing_open {
            self.slots.descriptors[slot ^ 1].release();
        }
        true
    }

    /// Lets go of the file that does not take the lines of `at`, if `now` is `grace` seconds or more away from the
    /// file's period, in either direction, or if the other slot has the same period.
    pub(crate) fn let_go_of_ended(&self, at: i64, now: i64, grace: i64) {
        let kept = self.state.slot_of(at).unwrap_or_else(|| self.state.nearest(now));
        let slot = kept ^ 1;
        let bounds = &self.state.bounds[slot];
        if !bounds.status.is_open() {
            return;
        }
        let (start, end) = (bounds.start.load(Relaxed), bounds.end.load(Relaxed));
        let far = now >= end.saturating_add(grace) || now < start.saturating_sub(grace);
        let replaced = self.state.bounds[kept].start.load(Relaxed) == start;
        if (far || replaced) && self.close(slot) {
            self.state.latest.store(kept, Relaxed);
            self.slots.descriptors[slot].release();
        }
    }

    /// Gives back the leases on files whose period has been over for `grace` seconds. The files stay open, and the next
    /// line takes the lease again.
    pub(crate) fn give_leases_back(&self, at: i64, grace: i64) {
        for (slot, bounds) in self.state.bounds.iter().enumerate() {
            let ended = at >= bounds.end.load(Relaxed).saturating_add(grace);
            if !bounds.status.is_open() || !ended || !self.close(slot) {
                continue;
            }
            if let Some(file) = self.slots.descriptors[slot].borrow() {
                bounds.refused.store(i64::MIN, Relaxed);
                bounds.status.set(UNLEASED);
                sys::unshare(file);
            }
            bounds.status.open_again();
        }
    }

    /// Whether the file that is open for `at` has a lease.
    pub(crate) fn is_leased(&self, at: i64) -> bool {
        self.state.slot_of(at).is_some_and(|slot| !self.state.bounds[slot].status.has(UNLEASED))
    }

    /// Closes the file that is open for `at` if the file has no name any more: nobody would ever find its lines. If a
    /// writer stays in the middle of a write, the file stays open until the next look.
    pub(crate) fn abandon_nameless(&self, at: i64, is_named: impl Fn(BorrowedFd<'_>) -> bool) {
        let Some(slot) = self.state.slot_of(at) else { return };
        let descriptor = &self.slots.descriptors[slot];
        if !descriptor.has_name(is_named) && self.drain(slot) {
            descriptor.release();
        }
    }

    /// Closes both slots, so that the next event opens its file anew. Says whether a slot was open and is closed now.
    pub(crate) fn forget(&self) -> bool {
        let was_open = |slot: usize| self.state.bounds[slot].status.is_open();
        [0, 1].into_iter().filter(|slot| was_open(*slot) && self.close(*slot)).count() > 0
    }

    /// Closes both slots and their files, so that the next event opens its file. Also closes what a forked child has
    /// inherited. `false`: a writer is in the middle of a write, and its file stays open.
    pub(crate) fn release(&self) -> bool {
        let release = |slot: usize| {
            let is_closed = self.drain(slot);
            if is_closed {
                self.slots.descriptors[slot].release();
            }
            is_closed
        };
        [0, 1].map(release) == [true; 2]
    }

    /// As [`close`](Self::close), for a slot to which others write without a pause: gives writers 30 ms to finish.
    fn drain(&self, slot: usize) -> bool {
        let is_unused = || self.state.in_flight.is_unused(slot).then_some(());
        self.close_if(slot, || sys::wait(DRAINED, is_unused).is_some())
    }

    /// Closes a slot for new pins. If the slot is pinned still, opens it again and says `false`.
    fn close(&self, slot: usize) -> bool {
        self.close_if(slot, || self.state.in_flight.is_unused(slot))
    }

    fn close_if(&self, slot: usize, is_unused: impl FnOnce() -> bool) -> bool {
        let bounds = &self.state.bounds[slot];
        let was_open = bounds.status.close();
        let is_unused = is_unused();
        if !is_unused && was_open {
            bounds.status.open_again();
        }
        is_unused
    }
}
