//! [`FinishedFile`]: a log file whose period is over, for whoever compresses the file or hands it over.

use super::identity::{FileId, Status};
use super::locks::{self, Claim};
use super::open::{LOG, open};
use super::own_file::OwnFile;
use nix::errno::Errno;
use nix::sys::stat::Mode;
use std::io;
use std::path::Path;

/// A log file that is opened without a lease. As long as the file is only read, no other process waits for it.
#[derive(Debug)]
pub(crate) struct FinishedFile {
    file: OwnFile,
}

impl FinishedFile {
    /// `None`: the path leads to nothing, or to something else than a regular file. The file is opened for writing too,
    /// because a claim needs that (`fcntl(2)`).
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match open(path, LOG, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ELOOP) => return Ok(None),
            opened => opened?,
        };
        Ok(file.status()?.must_be_regular().is_ok().then_some(Self { file }))
    }

    pub(crate) fn file(&self) -> &OwnFile {
        &self.file
    }

    pub(crate) fn id(&self) -> FileId {
        self.file.id()
    }

    /// Whether somebody may write to the file. This only asks, so an opener never waits for it.
    pub(crate) fn is_held(&self) -> io::Result<bool> {
        locks::is_shared(&self.file)
    }

    /// See [`locks::claim`].
    pub(crate) fn claim(&self) -> io::Result<Option<Claim<'_>>> {
        locks::claim(&self.file)
    }

    /// Whether the path leads to this file. An error if the kernel does not tell.
    pub(crate) fn is_at(&self, path: &Path) -> io::Result<bool> {
        match Status::at(path) {
            // The path may lead through a descriptor, which the program can have closed with this one.
            Err(Errno::ENOENT | Errno::ENOTDIR) => self.file.get().map(|_| false).map_err(Into::into),
            found => Ok(found?.id == self.id()),
        }
    }
}
