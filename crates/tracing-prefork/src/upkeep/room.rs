//! Room on a full disk: the oldest files go, as far as the options allow.

use crate::names::site::Site;
use crate::process::user_code;
use crate::report::Operation;
use crate::sys::{self, Holder, JobLock, Refused};
use crate::upkeep::job::Job;
use crate::upkeep::{Upkeep, prune};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long a line waits for the turn to prune. The line would be lost otherwise, and on a busy machine a process can
/// be kept from running for more than a second.
const PATIENCE_FOR_ROOM: Duration = Duration::from_secs(5);

/// What there is no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Line,
    /// There are no blocks for the file's first line or its directory, or there is no inode.
    File,
}

/// How the turn to prune was had.
enum Turn {
    AtOnce(JobLock),
    /// Another process had the turn. It may have removed files meanwhile.
    AfterWait,
    /// Another process has had the turn all the time.
    Never,
}

impl Upkeep {
    /// Whether old files go for new lines: `min_log_files`.
    pub(crate) fn makes_room_for_lines(&self) -> bool {
        self.options.min_log_files.is_some()
    }

    /// There is no room: removes the oldest file that may go. Says whether there may be room now.
    pub(crate) fn no_room(&self, wanted: Wanted) -> bool {
        let keep = match wanted {
            Wanted::Line => self.options.min_log_files,
            // The new file counts, so one less may stay.
            Wanted::File => self.options.min_log_files.or_else(|| {
                let most = self.options.limits.files?;
                NonZeroUsize::new(most.get() - 1)
            }),
        };
        let made = self.make_room(keep);
        if !made && wanted == Wanted::File && self.options.limits.is_set() {
            // A thread removes what is beyond the other limits, before the next try.
            self.state.schedule.want(true);
        }
        made
    }

    /// There is no room at build, where no thread is started: removes in place what is beyond the limits. `false`:
    /// there are no limits.
    pub(crate) fn no_room_at_build(&self, at: i64) -> bool {
        let may_prune = self.options.limits.is_set();
        if may_prune {
            self.prune_in_place(at);
        }
        may_prune
    }

    /// Removes the oldest file if there are more than `keep`, or waits until another process has removed one. Says
    /// whether there may be room now. It is done in place, because the line in hand would be lost otherwise.
    ///
    /// | the turn to prune | what is done | there may be room |
    /// |---|---|---|
    /// | had at once | the oldest file goes | if one has gone |
    /// | had after another had it | nothing: the line is tried first | yes |
    /// | not had within the patience | nothing | no |
    /// | its lock cannot be made for want of room | the oldest file goes | if one has gone |
    /// | it fails otherwise | a report | no |
    ///
    /// Without the lock, several processes can do so at once. `keep` files stay all the same.
    pub(super) fn make_room(&self, keep: Option<NonZeroUsize>) -> bool {
        let Some(keep) = keep.filter(|_| !self.site.process.is_bare()) else { return false };
        let lock = self.lock_path(Job::Prune);
        match self.turn_to_make_room(&lock) {
            Ok(Turn::AtOnce(turn)) => self.remove_oldest(keep, Some(turn)),
            Ok(Turn::AfterWait) => true,
            Ok(Turn::Never) => false,
            Err(error) if sys::is_want_of_room(&error) => self.remove_oldest(keep, None),
            Err(error) => {
                self.site.report(Operation::Retention, &lock, error);
                false
            }
        }
    }

    /// Takes the turn to prune. A holder that keeps the turn all the time may have been stopped: one line waits for it,
    /// and those after it do not.
    fn turn_to_make_room(&self, lock: &Path) -> io::Result<Turn> {
        let mut waited = false;
        let mut ask = || match JobLock::try_take(lock, self.site.creation()) {
            // This thread prunes, and has called the user's code, which has logged.
            Ok(Err(Refused { holder: Holder::ThisThread, .. })) => Some(Err(user_code::called_back())),
            Ok(Err(_)) => {
                waited = true;
                None
            }
            Ok(Ok(turn)) => Some(Ok(turn)),
            Err(error) => Some(Err(error)),
        };
        let is_stuck = &self.state.pruner_stuck;
        let turn = if is_stuck.load(Relaxed) { ask() } else { sys::wait(PATIENCE_FOR_ROOM, ask) };
        is_stuck.store(turn.is_none(), Relaxed);
        Ok(match turn.transpose()? {
            None => Turn::Never,
            Some(_) if waited => Turn::AfterWait,
            Some(turn) => Turn::AtOnce(turn),
        })
    }

    /// Removes the oldest file that may go. Says whether one has gone.
    fn remove_oldest(&self, keep: NonZeroUsize, turn: Option<JobLock>) -> bool {
        self.site.look_at_record();
        let Site { pattern, clock, .. } = &*self.site;
        let at_work = turn.as_ref().map(JobLock::at_work);
        let removed = prune::remove_oldest(pattern, &self.options.links, keep, clock);
        // The turn ends before anybody is told, since whoever is told may call the appender.
        drop(at_work);
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
