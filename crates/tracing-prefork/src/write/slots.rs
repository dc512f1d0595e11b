//! The two slots: which file is open for which period, and how it is exchanged while others write.
//!
//! A slot is a descriptor number of the appender's own, and the period of the file behind it. At a rollover
//! the file of the new period is put into the slot that is not in use; the other keeps the period that has just
//! ended for the lines that are still on their way. There is no lock on the way of an event:
//!
//! * A writer *pins* a slot by raising a count, then looks whether the slot is open for its instant, writes, and
//!   lowers the count.
//! * The thread that rolls over closes a slot (for new pins), and exchanges its file only if nobody has it pinned. Both
//!   sides announce first and look then, so at least one of them sees the other (`in_flight`): a slot never changes its
//!   file under a writer, however long that writer is kept from running.
//! * A pinned slot is not waited for. The line in hand then goes to its file by way of a descriptor of its own.
//!
//! All of it lies in memory that a forked child finds empty: no pin of a thread that does not exist there, no rollover
//! that nobody will finish, no period that belongs to another descriptor table. The child opens its file anew.

use crate::process::Process;
use crate::sys::{self, Descriptor, FileId, ForkWiped, Opened, WriteMode, fork_wiped};
use crate::time::calendar::Span;
use crate::time::clock::Second;
use crate::write::in_flight::InFlight;
use crate::write::pin::{Bounds, FULL, LEFT, LOCKED, Pin, UNLEASED};
use crate::write::sync::{AtomicBool, AtomicU64, AtomicUsize, this_thread, thread};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

fork_wiped! {
    /// A count that threads add to while others read the slots: on a cache line of its own.
    #[derive(Debug)]
    #[repr(align(64))]
    pub(crate) struct SharedBytes {
        pub(crate) count: AtomicU64,
    }
}

fork_wiped! {
    /// What the threads of this process are doing. All zero: nothing is open, nobody is at work.
    #[derive(Debug)]
    pub(crate) struct State {
        bounds: [Bounds; 2],
        /// The slot that was filled last, or that is left.
        latest: AtomicUsize,
        /// A thread rolls over, or lets a file go.
        rolling: AtomicBool,
        /// Which one, while it is at it.
        roller: AtomicUsize,
        /// Bytes written since the size of the file was looked at.
        pub(crate) bytes: SharedBytes,
        pub(crate) in_flight: InFlight,
    }
}

#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) state: ForkWiped<State>,
    /// Not wiped: a child has its parent's descriptors, and puts its own files onto the same numbers.
    descriptors: [Descriptor; 2],
    pub(crate) write_mode: WriteMode,
    process: Arc<Process>,
    /// Whether there are such locks as leases here. Not set while the appender is built.
    leases: OnceLock<bool>,
}

impl Slots {
    pub(crate) fn new(write_mode: WriteMode, process: Arc<Process>) -> io::Result<Self> {
        let descriptors = [Descriptor::none(), Descriptor::none()];
        Ok(Self { state: ForkWiped::new()?, descriptors, write_mode, process, leases: OnceLock::new() })
    }

    /// The appender is built: from now on whoever opens a file takes a lease on it, if there are any.
    pub(crate) fn built(&self, leases: bool) {
        let _ = self.leases.set(leases);
    }

    pub(crate) fn is_built(&self) -> bool {
        self.leases.get().is_some()
    }

    /// Whether this file system, or this kernel, has no leases.
    pub(crate) fn is_without_leases(&self) -> bool {
        self.leases.get() == Some(&false)
    }

    /// Whether a file is open that could take a line.
    pub(crate) fn is_open(&self) -> bool {
        self.state.bounds.iter().any(|bounds| bounds.open.load(Relaxed))
    }

    /// The slot whose period `now` lies in, held until the pin is dropped. A second that may be behind must lie so far
    /// inside that the true one does too.
    #[inline(always)]
    pub(crate) fn pin(&self, now: Second) -> Option<Pin<'_>> {
        let state = &*self.state;
        let latest = state.latest.load(Relaxed) & 1;
        match self.pin_if(state, latest, |bounds| bounds.contain(now)) {
            None => self.pin_other(state, latest ^ 1, now),
            pinned => pinned,
        }
    }

    /// At a boundary: the line may be one of the period before.
    #[cold]
    fn pin_other<'a>(&'a self, state: &'a State, slot: usize, now: Second) -> Option<Pin<'a>> {
        self.pin_if(state, slot, |bounds| bounds.contain(now))
    }

    /// For when the file of `at` cannot be opened: an open slot whose file has a name, that of the file before if it is
    /// open.
    pub(crate) fn pin_any(&self, at: i64, is_named: impl Fn(BorrowedFd<'_>) -> bool) -> Option<Pin<'_>> {
        let state = &*self.state;
        let best = state.nearest(at);
        let pin = |slot: usize| self.pin_if(state, slot, |_| self.descriptors[slot].has_name(&is_named));
        pin(best).or_else(|| pin(best ^ 1))
    }

    #[inline(always)]
    fn pin_if<'a>(&'a self, state: &'a State, slot: usize, wanted: impl Fn(&Bounds) -> bool) -> Option<Pin<'a>> {
        let entered = state.in_flight.enter(slot, || self.process.may_allocate());
        let bounds = &state.bounds[slot];
        // Pinned and open: from here on nobody changes the bounds or the file.
        if bounds.open.load(Acquire) && wanted(bounds) {
            return Some(Pin { entered, bounds, descriptor: &self.descriptors[slot] });
        }
        entered.cancel();
        None
    }

    /// For when nothing can be opened in a forked child: a file that its parent had open, if it still has a name.
    pub(crate) fn inherited(&self, is_named: impl Fn(BorrowedFd<'_>) -> bool) -> Option<BorrowedFd<'_>> {
        self.descriptors.iter().find(|descriptor| descriptor.has_name(&is_named))?.borrow()
    }

    /// For a child that uses its parent's table of descriptors: leaves the parent's numbers to the parent.
    pub(crate) fn disown(&self) {
        self.descriptors.iter().for_each(Descriptor::disown);
    }

    /// Which of the period's files is open for `at`.
    pub(crate) fn index(&self, at: i64) -> Option<u32> {
        let state = &*self.state;
        state.slot_of(at).map(|slot| state.bounds[slot].index.load(Relaxed))
    }

    /// A line of `at` has gone to the period's file of that number: none goes to one before it any more.
    pub(crate) fn leave_behind(&self, at: i64, index: u32) {
        let state = &*self.state;
        let Some(bounds) = state.slot_of(at).map(|slot| &state.bounds[slot]) else { return };
        if bounds.index.load(Relaxed) < index {
            bounds.status.fetch_or(FULL | LEFT, Relaxed);
        }
    }

    /// The right to exchange files, or `None` if another thread is at it. Never waited for.
    pub(crate) fn try_roll(&self) -> Option<Rolling<'_>> {
        let state = &*self.state;
        // Not `then_some`: a `Rolling` that is made releases the right when it goes.
        (!state.rolling.swap(true, Acquire)).then(|| {
            state.roller.store(this_thread(), Relaxed);
            Rolling { slots: self, state }
        })
    }

    /// Whether it is this very thread that rolls over or writes: it has called the user's code meanwhile.
    pub(crate) fn are_in_use_here(&self) -> bool {
        self.state.roller.load(Relaxed) == this_thread() || self.state.in_flight.has_this_thread()
    }
}

impl State {
    fn slot_of(&self, at: i64) -> Option<usize> {
        let latest = self.latest.load(Relaxed) & 1;
        let holds = |slot: &usize| {
            let bounds = &self.bounds[*slot];
            bounds.open.load(Relaxed) && bounds.contain(Second::exact(at))
        };
        [latest, latest ^ 1].into_iter().find(holds)
    }

    /// The slot that takes the lines of `at`: the open one with the latest period that has begun by then, or else with
    /// the earliest of those that have not. Of two with the same period, the one that was filled last.
    fn nearest(&self, at: i64) -> usize {
        let latest = self.latest.load(Relaxed) & 1;
        let rank = |slot: usize| {
            let bounds = &self.bounds[slot];
            let start = bounds.start.load(Relaxed);
            (bounds.open.load(Relaxed), start <= at, if start <= at { start } else { start.saturating_neg() })
        };
        if rank(latest) >= rank(latest ^ 1) { latest } else { latest ^ 1 }
    }

    /// The slot that a file is put into next: a closed one, or else the one with the earlier period. Of two that are
    /// alike, the one that was not filled last.
    fn next_slot(&self) -> usize {
        let latest = self.latest.load(Relaxed) & 1;
        let rank = |slot: usize| {
            let bounds = &self.bounds[slot];
            (bounds.open.load(Relaxed), bounds.start.load(Relaxed))
        };
        let (last, other) = (rank(latest), rank(latest ^ 1));
        let is_earlier = last.0 && other.0 && last.1 < other.1;
        if is_earlier || !last.0 && other.0 { latest } else { latest ^ 1 }
    }
}

/// The right to exchange files.
#[derive(Debug)]
pub(crate) struct Rolling<'a> {
    slots: &'a Slots,
    state: &'a State,
}

impl Rolling<'_> {
    pub(crate) fn has(&self, at: i64) -> bool {
        self.state.bounds.iter().any(|bounds| bounds.open.load(Relaxed) && bounds.contain(Second::exact(at)))
    }

    /// Whether nothing is open yet: at build, and at the first event of a forked child.
    pub(crate) fn nothing_open(&self) -> bool {
        self.state.bounds.iter().all(|bounds| !bounds.open.load(Relaxed))
    }

    /// Whether `at` lies behind every period that is open, so that the newest file begins.
    pub(crate) fn is_forward(&self, at: i64) -> bool {
        self.state.bounds.iter().all(|bounds| !bounds.open.load(Relaxed) || bounds.end.load(Relaxed) <= at)
    }

    /// The file that is open for `at`.
    pub(crate) fn file(&self, at: i64) -> Option<FileId> {
        self.state.slot_of(at).map(|slot| self.slots.descriptors[slot].installed())
    }

    /// Whether the descriptors of all open slots lead to their files. Not if the program has closed one.
    pub(crate) fn are_intact(&self) -> bool {
        let mut slots = self.state.bounds.iter().zip(&self.slots.descriptors);
        slots.all(|(bounds, descriptor)| !bounds.open.load(Relaxed) || descriptor.is_intact())
    }

    /// Has the file that is open for `at` take no more lines.
    pub(crate) fn set_full(&self, at: i64) {
        if let Some(slot) = self.state.slot_of(at) {
            self.state.bounds[slot].status.fetch_or(FULL, Relaxed);
        }
    }

    /// Has the file that is open for `at` take lines again, if it `is_last` and no line has gone to a later one
    /// meanwhile.
    pub(crate) fn set_not_full(&self, at: i64, is_last: impl FnOnce(u32) -> bool) {
        let Some(slot) = self.state.slot_of(at) else { return };
        let bounds = &self.state.bounds[slot];
        bounds.status.fetch_and(!LEFT, Relaxed);
        if is_last(bounds.index.load(Relaxed)) {
            let _ = bounds.status.fetch_update(Relaxed, Relaxed, |care| (care & LEFT == 0).then_some(care & !FULL));
        }
    }

    pub(crate) fn is_full(&self, at: i64) -> bool {
        self.state.slot_of(at).is_some_and(|slot| self.state.bounds[slot].status.load(Relaxed) & FULL != 0)
    }

    /// How large the file is that is open for `at`, and which of the period's files.
    pub(crate) fn size(&self, at: i64) -> Option<(u64, u32)> {
        let slot = self.state.slot_of(at)?;
        let size = sys::size(self.slots.descriptors[slot].borrow()?).ok()?;
        Some((size, self.state.bounds[slot].index.load(Relaxed)))
    }

    /// Rolls over: `file` of the period `span` takes the place of the older file. `false`: somebody still writes there,
    /// and nothing has changed.
    pub(crate) fn install(&self, span: Span, index: u32, opened: Opened) -> bool {
        self.install_as(0, span, index, opened)
    }

    /// The same with a file that takes no lines before [`set_not_full`](Self::set_not_full) says so.
    pub(crate) fn install_full(&self, span: Span, index: u32, opened: Opened) -> bool {
        self.install_as(FULL, span, index, opened)
    }

    fn install_as(&self, care: u32, span: Span, index: u32, opened: Opened) -> bool {
        let slot = self.state.next_slot();
        if !self.close(slot) {
            return false;
        }
        let first = self.nothing_open();
        let bounds = &self.state.bounds[slot];
        self.slots.descriptors[slot].install(opened.file);
        let locked = if self.slots.write_mode == WriteMode::Locked { LOCKED } else { 0 };
        let unleased = if opened.leased { 0 } else { UNLEASED };
        bounds.status.store(care | locked | unleased | u32::from(opened.torn), Relaxed);
        bounds.asked.store(i64::MIN, Relaxed);
        bounds.index.store(index, Relaxed);
        self.state.bytes.count.store(0, Relaxed);
        bounds.start.store(span.start, Relaxed);
        bounds.end.store(span.end, Relaxed);
        bounds.open.store(true, Release);
        self.state.latest.store(slot, Relaxed);
        if first {
            // What the other descriptor still leads to was inherited through a fork.
            self.slots.descriptors[slot ^ 1].release();
        }
        true
    }

    /// Lets go of a file whose period `now` is `grace` seconds or more away from, in either direction, or in whose
    /// place another has been opened; not of the one that takes the lines of `at`.
    pub(crate) fn let_go_of_ended(&self, at: i64, now: i64, grace: i64) {
        let kept = self.state.slot_of(at).unwrap_or_else(|| self.state.nearest(now));
        let slot = kept ^ 1;
        let bounds = &self.state.bounds[slot];
        if !bounds.open.load(Relaxed) {
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

    /// Gives back the leases on files whose period has been over for `grace` seconds. They stay open, and the next line
    /// takes the lease again.
    pub(crate) fn give_leases_back(&self, at: i64, grace: i64) {
        for (slot, bounds) in self.state.bounds.iter().enumerate() {
            let ended = at >= bounds.end.load(Relaxed).saturating_add(grace);
            if !bounds.open.load(Relaxed) || !ended || !self.close(slot) {
                continue;
            }
            if let Some(file) = self.slots.descriptors[slot].borrow() {
                bounds.asked.store(i64::MIN, Relaxed);
                bounds.status.fetch_or(UNLEASED, Relaxed);
                sys::unshare(file);
            }
            bounds.open.store(true, Release);
        }
    }

    /// Whether the file that is open for `at` has a lease.
    pub(crate) fn is_leased(&self, at: i64) -> bool {
        self.state.slot_of(at).is_some_and(|slot| self.state.bounds[slot].status.load(Relaxed) & UNLEASED == 0)
    }

    /// Closes the file that is open for `at` if it has no name any more: nobody would ever find what is written there.
    /// If somebody stays in the middle of a write, the next look does it.
    pub(crate) fn abandon_nameless(&self, at: i64, is_named: impl Fn(BorrowedFd<'_>) -> bool) {
        let Some(slot) = self.state.slot_of(at) else { return };
        let descriptor = &self.slots.descriptors[slot];
        if !descriptor.has_name(is_named) && self.drain(slot) {
            descriptor.release();
        }
    }

    /// Closes both slots, so that the next event opens its file anew. Says whether one was open and is not any more.
    pub(crate) fn forget(&self) -> bool {
        let was_open = |slot: usize| self.state.bounds[slot].open.load(Relaxed);
        [0, 1].into_iter().filter(|slot| was_open(*slot) && self.close(*slot)).count() > 0
    }

    /// [`close`](Self::close) where others write without a pause: gives those that are at it 30 ms to finish.
    fn drain(&self, slot: usize) -> bool {
        let open = &self.state.bounds[slot].open;
        open.store(false, SeqCst);
        let unused = (0..320).any(|turn| {
            match turn {
                0 => {}
                1..20 => thread::yield_now(),
                _ => thread::sleep(Duration::from_micros(100)),
            }
            self.state.in_flight.is_unused(slot)
        });
        if !unused {
            open.store(true, Release);
        }
        unused
    }

    /// Closes a slot for new pins. If it is pinned still, opens it again and says `false`.
    fn close(&self, slot: usize) -> bool {
        let bounds = &self.state.bounds[slot];
        let was_open = bounds.open.swap(false, SeqCst);
        let unused = self.state.in_flight.is_unused(slot);
        if !unused {
            bounds.open.store(was_open, Release);
        }
        unused
    }
}

impl Drop for Rolling<'_> {
    fn drop(&mut self) {
        self.state.roller.store(0, Relaxed);
        self.state.rolling.store(false, Release);
    }
}
