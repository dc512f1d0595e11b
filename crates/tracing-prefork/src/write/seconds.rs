//! Which events are the first of their second.

use crate::sys::fork_wiped;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

fork_wiped! {
    /// The seconds of the last look at the files.
    #[derive(Debug)]
    pub(crate) struct Seconds {
        /// The second of the event.
        checked: AtomicI64,
        /// The second that the clock showed.
        looked: AtomicI64,
    }
}

/// What the clock shows at the first event of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Later,
    /// An earlier second than at the event before: the clock was set back.
    Earlier,
}

impl Seconds {
    #[inline]
    pub(crate) fn is_new(&self, at: i64) -> bool {
        self.checked.load(Relaxed) != at
    }

    /// Makes the next event look, as if it were the first of its second.
    pub(crate) fn look_again(&self) {
        self.checked.store(i64::MIN, Relaxed);
    }

    /// Whether an event of the second `at`, at the second `now` of the clock, is the first of its second. `None`: it is
    /// not. A late line is not, as long as the clock shows the same second: otherwise two streams of events that take
    /// turns would cause a look at each event. There is at most one look for each second that the clock shows, and one
    /// for each later second of an event.
    pub(crate) fn begin(&self, at: i64, now: i64) -> Option<Begun> {
        if at <= self.checked.load(Relaxed) && now == self.looked.load(Relaxed) {
            return None;
        }
        self.checked.store(at, Relaxed);
        Some(if now < self.looked.swap(now, Relaxed) { Begun::Earlier } else { Begun::Later })
    }
}
