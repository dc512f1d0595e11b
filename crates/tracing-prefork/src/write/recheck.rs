//! A look, once a second, whether the files are still where they should be; and the same at once, by hand.
//!
//! Others rename, remove and replace log files and the links to them, and the program closes descriptors that it does not know. One
//! `statx(2)` for each name and one for each descriptor a second is what noticing that costs: one at every event would cost more than the
//! event itself.

use crate::Error;
use crate::appender::Inner;
use crate::names::ownership;
use crate::process::user_code;
use crate::report::Operation;
use crate::sys;
use crate::upkeep::link::{Link, PutBack, To};
use crate::write::rollover::{GRACE, Rolled};
use crate::write::slots::Rolling;
use nix::errno::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The path leads to the open file.
    AsItWas,
    /// No file is open for that time: the rollover is about to open one.
    NotOpen,
    /// It led to nothing, or to another file, which is open now.
    Reopened(io::ErrorKind),
    /// The program has closed our descriptor. The next event opens the file anew.
    Lost,
    /// The same, but nothing had kept others from removing the file.
    OpenedAgain,
    /// Another thread rolls over, or still writes to the slot that is wanted.
    Busy,
}

impl Inner {
    /// Runs at each event whose second is not that of the event before: looks at the first event of each second.
    #[cold]
    pub(crate) fn each_second(self: &Arc<Self>, at: i64) {
        let now = self.clock.exact_second();
        let in_doubt = self.duties().links_in_doubt.load(Relaxed);
        if !self.duties().begins_second(at, now) {
            return;
        }
        // Before this process prunes by itself.
        self.lease_at(at);
        match self.look_at_file(at, now) {
            Ok(Look::Reopened(found)) => {
                self.report_at(Operation::Reopen, at, found.into());
                self.after_rollover(at);
            }
            Ok(Look::AsItWas) => self.look_at_links(at, in_doubt),
            Ok(Look::Lost) => self.report_lost_descriptor(at),
            Ok(Look::OpenedAgain) => self.after_rollover(at),
            Ok(Look::Busy) => self.duties().look_again(),
            Ok(Look::NotOpen) => {}
            Err(error) => self.report_at(Operation::Rollover, at, error),
        }
        self.make_up_for_lost_chores();
        self.do_chores_if_wanted();
        if self.is_due(at) {
            self.start_chores();
        }
    }

    /// If the path of `at` does not lead to the file that is open for it, opens it anew. If that fails, lines go on into the
    /// open one as long as it has a name.
    pub(crate) fn look_at_file(&self, at: i64, now: i64) -> io::Result<Look> {
        let Some(rolling) = self.slots.try_roll() else { return Ok(Look::Busy) };
        rolling.let_go_of_ended(at, now, GRACE);
        if !rolling.are_intact() {
            return Ok(if rolling.forget() { Look::Lost } else { Look::Busy });
        }
        let Some(open) = rolling.file(at) else { return Ok(Look::NotOpen) };
        let path = self.pattern.path_at(at, self.index(at))?;
        // Where nobody can tell (a directory that is closed to us) all is taken to be as it was.
        let found = sys::identity_at(&path).unwrap_or(Some(open));
        if found == Some(open) {
            return Ok(Look::AsItWas);
        }
        if self.duties().retry.may_open(at).is_err() {
            rolling.abandon_nameless(at, |file| self.has_name(file));
            return Ok(Look::AsItWas);
        }
        let was_leased = rolling.is_leased(at);
        match self.fill_slot(&rolling, at) {
            Ok(true) => {
                rolling.let_go_of_ended(at, now, GRACE);
                self.counters().files_reopened.fetch_add(1, Relaxed);
                let found = found.map_or(io::ErrorKind::NotFound, |_| io::ErrorKind::AlreadyExists);
                Ok(if was_leased { Look::Reopened(found) } else { Look::OpenedAgain })
            }
            Ok(false) => Ok(Look::Busy),
            Err(error) => {
                rolling.abandon_nameless(at, |file| self.has_name(file));
                Err(error)
            }
        }
    }

    /// Whether a file has a name by which its lines will be found. A hard link of ours is none: it is renamed over when the next file is there.
    pub(crate) fn has_name(&self, file: BorrowedFd<'_>) -> bool {
        let links = self.links.iter().filter(|link| link.is_hard());
        let names = sys::names(file);
        if names == 0 || names > links.clone().count() as u64 {
            return names > 0;
        }
        let Ok(id) = sys::identity(file) else { return false };
        // In this order: a link that is renewed between the two looks counts as one, and its name as none any more.
        let ours = links.filter(|link| link.is_name_of(&self.pattern, id)).count();
        sys::names(file) > ours as u64
    }

    /// The program has closed a descriptor of ours, and may have its number for something of its own.
    pub(crate) fn report_lost_descriptor(&self, at: i64) {
        self.counters().files_reopened.fetch_add(1, Relaxed);
        self.report_at(Operation::Reopen, at, Errno::EBADF.into());
    }

    /// Does at once what happens by itself within a second.
    pub(crate) fn reopen(self: &Arc<Self>) -> Result<(), Error> {
        let at = self.clock.exact_second();
        self.duties().retry.succeeded();
        let looked = self.wait(|| match self.look_and_open(at) {
            Ok(Look::Busy) if self.slots.are_in_use_here() => Some(Err(user_code::called_back())),
            Ok(Look::Busy) => None,
            looked => Some(looked),
        });
        let failed = match looked {
            Some(Ok(_)) => {
                self.look_at_record();
                self.renew_links(at);
                self.do_chores_if_wanted();
                return Ok(());
            }
            Some(Err(error)) => error,
            None => io::ErrorKind::TimedOut.into(),
        };
        let path = self.path_at(at, self.index(at));
        Err(self.reporter.error(self.counters(), Operation::Rollover, &path, failed))
    }

    /// The same look, which also opens the file of `at` if none is open: no event of its period has come yet, or the program has closed our
    /// descriptor.
    fn look_and_open(&self, at: i64) -> io::Result<Look> {
        let looked = self.look_at_file(at, at)?;
        match looked {
            Look::NotOpen => {}
            Look::Lost => _ = self.counters().files_reopened.fetch_add(1, Relaxed),
            _ => return Ok(looked),
        }
        let Some(rolling) = self.slots.try_roll() else { return Ok(Look::Busy) };
        if rolling.has(at) {
            return Ok(Look::AsItWas);
        }
        match self.roll_over_with(rolling, at)? {
            Rolled::Forward => {}
            Rolled::Back => self.after_rollover_back(at),
            Rolled::No => return Ok(Look::Busy),
        }
        Ok(Look::OpenedAgain)
    }

    /// Holds the record of the names again, if it has been removed, or the program has closed its descriptor. Not if another thread exchanges
    /// files: that one does it, and may be waiting for the lock of the housekeeping, which the caller can have.
    pub(crate) fn look_at_record(&self) {
        if self.has_lost_record()
            && let Some(rolling) = self.slots.try_roll()
        {
            self.renew_record(&rolling);
        }
    }

    /// The same, but waits for the other thread. The caller has no lock.
    pub(crate) fn wait_for_record(&self) {
        if self.has_lost_record()
            && !self.slots.are_in_use_here()
            && let Some(rolling) = self.wait(|| self.slots.try_roll())
        {
            self.renew_record(&rolling);
        }
    }

    /// The same, by the thread that exchanges files: one at a time. If the directory has been replaced, the files of others in the new one
    /// are known from now on.
    pub(crate) fn renew_record(&self, _rolling: &Rolling<'_>) {
        let Some(presence) = self.presence.as_ref().filter(|_| self.has_lost_record()) else { return };
        let notes = ownership::renew(&self.pattern, presence, self.creation(), self.clock.exact_second());
        notes.into_iter().for_each(|(path, error)| self.report(Operation::Names, &path, error));
    }

    fn has_lost_record(&self) -> bool {
        self.duties().may_allocate() && self.presence.as_ref().is_some_and(|presence| !presence.is_held())
    }

    /// Renews the links that somebody has changed, and, if the clock may have been set back, those that this process has led to
    /// a file of the future.
    fn look_at_links(&self, at: i64, in_doubt: bool) {
        let duties = self.duties();
        if self.links.is_empty() || duties.is_bare() {
            return;
        }
        // A late line says nothing of the clock.
        let is_now = || self.pattern.calendar().span(at).contains(self.clock.exact_second());
        let in_doubt = in_doubt && is_now();
        if in_doubt {
            duties.links_in_doubt.store(false, Relaxed);
        }
        for link in self.links.iter().filter(|link| in_doubt || link.has_changed(self.pattern.directory())) {
            self.renew_link(link, at, if in_doubt { PutBack::Own } else { PutBack::FarAhead });
        }
    }

    pub(crate) fn renew_links(&self, at: i64) {
        self.links.iter().for_each(|link| self.renew_link(link, at, PutBack::FarAhead));
    }

    /// The file of an earlier period has been opened than another that is open. That is for a late line, or the clock has been set back: even then
    /// the file can be later than what links lead to.
    pub(crate) fn after_rollover_back(&self, at: i64) {
        let duties = self.duties();
        duties.links_in_doubt.store(true, Relaxed);
        if !duties.is_bare() {
            self.links.iter().for_each(|link| self.renew_link(link, at, PutBack::None));
        }
    }

    fn renew_link(&self, link: &Link, at: i64, put_back: PutBack) {
        if let Err(error) = link.renew(self, To { at, index: self.index(at), put_back }) {
            self.report(Operation::Link, &self.pattern.directory().join(link.name()), error);
        }
    }
}
