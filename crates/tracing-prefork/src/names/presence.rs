//! Who is at work in a directory. From build on, each process holds its record of names (`record`) by a shared lock on
//! an open file description, as it holds a log file. A forked child inherits the lock with the descriptor.
//!
//! The record is added to and never replaced, because the lock would stay with the file before.
//!
//! A process can lose the record: somebody removes it, as a rule with its directory, or the program closes the
//! descriptor, as a rule with all others. In both cases the log must be opened anew, too. So a process looks whether it
//! still holds the record when it opens its log anew, and at each rollover.

use crate::names::record::Names;
use crate::sys::{self, Creation, Descriptor, LockOutcome, OwnFile, WriteMode};
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The record that this process holds.
#[derive(Debug)]
pub(crate) struct Presence {
    record: PathBuf,
    /// Without the foreign files. Those depend on the directory that the path leads to.
    names: Names,
    descriptor: Descriptor,
}

/// How the record was found.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// There was none, and this process has made it.
    pub(crate) created: bool,
    /// The foreign files that it listed.
    pub(crate) known: BTreeSet<String>,
}

impl Presence {
    pub(crate) fn new(record: PathBuf, names: Names) -> Self {
        Self { record, names, descriptor: Descriptor::none() }
    }

    pub(crate) fn record(&self) -> &Path {
        &self.record
    }

    /// What the record says at least, without the foreign files.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Whether this process holds the record that the path leads to.
    pub(crate) fn is_held(&self) -> bool {
        sys::identity_of(&self.record) == Some(self.descriptor.installed()) && self.descriptor.is_intact()
    }

    /// Makes the record, or adds what it lacks, and holds it. One thread at a time.
    pub(crate) fn hold(&self, foreign: &BTreeSet<String>, creation: Creation<'_>) -> io::Result<Recorded> {
        let names = Names { foreign: foreign.clone(), ..self.names.clone() };
        let Held { file, created, known } = hold(&self.record, &names, creation)?;
        file.into_iter().for_each(|file| self.descriptor.install(file));
        Ok(Recorded { created, known })
    }

    /// For a child that uses its parent's table of descriptors: leaves the parent's number to the parent.
    pub(crate) fn disown(&self) {
        self.descriptor.disown();
    }
}

/// Whether an error says that nothing can be made in the directory.
pub(crate) fn forbids_files(error: &io::Error) -> bool {
    [Errno::EACCES, Errno::EPERM, Errno::EROFS].iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}

struct Held {
    /// `None`: the kernel refuses the lock. It refuses the log file's lock too, which is reported.
    file: Option<OwnFile>,
    created: bool,
    known: BTreeSet<String>,
}

fn hold(record: &Path, names: &Names, creation: Creation<'_>) -> io::Result<Held> {
    let mut created = false;
    for _ in 0..10 {
        let Some(file) = sys::open_to_read(record)? else {
            match sys::write_whole(record, names.to_text().as_bytes(), creation) {
                Ok(()) => created = true,
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            continue;
        };
        let outcome = sys::share_patiently(file.get()?, WriteMode::Locked);
        // Somebody is about to remove the record, or has removed it.
        if outcome == LockOutcome::Busy || sys::identity_of(record) != Some(file.id()) {
            continue;
        }
        let known = Names::read_from(&file).ok_or(io::ErrorKind::InvalidData)?;
        if !names.is_in(&known) {
            // The newline ends a piece of a line that may be there.
            match sys::add_to(record, format!("\n{}", names.text_beyond(&known)).as_bytes()) {
                Err(error) if !forbids_files(&error) => return Err(error),
                _ => {}
            }
        }
        let file = (!matches!(outcome, LockOutcome::Failed(_))).then_some(file);
        return Ok(Held { file, created, known: if created { BTreeSet::new() } else { known.foreign } });
    }
    Err(io::Error::other("somebody removed or replaced the record each time after it was opened"))
}
