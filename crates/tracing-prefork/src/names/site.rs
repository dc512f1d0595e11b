//! [`Site`]: where an appender's files are, what they are called, and whom to tell of a failure. The rooms above share
//! it.

use crate::names::agreement::Agreement;
use crate::names::ownership;
use crate::names::pattern::Pattern;
use crate::names::presence::Presence;
use crate::process::Process;
use crate::report::{Counters, Operation, Reporter};
use crate::sys::{self, Creation, ForkWiped, Mode, Turn, fork_wiped};
use crate::time::clock::Clock;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) pattern: Pattern,
    /// `None`: the names change each day, and no record says what they are made of.
    pub(crate) presence: Option<Presence>,
    /// `None`: the names change each day.
    pub(crate) agreement: Option<Agreement>,
    pub(crate) clock: Clock,
    /// The permissions of new files.
    pub(crate) mode: Option<Mode>,
    /// The permissions of new directories.
    pub(crate) directory_mode: Option<Mode>,
    pub(crate) process: Arc<Process>,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) turns: ForkWiped<Turns>,
}

fork_wiped! {
    /// What one thread of a process does at a time.
    #[derive(Debug)]
    pub(crate) struct Turns {
        /// Making the record of names again.
        record: Turn,
        /// Comparing the settings with those of others.
        settings: Turn,
    }
}

impl Site {
    pub(crate) fn counters(&self) -> &Counters {
        self.reporter.counters()
    }

    pub(crate) fn report(&self, operation: Operation, path: &Path, error: io::Error) {
        self.reporter.report(operation, path, error);
    }

    pub(crate) fn directory(&self) -> &Path {
        self.pattern.directory()
    }

    pub(crate) fn path_at(&self, at: i64, index: u32) -> PathBuf {
        // The builder has written the longest name, so this cannot fail.
        let path = self.pattern.path_at(at, index);
        path.map_or_else(|_| self.directory().to_owned(), |path| path.as_path().to_owned())
    }

    /// How our hidden files are created.
    pub(crate) fn creation(&self) -> Creation<'static> {
        Creation::empty(self.mode, self.clock.now())
    }

    /// Holds the record of names again, if somebody has removed it, or the program has closed its descriptor. If
    /// another directory has taken the place of the one before, finds out its foreign files. `false`: another thread is
    /// doing so.
    pub(crate) fn look_at_record(&self) -> bool {
        if !self.process.may_allocate() {
            return true;
        }
        let Some(presence) = self.presence.as_ref().filter(|presence| !presence.is_held()) else { return true };
        // The clock is asked before the turn is taken, because the user's clock may call the appender.
        let (creation, at) = (self.creation(), self.clock.exact_second());
        let Some(turn) = self.turns.record.try_take() else { return false };
        // Another thread may have made the record meanwhile.
        let findings =
            if presence.is_held() { None } else { Some(ownership::renew(&self.pattern, presence, creation, at)) };
        drop(turn);
        findings.into_iter().flatten().for_each(|(path, error)| self.report(Operation::Names, &path, error));
        true
    }

    /// The same, but waits for another thread, at most for `patience`.
    pub(crate) fn wait_for_record(&self, patience: Duration) {
        sys::wait(patience, || (self.look_at_record() || self.turns.record.is_taken_here()).then_some(()));
    }

    /// Compares the settings of this process with those of the others that are at work, and tells of each set of other
    /// settings once. The caller holds no lock, because whoever is told may call the appender.
    pub(crate) fn look_at_settings(&self) {
        let Some(agreement) = self.agreement.as_ref().filter(|_| self.process.may_allocate()) else { return };
        let creation = self.creation();
        let Some(_turn) = self.turns.settings.try_take() else { return };
        let held = if agreement.is_held() { Ok(()) } else { agreement.hold(creation) };
        // This process shows its settings in any case, but what cannot be told now is left for the next look.
        if !self.reporter.would_tell(Operation::Settings) {
            return;
        }
        match held.and_then(|()| agreement.news()) {
            Ok(others) if others.is_empty() => {}
            Ok(others) => {
                let differences = agreement.compare_with(&others);
                if self.reporter.report(Operation::Settings, agreement.path(), differences) {
                    agreement.were_told(&others);
                }
            }
            Err(failure) if !agreement.is_to_tell(&failure) => {}
            Err(failure) => {
                if self.reporter.report(Operation::Settings, agreement.path(), failure) {
                    agreement.failure_was_told();
                }
            }
        }
    }
}
