//! Who is writing to which slot: counts that a writer raises and lowers without an atomic read-modify-write.
//!
//! Two of those (`lock xadd`) around a write of 270 ns were measured to cost 18 ns. So each thread has counts of its
//! own, on a cache line of its own, which it changes by plain loads and stores; and the order that matters, "raise the
//! count, then look at the slot" against "close the slot, then look at the counts", is made by the rare side alone: the
//! thread that rolls over has the kernel run a barrier on every processor that runs a thread of this process
//! (`membarrier(2)`). Where the kernel has no such call, each writer issues the barrier itself.

use crate::sys::seat::{self, SEATS, SHARED};
use crate::sys::sync::{AtomicBool, AtomicU64, compiler_fence, fence};
use crate::sys::{self, fork_wiped};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// The low 16 bits of a count are the writes under way, the others those that are done: lowering it adds this. So the
/// number of lines costs nothing.
const DONE: u64 = (1 << 16) - 1;
const UNDER_WAY: u64 = (1 << 16) - 1;

fork_wiped! {
    /// The counts of all threads. All zero: nobody writes, and writers issue their own barriers.
    #[derive(Debug)]
    pub(crate) struct InFlight {
        /// Set once the kernel has agreed to run the barriers in this process.
        expedited: AtomicBool,
        seats: [Seat; SEATS],
    }
}

fork_wiped! {
    /// The counts of one thread, one for each slot.
    #[derive(Debug)]
    #[repr(align(64))]
    struct Seat {
        counts: [AtomicU64; 2],
        /// Bytes that have not been told to the other threads yet.
        bytes: AtomicU64,
    }
}

/// A count that has been entered.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    count: &'a AtomicU64,
    bytes: &'a AtomicU64,
    shared: bool,
}

impl InFlight {
    /// Raises this thread's count for `slot`. What is loaded after it is seen as it was before, or after, all that a
    /// thread does which then finds the slot [`unused`](Self::is_unused).
    #[inline]
    pub(crate) fn enter(&self, slot: usize, may_allocate: impl FnOnce() -> bool) -> Entered<'_> {
        let seat = seat::of_this_thread(may_allocate);
        let Seat { counts, bytes } = &self.seats[seat];
        let count = &counts[slot];
        let shared = seat == SHARED;
        if shared {
            count.fetch_add(1, SeqCst);
        } else {
            count.store(count.load(Relaxed) + 1, Relaxed);
        }
        if self.expedited.load(Relaxed) {
            compiler_fence(SeqCst);
        } else {
            fence(SeqCst);
        }
        Entered { count, bytes, shared }
    }

    /// Whether nobody writes to `slot`, which the caller has closed.
    pub(crate) fn is_unused(&self, slot: usize) -> bool {
        fence(SeqCst);
        if self.expedited.load(Relaxed) && !sys::barrier_in_all_threads() {
            // The kernel agreed and does not any more (a seccomp filter). Writers look after themselves from now on;
            // this time nothing is known.
            self.expedited.store(false, Relaxed);
            return false;
        }
        self.seats.iter().all(|seat| seat.counts[slot].load(Acquire) & UNDER_WAY == 0)
    }

    /// Whether this thread is in the middle of a write. Not known of threads that share their counts.
    pub(crate) fn has_this_thread(&self) -> bool {
        let seat = seat::of_this_thread(|| false);
        seat != SHARED && self.seats[seat].counts.iter().any(|count| count.load(Relaxed) & UNDER_WAY != 0)
    }

    /// Leaves the barriers to the kernel, if it agrees.
    pub(crate) fn expedite(&self) {
        if sys::register_barriers() {
            self.expedited.store(true, Relaxed);
        }
    }

    /// How many writes are done.
    pub(crate) fn done(&self) -> u64 {
        self.seats.iter().flat_map(|seat| &seat.counts).map(|count| count.load(Relaxed) >> 16).sum()
    }
}

impl<'a> Entered<'a> {
    /// The bytes that this thread has written and the others do not know of.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a AtomicU64 {
        self.bytes
    }

    /// Lowers the count again without counting a write.
    #[inline]
    pub(crate) fn cancel(self) {
        self.leave(1_u64.wrapping_neg());
        std::mem::forget(self);
    }

    /// Nothing is to be lowered in a child that a signal handler has forked in the middle of a write: its counts are
    /// zero.
    #[inline]
    fn leave(&self, by: u64) {
        let lowered = |count: u64| (count & UNDER_WAY != 0).then(|| count.wrapping_add(by));
        if self.shared {
            let _ = self.count.fetch_update(Release, Relaxed, lowered);
        } else if let Some(count) = lowered(self.count.load(Relaxed)) {
            self.count.store(count, Release);
        }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        self.leave(DONE);
    }
}
