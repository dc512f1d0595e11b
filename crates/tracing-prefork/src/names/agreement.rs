//! Whether the processes at work on the same files have the same settings.
//!
//! From build on, each process uses a cell of a hidden file (`sys::use_text`): its settings stand there, and it holds
//! a lock on the cell. So others see what a process at work has set, and nothing of a process that has ended.
//!
//! A process looks when it builds, when it opens a file for the lines to come, and after each round of a job. It tells
//! of each set of other settings once. A forked child has its parent's cell, and does not tell again what its parent
//! has told.

use crate::names::presence::forbids_files;
use crate::names::settings::{Other, SharedSettings};
use crate::sys::{self, Creation, Descriptor};
use nix::errno::Errno;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A process tells of so many sets of other settings.
const TOLD: usize = 64;

/// The settings of this process, as others see them, and what it has told of theirs.
///
/// The memory is not fork-wiped: a child inherits the cell, and its parent's word that something was told.
#[derive(Debug)]
pub(crate) struct Agreement {
    path: PathBuf,
    own: SharedSettings,
    descriptor: Descriptor,
    /// The hashes of the sets that were told of; 0 for none.
    told: [AtomicU32; TOLD],
    /// That the settings could not be compared was told.
    failure_told: AtomicBool,
}

impl Agreement {
    pub(crate) fn new(path: PathBuf, own: SharedSettings) -> Self {
        Self {
            path,
            own,
            descriptor: Descriptor::none(),
            told: [const { AtomicU32::new(0) }; TOLD],
            failure_told: AtomicBool::new(false),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether others see the settings of this process: it still holds the file that the path leads to.
    pub(crate) fn is_held(&self) -> bool {
        sys::identity_of(&self.path) == Some(self.descriptor.installed()) && self.descriptor.is_intact()
    }

    /// Lets others see the settings of this process. One thread at a time.
    pub(crate) fn hold(&self, creation: Creation<'_>) -> io::Result<()> {
        let Some(text) = self.own.text() else { return Ok(()) };
        for _ in 0..10 {
            let file = sys::open_only_name(&self.path, creation)?;
            // If all cells are in use, this process still sees the others.
            sys::use_text(&file, text)?;
            if sys::identity_of(&self.path) == Some(file.id()) {
                self.descriptor.install(file);
                return Ok(());
            }
        }
        Err(io::Error::other("somebody removed or replaced the file each time after it was opened"))
    }

    /// Whether a failure is to be told: once, and not where nothing can be written or locked, which is told of the log
    /// files.
    pub(crate) fn is_to_tell(&self, failure: &io::Error) -> bool {
        let is_told_elsewhere = forbids_files(failure)
            || sys::is_want_of_room(failure)
            || failure.kind() == io::ErrorKind::NotFound
            || failure.raw_os_error() == Some(Errno::ENOLCK as i32);
        !is_told_elsewhere && !self.failure_told.load(Relaxed)
    }

    pub(crate) fn failure_was_told(&self) {
        self.failure_told.store(true, Relaxed);
    }

    /// The other settings that are in use now, and were not told of.
    pub(crate) fn news(&self) -> io::Result<Vec<Other>> {
        let Some(file) = self.descriptor.borrow() else { return Ok(Vec::new()) };
        let mut others: Vec<Other> = sys::texts_in_use(file)?.iter().map(Other::new).collect();
        others.retain(|other| !self.own.are_those_of(other) && !self.was_told(other.hash));
        others.sort_by_key(|other| other.hash);
        others.dedup_by_key(|other| other.hash);
        Ok(others)
    }

    /// What differs, for a report.
    pub(crate) fn compare_with(&self, others: &[Other]) -> io::Error {
        io::Error::other(self.own.compare_with(others))
    }

    fn was_told(&self, hash: u32) -> bool {
        self.told.iter().all(|told| told.load(Relaxed) != 0) || self.told.iter().any(|told| told.load(Relaxed) == hash)
    }

    /// Notes that these settings were told of. One thread at a time.
    pub(crate) fn were_told(&self, others: &[Other]) {
        let free = self.told.iter().filter(|told| told.load(Relaxed) == 0);
        free.zip(others).for_each(|(told, other)| told.store(other.hash, Relaxed));
    }

    /// For a child that uses its parent's table of descriptors: leaves the parent's number to the parent.
    pub(crate) fn disown(&self) {
        self.descriptor.disown();
    }
}
