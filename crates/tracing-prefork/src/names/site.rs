//! Where an appender's files are, what they are called, and whom to tell of a failure: what the rooms above share.

use crate::names::ownership;
use crate::names::pattern::Pattern;
use crate::names::presence::Presence;
use crate::process::Process;
use crate::process::patience::{PATIENCE, wait};
use crate::report::{Counters, Operation, Reporter};
use crate::sys::{Creation, ForkWiped, Mode, fork_wiped};
use crate::time::clock::Clock;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) pattern: Pattern,
    /// `None`: the names are other ones each day.
    pub(crate) presence: Option<Presence>,
    pub(crate) clock: Clock,
    /// Of new files.
    pub(crate) mode: Option<Mode>,
    pub(crate) process: Arc<Process>,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) renewing: ForkWiped<Renewing>,
}

fork_wiped! {
    #[derive(Debug)]
    pub(crate) struct Renewing {
        /// A thread makes the record of the names again.
        now: AtomicBool,
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

    /// Holds the record of the names again, if it has been removed, or the program has closed its descriptor. If the
    /// directory has been replaced, the files of others in the new one are known from now on. `false`: another thread
    /// is at it.
    pub(crate) fn look_at_record(&self) -> bool {
        let Some(presence) = self.presence.as_ref().filter(|presence| !presence.is_held()) else { return true };
        if !self.process.may_allocate() {
            return true;
        }
        if self.renewing.now.swap(true, Acquire) {
            return false;
        }
        let notes = ownership::renew(&self.pattern, presence, self.creation(), self.clock.exact_second());
        self.renewing.now.store(false, Release);
        notes.into_iter().for_each(|(path, error)| self.report(Operation::Names, &path, error));
        true
    }

    /// The same, but waits for the other thread.
    pub(crate) fn wait_for_record(&self) {
        wait(PATIENCE, || self.look_at_record().then_some(()));
    }
}
