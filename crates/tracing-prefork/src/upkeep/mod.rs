//! What one process does for all: it prunes, compresses and hands over files, and renews the links.
//!
//! The engine tells this room three things: a file was opened, a second has begun, there is no room. This room never
//! writes a line.

pub(crate) mod age;
mod archiving;
pub(crate) mod busy;
pub(crate) mod compress;
pub(crate) mod compression;
pub(crate) mod copy;
pub(crate) mod files;
pub(crate) mod frugal;
mod gone_links;
pub(crate) mod hand_over;
pub(crate) mod hand_over_record;
pub(crate) mod hook;
pub(crate) mod job;
pub(crate) mod link;
pub(crate) mod link_note;
pub(crate) mod link_target;
pub(crate) mod note;
pub(crate) mod occasion;
pub(crate) mod outcome;
pub(crate) mod over;
pub(crate) mod prune;
pub(crate) mod queue;
pub(crate) mod refusals;
pub(crate) mod rest;
pub(crate) mod room;
pub(crate) mod schedule;
pub(crate) mod turn;

use crate::names::site::Site;
use crate::report::Operation;
use crate::ring::pending::Rings;
use crate::sys::{self, ForkWiped, Priority, fork_wiped};
use crate::upkeep::compression::Compression;
use crate::upkeep::hook::Hook;
use crate::upkeep::link::Link;
use crate::upkeep::link_target::{PutBack, To};
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
    /// How many of the newest finished files stay plain.
    pub(crate) keep_uncompressed: usize,
    pub(crate) priority: Priority,
    pub(crate) hook: Option<Hook>,
    /// Files also wait for the hook of other processes: there is a record of hand-overs.
    pub(crate) waits_for_others: bool,
    pub(crate) links: Vec<Link>,
    /// The rings of the pattern: a file in which a killed process has left half-written lines is not compressed yet.
    pub(crate) rings: Rings,
}

fork_wiped! {
    #[derive(Debug)]
    struct State {
        /// Links may lead to a file of the future, because the clock was set back.
        links_in_doubt: AtomicBool,
        /// Files of the future were there at the last look, and were reported.
        ahead_reported: AtomicBool,
        /// The second since which another program could have made some of the files, too; 0 for none.
        disputed_since: AtomicI64,
        /// That was reported.
        dispute_reported: AtomicBool,
        /// The turn to prune was not free for a second when there was no room for a line.
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

    /// The rings of the pattern.
    pub(crate) fn rings(&self) -> &Rings {
        &self.options.rings
    }

    /// As part of building: the first file is open, and may be new.
    pub(crate) fn start(&self, file: Current, created: bool) {
        // Compressing and handing over take longer and wait for the first event, which may start a thread. With a hook
        // they are always wanted: otherwise, files that a killed process left would wait until the next rollover.
        self.state.schedule.want(created && self.finishes_files() || self.options.hook.is_some());
        self.renew_links(file);
        self.prune_in_place(file.at);
        self.make_files();
    }

    /// This process has created a file. Whoever creates a period's file sees to the jobs; a forked child that finds the
    /// file there need not.
    pub(crate) fn file_was_created(&self) {
        self.state.schedule.want(true);
    }

    /// A file was opened for the lines to come: renews the links, and starts the jobs if they are wanted.
    #[cold]
    pub(crate) fn file_was_opened(self: &Arc<Self>, file: Current) {
        if self.site.process.is_bare() {
            return;
        }
        self.renew_links(file);
        self.start_jobs_if_wanted();
    }

    /// A file was opened although the file of a later period is open. The reason is a late line, or a clock that was
    /// set back. Even so, the file can be later than the file that links lead to.
    pub(crate) fn earlier_file_was_opened(&self, file: Current) {
        self.state.links_in_doubt.store(true, Relaxed);
        if !self.site.process.is_bare() {
            self.options.links.iter().for_each(|link| self.renew_link(link, file, PutBack::None));
        }
    }

    /// Whether links may lead to a file of the future. If the clock was set back just now, or perhaps before the fork,
    /// they are looked at in the next second.
    pub(crate) fn are_links_in_doubt(&self, clock_was_set_back: bool) -> bool {
        let in_doubt = self.state.links_in_doubt.load(Relaxed);
        if clock_was_set_back {
            self.state.links_in_doubt.store(true, Relaxed);
        }
        in_doubt
    }

    /// A second has begun. `file`: the open file, if it still has its name. `in_doubt`: the answer of
    /// [`are_links_in_doubt`](Self::are_links_in_doubt) before the look at the file.
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

    /// Whether a file has a name by which its lines will be found. A hard link of ours is no such name: the link leads
    /// to another file after the next rollover.
    pub(crate) fn keeps_name(&self, file: BorrowedFd<'_>) -> bool {
        let links = self.options.links.iter().filter(|link| link.is_hard());
        let names = sys::names(file);
        if names == 0 || names > links.clone().count() as u64 {
            return names > 0;
        }
        let Ok(id) = sys::identity(file) else { return false };
        // The links are looked at before the number of names. If a link is renewed in between, the file has lost that
        // name, and the link counts all the same.
        let ours = links.filter(|link| link.is_name_of(&self.site.pattern, id)).count();
        sys::names(file) > ours as u64
    }

    /// Renews the links that somebody has changed. If the clock may have been set back, also leads back those that this
    /// process has led to a file of the future.
    fn look_at_links(&self, file: Current, in_doubt: bool) {
        let Site { pattern, clock, process, .. } = &*self.site;
        if self.options.links.is_empty() || process.is_bare() {
            return;
        }
        // A late line does not show that the clock was set back.
        let in_doubt = in_doubt && pattern.calendar().span(file.at).contains(clock.exact_second());
        if in_doubt {
            self.state.links_in_doubt.store(false, Relaxed);
        }
        for link in self.options.links.iter().filter(|link| in_doubt || link.has_changed(pattern)) {
            self.renew_link(link, file, if in_doubt { PutBack::Own } else { PutBack::FarAhead });
        }
    }

    fn renew_links(&self, file: Current) {
        self.options.links.iter().for_each(|link| self.renew_link(link, file, PutBack::FarAhead));
    }

    fn renew_link(&self, link: &Link, Current { at, index }: Current, put_back: PutBack) {
        if let Err(error) = link.renew(&self.site, To { at, index, put_back }) {
            self.site.report(
                Operation::Link,
                &self.site.directory().join(link.name(self.site.pattern.own_tag())),
                error,
            );
        }
    }
}
