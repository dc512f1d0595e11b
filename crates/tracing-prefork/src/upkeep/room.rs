//! Room on a disk that has none: the oldest files go, as far as the options allow.

use crate::names::site::Site;
use crate::process::user_code;
use crate::report::Operation;
use crate::sys::{self, Holder, JobLock, PATIENCE, Refused};
use crate::upkeep::job::Job;
use crate::upkeep::{Upkeep, prune};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::Relaxed;

/// What there is no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Line,
    /// No blocks for its first line or its directory, or no inode.
    File,
}

impl Upkeep {
    /// Whether old files go for new lines: `min_log_files`.
    pub(crate) fn makes_room_for_lines(&self) -> bool {
        self.options.min_log_files.is_some()
    }

    /// There is no room: removes the oldest file that may go. Says whether there may be room now.
    pub(crate) fn no_room(&self, wanted: Wanted) -> bool {
        // A new file counts.
        let beside = || self.options.limits.files.and_then(|files| NonZeroUsize::new(files.get() - 1));
        let keep = match wanted {
            Wanted::Line => self.options.min_log_files,
            Wanted::File => self.options.min_log_files.or_else(beside),
        };
        let made = self.make_room(keep);
        if !made && wanted == Wanted::File && self.options.limits.is_set() {
            // What is beyond the other limits goes in a thread, before the next try.
            self.state.schedule.want(true);
        }
        made
    }

    /// The same at build, where no thread is started: what is beyond the limits goes in place. `false`: there are no
    /// limits.
    pub(crate) fn no_room_at_build(&self, at: i64) -> bool {
        let may_prune = self.options.limits.is_set();
        if may_prune {
            self.prune_in_place(at);
        }
        may_prune
    }

    /// Removes the oldest file, if more than `keep` are there, or waits until another process has. In place, because
    /// the line in hand is lost otherwise.
    pub(super) fn make_room(&self, keep: Option<NonZeroUsize>) -> bool {
        let Some(keep) = keep.filter(|_| !self.site.process.is_bare()) else { return false };
        let stuck = &self.state.pruner_stuck;
        let path = self.lock_path(Job::Prune);
        let mut waited = false;
        let mut ask = || match JobLock::try_take(&path, self.site.creation()) {
            // The user's code has logged, which this thread has called while it prunes.
            Ok(Err(Refused { holder: Holder::ThisThread, .. })) => Some(Err(user_code::called_back())),
            Ok(Err(_)) => {
                waited = true;
                None
            }
            Ok(Ok(turn)) => Some(Ok(turn)),
            Err(error) => Some(Err(error)),
        };
        // A pruner that has been stopped is waited for once, not at each line.
        let lock = if stuck.load(Relaxed) { ask() } else { sys::wait(PATIENCE, ask) };
        stuck.store(lock.is_none(), Relaxed);
        match lock {
            Some(Ok(lock)) if !waited => self.remove_oldest(keep, Some(lock)),
            // Where there is no room for the lock either, each process goes without: `keep` files stay all the same.
            Some(Err(error)) if sys::is_want_of_room(&error) => self.remove_oldest(keep, None),
            Some(Err(error)) => {
                self.site.report(Operation::Retention, &path, error);
                false
            }
            lock => lock.is_some(),
        }
    }

    fn remove_oldest(&self, keep: NonZeroUsize, turn: Option<JobLock>) -> bool {
        self.site.look_at_record();
        let Site { pattern, clock, .. } = &*self.site;
        let at_work = turn.as_ref().map(JobLock::at_work);
        let removed = prune::remove_oldest(pattern, &self.options.links, keep, clock);
        drop(at_work);
        // Whoever is told may call the appender.
        drop(turn);
        match removed {
            Ok(removed) => {
                self.site.counters().files_pruned.fetch_add(removed.into(), Relaxed);
                removed
            }
            Err(error) => {
                self.site.report(Operation::Retention, pattern.directory(), error);
                false
            }
        }
    }
}
