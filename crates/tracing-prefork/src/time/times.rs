//! [`Times`]: a clock and a zone, for lines whose files another process writes.

use crate::time::clock::Clock;
use crate::time::zone::Offsets;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a timer needs to print times.
#[derive(Debug)]
pub(crate) struct Times {
    /// Tells the timers of different appenders apart; never 0.
    pub(crate) id: u64,
    pub(crate) clock: Clock,
    pub(crate) offsets: Offsets,
}

/// A number that no other appender of this process has; never 0.
pub(crate) fn new_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Relaxed) + 1
}
