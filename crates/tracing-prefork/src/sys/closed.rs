//! A log file whose period is over, looked at by whoever compresses it.

use super::identity::{FileId, Status};
use super::locks::{self, Claim};
use super::open::{LOG, open};
use super::own_file::OwnFile;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Opened without a lease: as long as it is only read, nobody need wait for it.
#[derive(Debug)]
pub(crate) struct FinishedFile {
    file: OwnFile,
}

impl FinishedFile {
    /// `None`: there is nothing, or something else than a regular file. Open for writing too, because a claim asks for
    /// that (`fcntl(2)`).
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

    /// Whether somebody may write to it. Only asks: an opener never has to wait for that.
    pub(crate) fn is_held(&self) -> io::Result<bool> {
        locks::is_shared(&self.file)
    }

    /// See [`locks::claim`].
    pub(crate) fn claim(&self) -> io::Result<Option<Claim<'_>>> {
        locks::claim(&self.file)
    }

    /// Whether the path leads to it. An error if nobody can tell.
    pub(crate) fn is_at(&self, path: &Path) -> io::Result<bool> {
        match Status::at(path) {
            // The path may lead through a descriptor, which the program can have closed with this one.
            Err(Errno::ENOENT | Errno::ENOTDIR) => self.file.get().map(|_| false).map_err(Into::into),
            found => Ok(found?.id == self.id()),
        }
    }
}

/// A directory that files are worked on in. It stays the same one if it is moved, and if something is mounted over it.
#[derive(Debug)]
pub(crate) struct Directory {
    file: OwnFile,
    path: PathBuf,
    /// What the files in it are reached by: the descriptor, where `/proc` leads to that.
    base: PathBuf,
}

impl Directory {
    /// The directory of a file, if it is there.
    pub(crate) fn of(file: &Path) -> io::Result<Option<Self>> {
        let path = file.parent().unwrap_or(file).to_owned();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let file = match open(&path, flags, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            opened => opened?,
        };
        let base = PathBuf::from(format!("/proc/self/fd/{}", file.borrow().as_raw_fd()));
        let found = |found: std::fs::Metadata| (found.dev(), found.ino());
        let leads =
            std::fs::metadata(&base).map(found).is_ok_and(|base| file.metadata().is_ok_and(|file| found(file) == base));
        let base = if leads { base } else { path.clone() };
        Ok(Some(Self { file, path, base }))
    }

    /// The path by which a file of this directory is reached.
    pub(crate) fn reach(&self, file: &Path) -> PathBuf {
        self.base.join(file.file_name().unwrap_or_default())
    }

    /// The path that users know a file by.
    pub(crate) fn told(&self, reached: &Path) -> PathBuf {
        self.path.join(reached.file_name().unwrap_or_default())
    }

    /// Has the names in it on the disk. Where a file system has no such thing there is nothing to do.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match nix::unistd::fsync(self.file.get()?) {
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => Ok(()),
            synced => Ok(synced?),
        }
    }
}

/// Opens a file for reading, if there is one. An error if something else than a regular file has its name.
pub(crate) fn open_to_read(path: &Path) -> io::Result<Option<OwnFile>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let file = match open(path, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(None),
        opened => opened?,
    };
    file.status()?.must_be_regular()?;
    Ok(Some(file))
}

/// The whole content of a file. A symbolic link is followed.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY, Mode::empty())?;
    let mut content = Vec::new();
    file.reader().read_to_end(&mut content)?;
    Ok(content)
}

/// Sets the time of a file's last change. A symbolic link is not followed.
pub(crate) fn set_modified(path: &Path, time: SystemTime) -> io::Result<()> {
    let time = TimeSpec::from_duration(time.duration_since(UNIX_EPOCH).unwrap_or_default());
    Ok(utimensat(AT_FDCWD, path, &TimeSpec::UTIME_OMIT, &time, UtimensatFlags::NoFollowSymlink)?)
}

/// Removes a name.
pub(crate) fn unlink(path: &Path) -> io::Result<()> {
    Ok(nix::unistd::unlink(path)?)
}
