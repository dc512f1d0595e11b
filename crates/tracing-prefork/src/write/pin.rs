//! [`Pin`]: a slot that keeps its file while a writer uses it.

use crate::sys::sync::{AtomicI64, AtomicU32, AtomicU64};
use crate::sys::{Descriptor, Taken, Turn, fork_wiped};
use crate::time::clock::Second;
use crate::write::in_flight::Entered;
use crate::write::status::Status;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::Relaxed;

fork_wiped! {
    #[derive(Debug)]
    pub(super) struct Bounds {
        pub(super) status: Status,
        pub(super) start: AtomicI64,
        pub(super) end: AtomicI64,
        /// The number of the file in its period.
        pub(super) index: AtomicU32,
        /// The second of the last event for which the kernel refused the lease.
        pub(super) refused: AtomicI64,
        /// The turn of the thread that writes under the write lock, which all threads of this process share.
        pub(super) turn: Turn,
    }
}

impl Bounds {
    #[inline]
    pub(super) fn contain(&self, now: Second) -> bool {
        self.start.load(Relaxed) <= now.at && now.at < self.end.load(Relaxed) - now.behind
    }
}

/// A slot that keeps its file until this is dropped.
#[derive(Debug)]
pub(crate) struct Pin<'a> {
    pub(super) entered: Entered<'a>,
    pub(super) bounds: &'a Bounds,
    pub(super) descriptor: &'a Descriptor,
}

impl<'a> Pin<'a> {
    /// What a write to the slot's file takes.
    pub(crate) fn status(&self) -> &'a Status {
        &self.bounds.status
    }

    /// Whether the kernel has refused the lease to an event of that second.
    pub(crate) fn was_refused_lease(&self, at: i64) -> bool {
        self.bounds.refused.load(Relaxed) == at
    }

    /// Notes that the kernel refuses the lease: it is asked again in another second.
    pub(crate) fn lease_was_refused(&self, at: i64) {
        self.bounds.refused.store(at, Relaxed);
    }

    /// Whether the slot's file is ours and still has a name.
    pub(crate) fn has_name(&self, is_named: impl Fn(BorrowedFd<'_>) -> bool) -> bool {
        self.descriptor.has_name(is_named)
    }

    /// The turn to use the write lock, among the threads of this process. `None`: another thread has it.
    pub(crate) fn try_turn(&self) -> Option<Taken<'a>> {
        self.bounds.turn.try_take()
    }

    /// One `write(2)`. Returns how many bytes of the line are in the file.
    #[inline(always)]
    pub(crate) fn append(&self, line: &[u8]) -> io::Result<usize> {
        self.descriptor.append(line)
    }

    /// A second of the file's period, and the number of the file in the period.
    pub(crate) fn place(&self) -> (i64, u32) {
        let start = self.bounds.start.load(Relaxed);
        (if start == i64::MIN { 0 } else { start }, self.bounds.index.load(Relaxed))
    }

    pub(crate) fn file(&self) -> Option<BorrowedFd<'a>> {
        self.descriptor.borrow()
    }

    /// Whether the descriptor leads to the slot's file. It does not if the program has closed it.
    pub(crate) fn is_intact(&self) -> bool {
        self.descriptor.is_intact()
    }

    /// Ends the pin without counting a write.
    pub(crate) fn cancel(self) {
        self.entered.cancel();
    }

    /// Bytes that this thread has written and has not added to the count of all threads.
    #[inline]
    pub(crate) fn bytes(&self) -> &AtomicU64 {
        self.entered.bytes()
    }
}
