//! The rollover, and the few things that are due beside it: letting go of the file before, renewing the links,
//! pruning. None of it is waited for by another thread.

use crate::Error;
use crate::appender::Inner;
use crate::report::Operation;
use crate::retention;
use crate::sys::{self, HousekeepingLock, LogFile, LogPath};
use nix::errno::Errno;
use std::fs;
use std::io::{self, ErrorKind::AlreadyExists, ErrorKind::NotFound};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64};

/// Seconds for which the file of a period that has ended stays open for lines that are still on their way.
const GRACE: i64 = 5;
/// Seconds until a file that could not be pruned, because a process still had it open, is looked at again: first, when
/// the others have let go, then ever more rarely.
const PRUNE_AGAIN: std::ops::RangeInclusive<i64> = GRACE + 2..=3600;

/// What a process remembers beside its slots; a forked child finds it zero.
#[derive(Debug)]
pub(crate) struct Duties {
    /// Not set: a child that has just been forked.
    started: AtomicBool,
    /// Differs between a process and those it was forked from; 0 until somebody asks.
    process: AtomicU64,
    /// The second of the event for which [`Inner::each_second`] ran last.
    checked: AtomicI64,
    /// The second of the event for which a file could not be opened, and the `errno`: not tried again within it.
    failed: AtomicI64,
    errno: AtomicI32,
    /// A file has been created, so that there may be one too many.
    prune_wanted: AtomicBool,
    /// A thread prunes.
    pruning: AtomicBool,
    /// When to prune again because a file was held, 0 for not at all; and how many seconds were left for that.
    prune_at: AtomicI64,
    prune_delay: AtomicI64,
    /// A child of a raw `clone`, which libc does not know of: its allocator may be locked by a thread that does not exist
    /// here, and it must not start threads. It only opens and writes.
    bare: AtomicBool,
}

impl Duties {
    /// A number that differs between this process and those it was forked from.
    pub(crate) fn process(&self) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        match self.process.load(Relaxed) {
            0 => {
                let new = LAST.fetch_add(1, Relaxed) + 1;
                self.process.compare_exchange(0, new, Relaxed, Relaxed).map_or_else(|known| known, |_| new)
            }
            known => known,
        }
    }

    /// Not in a child that libc may not know of.
    pub(crate) fn may_allocate(&self) -> bool {
        self.started.load(Relaxed) && !self.bare.load(Relaxed)
    }

    #[inline]
    pub(crate) fn is_new_second(&self, at: i64) -> bool {
        self.checked.load(Relaxed) != at
    }
}

/// What a rollover came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rolled {
    /// A file of a later period than any that was open.
    Forward,
    /// A file of an earlier period: a late line, or a clock that was set back.
    Back,
    /// Not here: another thread has just done it, is at it, or still writes to the slot that is wanted.
    No,
}

impl Inner {
    /// Opens the file of `at` and puts it into the slot that is not in use. If that fails, nothing has changed, and the
    /// next try follows in the next second.
    pub(crate) fn roll_over(&self, at: i64) -> io::Result<Rolled> {
        let Some(rolling) = self.slots.try_roll() else { return Ok(Rolled::No) };
        if rolling.has(at) {
            return Ok(Rolled::No);
        }
        let (failed, errno) = (self.duties().failed.load(Relaxed), self.duties().errno.load(Relaxed));
        if failed == at && errno != 0 {
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.look_at_fork();
        let forward = rolling.is_forward(at);
        let path = self.pattern.path_at(at)?;
        let installed = self
            .open(&path)
            .and_then(|LogFile { file, id, .. }| rolling.install(self.pattern.calendar().span(at), file, id));
        drop(rolling);
        match installed {
            Ok(false) => Ok(Rolled::No),
            Ok(true) => {
                self.duties().errno.store(0, Relaxed);
                self.counters().rollovers.fetch_add(1, Relaxed);
                Ok(if forward { Rolled::Forward } else { Rolled::Back })
            }
            Err(error) => {
                self.duties().errno.store(error.raw_os_error().unwrap_or(Errno::EIO as i32), Relaxed);
                self.duties().failed.store(at, Relaxed);
                let copy = copy_of(&error);
                self.report(Operation::Rollover, path.as_path(), error);
                Err(copy)
            }
        }
    }

    /// Opens a log file, making its directory again if somebody has removed it, as pruning does with those that it has emptied.
    pub(crate) fn open(&self, path: &LogPath) -> io::Result<LogFile> {
        let mut tries = 0..100;
        let opened = loop {
            match sys::open_log(path, self.mode) {
                // Not in a raw clone: making directories allocates.
                Err(error)
                    if error.kind() == NotFound && !self.duties().bare.load(Relaxed) && tries.next().is_some() =>
                {
                    match fs::create_dir_all(path.directory()) {
                        // One of them was removed again before the next was made in it: empty ones are pruning's to remove.
                        Err(error) if matches!(error.kind(), NotFound | AlreadyExists) => {}
                        made => made?,
                    }
                }
                opened => break opened?,
            }
        };
        // Whoever makes a period's file sees to pruning. A child that has just been forked and finds it there need not.
        if opened.created {
            self.duties().prune_wanted.store(true, Relaxed);
        }
        Ok(opened)
    }

    /// Does, for the new period of `at`, what one process has to do for all.
    #[cold]
    pub(crate) fn after_rollover(self: &Arc<Self>, at: i64) {
        if self.duties().bare.load(Relaxed) {
            return;
        }
        self.renew_links(at);
        self.prune_if_wanted(at);
    }

    fn prune_if_wanted(self: &Arc<Self>, at: i64) {
        let duties = self.duties();
        if duties.prune_wanted.load(Relaxed) && duties.prune_wanted.swap(false, Relaxed) {
            duties.prune_delay.store(0, Relaxed);
            self.start_pruning(at);
        }
    }

    fn renew_links(&self, at: i64) {
        for link in &self.links {
            if let Err(error) = link.renew(&self.pattern, &self.clock, at) {
                self.report(Operation::Link, &self.pattern.directory().join(link.name()), error);
            }
        }
    }

    /// Runs at the first event of each second.
    #[cold]
    pub(crate) fn each_second(self: &Arc<Self>, at: i64) {
        let duties = self.duties();
        duties.checked.store(at, Relaxed);
        if let Some(rolling) = self.slots.try_roll() {
            // A failure keeps a file open longer than need be: the next rollover replaces it.
            let _ = rolling.let_go_of_ended(at, GRACE);
        }
        self.prune_if_wanted(at);
        let due = duties.prune_at.load(Relaxed);
        if due != 0 && at >= due && duties.prune_at.compare_exchange(due, 0, Relaxed, Relaxed).is_ok() {
            self.start_pruning(at);
        }
    }

    /// Prunes in a short-lived thread, because removing a gigabyte takes 158 ms (measured), or in place if none can
    /// be started. Does nothing if another process is pruning.
    fn start_pruning(self: &Arc<Self>, at: i64) {
        if self.max_log_files.is_none() || self.duties().bare.load(Relaxed) {
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
                }
                if let Some((path, error)) = outcome.failed {
                    self.report(Operation::Retention, &path, error);
                }
            }
            Err(error) => self.report(Operation::Retention, self.pattern.directory(), error),
        }
    }

    fn prune_files(&self, at: i64) -> io::Result<retention::Outcome> {
        let Some(keep) = self.max_log_files else { return Ok(retention::Outcome::default()) };
        let outcome = retention::prune(&self.pattern, &self.links, keep, at)?;
        self.counters().files_pruned.fetch_add(outcome.removed as u64, Relaxed);
        Ok(outcome)
    }

    /// Prunes in place, waiting for another process to finish.
    pub(crate) fn prune_now(&self) -> Result<usize, Error> {
        if self.max_log_files.is_none() {
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

    fn lock_path(&self) -> std::path::PathBuf {
        self.pattern.hidden("lock")
    }

    /// At the first event of a forked child, finds out whether libc knows of the fork.
    fn look_at_fork(&self) {
        if !self.duties().started.swap(true, Relaxed) {
            self.duties().bare.store(!sys::libc_knows(), Relaxed);
            self.slots.state.pins.expedite();
        }
    }

    /// Opens the first file, as part of building the appender.
    pub(crate) fn start(self: &Arc<Self>, at: i64) -> io::Result<()> {
        let path = self.pattern.path_at(at)?;
        self.duties().started.store(true, Relaxed);
        self.slots.state.pins.expedite();
        let LogFile { file, id, .. } = self.open(&path)?;
        if let Some(rolling) = self.slots.try_roll() {
            rolling.install(self.pattern.calendar().span(at), file, id)?;
        }
        self.counters().rollovers.fetch_add(1, Relaxed);
        self.duties().prune_wanted.store(false, Relaxed);
        self.renew_links(at);
        // In place: no thread is left running when the program goes on to fork.
        if self.max_log_files.is_some() {
            match HousekeepingLock::try_take(&self.lock_path(), self.mode) {
                Ok(Some(lock)) => self.prune_behind(lock, at),
                // Another process is pruning.
                Ok(None) => {}
                Err(error) => self.report(Operation::Retention, &self.lock_path(), error),
            }
        }
        Ok(())
    }

    pub(crate) fn report(&self, operation: Operation, path: &Path, error: io::Error) {
        let may_tell = !self.duties().bare.load(Relaxed);
        self.reporter.report(self.counters(), operation, path, error, may_tell);
    }
}

/// The same error once more, for the caller beside the report. Allocates nothing: a text of our own stays with the report.
pub(crate) fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
