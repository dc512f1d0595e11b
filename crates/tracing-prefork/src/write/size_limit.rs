//! How large a file may become, and when to look.
//!
//! Processes share no counter: the size is the file's own. A process looks at the size each time that it has written a
//! certain number of bytes. When the file is full, the process goes on to the period's next file.

use crate::sys::WriteMode;
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A process looks at the size of its file when it has written a 64th of what the file may hold: at most once each
/// 16 KiB, and at least once each 256 KiB. A look takes 400 ns. To write 16 KiB in lines of 120 bytes takes 37 us.
const INTERVAL: RangeInclusive<u64> = 16 * 1024..=256 * 1024;

/// A thread adds its bytes to the count of all threads in so many parts of an interval, because that is an atomic
/// addition.
const PARTS: u64 = 16;

/// The most files that are tried before a line goes to a full one.
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

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Counts bytes that a thread has written. Says whether it is time to add them to the count of all threads.
    #[inline]
    pub(crate) fn count(&self, own: &AtomicU64, written: usize) -> bool {
        // Not an atomic addition: the count belongs to this thread. (Where threads share a count, some bytes may be
        // missed.)
        let bytes = own.load(Relaxed) + written as u64;
        own.store(bytes, Relaxed);
        bytes >= self.part
    }

    /// Whether a file of `size` bytes takes another line of `length` bytes. Under the write lock the limit is exact. A
    /// line that is longer than the limit has a file to itself: a file that is `empty` but for its first line.
    pub(crate) fn has_room(&self, size: u64, length: usize, empty: bool, write_mode: WriteMode) -> bool {
        match write_mode {
            WriteMode::Unlocked => size < self.max,
            WriteMode::Locked => empty || size + length as u64 <= self.max,
        }
    }
}
