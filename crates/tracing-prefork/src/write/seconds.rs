//! Which events are the first of their second.

use crate::sys::fork_wiped;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

fork_wiped! {
    /// The seconds that were looked at last.
    #[derive(Debug)]
    pub(crate) struct Seconds {
        /// That of the event after which files were looked at last.
        checked: AtomicI64,
        /// What the clock showed at that time.
        looked: AtomicI64,
    }
}

/// What the clock shows at the first event of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Later,
    /// Less than at the event before: the clock was set back.
    Earlier,
}

impl Seconds {
    #[inline]
    pub(crate) fn is_new(&self, at: i64) -> bool {
        self.checked.load(Relaxed) != at
    }

    /// Has the next event look again, as if it were the first of its second.
    pub(crate) fn look_again(&self) {
        self.checked.store(i64::MIN, Relaxed);
    }

    /// Whether an event of the second `at`, at the second `now` of the clock, is the first of its second. A late line
    /// is not, so that two streams of events that take turns do not make it one look an event: there is at most one
    /// look for each second that the clock shows, and one for each later second of an event.
    pub(crate) fn begin(&self, at: i64, now: i64) -> Option<Begun> {
        if at <= self.checked.load(Relaxed) && now == self.looked.load(Relaxed) {
            return None;
        }
        self.checked.store(at, Relaxed);
        Some(if now < self.looked.swap(now, Relaxed) { Begun::Earlier } else { Begun::Later })
    }
}
