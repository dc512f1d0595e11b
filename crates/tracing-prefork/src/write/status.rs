//! [`Status`]: one word that says whether a slot has an open file, and what a write to that file takes.

use crate::sys::fork_wiped;
use crate::sys::sync::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// The slot has an open file. The thread that rolls over takes this flag away before it exchanges the file. If a writer
/// then keeps that thread from the exchange, the flag comes back.
pub(super) const OPEN: u32 = 1;
/// The file may end in one more piece of a line. The bits from here to the next flag are a count.
pub(super) const TORN: u32 = 1 << 1;
/// The file is open without a lease.
pub(super) const UNLEASED: u32 = 1 << 28;
/// A line has gone to a later file of the period.
pub(super) const LEFT: u32 = 1 << 29;
/// The file takes no more lines: the period's next file is being opened, or is there.
pub(super) const FULL: u32 = 1 << 30;
/// Each write goes under the write lock.
pub(super) const LOCKED: u32 = 1 << 31;

/// The count of pieces.
const PIECES: u32 = UNLEASED - TORN;

fork_wiped! {
    /// 0: no file is open. [`OPEN`] alone: a file is open, and a write is one system call.
    #[derive(Debug)]
    pub(crate) struct Status {
        word: AtomicU32,
    }
}

impl Status {
    /// Whether a file is open, and a write is one system call.
    #[inline(always)]
    pub(super) fn is_plain(&self) -> bool {
        self.word.load(Acquire) == OPEN
    }

    pub(super) fn is_open(&self) -> bool {
        self.word.load(Acquire) & OPEN != 0
    }

    /// A file is in the slot, and these `flags` say what a write takes: from here on writers pin the slot.
    pub(super) fn open(&self, flags: u32) {
        self.word.store(OPEN | flags, Release);
    }

    /// Announces that the file is about to be exchanged: no writer pins the slot any more. Says whether it was open.
    pub(super) fn close(&self) -> bool {
        self.word.fetch_and(!OPEN, SeqCst) & OPEN != 0
    }

    pub(super) fn open_again(&self) {
        self.word.fetch_or(OPEN, Release);
    }

    /// Whether a write takes more than a look at the lease and one system call. For a pinned slot: the slot keeps its
    /// file, whatever [`OPEN`] says meanwhile.
    pub(crate) fn needs_more_than_lease(&self) -> bool {
        self.word.load(Relaxed) & !(OPEN | UNLEASED) != 0
    }

    pub(super) fn has(&self, flag: u32) -> bool {
        self.word.load(Relaxed) & flag != 0
    }

    pub(super) fn set(&self, flags: u32) {
        self.word.fetch_or(flags, Relaxed);
    }

    pub(super) fn clear(&self, flag: u32) {
        self.word.fetch_and(!flag, Relaxed);
    }

    /// Has the file take lines again, unless a line has gone to a later file.
    pub(super) fn clear_full_unless_left(&self) {
        let cleared = |word: u32| (word & LEFT == 0).then_some(word & !FULL);
        let _ = self.word.fetch_update(Relaxed, Relaxed, cleared);
    }

    /// Whether the file may end in a piece of a line: a number that changes each time the file is [said](Self::tear)
    /// to.
    pub(crate) fn torn(&self) -> u32 {
        self.word.load(Relaxed) & PIECES
    }

    /// Notes that the file may end in a piece of a line.
    pub(crate) fn tear(&self) {
        let torn = |word: u32| Some(word.wrapping_add(TORN) & PIECES | word & !PIECES);
        let _ = self.word.fetch_update(Relaxed, Relaxed, torn);
    }

    /// Notes that the file does not, unless it has been said to again since `torn` was read.
    pub(crate) fn mended(&self, torn: u32) {
        let others = self.word.load(Relaxed) & !PIECES;
        let _ = self.word.compare_exchange(torn | others, others, Relaxed, Relaxed);
    }
}
