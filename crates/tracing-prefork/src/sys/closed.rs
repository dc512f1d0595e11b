//! A log file whose period is over, looked at by whoever compresses it.

use super::files;
use super::identity::{FileId, Status, identity_of};
use super::locks::{self, Claim};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Opened without a lease: as long as it is only read, nobody need wait for it.
#[derive(Debug)]
pub(crate) struct ClosedFile {
    file: File,
    id: FileId,
}

impl ClosedFile {
    /// `None`: there is nothing, or something else than a regular file. Open for writing too, because a claim asks for that (`fcntl(2)`).
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match files::open(path, files::LOG, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ELOOP) => return Ok(None),
            opened => File::from(opened?),
        };
        let found = Status::of(&file)?;
        Ok(found.must_be_regular().is_ok().then_some(Self { file, id: found.id }))
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    /// Whether somebody may write to it. Only asks: an opener never has to wait for that.
    pub(crate) fn is_held(&self) -> io::Result<bool> {
        locks::is_shared(&self.file)
    }

    /// See [`locks::claim`].
    pub(crate) fn claim(&self) -> io::Result<Option<Claim<'_>>> {
        locks::claim(&self.file)
    }

    /// Whether the path leads to it.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        identity_of(path) == Some(self.id)
    }
}

/// Opens a file for reading, if there is one. An error if something else than a regular file has its name.
pub(crate) fn open_to_read(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let file = match files::open(path, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(None),
        opened => File::from(opened?),
    };
    Status::of(&file)?.must_be_regular()?;
    Ok(Some(file))
}

/// Sets the time of a file's last change. A symbolic link is not followed.
pub(crate) fn set_modified(path: &Path, time: SystemTime) -> io::Result<()> {
    let time = TimeSpec::from_duration(time.duration_since(UNIX_EPOCH).unwrap_or_default());
    Ok(utimensat(AT_FDCWD, path, &TimeSpec::UTIME_OMIT, &time, UtimensatFlags::NoFollowSymlink)?)
}

/// Has the directory of a file on the disk, with the names in it. Where a file system has no such thing there is nothing to do.
pub(crate) fn sync_directory_of(file: &Path) -> io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = files::open(file.parent().unwrap_or(file), flags, Mode::empty())?;
    match nix::unistd::fsync(directory) {
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => Ok(()),
        synced => Ok(synced?),
    }
}

/// Removes a name.
pub(crate) fn unlink(path: &Path) -> io::Result<()> {
    Ok(nix::unistd::unlink(path)?)
}
