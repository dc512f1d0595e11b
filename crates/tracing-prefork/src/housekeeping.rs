//! Pruning and compressing: when, by which process, in which thread. What may go is in `retention`, how a file becomes an
//! archive in `archive`.

use crate::Error;
use crate::appender::Inner;
use crate::archive;
use crate::compression::Compression;
use crate::report::Operation;
use crate::retention;
use crate::rollover::GRACE;
use crate::sys::{self, HousekeepingLock};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::Duration;

/// Seconds until a file that could not be pruned or compressed, because a process still had it open, is looked at again: first, when
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

    /// Prunes, then compresses, in a short-lived thread, because removing a gigabyte takes 158 ms (measured). If none can
    /// be started, prunes in place. Does nothing if another process is pruning.
    pub(crate) fn start_pruning(self: &Arc<Self>, at: i64) {
        if !(self.limits.is_set() || self.compression.is_some()) || self.duties().bare.load(Relaxed) {
            return;
        }
        if self.duties().pruning.swap(true, Acquire) {
            return self.look_again_for_closed(at);
        }
        match HousekeepingLock::try_take(&self.lock_path(), self.mode) {
            Ok(Some(lock)) => {
                let inner = self.clone();
                if sys::spawn("log-retention", move || inner.prune_and_compress(lock, at)).is_err() {
                    // The lock went with the closure.
                    match HousekeepingLock::try_take(&self.lock_path(), self.mode) {
                        Ok(Some(lock)) => self.prune_behind(lock, at),
                        _ => self.duties().pruning.store(false, Release),
                    }
                }
            }
            Ok(None) => {
                self.duties().pruning.store(false, Release);
                self.look_again_for_closed(at);
            }
            Err(error) => {
                self.duties().pruning.store(false, Release);
                self.report(Operation::Retention, &self.lock_path(), error);
            }
        }
    }

    fn prune_and_compress(&self, lock: HousekeepingLock, at: i64) {
        self.prune_behind(lock, at);
        if let Some(kind) = self.compression {
            self.compress_in_turn(kind, at);
        }
    }

    /// Compresses behind a lock of its own, so that nobody who wants to prune has to wait for it. Does nothing if somebody else is
    /// at it.
    fn compress_in_turn(&self, kind: Compression, at: i64) {
        let duties = self.duties();
        if duties.compressing.swap(true, Acquire) {
            return self.look_again_for_closed(at);
        }
        let _over = Over(&duties.compressing);
        let path = self.compression_lock_path();
        match HousekeepingLock::try_take(&path, self.mode) {
            Ok(Some(lock)) => {
                let outcome = self.compress_files(kind, at);
                drop(lock);
                match outcome {
                    Ok(outcome) => {
                        if outcome.held > 0 {
                            self.look_again_for_closed(at);
                        }
                        if let Some((path, error)) = outcome.failed {
                            self.report(Operation::Compression, &path, error);
                        }
                    }
                    Err(error) => self.report(Operation::Compression, self.pattern.directory(), error),
                }
            }
            Ok(None) => self.look_again_for_closed(at),
            Err(error) => self.report(Operation::Compression, &path, error),
        }
    }

    fn compress_files(&self, kind: Compression, at: i64) -> io::Result<archive::Outcome> {
        let outcome = archive::archive_closed(&self.pattern, &self.links, kind, at)?;
        self.counters().files_compressed.fetch_add(outcome.compressed as u64, Relaxed);
        Ok(outcome)
    }

    /// Compresses in place, waiting for others to finish.
    pub(crate) fn compress_now(&self) -> Result<usize, Error> {
        let Some(kind) = self.compression else { return Ok(0) };
        let error = |path: &Path, error| self.reporter.error(self.counters(), Operation::Compression, path, error);
        let compressing = &self.duties().compressing;
        let path = self.compression_lock_path();
        let lock = (0..500).find_map(|attempt| {
            if attempt > 0 {
                thread::sleep(Duration::from_millis(10));
            }
            if compressing.swap(true, Acquire) {
                return None;
            }
            let over = Over(compressing);
            HousekeepingLock::try_take(&path, self.mode).transpose().map(|lock| lock.map(|lock| (lock, over)))
        });
        let busy = || io::Error::new(io::ErrorKind::WouldBlock, "somebody else has been compressing for five seconds");
        let _lock = lock.unwrap_or_else(|| Err(busy())).map_err(|failed| error(&path, failed))?;
        let outcome = self.compress_files(kind, self.clock.exact_second());
        let outcome = outcome.map_err(|failed| error(self.pattern.directory(), failed))?;
        match outcome.failed {
            None => Ok(outcome.compressed),
            Some((path, failed)) => Err(error(&path, failed)),
        }
    }

    fn look_again(&self, at: i64) {
        let duties = self.duties();
        let delay = (duties.prune_delay.load(Relaxed) * 2).clamp(*PRUNE_AGAIN.start(), *PRUNE_AGAIN.end());
        duties.prune_delay.store(delay, Relaxed);
        duties.prune_at.store(at + delay, Relaxed);
    }

    /// Somebody else is at it, and may have looked for closed files before the last was closed.
    fn look_again_for_closed(&self, at: i64) {
        if self.compression.is_some() && self.duties().prune_at.load(Relaxed) == 0 {
            self.look_again(at);
        }
    }

    fn prune_behind(&self, lock: HousekeepingLock, at: i64) {
        let duties = self.duties();
        let _over = Over(&duties.pruning);
        let outcome = self.prune_files(at);
        drop(lock);
        match outcome {
            Ok(outcome) => {
                if outcome.held > 0 {
                    self.look_again(at);
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

    fn compression_lock_path(&self) -> PathBuf {
        self.pattern.hidden("compression.lock")
    }
}

/// Says that some work is over, also if the user's hook has panicked.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(false, Release);
    }
}
