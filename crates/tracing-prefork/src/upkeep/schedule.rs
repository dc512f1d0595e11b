//! When the jobs are done again: at a new file, and at a second that was planned.

use crate::sys::fork_wiped;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64};

/// Seconds for which the file of a period that has ended stays open for lines that are still on their way.
pub(crate) const GRACE: i64 = 5;

/// Seconds until files that could not be pruned, compressed or handed over, because a process still had them open, are
/// looked at again: first, when the others have let go, then ever more rarely.
pub(crate) const LOOK_AGAIN: RangeInclusive<i64> = GRACE + 2..=3600;

/// Seconds until the bytes of all files are added up again.
pub(crate) const EACH_MINUTE: i64 = 60;

fork_wiped! {
    #[derive(Debug)]
    pub(crate) struct Schedule {
        /// A file has been created, so that there may be one too many, and one that is finished.
        wanted: AtomicBool,
        /// A thread that was started for it has ended before it was done.
        lost: AtomicBool,
        /// The second at which to look again, 0 for none; and how many seconds were left for that.
        at: AtomicI64,
        delay: AtomicI64,
    }
}

impl Schedule {
    /// Has the jobs done at the next occasion, or not any more.
    pub(crate) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Relaxed);
    }

    /// Says once that they are wanted. What was planned is done with that.
    pub(crate) fn take_wanted(&self) -> bool {
        let taken = self.wanted.load(Relaxed) && self.wanted.swap(false, Relaxed);
        if taken {
            self.delay.store(0, Relaxed);
            self.at.store(0, Relaxed);
        }
        taken
    }

    /// The thread that was started has not done its work; or that was made up for.
    pub(crate) fn set_lost(&self, lost: bool) -> bool {
        self.lost.swap(lost, Relaxed)
    }

    /// Plans the next look because something could not be done.
    pub(crate) fn look_again(&self, at: i64) {
        let delay = (self.delay.load(Relaxed) * 2).clamp(*LOOK_AGAIN.start(), *LOOK_AGAIN.end());
        if self.plan(at + delay) {
            self.delay.store(delay, Relaxed);
        }
    }

    /// Has the jobs done again at that second, unless they are to be done sooner.
    pub(crate) fn plan(&self, at: i64) -> bool {
        let sooner = |planned| (planned == 0 || at < planned).then_some(at);
        self.at.fetch_update(Relaxed, Relaxed, sooner).is_ok()
    }

    /// Whether the jobs are due again. What was planned by a clock that was ahead is.
    pub(crate) fn is_due(&self, at: i64) -> bool {
        let due = self.at.load(Relaxed);
        due != 0
            && !(due - LOOK_AGAIN.end()..due).contains(&at)
            && self.at.compare_exchange(due, 0, Relaxed, Relaxed).is_ok()
    }
}
