//! Pruning, compressing and handing over: when, by which process, in which thread. What may go is in `retention`, how a file becomes an
//! archive in `archive`, what the user's hook is given in `hand_over`.

use crate::Error;
use crate::appender::Inner;
use crate::names::listing::Disputed;
use crate::process::user_code;
use crate::report::Operation;
use crate::sys::{self, Creation, Holder, HousekeepingLock, Refused};
use crate::upkeep::busy;
use crate::upkeep::hook::{Queue, Round};
use crate::upkeep::record::{self, Record};
use crate::upkeep::refusals;
use crate::upkeep::{compress, prune};
use crate::write::fallback::is_want_of_room;
use crate::write::rollover::GRACE;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Seconds until files that could not be pruned, compressed or handed over, because a process still had them open, are looked at again:
/// first, when the others have let go, then ever more rarely.
pub(crate) const LOOK_AGAIN: std::ops::RangeInclusive<i64> = GRACE + 2..=3600;

/// Seconds until the bytes of all files are added up again.
const EACH_MINUTE: i64 = 60;

/// What one process, and one thread in it, does for all. Each behind a lock of its own, so that nobody who wants to prune has to wait for a
/// compression, or for the user's hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chore {
    Prune,
    Compress,
    HandOver,
    /// Prunes when everything has just been handed over that could be.
    PruneTried,
}

impl Chore {
    fn operation(self) -> Operation {
        match self {
            Self::Prune | Self::PruneTried => Operation::Retention,
            Self::Compress => Operation::Compression,
            Self::HandOver => Operation::OnRollover,
        }
    }

    /// Which of the three locks.
    fn lock(self) -> usize {
        match self {
            Self::Prune | Self::PruneTried => 0,
            Self::Compress => 1,
            Self::HandOver => 2,
        }
    }

    fn patience(self) -> i64 {
        if self == Self::Compress { PATIENCE_WITH_COMPRESSION } else { PATIENCE }
    }
}

/// Seconds after which whoever has a turn is taken for stopped: most turns take less than one. Compressing takes as long as it takes, and
/// so does the user's hook.
const PATIENCE: i64 = 5 * 60;
const PATIENCE_WITH_COMPRESSION: i64 = 15 * 60;
const PATIENCE_WITH_HOOK: i64 = 3600;

/// What a round over all files came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Files removed, compressed or handed over.
    pub(crate) done: usize,
    /// Files that would have been, had not somebody had them open, or needed them.
    pub(crate) held: usize,
    /// The first directory that could not be read, or else the first file with which it failed.
    pub(crate) failed: Option<(PathBuf, io::Error)>,
    /// The hook could not be called.
    pub(crate) refused: bool,
    /// The first file that was removed although the hook had not done its work with it.
    pub(crate) unseen: Option<PathBuf>,
    /// A file of the future.
    pub(crate) ahead: Option<PathBuf>,
    /// A file that another program at work could have made, too.
    pub(crate) disputed: Option<Disputed>,
}

/// The work of a thread that has been started. Dropped before it is done, if the thread panics, or never comes to it.
#[derive(Debug)]
struct Begun {
    inner: Arc<Inner>,
    done: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.done {
            self.inner.duties().chores_lost.store(true, Relaxed);
        }
    }
}

impl Inner {
    pub(crate) fn do_chores_if_wanted(self: &Arc<Self>) {
        let duties = self.duties();
        if duties.chores_wanted.load(Relaxed) && duties.chores_wanted.swap(false, Relaxed) {
            duties.chores_delay.store(0, Relaxed);
            duties.chores_at.store(0, Relaxed);
            self.start_chores();
        }
    }

    /// Does what there is to do in a short-lived thread, because removing a gigabyte takes 158 ms (measured). If none can be started, prunes
    /// in place. Does nothing if somebody else is at it.
    pub(crate) fn start_chores(self: &Arc<Self>) {
        // Not the time of the event that has led here: beside a late line the files of others would be of the future.
        let at = self.clock.exact_second();
        let wanted = self.has(Chore::Prune) || self.finishes_files();
        if !wanted || self.duties().is_bare() {
            return;
        }
        let Some(turn) = self.try_take_turn(Chore::Prune, at) else { return };
        let begun = Begun { inner: self.clone(), done: false };
        let chores = move || {
            let mut begun = begun;
            let inner = &begun.inner;
            inner.do_chore(Chore::Prune, turn, at);
            inner.do_chore_in_turn(Chore::Compress, at);
            if inner.do_chore_in_turn(Chore::HandOver, at) {
                // What has waited for the hook.
                inner.do_chore_in_turn(Chore::PruneTried, at);
            }
            begun.done = true;
        };
        if let Err(error) = sys::spawn("log-retention", chores) {
            // The turn went with the closure.
            self.duties().chores_lost.store(false, Relaxed);
            if self.has(Chore::HandOver) {
                self.note_refusal(at);
            }
            self.prune_in_place(at);
            if let Some(chore) = [Chore::HandOver, Chore::Compress].into_iter().find(|chore| self.has(*chore)) {
                self.report(chore.operation(), self.pattern.directory(), error);
                self.look_again(at);
            }
        }
    }

    /// If the last thread that was started has ended in the middle of its work, or before it: counts that, and prunes
    /// in place.
    pub(crate) fn make_up_for_lost_chores(&self) {
        if self.duties().chores_lost.swap(false, Relaxed) {
            let at = self.clock.exact_second();
            let error = io::Error::other("the thread that prunes, compresses and hands over has panicked");
            self.report(Operation::Retention, self.pattern.directory(), error);
            self.prune_in_place(at);
            self.look_again(at);
        }
    }

    /// As part of building: no thread is left running when the program goes on to fork.
    pub(crate) fn prune_in_place(&self, at: i64) {
        self.do_chore_in_turn(Chore::Prune, at);
    }

    /// `false`: there is nothing to do, somebody else is at it, or it could not be begun.
    fn do_chore_in_turn(&self, chore: Chore, at: i64) -> bool {
        let turn = if self.has(chore) { self.try_take_turn(chore, at) } else { None };
        turn.is_some_and(|turn| self.do_chore(chore, turn, at))
    }

    fn has(&self, chore: Chore) -> bool {
        match chore {
            Chore::Prune | Chore::PruneTried => self.limits.is_set(),
            Chore::Compress => self.compression.is_some(),
            Chore::HandOver => self.hook.is_some(),
        }
    }

    /// Whether there is something to do with files when the last process has let go of them.
    pub(crate) fn finishes_files(&self) -> bool {
        self.has(Chore::Compress) || self.has(Chore::HandOver)
    }

    fn try_take_turn(&self, chore: Chore, at: i64) -> Option<HousekeepingLock> {
        let path = self.lock_path(chore);
        match HousekeepingLock::try_take(&path, self.creation()) {
            Ok(Ok(turn)) => return Some(turn),
            Ok(Err(refused)) => self.report_if_stuck(chore, &path, refused, at),
            Err(error) => self.report_unless_gone(chore.operation(), &path, error),
        }
        if chore == Chore::HandOver {
            self.note_refusal(at);
        }
        // Whoever is at it may have looked before the last file was finished, or has grown.
        self.look_again(at);
        None
    }

    /// Reports a holder that has had the turn for minutes.
    fn report_if_stuck(&self, chore: Chore, lock: &Path, refused: Refused, at: i64) {
        if matches!(refused.holder, Holder::Own | Holder::ThisThread) {
            return;
        }
        let mut since = self.duties().busy[chore.lock()].since(refused, at);
        let mut patience = chore.patience();
        if chore == Chore::HandOver
            && let Some((called, in_hook)) = Record::read(&self.record_path(), self.creation()).last_call()
        {
            since = since.max(called.min(at));
            patience = if in_hook { PATIENCE_WITH_HOOK } else { patience };
        }
        if at - since < patience {
            self.plan(since + patience);
            return;
        }
        // A turn that lasts because the work does ends by itself.
        let again = || HousekeepingLock::try_take(lock, self.creation()).is_ok_and(|turn| turn.err() == Some(refused));
        if busy::is_at_work(refused.holder) || !again() {
            return;
        }
        let (holder, minutes) = (refused.holder, (at - since) / 60);
        let text = format!("{holder} has been at it for {minutes} minutes; if it was stopped, let it go on, or end it");
        self.report(chore.operation(), lock, io::Error::new(io::ErrorKind::WouldBlock, text));
    }

    /// Retention waits for the hook for a day after this.
    fn note_refusal(&self, at: i64) {
        let path = self.refusals_path();
        if let Err(error) = refusals::note(&path, self.creation(), at) {
            self.report_unless_gone(Operation::OnRollover, &path, error);
        }
    }

    /// Reports what a chore has failed with. A file or a directory that has gone is no failure: there is nothing to do with it, and whoever writes
    /// next makes a new one.
    fn report_unless_gone(&self, operation: Operation, path: &Path, error: io::Error) {
        if error.kind() != io::ErrorKind::NotFound {
            self.report(operation, path, error);
        }
    }

    /// `false`: it could not be begun.
    fn do_chore(&self, chore: Chore, turn: HousekeepingLock, at: i64) -> bool {
        let at_work = turn.at_work();
        let outcome = self.work(chore, &turn, false, at);
        drop(at_work);
        // Whoever is told may call the appender.
        drop(turn);
        match outcome {
            Ok(outcome) => {
                if outcome.held > 0 || outcome.disputed.is_some() {
                    self.look_again(at);
                }
                if chore == Chore::Prune && self.limits.bytes.is_some() {
                    // The current file grows.
                    self.plan(at + EACH_MINUTE);
                }
                if let Some((path, error)) = outcome.failed {
                    self.report_unless_gone(chore.operation(), &path, error);
                }
                self.report_unseen(outcome.unseen);
                self.report_ahead(chore, outcome.ahead);
                self.report_dispute(chore, outcome.disputed, at);
                !outcome.refused
            }
            Err(error) => {
                self.report_unless_gone(chore.operation(), self.pattern.directory(), error);
                self.look_again(at);
                false
            }
        }
    }

    fn report_unseen(&self, removed: Option<PathBuf>) {
        if let Some(path) = removed {
            let error = io::Error::other("it has waited for a day, and retention has removed it");
            self.report(Operation::OnRollover, &path, error);
        }
    }

    /// Once, until none is there any more.
    fn report_ahead(&self, chore: Chore, found: Option<PathBuf>) {
        if chore.operation() != Operation::Retention {
            return;
        }
        let reported = self.duties().ahead_reported.swap(found.is_some(), Relaxed);
        if let Some(path) = found.filter(|_| !reported) {
            let text = "it is of the future, made by a clock that was ahead: it does not count, and goes a day after its last write";
            self.report(Operation::Retention, &path, io::Error::other(text));
        }
    }

    /// Once, when it has lasted for minutes. While a program is started anew with other options, processes of before
    /// have the files until they end.
    fn report_dispute(&self, chore: Chore, disputed: Option<Disputed>, at: i64) {
        // The others find the same.
        let first = [Chore::Prune, Chore::Compress, Chore::HandOver].into_iter().find(|chore| self.has(*chore));
        if first != Some(chore) {
            return;
        }
        let (since, reported) = (&self.duties().disputed_since, &self.duties().dispute_reported);
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
        self.report(Operation::Names, &path, io::Error::new(io::ErrorKind::AlreadyExists, text));
    }

    /// `all`: also what has failed so recently that it is not tried again by itself.
    fn work(&self, chore: Chore, turn: &HousekeepingLock, all: bool, at: i64) -> io::Result<Outcome> {
        self.look_at_record();
        let Self { pattern, links, clock, .. } = self;
        let (outcome, counter) = match chore {
            Chore::Prune | Chore::PruneTried => {
                let queue = self.hook.as_ref().map(|_| self.queue(chore == Chore::PruneTried, at));
                let pruned = prune::prune(pattern, links, &self.limits, queue.as_ref(), clock, at)?;
                (pruned, &self.counters().files_pruned)
            }
            Chore::Compress => {
                let compress = |kind| compress::archive_closed(pattern, links, kind, self.priority, clock, turn, at);
                (self.compression.map_or_else(|| Ok(Outcome::default()), compress)?, &self.counters().files_compressed)
            }
            Chore::HandOver => {
                let Some(hook) = &self.hook else { return Ok(Outcome::default()) };
                let round = Round { pattern, hook, turn, all, now: at };
                let outcome = round.hand_over(&self.record_path(), self.creation());
                if outcome.as_ref().map_or(true, |outcome| outcome.refused) {
                    self.note_refusal(at);
                } else if let Err(error) = refusals::forget(&self.refusals_path(), self.creation()) {
                    self.report_unless_gone(Operation::OnRollover, &self.refusals_path(), error);
                }
                (outcome?, &self.counters().files_handed_over)
            }
        };
        counter.fetch_add(outcome.done as u64, Relaxed);
        Ok(outcome)
    }

    /// What retention has to know of the hook.
    fn queue(&self, tried: bool, at: i64) -> Queue {
        let record = Record::read(&self.record_path(), self.creation());
        let called = record.last_call().is_some_and(|(called, _)| at - called < refusals::DAY);
        let refused = !called && refusals::have_lasted(&self.refusals_path(), at);
        Queue::new(tried || refused, record, at)
    }

    fn look_again(&self, at: i64) {
        let last = &self.duties().chores_delay;
        let delay = (last.load(Relaxed) * 2).clamp(*LOOK_AGAIN.start(), *LOOK_AGAIN.end());
        if self.plan(at + delay) {
            last.store(delay, Relaxed);
        }
    }

    /// Whoever makes a new file looks after those before it; but that may be a worker that has ended before they were let go of. So each
    /// process looks again some time after its own rollover.
    pub(crate) fn look_after_rollover(&self, at: i64) {
        if self.looks_again() {
            self.plan(at + EACH_MINUTE);
        }
    }

    /// Whether the housekeeping is due again. What was planned by a clock that was ahead is.
    pub(crate) fn is_due(&self, at: i64) -> bool {
        let planned = &self.duties().chores_at;
        let due = planned.load(Relaxed);
        due != 0
            && !(due - LOOK_AGAIN.end()..due).contains(&at)
            && planned.compare_exchange(due, 0, Relaxed, Relaxed).is_ok()
    }

    /// Has the housekeeping done again at that second, unless it is to be done sooner.
    fn plan(&self, at: i64) -> bool {
        let sooner = |planned| (planned == 0 || at < planned).then_some(at);
        self.duties().chores_at.fetch_update(Relaxed, Relaxed, sooner).is_ok()
    }

    /// Whether there is something to do between one rollover and the next.
    fn looks_again(&self) -> bool {
        self.finishes_files() || self.limits.bytes.is_some()
    }

    pub(crate) fn prune_now(&self) -> Result<usize, Error> {
        self.do_now(Chore::Prune)
    }

    pub(crate) fn compress_now(&self) -> Result<usize, Error> {
        self.do_now(Chore::Compress)
    }

    pub(crate) fn hand_over_now(&self) -> Result<usize, Error> {
        self.do_now(Chore::HandOver)
    }

    /// In place, waiting for others to finish.
    fn do_now(&self, chore: Chore) -> Result<usize, Error> {
        if !self.has(chore) {
            return Ok(0);
        }
        let error = |path: &Path, error| self.reporter.error(self.counters(), chore.operation(), path, error);
        self.wait_for_record();
        let path = self.lock_path(chore);
        let turn = match HousekeepingLock::take(&path, self.creation()) {
            Ok(Err(Refused { holder: Holder::ThisThread, .. })) => return Err(error(&path, user_code::called_back())),
            Ok(taken) => taken.map_err(Refused::into_error),
            Err(error) => Err(error),
        };
        if turn.is_err() && chore == Chore::HandOver {
            self.note_refusal(self.clock.exact_second());
        }
        let turn = turn.map_err(|failed| error(&path, failed))?;
        let at_work = turn.at_work();
        let at = self.clock.exact_second();
        // What this process itself has open only until its next event is finished.
        if chore != Chore::Prune
            && let Some(rolling) = self.slots.try_roll()
        {
            rolling.let_go_of_ended(at, at, GRACE);
            rolling.give_leases_back(at, GRACE);
        }
        let outcome = self.work(chore, &turn, true, at);
        drop(at_work);
        drop(turn);
        let outcome = outcome.map_err(|failed| error(self.pattern.directory(), failed))?;
        self.report_unseen(outcome.unseen);
        self.report_ahead(chore, outcome.ahead);
        self.report_dispute(chore, outcome.disputed, at);
        match outcome.failed {
            None => Ok(outcome.done),
            Some((path, failed)) => Err(error(&path, failed)),
        }
    }

    /// Makes the files now that could not be made any more when the disk is full: the locks of what can make room then, and the hook's record.
    pub(crate) fn make_files(&self) {
        let ask = |chore| HousekeepingLock::try_take(&self.lock_path(chore), self.creation());
        let take = |chore| match ask(chore) {
            Err(error) if is_want_of_room(&error) && self.make_room(self.min_log_files) => ask(chore),
            taken => taken,
        };
        let report = |chore: Chore, error| self.report(chore.operation(), &self.lock_path(chore), error);
        if self.min_log_files.is_some()
            && let Err(error) = take(Chore::Prune)
        {
            report(Chore::Prune, error);
        }
        if self.has(Chore::HandOver) {
            let open = || {
                let (_, wrong) = record::Writer::open(&self.record_path(), self.creation())?;
                wrong.map_or_else(|| refusals::prepare(&self.refusals_path(), self.creation()), Err)
            };
            match take(Chore::HandOver) {
                Ok(Ok(turn)) => {
                    let at_work = turn.at_work();
                    let opened = open();
                    drop(at_work);
                    drop(turn);
                    if let Err(error) = opened {
                        self.report(Operation::OnRollover, &self.record_path(), error);
                    }
                }
                // Whoever has the turn makes them.
                Ok(Err(_)) => {}
                Err(error) => report(Chore::HandOver, error),
            }
        }
    }

    /// The disk is full: removes the oldest file, if more than `keep` are there, or waits until another process has. In place, because the
    /// line in hand is lost otherwise. Says whether there may be room now.
    pub(crate) fn make_room(&self, keep: Option<NonZeroUsize>) -> bool {
        let Some(keep) = keep.filter(|_| !self.duties().is_bare()) else { return false };
        let stuck = &self.duties().pruner_stuck;
        let path = self.lock_path(Chore::Prune);
        let mut waited = false;
        let mut ask = || match HousekeepingLock::try_take(&path, self.creation()) {
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
        let lock = if stuck.load(Relaxed) { ask() } else { self.wait(ask) };
        stuck.store(lock.is_none(), Relaxed);
        match lock {
            Some(Ok(lock)) if !waited => self.remove_oldest(keep, Some(lock)),
            // Where there is no room for the lock either, each process goes without: `keep` files stay all the same.
            Some(Err(error)) if is_want_of_room(&error) => self.remove_oldest(keep, None),
            Some(Err(error)) => {
                self.report(Operation::Retention, &path, error);
                false
            }
            lock => lock.is_some(),
        }
    }

    /// How our hidden files are created.
    pub(crate) fn creation(&self) -> Creation<'static> {
        Creation::empty(self.mode, self.clock.now())
    }

    fn remove_oldest(&self, keep: NonZeroUsize, turn: Option<HousekeepingLock>) -> bool {
        self.look_at_record();
        let at_work = turn.as_ref().map(HousekeepingLock::at_work);
        let removed = prune::remove_oldest(&self.pattern, &self.links, keep, &self.clock);
        drop(at_work);
        // Whoever is told may call the appender.
        drop(turn);
        match removed {
            Ok(removed) => {
                self.counters().files_pruned.fetch_add(removed.into(), Relaxed);
                removed
            }
            Err(error) => {
                self.report(Operation::Retention, self.pattern.directory(), error);
                false
            }
        }
    }

    fn record_path(&self) -> PathBuf {
        self.pattern.hidden("rollover")
    }

    fn refusals_path(&self) -> PathBuf {
        self.pattern.hidden("rollover.refused")
    }

    fn lock_path(&self, chore: Chore) -> PathBuf {
        self.pattern.hidden(match chore {
            Chore::Prune | Chore::PruneTried => "lock",
            Chore::Compress => "compression.lock",
            Chore::HandOver => "rollover.lock",
        })
    }
}
