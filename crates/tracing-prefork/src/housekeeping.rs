//! Pruning: when, by which process, in which thread. What may go is in `retention`.

use crate::Error;
use crate::appender::Inner;
use crate::report::Operation;
use crate::retention;
use crate::rollover::GRACE;
use crate::sys::{self, HousekeepingLock};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Seconds until a file that could not be pruned, because a process still had it open, is looked at again: first, when
/// the others have let go, then ever more rarely.
const PRUNE_AGAIN: std::ops::RangeInclusive<i64> = GRACE + 2..=3600;

/// Seconds until the bytes of all files are added up again.
const EACH_MINUTE: i64 = 60;

impl Inner {
    pub(crate) fn prune_if_wanted(self: &Arc<Self>, at: i64) {
        let duties = self.duties();
        if duties.prune_wanted.load(Relaxed) && duties.prune_wanted.swap(false, Relaxed) {
            duties.prune_delay.store(0, Relaxed);
            self.start_pruning(at);
        }
    }

    /// Prunes in a short-lived thread, because removing a gigabyte takes 158 ms (measured), or in place if none can
    /// be started. Does nothing if another process is pruning.
    pub(crate) fn start_pruning(self: &Arc<Self>, at: i64) {
        if !self.limits.is_set() || self.duties().bare.load(Relaxed) {
            return;
        }
        if self.duties().pruning.swap(true, Acquire) {
            return;
        }
        match HousekeepingLock::try_take(&self.lock_path(), self.mode) {
            Ok(Some(lock)) => {
                let inner = self.clone();
                if sys::spawn("log-retention", move || inner.prune_behind(lock, at)).is_err() {
                    // The lock went with the closure.
                    match HousekeepingLock::try_take(&self.lock_path(), self.mode) {
                        Ok(Some(lock)) => self.prune_behind(lock, at),
                        _ => self.duties().pruning.store(false, Release),
                    }
                }
            }
            Ok(None) => self.duties().pruning.store(false, Release),
            Err(error) => {
                self.duties().pruning.store(false, Release);
                self.report(Operation::Retention, &self.lock_path(), error);
            }
        }
    }

    fn prune_behind(&self, lock: HousekeepingLock, at: i64) {
        /// Says that pruning is over, also if the user's hook has panicked.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(false, Release);
            }
        }
        let duties = self.duties();
        let _over = Over(&duties.pruning);
        let outcome = self.prune_files(at);
        drop(lock);
        match outcome {
            Ok(outcome) => {
                if outcome.held > 0 {
                    let delay = (duties.prune_delay.load(Relaxed) * 2).clamp(*PRUNE_AGAIN.start(), *PRUNE_AGAIN.end());
                    duties.prune_delay.store(delay, Relaxed);
                    duties.prune_at.store(at + delay, Relaxed);
                } else if self.limits.bytes.is_some() {
                    // The current file grows.
                    duties.prune_at.store(at + EACH_MINUTE, Relaxed);
                }
                if let Some((path, error)) = outcome.failed {
                    self.report(Operation::Retention, &path, error);
                }
            }
            Err(error) => self.report(Operation::Retention, self.pattern.directory(), error),
        }
    }

    fn prune_files(&self, at: i64) -> io::Result<retention::Outcome> {
        let outcome = retention::prune(&self.pattern, &self.links, &self.limits, at)?;
        self.counters().files_pruned.fetch_add(outcome.removed as u64, Relaxed);
        Ok(outcome)
    }

    /// Prunes in place, waiting for another process to finish.
    pub(crate) fn prune_now(&self) -> Result<usize, Error> {
        if !self.limits.is_set() {
            return Ok(0);
        }
        let at = self.clock.exact_second();
        let error = |path: &Path, error| self.reporter.error(self.counters(), Operation::Retention, path, error);
        let lock = HousekeepingLock::take(&self.lock_path(), self.mode);
        let _lock = lock.map_err(|failed| error(&self.lock_path(), failed))?;
        let outcome = self.prune_files(at).map_err(|failed| error(self.pattern.directory(), failed))?;
        match outcome.failed {
            None => Ok(outcome.removed),
            Some((path, failed)) => Err(error(&path, failed)),
        }
    }

    /// As part of building: no thread is left running when the program goes on to fork.
    pub(crate) fn prune_in_place(&self, at: i64) {
        if !self.limits.is_set() {
            return;
        }
        match HousekeepingLock::try_take(&self.lock_path(), self.mode) {
            Ok(Some(lock)) => self.prune_behind(lock, at),
            // Another process is pruning.
            Ok(None) => {}
            Err(error) => self.report(Operation::Retention, &self.lock_path(), error),
        }
    }

    /// Makes the lock's file now: on a full disk it could not be made any more.
    pub(crate) fn make_lock_file(&self) {
        if let Err(error) = HousekeepingLock::try_take(&self.lock_path(), self.mode) {
            self.report(Operation::Retention, &self.lock_path(), error);
        }
    }

    /// The disk is full: removes the oldest file, if more than `min_log_files` are there, or waits until another process has. In place,
    /// because the line in hand is lost otherwise. Says whether there may be room now.
    pub(crate) fn make_room(&self, at: i64) -> bool {
        let Some(min) = self.min_log_files.filter(|_| !self.duties().bare.load(Relaxed)) else { return false };
        let stuck = &self.duties().pruner_stuck;
        let mut waited = false;
        let mut ask = || match HousekeepingLock::try_take(&self.lock_path(), self.mode) {
            Ok(None) => {
                waited = true;
                None
            }
            taken => Some(taken),
        };
        // A pruner that has been stopped is waited for once, not at each line.
        let lock = if stuck.load(Relaxed) { ask() } else { self.wait(ask) };
        stuck.store(lock.is_none(), Relaxed);
        match lock {
            Some(Ok(Some(_lock))) if !waited => match retention::remove_oldest(&self.pattern, &self.links, min, at) {
                Ok(removed) => {
                    self.counters().files_pruned.fetch_add(removed.into(), Relaxed);
                    removed
                }
                Err(error) => {
                    self.report(Operation::Retention, self.pattern.directory(), error);
                    false
                }
            },
            Some(Err(error)) => {
                self.report(Operation::Retention, &self.lock_path(), error);
                false
            }
            lock => lock.is_some(),
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.pattern.hidden("lock")
    }
}
