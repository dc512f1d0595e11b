//! What one process does for all: pruning, compressing, handing over, and the links.
//!
//! The engine tells of three things: a file was opened, a second has begun, there is no room. Nothing in here writes a
//! line.

pub(crate) mod age;
pub(crate) mod busy;
pub(crate) mod compress;
pub(crate) mod compression;
pub(crate) mod copy;
pub(crate) mod hand_over;
pub(crate) mod hand_over_record;
pub(crate) mod hook;
pub(crate) mod job;
pub(crate) mod link;
pub(crate) mod link_note;
pub(crate) mod note;
pub(crate) mod outcome;
pub(crate) mod prune;
pub(crate) mod queue;
pub(crate) mod refusals;
pub(crate) mod rest;
pub(crate) mod room;
pub(crate) mod schedule;
pub(crate) mod turn;

use crate::names::site::Site;
use crate::report::Operation;
use crate::sys::{self, ForkWiped, Priority, fork_wiped};
use crate::upkeep::compression::Compression;
use crate::upkeep::hook::Hook;
use crate::upkeep::link::{Link, PutBack, To};
use crate::upkeep::prune::Limits;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64};

/// What one process does for all.
#[derive(Debug)]
pub(crate) struct Upkeep {
    site: Arc<Site>,
    options: Options,
    state: ForkWiped<State>,
}

/// The options of an appender that say what is done.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) limits: Limits,
    pub(crate) min_log_files: Option<NonZeroUsize>,
    pub(crate) compression: Option<Compression>,
    pub(crate) priority: Priority,
    pub(crate) hook: Option<Hook>,
    pub(crate) links: Vec<Link>,
}

fork_wiped! {
    #[derive(Debug)]
    struct State {
        /// Links may lead to a file of the future, because the clock was set back.
        links_in_doubt: AtomicBool,
        /// Files of the future were there at the last look, which has been reported.
        ahead_reported: AtomicBool,
        /// The second since which another program could have made some of the files, too; 0 for none. And whether that
        /// has been reported.
        disputed_since: AtomicI64,
        dispute_reported: AtomicBool,
        /// The lock has not been free for a second when there was no room for a line.
        pruner_stuck: AtomicBool,
        schedule: schedule::Schedule,
        /// Who has kept this process from pruning, compressing and handing over.
        busy: [busy::Busy; 3],
    }
}

/// The file that takes the lines of a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    pub(crate) at: i64,
    /// Which of the period's files.
    pub(crate) index: u32,
}

impl Upkeep {
    pub(crate) fn new(site: Arc<Site>, options: Options) -> io::Result<Self> {
        Ok(Self { site, options, state: ForkWiped::new()? })
    }

    /// As part of building: the first file is open, and may be new.
    pub(crate) fn start(&self, file: Current, created: bool) {
        // What takes longer waits for the first event: that may start a thread. What a process that was killed has not
        // handed over, nobody else may until tomorrow.
        self.state.schedule.want(created && self.finishes_files() || self.options.hook.is_some());
        self.renew_links(file);
        self.prune_in_place(file.at);
        self.make_files();
    }

    /// A file is there that was not. Whoever makes a period's file sees to the jobs. A child that has just been forked
    /// and finds it there need not.
    pub(crate) fn file_was_created(&self) {
        self.state.schedule.want(true);
    }

    /// A file has been opened for lines to come: does what one process has to do for all.
    #[cold]
    pub(crate) fn file_was_opened(self: &Arc<Self>, file: Current) {
        if self.site.process.is_bare() {
            return;
        }
        self.renew_links(file);
        self.start_jobs_if_wanted();
    }

    /// The file of an earlier period has been opened than another that is open. That is for a late line, or the clock
    /// has been set back: even then the file can be later than what links lead to.
    pub(crate) fn earlier_file_was_opened(&self, file: Current) {
        self.state.links_in_doubt.store(true, Relaxed);
        if !self.site.process.is_bare() {
            self.options.links.iter().for_each(|link| self.renew_link(link, file, PutBack::None));
        }
    }

    /// Whether links may lead to a file of the future. If the clock was set back just now, or before the fork perhaps,
    /// the next second looks at them.
    pub(crate) fn are_links_in_doubt(&self, clock_was_set_back: bool) -> bool {
        let in_doubt = self.state.links_in_doubt.load(Relaxed);
        if clock_was_set_back {
            self.state.links_in_doubt.store(true, Relaxed);
        }
        in_doubt
    }

    /// A second has begun. `file`: the one that was open is still under its name. `in_doubt`: what
    /// [`are_links_in_doubt`](Self::are_links_in_doubt) has said before the look at the file.
    pub(crate) fn second_has_begun(self: &Arc<Self>, at: i64, file: Option<Current>, in_doubt: bool) {
        if let Some(file) = file {
            self.look_at_links(file, in_doubt);
        }
        self.make_up_for_lost_thread();
        self.start_jobs_if_wanted();
        if self.state.schedule.is_due(at) {
            self.start_jobs();
        }
    }

    /// Whether a file has a name by which its lines will be found. A hard link of ours is none: it is renamed over when
    /// the next file is there.
    pub(crate) fn keeps_name(&self, file: BorrowedFd<'_>) -> bool {
        let links = self.options.links.iter().filter(|link| link.is_hard());
        let names = sys::names(file);
        if names == 0 || names > links.clone().count() as u64 {
            return names > 0;
        }
        let Ok(id) = sys::identity(file) else { return false };
        // In this order: a link that is renewed between the two looks counts as one, and its name as none any more.
        let ours = links.filter(|link| link.is_name_of(&self.site.pattern, id)).count();
        sys::names(file) > ours as u64
    }

    /// Renews the links that somebody has changed, and, if the clock may have been set back, those that this process
    /// has led to a file of the future.
    fn look_at_links(&self, file: Current, in_doubt: bool) {
        let Site { pattern, clock, process, .. } = &*self.site;
        if self.options.links.is_empty() || process.is_bare() {
            return;
        }
        // A late line says nothing of the clock.
        let in_doubt = in_doubt && pattern.calendar().span(file.at).contains(clock.exact_second());
        if in_doubt {
            self.state.links_in_doubt.store(false, Relaxed);
        }
        for link in self.options.links.iter().filter(|link| in_doubt || link.has_changed(pattern.directory())) {
            self.renew_link(link, file, if in_doubt { PutBack::Own } else { PutBack::FarAhead });
        }
    }

    fn renew_links(&self, file: Current) {
        self.options.links.iter().for_each(|link| self.renew_link(link, file, PutBack::FarAhead));
    }

    fn renew_link(&self, link: &Link, Current { at, index }: Current, put_back: PutBack) {
        if let Err(error) = link.renew(&self.site, To { at, index, put_back }) {
            self.site.report(Operation::Link, &self.site.directory().join(link.name()), error);
        }
    }
}
