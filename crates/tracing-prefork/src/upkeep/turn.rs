//! Turns at the jobs: the locks behind which one process at a time does a job, and who has had one for too long.

use crate::names::hidden::Hidden;
use crate::report::Operation;
use crate::sys::{self, Holder, JobLock, Refused};
use crate::upkeep::job::{Job, PATIENCE_WITH_HOOK};
use crate::upkeep::record::{self, Record};
use crate::upkeep::{Upkeep, busy, refusals};
use std::io;
use std::path::{Path, PathBuf};

impl Upkeep {
    pub(super) fn try_take_turn(&self, job: Job, at: i64) -> Option<JobLock> {
        let path = self.lock_path(job);
        match JobLock::try_take(&path, self.site.creation()) {
            Ok(Ok(turn)) => return Some(turn),
            Ok(Err(refused)) => self.report_if_stuck(job, &path, refused, at),
            Err(error) => self.report_unless_gone(job.operation(), &path, error),
        }
        if job == Job::HandOver {
            self.note_refusal(at);
        }
        // Whoever is at it may have looked before the last file was finished, or has grown.
        self.state.schedule.look_again(at);
        None
    }

    /// Reports a holder that has had the turn for minutes.
    fn report_if_stuck(&self, job: Job, lock: &Path, refused: Refused, at: i64) {
        if matches!(refused.holder, Holder::Own | Holder::ThisThread) {
            return;
        }
        let mut since = self.state.busy[job.lock()].since(refused, at);
        let mut patience = job.patience();
        if job == Job::HandOver
            && let Some((called, in_hook)) = Record::read(&self.record_path(), self.site.creation()).last_call()
        {
            since = since.max(called.min(at));
            patience = if in_hook { PATIENCE_WITH_HOOK } else { patience };
        }
        if at - since < patience {
            self.state.schedule.plan(since + patience);
            return;
        }
        // A turn that lasts because the work does ends by itself.
        let again = || JobLock::try_take(lock, self.site.creation()).is_ok_and(|turn| turn.err() == Some(refused));
        if busy::is_at_work(refused.holder) || !again() {
            return;
        }
        let (holder, minutes) = (refused.holder, (at - since) / 60);
        let text = format!("{holder} has been at it for {minutes} minutes; if it was stopped, let it go on, or end it");
        self.site.report(job.operation(), lock, io::Error::new(io::ErrorKind::WouldBlock, text));
    }

    /// Retention waits for the hook for a day after this.
    pub(super) fn note_refusal(&self, at: i64) {
        let path = self.refusals_path();
        if let Err(error) = refusals::note(&path, self.site.creation(), at) {
            self.report_unless_gone(Operation::OnRollover, &path, error);
        }
    }

    /// Makes the files now that could not be made any more when the disk is full: the locks of what can make room then,
    /// and the hook's record.
    pub(super) fn make_files(&self) {
        let ask = |job| JobLock::try_take(&self.lock_path(job), self.site.creation());
        let take = |job| match ask(job) {
            Err(error) if sys::is_want_of_room(&error) && self.make_room(self.options.min_log_files) => ask(job),
            taken => taken,
        };
        let report = |job: Job, error| self.site.report(job.operation(), &self.lock_path(job), error);
        if self.options.min_log_files.is_some()
            && let Err(error) = take(Job::Prune)
        {
            report(Job::Prune, error);
        }
        if self.has(Job::HandOver) {
            let open = || {
                let (_, wrong) = record::Writer::open(&self.record_path(), self.site.creation())?;
                wrong.map_or_else(|| refusals::prepare(&self.refusals_path(), self.site.creation()), Err)
            };
            match take(Job::HandOver) {
                Ok(Ok(turn)) => {
                    let at_work = turn.at_work();
                    let opened = open();
                    drop(at_work);
                    drop(turn);
                    if let Err(error) = opened {
                        self.site.report(Operation::OnRollover, &self.record_path(), error);
                    }
                }
                // Whoever has the turn makes them.
                Ok(Err(_)) => {}
                Err(error) => report(Job::HandOver, error),
            }
        }
    }

    pub(super) fn record_path(&self) -> PathBuf {
        self.site.pattern.hidden(Hidden::HandOverRecord)
    }

    pub(super) fn refusals_path(&self) -> PathBuf {
        self.site.pattern.hidden(Hidden::RefusalsNote)
    }

    pub(super) fn lock_path(&self, job: Job) -> PathBuf {
        self.site.pattern.hidden(match job {
            Job::Prune | Job::PruneTried => Hidden::PruneLock,
            Job::Compress => Hidden::CompressionLock,
            Job::HandOver => Hidden::HandOverLock,
        })
    }
}
