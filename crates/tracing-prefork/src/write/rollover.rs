//! The rollover: opening the file of another period. No thread waits for another that does it.

use crate::appender::Inner;
use crate::names::presence::Presence;
use crate::process::pieces;
use crate::report::Operation;
use crate::sys::{self, Creation, LogPath, Opened};
use crate::write::header::Header;
use crate::write::retry::Retry;
use crate::write::slots::Rolling;
use nix::errno::Errno;
use std::cell::{Cell, OnceCell};
use std::io::{self, ErrorKind::AlreadyExists, ErrorKind::NotFound};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64};

/// Seconds for which the file of a period that has ended stays open for lines that are still on their way.
pub(crate) const GRACE: i64 = 5;

/// What a process remembers beside its slots; a forked child finds it zero.
#[derive(Debug)]
pub(crate) struct Duties {
    /// Not set: a child that has just been forked.
    started: AtomicBool,
    /// Differs between a process and those it was forked from; 0 until somebody asks.
    process: AtomicU64,
    /// The second of the event for which [`Inner::each_second`] ran last.
    pub(crate) checked: AtomicI64,
    /// The second of the clock at that time.
    looked: AtomicI64,
    /// When to try again to open a file that could not be opened.
    pub(crate) retry: Retry,
    /// The inode of the file whose write lock could not be had; 0 for none.
    pub(crate) lock_stuck: AtomicU64,
    /// The errno of that, if it has not been reported yet; 0 for none.
    pub(crate) lock_report: AtomicI32,
    /// A thread of this process stays in the middle of a write under the write lock.
    pub(crate) turn_stuck: AtomicBool,
    /// The second of the last event for which the open file had room, by `max_file_bytes`.
    pub(crate) had_room: AtomicI64,
    /// A thread waits for a file server to give its lease back.
    pub(crate) waits_for_server: AtomicBool,
    /// The housekeeping lock has not been free for a second when there was no room for a line.
    pub(crate) pruner_stuck: AtomicBool,
    /// Links may lead to a file of the future, because the clock was set back.
    pub(crate) links_in_doubt: AtomicBool,
    /// Files of the future were there when the housekeeping looked last, which has been reported.
    pub(crate) ahead_reported: AtomicBool,
    /// The second since which another program could have made some of the files, too; 0 for none. And whether that has been
    /// reported.
    pub(crate) disputed_since: AtomicI64,
    pub(crate) dispute_reported: AtomicBool,
    /// A file has been created, so that there may be one too many, and one that is finished.
    pub(crate) chores_wanted: AtomicBool,
    /// A thread that was started for it has ended before it was done.
    pub(crate) chores_lost: AtomicBool,
    /// Who has kept this process from pruning, compressing and handing over.
    pub(crate) busy: [crate::upkeep::busy::Busy; 3],
    /// When to do the housekeeping again because a file was held, 0 for not at all; and how many seconds were left for that.
    pub(crate) chores_at: AtomicI64,
    pub(crate) chores_delay: AtomicI64,
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
        self.started.load(Relaxed) && !self.is_bare()
    }

    /// Here the allocator must not be called: it may be in the hands of a thread that does not exist in this child, or of the very thread that
    /// a signal handler has interrupted.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare.load(Relaxed) || pieces::is_changing()
    }

    /// Has the next event look again, as if it were the first of its second.
    pub(crate) fn look_again(&self) {
        self.checked.store(i64::MIN, Relaxed);
    }

    /// Whether an event of the second `at`, at the second `now` of the clock, is the first of its second. A late line is not, so that two
    /// streams of events that take turns do not make it one look an event: there is at most one look for each second that the clock shows, and
    /// one for each later second of an event.
    pub(crate) fn begins_second(&self, at: i64, now: i64) -> bool {
        let begins = at > self.checked.load(Relaxed) || now != self.looked.load(Relaxed);
        if begins {
            self.checked.store(at, Relaxed);
            // Was the clock set back, or before the fork perhaps? The next second looks at the links.
            if now < self.looked.swap(now, Relaxed) || !self.started.load(Relaxed) {
                self.links_in_doubt.store(true, Relaxed);
            }
        }
        begins
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
    /// next try follows some seconds later; at once, if there is no other file that the line could go to.
    pub(crate) fn roll_over(&self, at: i64) -> io::Result<Rolled> {
        let Some(rolling) = self.slots.try_roll() else { return Ok(Rolled::No) };
        if rolling.has(at) {
            return Ok(Rolled::No);
        }
        if !rolling.nothing_open() {
            self.duties().retry.may_open(at)?;
        }
        self.roll_over_with(rolling, at).map_err(|error| {
            let copy = copy_of(&error);
            self.report_at(Operation::Rollover, at, error);
            copy
        })
    }

    /// The same for a caller that has the right to exchange files, and tells of a failure itself.
    pub(crate) fn roll_over_with(&self, rolling: Rolling<'_>, at: i64) -> io::Result<Rolled> {
        self.look_at_fork();
        let forward = rolling.is_forward(at);
        let installed = self.fill_slot(&rolling, at);
        drop(rolling);
        if !installed? {
            return Ok(Rolled::No);
        }
        self.counters().rollovers.fetch_add(1, Relaxed);
        self.look_after_rollover(at);
        Ok(if forward { Rolled::Forward } else { Rolled::Back })
    }

    /// Opens the file that takes the next line of `at`, puts it into the slot that is not in use, and notes what has come of it.
    /// `false`: somebody still writes to that slot.
    pub(crate) fn fill_slot(&self, rolling: &Rolling<'_>, at: i64) -> io::Result<bool> {
        // Before a line goes to a file of others in a directory that has been put in the place of ours.
        self.renew_record(rolling);
        let attempt = self.duties().retry.begin();
        let filled = self.open_with_room(at, 0).map(|(file, index)| self.install(rolling, at, index, file));
        self.duties().retry.end(attempt, at, filled.as_ref().err());
        filled
    }

    /// Opens a log file, making its directory again if somebody has removed it, as pruning does with those that it has emptied.
    pub(crate) fn open(&self, path: &LogPath, at: i64) -> io::Result<Opened> {
        self.leads_through_no_link(path)?;
        // Asked once, however often the file is tried.
        let (line, panicked) = (OnceCell::new(), Cell::new(None));
        let ask = |header: &Header| {
            let asked = header.of(self.pattern.period_at(at));
            asked.unwrap_or_else(|error| {
                panicked.set(Some(error));
                Vec::new()
            })
        };
        let header = || line.get_or_init(|| self.header.as_ref().map_or_else(Vec::new, ask)).clone();
        // In a raw clone the user's code must not run, and what it logs itself must not ask it again. Such lines go elsewhere until the
        // file is there: they make no directory for it.
        let may_create = self.header.is_none() || !self.duties().is_bare() && !Header::is_asking();
        let creation = may_create.then_some(Creation { mode: self.mode, header: &header, now: self.clock.now() });
        // Building takes none.
        let lease = self.slots.is_built().then_some((self.slots.discipline, !self.slots.is_without_leases()));
        let mut wait = self.wait_for_file_lease();
        let mut tries = 0..100;
        let opened = loop {
            match sys::open_log(path, creation, lease) {
                // A file server gives its lease back, since it has been asked to by that.
                Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) && wait.goes_on() => {}
                // Not in a raw clone: making directories allocates.
                Err(error)
                    if error.kind() == NotFound && may_create && !self.duties().is_bare() && tries.next().is_some() =>
                {
                    match sys::make_directories(path.directory(), self.mode, self.clock.now()) {
                        // One of them was removed again before the next was made in it: empty ones are pruning's to remove.
                        Err(error) if matches!(error.kind(), NotFound | AlreadyExists) => {}
                        made => made?,
                    }
                }
                opened => break opened?,
            }
        };
        if let Some(error) = panicked.take() {
            self.report(Operation::UserCode, path.as_path(), error);
        }
        // Whoever makes a period's file sees to the housekeeping. A child that has just been forked and finds it there need not.
        if opened.created {
            self.duties().chores_wanted.store(true, Relaxed);
        }
        Ok(opened)
    }

    /// A link in the place of a directory of the date is refused, as one in the place of the file is: whoever can make it chooses which files
    /// are written and removed, and what is seen by two names would be removed by the older one.
    fn leads_through_no_link(&self, path: &LogPath) -> io::Result<()> {
        match path.directories_below().find(|directory| sys::is_link(directory)) {
            None => Ok(()),
            Some(_) if self.duties().is_bare() => Err(nix::errno::Errno::ELOOP.into()),
            Some(link) => {
                let reason =
                    format!("{} is a symbolic link, which is not followed below the log directory", link.display());
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }
        }
    }

    /// Does, for the new period of `at`, what one process has to do for all.
    #[cold]
    pub(crate) fn after_rollover(self: &Arc<Self>, at: i64) {
        if self.duties().is_bare() {
            return;
        }
        self.look_at_record();
        self.renew_links(at);
        self.do_chores_if_wanted();
    }

    /// At the first event of a forked child, finds out whether libc knows of the fork. What libc calls a fork shares no descriptors.
    fn look_at_fork(&self) {
        if !self.duties().started.swap(true, Relaxed) {
            let bare = !sys::libc_knows();
            self.duties().bare.store(bare, Relaxed);
            if bare && sys::shares_descriptors() {
                self.slots.disown();
                self.presence.iter().for_each(Presence::disown);
            }
            self.slots.state.pins.expedite();
        }
    }

    /// Opens the first file, as part of building the appender.
    pub(crate) fn start(self: &Arc<Self>, at: i64) -> io::Result<()> {
        self.duties().started.store(true, Relaxed);
        self.slots.state.pins.expedite();
        let (opened, index) = self.open_first(at)?;
        self.slots.built(sys::has_leases(opened.file.borrow()));
        // What takes longer waits for the first event: that may start a thread. What a process that was killed has not handed over, nobody else may
        // until tomorrow.
        let wanted = opened.created && self.finishes_files() || self.hook.is_some();
        if let Some(rolling) = self.slots.try_roll() {
            rolling.install(self.pattern.calendar().span(at), index, opened);
            self.set_last(at);
        }
        self.counters().rollovers.fetch_add(1, Relaxed);
        self.duties().chores_wanted.store(wanted, Relaxed);
        self.renew_links(at);
        self.prune_in_place(at);
        self.make_files();
        Ok(())
    }

    /// Reports a failure with the file of `at`.
    pub(crate) fn report_at(&self, operation: Operation, at: i64, error: io::Error) {
        if let Ok(path) = self.pattern.path_at(at, self.index(at)) {
            self.report(operation, path.as_path(), error);
        }
    }

    pub(crate) fn report(&self, operation: Operation, path: &Path, error: io::Error) {
        let may_tell = !self.duties().is_bare();
        self.reporter.report(self.counters(), operation, path, error, may_tell);
    }
}

/// The same error once more, for the caller beside the report. Allocates nothing: a text of our own stays with the report.
pub(crate) fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
