//! The rollover: opening the file of another period. No thread waits for another thread's rollover.

use crate::names::agreement::Agreement;
use crate::names::presence::Presence;
use crate::process::Fork;
use crate::report::Operation;
use crate::sys;
use crate::write::log::Log;
use crate::write::rolling::{Rolling, Takes};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The outcome of a rollover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rolled {
    /// A file was opened, of a later period than any that was open.
    Forward,
    /// A file was opened, of an earlier period: for a late line, or after a clock was set back.
    Back,
    /// No file was opened by this thread: another thread has just rolled over, is rolling over, or writes to the slot
    /// that is to take the file.
    No,
}

impl Log {
    /// Opens the file of `at` and puts it into the slot that is not in use. If that fails, nothing has changed, and the
    /// next try follows some seconds later. If no other file is open, the next line tries at once.
    pub(crate) fn roll_over(&self, at: i64) -> io::Result<Rolled> {
        let Some(rolling) = self.slots.try_roll() else { return Ok(Rolled::No) };
        if rolling.has(at) {
            return Ok(Rolled::No);
        }
        if !rolling.nothing_open() {
            self.state.retry.may_open(at)?;
        }
        self.roll_over_with(rolling, at).map_err(|error| {
            let copy = copy_of(&error);
            self.report_at(Operation::Rollover, at, error);
            copy
        })
    }

    /// The same for a caller that has the right to exchange files and reports a failure itself.
    pub(crate) fn roll_over_with(&self, rolling: Rolling<'_>, at: i64) -> io::Result<Rolled> {
        self.look_at_fork();
        let forward = rolling.is_forward(at);
        let installed = self.fill_slot(&rolling, at);
        drop(rolling);
        if !installed? {
            return Ok(Rolled::No);
        }
        self.site.counters().rollovers.fetch_add(1, Relaxed);
        self.upkeep.rolled_over(at);
        Ok(if forward { Rolled::Forward } else { Rolled::Back })
    }

    /// Opens the file that takes the next line of `at`, puts it into the slot that is not in use, and notes the
    /// outcome. `false`: a writer is in that slot.
    pub(crate) fn fill_slot(&self, rolling: &Rolling<'_>, at: i64) -> io::Result<bool> {
        // The record says which files belong to others, if somebody has put another directory in the place of ours.
        self.site.wait_for_record(sys::MOMENT);
        let attempt = self.state.retry.begin();
        let filled = self.open_with_room(at, 0).map(|(file, index)| self.install(rolling, at, index, file));
        self.state.retry.end(attempt, at, filled.as_ref().err());
        filled
    }

    /// At the first event of a forked child, finds out whether libc knows of the fork. A child of libc's `fork` shares
    /// no table of descriptors with its parent.
    pub(crate) fn look_at_fork(&self) {
        if let Some(fork) = self.site.process.look_at_fork() {
            if fork == Fork::Bare && sys::shares_descriptors() {
                self.slots.disown();
                self.site.presence.iter().for_each(Presence::disown);
                self.site.agreement.iter().for_each(Agreement::disown);
                self.upkeep.rings().disown();
            }
            self.slots.state.in_flight.expedite();
        }
    }

    /// Opens the first file, as part of building the appender.
    pub(crate) fn start(self: &Arc<Self>, at: i64) -> io::Result<()> {
        self.site.process.start();
        self.slots.state.in_flight.expedite();
        let (opened, index) = self.open_first(at)?;
        self.slots.built(sys::has_leases(opened.file.borrow()));
        let created = opened.created;
        if let Some(rolling) = self.slots.try_roll() {
            rolling.install(self.site.pattern.calendar().span(at), index, opened, Takes::Lines);
            self.set_last(at);
        }
        self.site.counters().rollovers.fetch_add(1, Relaxed);
        self.upkeep.start(self.current(at), created);
        Ok(())
    }
}

/// The same error for the caller, while the report keeps the error itself. Allocates nothing, so a text of our own is
/// left out.
pub(crate) fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
