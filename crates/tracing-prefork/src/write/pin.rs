//! A slot that a writer holds: what it is told of the file, and one write.

use crate::sys::sync::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};
use crate::sys::{Descriptor, Taken, Turn, fork_wiped};
use crate::time::clock::Second;
use crate::write::in_flight::Entered;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::Relaxed;

fork_wiped! {
    #[derive(Debug)]
    pub(super) struct Bounds {
        pub(super) open: AtomicBool,
        pub(super) start: AtomicI64,
        pub(super) end: AtomicI64,
        /// Which of the period's files it is.
        pub(super) index: AtomicU32,
        /// Whether a write takes more than one system call: the flags below, and how many times the file has been found
        /// to end in what may be a piece of a line since it was last known not to.
        pub(super) status: AtomicU32,
        /// The second of the event for which the lease was asked for last, if there is none.
        pub(super) asked: AtomicI64,
        /// The turn of the thread that writes under the write lock, which all threads of this process share.
        pub(super) turn: Turn,
    }
}

/// Each write goes under the write lock.
pub(super) const LOCKED: u32 = 1 << 31;
/// The file takes no more lines: the period's next one is being opened, or is there.
pub(super) const FULL: u32 = 1 << 30;
/// A line has gone to a later file of the period.
pub(super) const LEFT: u32 = 1 << 29;
/// The file is open without a lease.
pub(super) const UNLEASED: u32 = 1 << 28;
pub(super) const FLAGS: u32 = LOCKED | FULL | LEFT | UNLEASED;

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
    /// Whether a write takes more than one system call.
    #[inline]
    pub(crate) fn needs_care(&self) -> bool {
        self.bounds.status.load(Relaxed) != 0
    }

    /// Whether the file is open without a lease.
    pub(crate) fn is_unleased(&self) -> bool {
        self.bounds.status.load(Relaxed) & UNLEASED != 0
    }

    /// Whether the lease is all that a write needs care for.
    pub(crate) fn is_only_unleased(&self) -> bool {
        self.bounds.status.load(Relaxed) == UNLEASED
    }

    /// Notes that the file has a lease.
    pub(crate) fn set_leased(&self) {
        self.bounds.status.fetch_and(!UNLEASED, Relaxed);
    }

    /// Whether the lease has not been asked for yet at an event of that second.
    pub(crate) fn may_ask_for_lease(&self, at: i64) -> bool {
        let asked = &self.bounds.asked;
        let may = asked.load(Relaxed) != at;
        asked.store(at, Relaxed);
        may
    }

    /// Whether the slot's file is ours and has a name still.
    pub(crate) fn has_name(&self, is_named: impl Fn(BorrowedFd<'_>) -> bool) -> bool {
        self.descriptor.has_name(is_named)
    }

    /// Whether the file may end in a piece of a line; a number that changes each time it is said to.
    pub(crate) fn torn(&self) -> u32 {
        self.bounds.status.load(Relaxed) & !FLAGS
    }

    /// Has the file take no more lines. It is the slot's file as long as this pin is there.
    pub(crate) fn set_full(&self) {
        self.bounds.status.fetch_or(FULL, Relaxed);
    }

    /// Whether the line is for the period's next file.
    pub(crate) fn is_full(&self) -> bool {
        self.bounds.status.load(Relaxed) & FULL != 0
    }

    /// Notes that the file may end in a piece of a line.
    pub(crate) fn tear(&self) {
        let _ = self.bounds.status.fetch_update(Relaxed, Relaxed, |care| Some((care + 1) & !FLAGS | care & FLAGS));
    }

    /// Notes that it does not, unless it has been said to again since `torn` was read.
    pub(crate) fn mended(&self, torn: u32) {
        let flags = self.bounds.status.load(Relaxed) & FLAGS;
        let _ = self.bounds.status.compare_exchange(torn | flags, flags, Relaxed, Relaxed);
    }

    /// The right to use the write lock, among the threads of this process; `None` if another has it.
    pub(crate) fn try_turn(&self) -> Option<Taken<'a>> {
        self.bounds.turn.try_take()
    }

    /// One `write(2)`; returns how much of the line went in.
    #[inline(always)]
    pub(crate) fn append(&self, line: &[u8]) -> io::Result<usize> {
        self.descriptor.append(line)
    }

    pub(crate) fn file(&self) -> Option<BorrowedFd<'a>> {
        self.descriptor.borrow()
    }

    /// Whether the descriptor leads to the slot's file. Not if the program has closed it.
    pub(crate) fn is_intact(&self) -> bool {
        self.descriptor.is_intact()
    }

    /// Ends it without a write.
    pub(crate) fn cancel(self) {
        self.entered.cancel();
    }

    /// The bytes that this thread has written and the others do not know of.
    #[inline]
    pub(crate) fn bytes(&self) -> &AtomicU64 {
        self.entered.bytes()
    }
}
