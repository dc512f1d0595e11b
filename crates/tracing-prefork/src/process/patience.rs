//! Waiting for somebody else, never without a bound.

use std::thread;
use std::time::{Duration, Instant};

/// So long an event waits for somebody else at most. Whoever holds a lock needs microseconds, unless it has been
/// stopped.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// So long an event waits for what another thread does in a moment, and does without it else.
pub(crate) const MOMENT: Duration = Duration::from_millis(10);

/// Asks again and again, for so long at most.
pub(crate) fn wait<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let mut pause = Duration::from_micros(20);
    let mut began = None;
    for turn in 0_u32.. {
        if let Some(got) = ask() {
            return Some(got);
        }
        if turn < 20 {
            thread::yield_now();
            continue;
        }
        if began.get_or_insert_with(Instant::now).elapsed() > patience {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(1));
    }
    None
}
