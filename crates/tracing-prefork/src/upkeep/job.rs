//! The jobs, which are to prune, to compress and to hand over: which process does them, and in which thread. `schedule`
//! says when. `prune` says which files may go, `compress` how a file becomes an archive, `hand_over` what the user's
//! hook is given.

use crate::names::listing::{self, Disputed, Found, Listing};
use crate::names::pattern::Place;
use crate::names::site::Site;
use crate::process::user_code;
use crate::report::{Error, Operation};
use crate::sys::{self, Holder, JobLock, Priority, Refused};
use crate::upkeep::compress::Compress;
use crate::upkeep::hand_over::{Due, HandOver};
use crate::upkeep::hand_over_record::HandOverRecord;
use crate::upkeep::occasion::Occasion;
use crate::upkeep::outcome::Outcome;
use crate::upkeep::over::Closing;
use crate::upkeep::queue::Queue;
use crate::upkeep::schedule::EACH_MINUTE;
use crate::upkeep::{Options, Upkeep, gone_links, prune, refusals};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What one process, and one thread in it, does for all. Each job has a lock of its own, so that nobody who wants to
/// prune waits for a compression or for the user's hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Prune,
    Compress,
    HandOver,
    /// Prunes right after a hand-over: whatever could be handed over has been.
    PruneTried,
}

impl Job {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Prune | Self::PruneTried => Operation::Retention,
            Self::Compress => Operation::Compression,
            Self::HandOver => Operation::OnFinished,
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

/// Seconds after which the holder of a turn may have been stopped. Most turns take less than one second. Compressing
/// and the user's hook take longer.
pub(super) const PATIENCE: i64 = 5 * 60;
const PATIENCE_WITH_COMPRESSION: i64 = 15 * 60;
pub(super) const PATIENCE_WITH_HOOK: i64 = 3600;

/// The thread that does the jobs. It counts as lost if it is dropped before it is done: it has panicked, or has never
/// begun.
#[derive(Debug)]
struct JobsThread {
    upkeep: Arc<Upkeep>,
    done: bool,
}

impl JobsThread {
    fn run(mut self, turn: JobLock, at: i64) {
        self.upkeep.do_job(Job::Prune, turn, at);
        self.upkeep.do_in_turn(Job::Compress, at);
        if self.upkeep.do_in_turn(Job::HandOver, at) {
            // Files that have waited for the hook may go now.
            self.upkeep.do_in_turn(Job::PruneTried, at);
        }
        self.done = true;
    }
}

impl Drop for JobsThread {
    fn drop(&mut self) {
        if !self.done {
            self.upkeep.state.schedule.set_lost(true);
        }
    }
}

impl Upkeep {
    pub(super) fn start_jobs_if_wanted(self: &Arc<Self>) {
        if self.state.schedule.take_wanted() {
            self.start_jobs();
        }
    }

    /// Does the jobs in a short-lived thread: removing a gigabyte takes 158 ms (measured). If no thread can be started,
    /// prunes in place. Does nothing if somebody else has the turn to prune.
    pub(super) fn start_jobs(self: &Arc<Self>) {
        // 1. Is there a job, and may this process do it? The time is the clock's and not the event's: for a late line,
        // the files of other processes would be of the future.
        let at = self.site.clock.exact_second();
        let wanted = self.has(Job::Prune) || self.finishes_files();
        if !wanted || self.site.process.is_bare() {
            return;
        }
        // 2. Take the turn to prune.
        let Some(turn) = self.try_take_turn(Job::Prune, at) else { return };
        // 3. Start the thread.
        let thread = JobsThread { upkeep: self.clone(), done: false };
        let Err(error) = sys::spawn("log-retention", move || thread.run(turn, at)) else { return };
        // 4. Or prune in place, and plan the other jobs. The turn went with the closure.
        self.state.schedule.set_lost(false);
        if self.has(Job::HandOver) {
            self.note_refusal(at);
        }
        self.prune_in_place(at);
        if let Some(job) = [Job::HandOver, Job::Compress].into_iter().find(|job| self.has(*job)) {
            self.site.report(job.operation(), self.site.directory(), error);
            self.state.schedule.look_again(at);
        }
    }

    /// If the last thread ended before it was done: reports that, and prunes in place.
    pub(super) fn make_up_for_lost_thread(&self) {
        if self.state.schedule.set_lost(false) {
            let at = self.site.clock.exact_second();
            let error = io::Error::other("the thread that prunes, compresses and hands over has panicked");
            self.site.report(Operation::Retention, self.site.directory(), error);
            self.prune_in_place(at);
            self.state.schedule.look_again(at);
        }
    }

    /// Prunes on this thread. `build` does so, because a thread must not be left running when the program goes on to
    /// fork.
    pub(super) fn prune_in_place(&self, at: i64) {
        self.do_in_turn(Job::Prune, at);
    }

    /// Does a job, if somebody wants it and nobody else has the turn. `false`: it was not done.
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

    /// Whether there is a job for files that are finished.
    pub(super) fn finishes_files(&self) -> bool {
        self.has(Job::Compress) || self.has(Job::HandOver)
    }

    /// Does a job, reports what it has come to, and plans the next time. `false`: it could not be begun.
    fn do_job(&self, job: Job, turn: JobLock, at: i64) -> bool {
        // 1. The job. The turn ends before anybody is told, since whoever is told may call the appender.
        let at_work = turn.at_work();
        let outcome = self.run(job, &turn, Occasion::Schedule, at);
        drop(at_work);
        drop(turn);
        let mut outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                self.report_unless_gone(job.operation(), self.site.directory(), error);
                self.state.schedule.look_again(at);
                return false;
            }
        };
        // 2. The next time.
        if outcome.waiting > 0 || outcome.disputed.is_some() {
            self.state.schedule.look_again(at);
        }
        if job == Job::Prune && self.options.limits.bytes.is_some() {
            // The current file grows.
            self.state.schedule.plan(at + EACH_MINUTE);
        }
        // 3. The reports.
        if let Some((path, error)) = outcome.failed.take() {
            self.report_unless_gone(job.operation(), &path, error);
        }
        let was_begun = !outcome.refused;
        self.report_findings(job, outcome, at);
        was_begun
    }

    /// Does a job in place, for a caller who waits for it. Waits for others who have the turn. A file that this process
    /// has open only until its next event is finished, so the process is to `let_go` of it first.
    pub(crate) fn do_now(&self, job: Job, occasion: Occasion, let_go: impl FnOnce(i64)) -> Result<usize, Error> {
        if !self.has(job) {
            return Ok(0);
        }
        let error = |path: &Path, error| self.site.reporter.error(job.operation(), path, error);
        // 1. Take the turn.
        self.site.wait_for_record(sys::PATIENCE);
        let path = self.lock_path(job);
        // Whoever closes waits for a job of its own process to its end: the end of the process would break it off.
        let turn = match JobLock::take(&path, self.site.creation(), occasion == Occasion::Closing) {
            Ok(Err(Refused { holder: Holder::ThisThread, .. })) => return Err(error(&path, user_code::called_back())),
            Ok(taken) => taken.map_err(Refused::into_error),
            Err(failed) => Err(failed),
        };
        if turn.is_err() && job == Job::HandOver {
            self.note_refusal(self.site.clock.exact_second());
        }
        let turn = turn.map_err(|failed| error(&path, failed))?;
        // 2. Do the job.
        let at_work = turn.at_work();
        let at = self.site.clock.exact_second();
        if job != Job::Prune {
            let_go(at);
        }
        let outcome = self.run(job, &turn, occasion, at);
        drop(at_work);
        drop(turn);
        // 3. Report what is no failure, and answer the caller.
        let mut outcome = outcome.map_err(|failed| error(self.site.directory(), failed))?;
        let (done, failed) = (outcome.done, outcome.failed.take());
        self.report_findings(job, outcome, at);
        failed.map_or(Ok(done), |(path, failed)| Err(error(&path, failed)))
    }

    /// Runs a job in its turn, and counts the files.
    fn run(&self, job: Job, turn: &JobLock, occasion: Occasion, at: i64) -> io::Result<Outcome> {
        self.site.look_at_record();
        let counters = self.site.counters();
        let (outcome, counter) = match job {
            Job::Prune | Job::PruneTried => (self.prune(job == Job::PruneTried, at)?, &counters.files_pruned),
            Job::Compress => (self.compress(turn, occasion, at)?, &counters.files_compressed),
            Job::HandOver => (self.hand_over(turn, occasion, at)?, &counters.files_handed_over),
        };
        counter.fetch_add(outcome.done as u64, Relaxed);
        Ok(outcome)
    }

    /// `tried`: whatever could be handed over has just been handed over.
    fn prune(&self, tried: bool, at: i64) -> io::Result<Outcome> {
        let Site { pattern, clock, .. } = &*self.site;
        let queue = self.asks_hook().then(|| self.queue(tried, at));
        let Options { links, limits, .. } = &self.options;
        let pruned = prune::prune(pattern, links, limits, queue.as_ref(), clock, at);
        self.clear_gone_links();
        pruned
    }

    /// Files of other tags may have gone, or have become archives.
    fn clear_gone_links(&self) {
        if self.site.pattern.has_tags() && !self.options.links.is_empty() {
            gone_links::clear(&self.site, &self.options.links);
        }
    }

    fn compress(&self, turn: &JobLock, occasion: Occasion, now: i64) -> io::Result<Outcome> {
        let Site { pattern, clock, .. } = &*self.site;
        let Options { compression: Some(kind), links, keep_uncompressed, priority, .. } = &self.options else {
            return Ok(Outcome::default());
        };
        let closing = self.is_over_early(occasion);
        // Whoever closes is waited for.
        let priority = if closing.is_some() { Priority::Usual } else { *priority };
        let keep = *keep_uncompressed;
        let compressed =
            Compress { pattern, links, rings: self.rings(), kind: *kind, keep, priority, clock, turn, closing, now }
                .run();
        self.clear_gone_links();
        compressed
    }

    fn hand_over(&self, turn: &JobLock, occasion: Occasion, now: i64) -> io::Result<Outcome> {
        let Some(hook) = &self.options.hook else { return Ok(Outcome::default()) };
        let hand_over = HandOver { due: self.due(occasion, now), hook, turn };
        let outcome = hand_over.run(&self.record_path(), self.site.creation());
        if outcome.as_ref().map_or(true, |outcome| outcome.refused) {
            self.note_refusal(now);
        } else if let Err(error) = refusals::forget(&self.refusals_path(), self.site.creation()) {
            self.report_unless_gone(Operation::OnFinished, &self.refusals_path(), error);
        }
        outcome
    }

    pub(super) fn due(&self, occasion: Occasion, now: i64) -> Due<'_> {
        let (pattern, keep_uncompressed) = (&self.site.pattern, self.options.keep_uncompressed);
        Due { pattern, occasion, closing: self.is_over_early(occasion), keep_uncompressed, now }
    }

    /// Whether the current files of our tag count as over: somebody closes, and nobody has the file.
    fn is_over_early(&self, occasion: Occasion) -> Option<Closing> {
        (occasion == Occasion::Closing && !self.is_current_file_held()).then(|| self.site.pattern.own_tag_id())
    }

    /// Whether a process may write to the current file. If nobody can tell, somebody may.
    pub(crate) fn is_current_file_held(&self) -> bool {
        let Site { pattern, clock, .. } = &*self.site;
        let now = clock.exact_second();
        let own = pattern.own_tag_id();
        let is_current = |found: &Found| found.place.is_some_and(|place| place.tag == own && place.span.contains(now));
        let held = |listing: Listing| {
            let current = listing.found.into_iter().filter(is_current);
            let last = current.max_by_key(|found| found.place.map(Place::order));
            last.is_some_and(|found| sys::is_held(&found.path))
        };
        listing::list(pattern, now).map_or(true, held)
    }

    /// Whether a file waits for a hook before it is pruned.
    pub(super) fn asks_hook(&self) -> bool {
        self.has(Job::HandOver) || self.options.waits_for_others && self.record_path().exists()
    }

    /// What retention asks of the hook.
    pub(super) fn queue(&self, tried: bool, at: i64) -> Queue {
        let record = HandOverRecord::read(&self.record_path(), self.site.creation());
        let called = record.last_call().is_some_and(|(called, _)| at - called < refusals::DAY);
        let refused = !called && refusals::have_lasted(&self.refusals_path(), at);
        Queue::new(tried || refused, record, at)
    }

    /// The process that makes a new file does the jobs for the files before it. But that may be a worker which ends
    /// while others still have those files open. So each process looks again some time after its own rollover.
    pub(crate) fn rolled_over(&self, at: i64) {
        if self.finishes_files() || self.options.limits.bytes.is_some() {
            self.state.schedule.plan(at + EACH_MINUTE);
        }
    }
}

/// What is told of the jobs.
impl Upkeep {
    /// Reports the failure of a job. A file or a directory that has gone is no failure: there is nothing to do with it,
    /// and whoever writes next makes a new one.
    pub(super) fn report_unless_gone(&self, operation: Operation, path: &Path, error: io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.site.report(operation, path, error);
        }
    }

    /// Reports what a job has found beside its failure.
    fn report_findings(&self, job: Job, found: Outcome, at: i64) {
        self.site.look_at_settings();
        self.report_unseen(found.unseen);
        self.report_ahead(job, found.ahead);
        self.report_dispute(job, found.disputed, at);
    }

    fn report_unseen(&self, removed: Option<PathBuf>) {
        if let Some(path) = removed {
            let error = io::Error::other("it has waited for a day, and retention has removed it");
            self.site.report(Operation::OnFinished, &path, error);
        }
    }

    /// Reports files of the future once, until there are none any more.
    fn report_ahead(&self, job: Job, found: Option<PathBuf>) {
        if job.operation() != Operation::Retention {
            return;
        }
        let reported = self.state.ahead_reported.swap(found.is_some(), Relaxed);
        if let Some(path) = found.filter(|_| !reported) {
            let text = "it is of the future, made by a clock that was ahead: it does not count, and goes a day after \
                        its last write";
            self.site.report(Operation::Retention, &path, io::Error::other(text));
        }
    }

    /// Reports a dispute once, when it has lasted for minutes. Before that, a program may be starting anew with other
    /// options, and its earlier processes have the files until they end.
    fn report_dispute(&self, job: Job, disputed: Option<Disputed>, at: i64) {
        // One job tells of it: the others find the same.
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
            "another program that is at work here ({claimant}) has files of such names, too, which are neither pruned, \
             compressed nor handed over until it ends; give one of the two another directory, prefix or suffix"
        );
        self.site.report(Operation::Names, &path, io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
}
