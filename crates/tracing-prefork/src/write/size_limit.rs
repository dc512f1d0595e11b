//! How large a file may become, and when to look.
//!
//! No counter is shared between processes: the size is the file's own. A process looks at it each time that it has
//! written so many bytes, and goes on to the period's next file when this one is full.

use crate::sys::WriteMode;
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A process looks at the size of its file when it has written a 64th of what the file may hold, but not more often
/// than each 16 KiB, and at least each 256 KiB. A look takes 400 ns, and 16 KiB in lines of 120 bytes 37 us.
const INTERVAL: RangeInclusive<u64> = 16 * 1024..=256 * 1024;

/// Each thread tells the others of what it has written in so many parts of an interval, since that is an atomic
/// addition.
const PARTS: u64 = 16;

/// In so many files room is looked for before a line goes into one that is full.
pub(crate) const TRIES: usize = 20;

/// `max_file_bytes`.
#[derive(Debug)]
pub(crate) struct SizeLimit {
    max: u64,
    pub(crate) interval: u64,
    part: u64,
}

impl SizeLimit {
    pub(crate) fn new(max: u64) -> Self {
        let interval = (max / 64).clamp(*INTERVAL.start(), *INTERVAL.end());
        Self { max, interval, part: interval / PARTS }
    }

    /// Counts what a thread has written. Says whether that is enough to tell the others.
    #[inline]
    pub(crate) fn count(&self, own: &AtomicU64, written: usize) -> bool {
        // Not an addition in one step: the count is this thread's. (Of threads that share one, some bytes may be
        // missed.)
        let bytes = own.load(Relaxed) + written as u64;
        own.store(bytes, Relaxed);
        bytes >= self.part
    }

    /// Whether a file of `size` bytes takes another line of `length`. Under the write lock the limit is exact; a line
    /// that is longer than it has a file to itself: one that is `empty` but for its first line.
    pub(crate) fn has_room(&self, size: u64, length: usize, empty: bool, write_mode: WriteMode) -> bool {
        match write_mode {
            WriteMode::Unlocked => size < self.max,
            WriteMode::Locked => empty || size + length as u64 <= self.max,
        }
    }
}
