//! Turns at the jobs: the locks behind which one process at a time does a job, and who has had a turn for too long.

use crate::names::hidden::Hidden;
use crate::report::Operation;
use crate::sys::{self, Holder, JobLock, Refused};
use crate::upkeep::hand_over_record::{HandOverRecord, Writer};
use crate::upkeep::job::{Job, PATIENCE_WITH_HOOK};
use crate::upkeep::{Upkeep, busy, refusals};
use std::io;
use std::path::{Path, PathBuf};

impl Upkeep {
    /// The turn at a job, or `None` if somebody else has it or it cannot be had. Then this process looks again later.
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
        // The holder may have looked before the last file was finished, or before a file grew.
        self.state.schedule.look_again(at);
        None
    }

    /// Reports a holder that has had the turn for minutes and does not seem to run.
    fn report_if_stuck(&self, job: Job, lock: &Path, refused: Refused, at: i64) {
        if matches!(refused.holder, Holder::Own | Holder::ThisThread) {
            return;
        }
        // 1. Since when has it had the turn, and for how long may it? A call of the hook begins the time anew.
        let mut since = self.state.busy[job.lock()].since(refused, at);
        let mut patience = job.patience();
        let record = || HandOverRecord::read(&self.record_path(), self.site.creation());
        if let Some((called, in_hook)) = (job == Job::HandOver).then(record).and_then(|record| record.last_call()) {
            since = since.max(called.min(at));
            patience = if in_hook { PATIENCE_WITH_HOOK } else { patience };
        }
        if at - since < patience {
            self.state.schedule.plan(since + patience);
            return;
        }
        // 2. Does it run, or has the turn ended meanwhile? A turn that lasts because the work does ends by itself.
        let again = || JobLock::try_take(lock, self.site.creation()).is_ok_and(|turn| turn.err() == Some(refused));
        if busy::is_running(refused.holder) || !again() {
            return;
        }
        // 3. Report it.
        let (holder, minutes) = (refused.holder, (at - since) / 60);
        let text = format!("{holder} has been at it for {minutes} minutes; if it was stopped, let it go on, or end it");
        self.site.report(job.operation(), lock, io::Error::new(io::ErrorKind::TimedOut, text));
    }

    /// Notes that a hand-over was refused. After a day of refusals retention does not wait for the hook any more.
    pub(super) fn note_refusal(&self, at: i64) {
        let path = self.refusals_path();
        if let Err(error) = refusals::note(&path, self.site.creation(), at) {
            self.report_unless_gone(Operation::OnFinished, &path, error);
        }
    }

    /// At build: makes the hidden files that nobody could make later on a full disk. These are the lock of whoever
    /// makes room, the lock of whoever hands over, the record of hand-overs and the note of refusals.
    pub(super) fn make_files(&self) {
        let report = |job: Job, error| self.site.report(job.operation(), &self.lock_path(job), error);
        if self.options.min_log_files.is_some() {
            if let Err(error) = self.make_lock(Job::Prune) {
                report(Job::Prune, error);
            }
        }
        if self.has(Job::HandOver) {
            match self.make_lock(Job::HandOver) {
                Ok(Ok(turn)) => self.make_record(turn),
                // Whoever has the turn makes the record.
                Ok(Err(_)) => {}
                Err(error) => report(Job::HandOver, error),
            }
        }
    }

    /// Makes the file of a lock, and takes the turn if it is free.
    fn make_lock(&self, job: Job) -> io::Result<Result<JobLock, Refused>> {
        let take = || JobLock::try_take(&self.lock_path(job), self.site.creation());
        match take() {
            Err(error) if sys::is_want_of_room(&error) && self.make_room(self.options.min_log_files) => take(),
            taken => taken,
        }
    }

    /// Makes the record of hand-overs and the note of refusals, in the turn to hand over.
    fn make_record(&self, turn: JobLock) {
        let make = || {
            let (_, wrong) = Writer::open(&self.record_path(), self.site.creation())?;
            wrong.map_or_else(|| refusals::prepare(&self.refusals_path(), self.site.creation()), Err)
        };
        let at_work = turn.at_work();
        let made = make();
        drop(at_work);
        drop(turn);
        if let Err(error) = made {
            self.site.report(Operation::OnFinished, &self.record_path(), error);
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
