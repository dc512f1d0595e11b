//! [`ErrorCounter`]: how many lines were dropped.

use crate::report::Reporter;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Counts the lines that were dropped because a ring of the appender was full, through whichever handle. A forked child
/// starts at zero. Without [`lossy`](crate::non_blocking::NonBlockingBuilder::lossy) no line is dropped.
#[derive(Clone)]
pub struct ErrorCounter {
    reporter: Arc<Reporter>,
}

impl ErrorCounter {
    pub(super) fn of(reporter: Arc<Reporter>) -> Self {
        Self { reporter }
    }

    /// How many lines were dropped in this process: [`Stats::lines_dropped`](crate::Stats::lines_dropped).
    pub fn dropped_lines(&self) -> usize {
        usize::try_from(self.reporter.counters().lines_dropped.load(Relaxed)).unwrap_or(usize::MAX)
    }
}

impl UnwindSafe for ErrorCounter {}
impl RefUnwindSafe for ErrorCounter {}

impl fmt::Debug for ErrorCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErrorCounter").field(&self.dropped_lines()).finish()
    }
}
