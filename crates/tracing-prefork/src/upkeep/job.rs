//! The jobs, pruning, compressing and handing over: by which process, in which thread. When is in `schedule`; what may
//! go in `prune`, how a file becomes an archive in `compress`, what the user's hook is given in `hook`.

use crate::names::listing::Disputed;
use crate::names::site::Site;
use crate::process::user_code;
use crate::report::{Error, Operation};
use crate::sys::{self, Holder, JobLock, Refused};
use crate::upkeep::hook::Round;
use crate::upkeep::outcome::Outcome;
use crate::upkeep::queue::Queue;
use crate::upkeep::record::Record;
use crate::upkeep::schedule::EACH_MINUTE;
use crate::upkeep::{Options, Upkeep, compress, prune, refusals};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What one process, and one thread in it, does for all. Each behind a lock of its own, so that nobody who wants to
/// prune has to wait for a compression, or for the user's hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Prune,
    Compress,
    HandOver,
    /// Prunes when everything has just been handed over that could be.
    PruneTried,
}

impl Job {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Prune | Self::PruneTried => Operation::Retention,
            Self::Compress => Operation::Compression,
            Self::HandOver => Operation::OnRollover,
        }
    }

    /// Which of the three locks.
    pub(super) fn lock(self) -> usize {
        match self {
            Self::Prune | Self::PruneTried => 0,
            Self::Compress => 1,
            Self::HandOver => 2,
        }
    }

    pub(super) fn patience(self) -> i64 {
        if self == Self::Compress { PATIENCE_WITH_COMPRESSION } else { PATIENCE }
    }
}

/// Seconds after which whoever has a turn is taken for stopped: most turns take less than one. Compressing takes as
/// long as it takes, and so does the user's hook.
pub(super) const PATIENCE: i64 = 5 * 60;
const PATIENCE_WITH_COMPRESSION: i64 = 15 * 60;
pub(super) const PATIENCE_WITH_HOOK: i64 = 3600;

/// The work of a thread that has been started. Dropped before it is done, if the thread panics, or never comes to it.
#[derive(Debug)]
struct Begun {
    upkeep: Arc<Upkeep>,
    done: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.done {
            self.upkeep.state.schedule.set_lost(true);
        }
    }
}

impl Upkeep {
    pub(super) fn work_if_wanted(self: &Arc<Self>) {
        if self.state.schedule.take_wanted() {
            self.start_work();
        }
    }

    /// Does what there is to do in a short-lived thread, because removing a gigabyte takes 158 ms (measured). If none
    /// can be started, prunes in place. Does nothing if somebody else is at it.
    pub(super) fn start_work(self: &Arc<Self>) {
        // Not the time of the event that has led here: beside a late line the files of others would be of the future.
        let at = self.site.clock.exact_second();
        let wanted = self.has(Job::Prune) || self.finishes_files();
        if !wanted || self.site.process.is_bare() {
            return;
        }
        let Some(turn) = self.try_take_turn(Job::Prune, at) else { return };
        let begun = Begun { upkeep: self.clone(), done: false };
        let work = move || {
            let mut begun = begun;
            let upkeep = &begun.upkeep;
            upkeep.do_job(Job::Prune, turn, at);
            upkeep.do_in_turn(Job::Compress, at);
            if upkeep.do_in_turn(Job::HandOver, at) {
                // What has waited for the hook.
                upkeep.do_in_turn(Job::PruneTried, at);
            }
            begun.done = true;
        };
        if let Err(error) = sys::spawn("log-retention", work) {
            // The turn went with the closure.
            self.state.schedule.set_lost(false);
            if self.has(Job::HandOver) {
                self.note_refusal(at);
            }
            self.prune_in_place(at);
            if let Some(job) = [Job::HandOver, Job::Compress].into_iter().find(|job| self.has(*job)) {
                self.site.report(job.operation(), self.site.pattern.directory(), error);
                self.state.schedule.look_again(at);
            }
        }
    }

    /// If the last thread that was started has ended in the middle of its work, or before it: counts that, and prunes
    /// in place.
    pub(super) fn make_up_for_lost_work(&self) {
        if self.state.schedule.set_lost(false) {
            let at = self.site.clock.exact_second();
            let error = io::Error::other("the thread that prunes, compresses and hands over has panicked");
            self.site.report(Operation::Retention, self.site.pattern.directory(), error);
            self.prune_in_place(at);
            self.state.schedule.look_again(at);
        }
    }

    /// As part of building: no thread is left running when the program goes on to fork.
    pub(super) fn prune_in_place(&self, at: i64) {
        self.do_in_turn(Job::Prune, at);
    }

    /// `false`: there is nothing to do, somebody else is at it, or it could not be begun.
    fn do_in_turn(&self, job: Job, at: i64) -> bool {
        let turn = if self.has(job) { self.try_take_turn(job, at) } else { None };
        turn.is_some_and(|turn| self.do_job(job, turn, at))
    }

    pub(super) fn has(&self, job: Job) -> bool {
        match job {
            Job::Prune | Job::PruneTried => self.options.limits.is_set(),
            Job::Compress => self.options.compression.is_some(),
            Job::HandOver => self.options.hook.is_some(),
        }
    }

    /// Whether there is something to do with files when the last process has let go of them.
    pub(super) fn finishes_files(&self) -> bool {
        self.has(Job::Compress) || self.has(Job::HandOver)
    }

    /// Reports what a job has failed with. A file or a directory that has gone is no failure: there is nothing to do
    /// with it, and whoever writes next makes a new one.
    pub(super) fn report_unless_gone(&self, operation: Operation, path: &Path, error: io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.site.report(operation, path, error);
        }
    }

    /// `false`: it could not be begun.
    fn do_job(&self, job: Job, turn: JobLock, at: i64) -> bool {
        let at_work = turn.at_work();
        let outcome = self.work(job, &turn, false, at);
        drop(at_work);
        // Whoever is told may call the appender.
        drop(turn);
        match outcome {
            Ok(outcome) => {
                if outcome.held > 0 || outcome.disputed.is_some() {
                    self.state.schedule.look_again(at);
                }
                if job == Job::Prune && self.options.limits.bytes.is_some() {
                    // The current file grows.
                    self.state.schedule.plan(at + EACH_MINUTE);
                }
                if let Some((path, error)) = outcome.failed {
                    self.report_unless_gone(job.operation(), &path, error);
                }
                self.report_unseen(outcome.unseen);
                self.report_ahead(job, outcome.ahead);
                self.report_dispute(job, outcome.disputed, at);
                !outcome.refused
            }
            Err(error) => {
                self.report_unless_gone(job.operation(), self.site.pattern.directory(), error);
                self.state.schedule.look_again(at);
                false
            }
        }
    }

    fn report_unseen(&self, removed: Option<PathBuf>) {
        if let Some(path) = removed {
            let error = io::Error::other("it has waited for a day, and retention has removed it");
            self.site.report(Operation::OnRollover, &path, error);
        }
    }

    /// Once, until none is there any more.
    fn report_ahead(&self, job: Job, found: Option<PathBuf>) {
        if job.operation() != Operation::Retention {
            return;
        }
        let reported = self.state.ahead_reported.swap(found.is_some(), Relaxed);
        if let Some(path) = found.filter(|_| !reported) {
            let text = "it is of the future, made by a clock that was ahead: it does not count, and goes a day after its last write";
            self.site.report(Operation::Retention, &path, io::Error::other(text));
        }
    }

    /// Once, when it has lasted for minutes. While a program is started anew with other options, processes of before
    /// have the files until they end.
    fn report_dispute(&self, job: Job, disputed: Option<Disputed>, at: i64) {
        // The others find the same.
        let first = [Job::Prune, Job::Compress, Job::HandOver].into_iter().find(|job| self.has(*job));
        if first != Some(job) {
            return;
        }
        let (since, reported) = (&self.state.disputed_since, &self.state.dispute_reported);
        let Some(Disputed { path, claimant }) = disputed else {
            since.store(0, Relaxed);
            reported.store(false, Relaxed);
            return;
        };
        let began = since.compare_exchange(0, at, Relaxed, Relaxed).unwrap_or_else(|began| began);
        if began == 0 || at - began < PATIENCE || reported.swap(true, Relaxed) {
            return;
        }
        let text = format!(
            "another program that is at work here ({claimant}) has files of such names, too, which are neither pruned, compressed nor handed \
             over until it ends; give one of the two another directory, prefix or suffix"
        );
        self.site.report(Operation::Names, &path, io::Error::new(io::ErrorKind::AlreadyExists, text));
    }

    /// `all`: also what has failed so recently that it is not tried again by itself.
    fn work(&self, job: Job, turn: &JobLock, all: bool, at: i64) -> io::Result<Outcome> {
        self.site.look_at_record();
        let (Options { links, .. }, Site { pattern, clock, .. }) = (&self.options, &*self.site);
        let (outcome, counter) = match job {
            Job::Prune | Job::PruneTried => {
                let queue = self.options.hook.as_ref().map(|_| self.queue(job == Job::PruneTried, at));
                let pruned = prune::prune(pattern, links, &self.options.limits, queue.as_ref(), clock, at)?;
                (pruned, &self.site.counters().files_pruned)
            }
            Job::Compress => {
                let compress =
                    |kind| compress::compress_finished(pattern, links, kind, self.options.priority, clock, turn, at);
                (
                    self.options.compression.map_or_else(|| Ok(Outcome::default()), compress)?,
                    &self.site.counters().files_compressed,
                )
            }
            Job::HandOver => {
                let Some(hook) = &self.options.hook else { return Ok(Outcome::default()) };
                let round = Round { pattern, hook, turn, all, now: at };
                let outcome = round.hand_over(&self.record_path(), self.site.creation());
                if outcome.as_ref().map_or(true, |outcome| outcome.refused) {
                    self.note_refusal(at);
                } else if let Err(error) = refusals::forget(&self.refusals_path(), self.site.creation()) {
                    self.report_unless_gone(Operation::OnRollover, &self.refusals_path(), error);
                }
                (outcome?, &self.site.counters().files_handed_over)
            }
        };
        counter.fetch_add(outcome.done as u64, Relaxed);
        Ok(outcome)
    }

    /// What retention has to know of the hook.
    fn queue(&self, tried: bool, at: i64) -> Queue {
        let record = Record::read(&self.record_path(), self.site.creation());
        let called = record.last_call().is_some_and(|(called, _)| at - called < refusals::DAY);
        let refused = !called && refusals::have_lasted(&self.refusals_path(), at);
        Queue::new(tried || refused, record, at)
    }

    /// Whoever makes a new file looks after those before it; but that may be a worker that has ended before they were
    /// let go of. So each process looks again some time after its own rollover.
    pub(crate) fn rolled_over(&self, at: i64) {
        if self.looks_again() {
            self.state.schedule.plan(at + EACH_MINUTE);
        }
    }

    /// Whether there is something to do between one rollover and the next.
    fn looks_again(&self) -> bool {
        self.finishes_files() || self.options.limits.bytes.is_some()
    }

    /// In place, waiting for others to finish. What this process has open only until its next event is finished: it is
    /// to `let_go` of that first.
    pub(crate) fn do_now(&self, job: Job, let_go: impl FnOnce(i64)) -> Result<usize, Error> {
        if !self.has(job) {
            return Ok(0);
        }
        let error = |path: &Path, error| self.site.reporter.error(job.operation(), path, error);
        self.site.wait_for_record(sys::PATIENCE);
        let path = self.lock_path(job);
        let turn = match JobLock::take(&path, self.site.creation()) {
            Ok(Err(Refused { holder: Holder::ThisThread, .. })) => return Err(error(&path, user_code::called_back())),
            Ok(taken) => taken.map_err(Refused::into_error),
            Err(error) => Err(error),
        };
        if turn.is_err() && job == Job::HandOver {
            self.note_refusal(self.site.clock.exact_second());
        }
        let turn = turn.map_err(|failed| error(&path, failed))?;
        let at_work = turn.at_work();
        let at = self.site.clock.exact_second();
        if job != Job::Prune {
            let_go(at);
        }
        let outcome = self.work(job, &turn, true, at);
        drop(at_work);
        drop(turn);
        let outcome = outcome.map_err(|failed| error(self.site.pattern.directory(), failed))?;
        self.report_unseen(outcome.unseen);
        self.report_ahead(job, outcome.ahead);
        self.report_dispute(job, outcome.disputed, at);
        match outcome.failed {
            None => Ok(outcome.done),
            Some((path, failed)) => Err(error(&path, failed)),
        }
    }
}
