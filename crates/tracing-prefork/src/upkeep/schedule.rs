//! When the jobs are done: when a file was created, and at a planned second.

use crate::sys::fork_wiped;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64};

/// Seconds for which the file of a period that has ended stays open for lines that are still on their way.
pub(crate) const GRACE: i64 = 5;

/// Seconds until the next look at files that could not be pruned, compressed or handed over because a process had them
/// open. The first look comes when the others have let go; each pause is twice as long as the one before.
pub(crate) const LOOK_AGAIN: RangeInclusive<i64> = GRACE + 2..=3600;

/// Seconds until the bytes of all files are added up again.
pub(crate) const EACH_MINUTE: i64 = 60;

fork_wiped! {
    #[derive(Debug)]
    pub(crate) struct Schedule {
        /// A file was created. So there may be one too many, and one that is finished.
        wanted: AtomicBool,
        /// The last thread that was started for the jobs ended before it was done.
        lost: AtomicBool,
        /// The second at which to look again; 0 for none.
        at: AtomicI64,
        /// The last pause before a look, in seconds.
        delay: AtomicI64,
    }
}

impl Schedule {
    /// Says whether the jobs are to be done at the next occasion.
    pub(crate) fn want(&self, wanted: bool) {
        self.wanted.store(wanted, Relaxed);
    }

    /// Says once that the jobs are wanted. That includes what was planned.
    pub(crate) fn take_wanted(&self) -> bool {
        let taken = self.wanted.load(Relaxed) && self.wanted.swap(false, Relaxed);
        if taken {
            self.delay.store(0, Relaxed);
            self.at.store(0, Relaxed);
        }
        taken
    }

    /// Notes whether the last thread was lost, and says whether it was before.
    pub(crate) fn set_lost(&self, lost: bool) -> bool {
        self.lost.swap(lost, Relaxed)
    }

    /// Plans the next look, because something could not be done.
    pub(crate) fn look_again(&self, at: i64) {
        let delay = (self.delay.load(Relaxed) * 2).clamp(*LOOK_AGAIN.start(), *LOOK_AGAIN.end());
        if self.plan(at + delay) {
            self.delay.store(delay, Relaxed);
        }
    }

    /// Plans the jobs for a second. `false`: they are planned for an earlier one.
    pub(crate) fn plan(&self, at: i64) -> bool {
        let sooner = |planned| (planned == 0 || at < planned).then_some(at);
        self.at.fetch_update(Relaxed, Relaxed, sooner).is_ok()
    }

    /// Says once that the planned second has come. A planned second more than an hour ahead was set by a wrong clock
    /// and counts as come.
    pub(crate) fn is_due(&self, at: i64) -> bool {
        let due = self.at.load(Relaxed);
        due != 0
            && !(due - LOOK_AGAIN.end()..due).contains(&at)
            && self.at.compare_exchange(due, 0, Relaxed, Relaxed).is_ok()
    }
}
