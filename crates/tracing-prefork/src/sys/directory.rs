//! [`Directory`]: a directory in which a job works on files.

use super::open::open;
use super::own_file::OwnFile;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An open directory. It stays the same directory if somebody moves it, or mounts something over it.
#[derive(Debug)]
pub(crate) struct Directory {
    file: OwnFile,
    path: PathBuf,
    /// The path by which files in the directory are reached: by way of the descriptor, if `/proc` leads there.
    base: PathBuf,
}

impl Directory {
    /// The directory of a file. `None`: there is no such directory.
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

    /// Has the kernel write the directory's names to the disk. A file system without such a call needs none.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match nix::unistd::fsync(self.file.get()?) {
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => Ok(()),
            synced => Ok(synced?),
        }
    }
}
