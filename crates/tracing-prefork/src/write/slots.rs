//! The two slots: which file is open for which period, and how a writer keeps a file in its slot.
//!
//! A slot is a descriptor number of the appender's own, and the period of the file behind that number. A rollover puts
//! the file of the new period into the slot that is not in use. The other slot keeps the period that has just ended,
//! for lines that are still on their way. No lock is on the way of an event:
//!
//! * A writer *pins* a slot: it raises a count, looks whether the slot is open for its second, writes, and lowers the
//!   count.
//! * The thread that rolls over (`rolling`) closes a slot for new pins, looks at the counts, and exchanges the file
//!   only if no writer has the slot pinned. Both sides announce first and look then, so at least one of them sees the
//!   other (`in_flight`). A slot never changes its file under a writer, however long that writer is kept from running.
//! * The thread that rolls over does not wait for a pinned slot. Its line goes to the file by way of another
//!   descriptor.
//!
//! The state lies in memory that a forked child finds empty. So the child has no pin of a thread that does not exist
//! there, no rollover that nobody will finish, and no period of another descriptor table. It opens its file anew.

use crate::process::Process;
use crate::sys::sync::{AtomicU64, AtomicUsize, fence};
use crate::sys::{Descriptor, ForkWiped, Turn, WriteMode, fork_wiped};
use crate::time::clock::Second;
use crate::write::in_flight::InFlight;
use crate::write::pin::{Bounds, Pin};
use crate::write::status::{FULL, LEFT, LOCKED};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, OnceLock};

fork_wiped! {
    /// A count that threads add to while others read the slots. So it has a cache line of its own.
    #[derive(Debug)]
    #[repr(align(64))]
    pub(crate) struct SharedBytes {
        pub(crate) count: AtomicU64,
    }
}

fork_wiped! {
    /// What the threads of this process are doing. All zero: no file is open, and no thread is at work.
    #[derive(Debug)]
    pub(crate) struct State {
        pub(super) bounds: [Bounds; 2],
        /// The slot that was filled last, or the only one that is still open.
        pub(super) latest: AtomicUsize,
        /// The turn of the thread that rolls over, or lets a file go.
        pub(super) roller: Turn,
        /// Bytes written since the size of the file was looked at.
        pub(crate) bytes: SharedBytes,
        pub(crate) in_flight: InFlight,
    }
}

#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) state: ForkWiped<State>,
    /// Not wiped: a child has its parent's descriptors, and puts its own files at the same numbers.
    pub(super) descriptors: [Descriptor; 2],
    /// Whether each write goes under the write lock. Once it does, it stays so.
    locked: AtomicBool,
    process: Arc<Process>,
    /// Whether the file system and the kernel have leases. Not set while the appender is built.
    leases: OnceLock<bool>,
}

impl Slots {
    pub(crate) fn new(write_mode: WriteMode, process: Arc<Process>) -> io::Result<Self> {
        let descriptors = [Descriptor::none(), Descriptor::none()];
        let locked = AtomicBool::new(write_mode == WriteMode::Locked);
        Ok(Self { state: ForkWiped::new()?, descriptors, locked, process, leases: OnceLock::new() })
    }

    pub(crate) fn write_mode(&self) -> WriteMode {
        if self.locked.load(Relaxed) { WriteMode::Locked } else { WriteMode::Unlocked }
    }

    /// From now on each write goes under the write lock, those of lines in flight excepted.
    pub(crate) fn lock_writes(&self) {
        self.locked.store(true, Relaxed);
        // Whoever fills a slot looks once more behind this fence (`Rolling::install`). So one of the two sets the flag.
        fence(SeqCst);
        self.state.bounds.iter().for_each(|bounds| bounds.status.set(LOCKED));
    }

    /// Notes that the appender is built. From now on a thread that opens a file takes a lease on it, if there are any.
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
        self.state.bounds.iter().any(|bounds| bounds.status.is_open())
    }

    /// Whether a file is open that is not that of `at`.
    pub(crate) fn has_other_file(&self, at: i64) -> bool {
        let is_other = |bounds: &Bounds| bounds.status.is_open() && !bounds.contain(Second::exact(at));
        self.state.bounds.iter().any(is_other)
    }

    /// The slot that was filled last, held until the pin is dropped, if the slot's period contains `now` and a write to
    /// the slot is one system call. A second that may lag must lie so far inside the period that the true one does too.
    #[inline(always)]
    pub(crate) fn pin_plain(&self, now: Second) -> Option<Pin<'_>> {
        let state = &*self.state;
        self.pin_if(state, state.latest.load(Relaxed) & 1, |bounds| bounds.status.is_plain() && bounds.contain(now))
    }

    /// The slot whose period contains `now`, whatever a write to it takes. At a boundary that may be the other one: the
    /// line may be one of the period before.
    pub(crate) fn pin(&self, now: Second) -> Option<Pin<'_>> {
        let state = &*self.state;
        let latest = state.latest.load(Relaxed) & 1;
        let wanted = |bounds: &Bounds| bounds.status.is_open() && bounds.contain(now);
        [latest, latest ^ 1].into_iter().find_map(|slot| self.pin_if(state, slot, wanted))
    }

    /// For a line whose file cannot be opened: an open slot whose file has a name. The slot of the period before comes
    /// first.
    pub(crate) fn pin_any(&self, at: i64, is_named: impl Fn(BorrowedFd<'_>) -> bool) -> Option<Pin<'_>> {
        let state = &*self.state;
        let best = state.nearest(at);
        let has_name = |slot: usize| self.descriptors[slot].has_name(&is_named);
        let pin = |slot: usize| self.pin_if(state, slot, |bounds| bounds.status.is_open() && has_name(slot));
        pin(best).or_else(|| pin(best ^ 1))
    }

    /// The slot that was filled last, if it is open.
    pub(crate) fn pin_latest(&self) -> Option<Pin<'_>> {
        self.pin_open(self.state.latest.load(Relaxed) & 1)
    }

    /// The slot of that number, if it is open, whatever its period.
    pub(crate) fn pin_open(&self, slot: usize) -> Option<Pin<'_>> {
        self.pin_if(&self.state, slot, |bounds| bounds.status.is_open())
    }

    #[inline(always)]
    fn pin_if<'a>(&'a self, state: &'a State, slot: usize, is_wanted: impl Fn(&Bounds) -> bool) -> Option<Pin<'a>> {
        let entered = state.in_flight.enter(slot, || self.process.may_allocate());
        let bounds = &state.bounds[slot];
        // If the slot is pinned and open, nobody changes the bounds or the file from here on.
        if is_wanted(bounds) {
            return Some(Pin { entered, bounds, descriptor: &self.descriptors[slot] });
        }
        entered.cancel();
        None
    }

    /// For a forked child that can open nothing: a file that its parent had open, if the file still has a name.
    pub(crate) fn inherited(&self, is_named: impl Fn(BorrowedFd<'_>) -> bool) -> Option<BorrowedFd<'_>> {
        self.descriptors.iter().find(|descriptor| descriptor.has_name(&is_named))?.borrow()
    }

    /// For a child that shares its parent's table of descriptors: leaves the numbers to the parent.
    pub(crate) fn disown(&self) {
        self.descriptors.iter().for_each(Descriptor::disown);
    }

    /// The number of the period's file that is open for `at`.
    pub(crate) fn index(&self, at: i64) -> Option<u32> {
        let state = &*self.state;
        state.slot_of(at).map(|slot| state.bounds[slot].index.load(Relaxed))
    }

    /// Notes that a line of `at` has gone to the period's file of number `index`. No later line goes to a file before
    /// that one.
    pub(crate) fn leave_behind(&self, at: i64, index: u32) {
        let state = &*self.state;
        let Some(bounds) = state.slot_of(at).map(|slot| &state.bounds[slot]) else { return };
        if bounds.index.load(Relaxed) < index {
            bounds.status.set(FULL | LEFT);
        }
    }

    /// From now on no open file takes a line, until its thread has looked for the next file.
    pub(crate) fn set_full(&self) {
        self.state.bounds.iter().for_each(|bounds| bounds.status.set(FULL));
    }

    /// Whether this very thread rolls over or writes: it has called the user's code meanwhile.
    pub(crate) fn are_in_use_here(&self) -> bool {
        self.state.roller.is_taken_here() || self.state.in_flight.has_this_thread()
    }
}

impl State {
    pub(super) fn slot_of(&self, at: i64) -> Option<usize> {
        let latest = self.latest.load(Relaxed) & 1;
        let holds = |slot: &usize| {
            let bounds = &self.bounds[*slot];
            bounds.status.is_open() && bounds.contain(Second::exact(at))
        };
        [latest, latest ^ 1].into_iter().find(holds)
    }

    /// The slot that comes nearest to `at`: an open one comes before a closed one, then a period that has begun before
    /// one that has not, then the period that begins nearest to `at`. Of two slots that are alike, it is the one that
    /// was filled last.
    pub(super) fn nearest(&self, at: i64) -> usize {
        let latest = self.latest.load(Relaxed) & 1;
        let rank = |slot: usize| {
            let bounds = &self.bounds[slot];
            let start = bounds.start.load(Relaxed);
            (bounds.status.is_open(), start <= at, if start <= at { start } else { start.saturating_neg() })
        };
        if rank(latest) >= rank(latest ^ 1) { latest } else { latest ^ 1 }
    }

    /// The slot that takes the next file: a closed one, or else the one with the earlier period. Of two slots that are
    /// alike, it is the one that was not filled last.
    pub(super) fn next_slot(&self) -> usize {
        let latest = self.latest.load(Relaxed) & 1;
        let rank = |slot: usize| {
            let bounds = &self.bounds[slot];
            (bounds.status.is_open(), bounds.start.load(Relaxed))
        };
        let (last, other) = (rank(latest), rank(latest ^ 1));
        let is_earlier = last.0 && other.0 && last.1 < other.1;
        if is_earlier || !last.0 && other.0 { latest } else { latest ^ 1 }
    }
}
