//! When to try again to open a file that could not be opened: after 1, 2, 4, 8, 8 ... seconds.

use crate::sys::fork_wiped;
use nix::errno::Errno;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};

/// The most seconds between two attempts.
const LONGEST: i64 = 8;

fork_wiped! {
    /// All zero: the last attempt has succeeded, or there was none.
    #[derive(Debug)]
    pub(crate) struct Retry {
        /// In the low half the errno of the last attempt, or 0 if that attempt has succeeded. In the high half the
        /// number of attempts that have succeeded.
        state: AtomicU64,
        /// The second of the event whose file could not be opened.
        failed: AtomicI64,
        /// Seconds between that second and the next attempt.
        pause: AtomicI64,
    }
}

/// An attempt that has begun: the state at its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt(u64);

const ERRNO: u64 = u32::MAX as u64;

impl Retry {
    /// An error if the last attempt has failed so recently that there is no other attempt yet. If the clock was set
    /// back meanwhile, there is.
    pub(crate) fn may_open(&self, at: i64) -> io::Result<()> {
        let (errno, failed) = (self.state.load(Relaxed) & ERRNO, self.failed.load(Relaxed));
        let waiting = errno != 0 && (failed..failed + self.pause.load(Relaxed)).contains(&at);
        if waiting { Err(io::Error::from_raw_os_error(errno as i32)) } else { Ok(()) }
    }

    pub(crate) fn begin(&self) -> Attempt {
        Attempt(self.state.load(Relaxed))
    }

    /// Notes the outcome of an attempt. A failure does not count if another thread has succeeded since the attempt
    /// began: a thread whose line has gone to the right file must not go back to the file before.
    pub(crate) fn end(&self, attempt: Attempt, at: i64, error: Option<&io::Error>) {
        let Some(error) = error else { return self.succeeded() };
        let errno = error.raw_os_error().unwrap_or(Errno::EIO as i32);
        let (before, successes) = (attempt.0 & ERRNO, attempt.0 & !ERRNO);
        let pause = if before == 0 { 1 } else { (2 * self.pause.load(Relaxed)).min(LONGEST) };
        self.pause.store(pause, Relaxed);
        self.failed.store(at, Relaxed);
        let _ = self.state.compare_exchange(attempt.0, successes | errno as u64, Relaxed, Relaxed);
    }

    /// Notes that a file could be opened, in whatever way. The next event whose file is not open tries at once.
    pub(crate) fn succeeded(&self) {
        let _ = self.state.fetch_update(Relaxed, Relaxed, |state| Some((state & !ERRNO).wrapping_add(ERRNO + 1)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Retry};
    use std::io;
    use std::sync::atomic::{AtomicI64, AtomicU64};

    fn new() -> Retry {
        Retry { state: AtomicU64::new(0), failed: AtomicI64::new(0), pause: AtomicI64::new(0) }
    }

    fn fail(retry: &Retry, attempt: Attempt, at: i64) {
        retry.end(attempt, at, Some(&io::Error::from_raw_os_error(13)));
    }

    #[test]
    fn attempts_grow_ever_rarer_and_a_success_ends_the_pause() {
        let retry = new();
        let mut at = 100;
        for pause in [1, 2, 4, 8, 8] {
            fail(&retry, retry.begin(), at);
            let waits = (0..20).take_while(|second| retry.may_open(at + second).is_err()).count();
            assert_eq!(waits, pause);
            assert!(retry.may_open(at - 1).is_ok(), "the clock was set back");
            at += pause as i64;
        }
        fail(&retry, retry.begin(), at);
        retry.succeeded();
        assert!(retry.may_open(at).is_ok());
    }

    #[test]
    fn a_failure_causes_no_pause_if_another_attempt_succeeded() {
        let retry = new();
        let slow = retry.begin();
        retry.succeeded();
        fail(&retry, slow, 100);
        assert!(retry.may_open(100).is_ok());
        fail(&retry, retry.begin(), 100);
        assert_eq!(retry.may_open(100).map_err(|error| error.raw_os_error()), Err(Some(13)));
    }
}
