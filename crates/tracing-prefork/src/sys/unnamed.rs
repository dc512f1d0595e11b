//! A file that gets its name when it is whole.

use super::files::link_unnamed;
use super::locks::{self, WriteMode};
use super::open::open;
use super::own_file::OwnFile;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{linkat, unlink};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file without a name, which vanishes with its process. Where the file system has no such files, it has a hidden
/// name, which pruning removes. The file has a lease, by which others see that it is in use.
#[derive(Debug)]
pub(crate) struct Unnamed {
    file: OwnFile,
    hidden: Option<PathBuf>,
    /// When the work on the file began, by the appender's clock: for a temporary name.
    began: SystemTime,
}

impl Unnamed {
    /// Creates the file in the directory of `target`, readable by nobody else.
    pub(crate) fn create(target: &Path, began: SystemTime) -> io::Result<Self> {
        Self::create_with(target, began, Mode::S_IRUSR | Mode::S_IWUSR)
    }

    /// Creates the file with this mode, less the umask.
    pub(super) fn create_with(target: &Path, began: SystemTime, mode: Mode) -> io::Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        if let Some(file) = create_unnamed(target, flags, mode)? {
            locks::share(file.get()?, WriteMode::Locked).is_held()?;
            return Ok(Self { file, hidden: None, began });
        }
        let hidden = super::unique_hidden(target, began);
        let file = open(&hidden, flags | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW, mode)?;
        let unnamed = Self { file, hidden: Some(hidden), began };
        locks::share(unnamed.file.get()?, WriteMode::Locked).is_held()?;
        Ok(unnamed)
    }

    pub(crate) fn file(&self) -> &OwnFile {
        &self.file
    }

    /// Gives the file its name. An error if the name is taken.
    pub(crate) fn publish(self, target: &Path) -> io::Result<()> {
        match &self.hidden {
            None => link_unnamed(&self.file, target)?,
            // The hidden name is removed when `self` is dropped.
            Some(hidden) => linkat(AT_FDCWD, hidden, AT_FDCWD, target, AtFlags::empty())?,
        }
        Ok(())
    }

    /// Gives the file its name in one step. A file that has the name loses it.
    pub(crate) fn replace(mut self, target: &Path) -> io::Result<()> {
        let hidden = match self.hidden.take() {
            Some(hidden) => hidden,
            None => {
                let hidden = super::unique_hidden(target, self.began);
                link_unnamed(&self.file, &hidden)?;
                hidden
            }
        };
        let renamed = fs::rename(&hidden, target);
        if renamed.is_err() {
            self.hidden = Some(hidden);
        }
        renamed
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        // Explicitly, because a child that was forked meanwhile has a copy of the descriptor.
        let _ = self.file.get().map(locks::unshare);
        if let Some(hidden) = &self.hidden {
            let _ = unlink(hidden);
        }
    }
}

/// Creates a file without a name. `None`: there is no O_TMPFILE here, or no /proc to give the file a name through.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn create_unnamed(target: &Path, flags: OFlag, mode: Mode) -> io::Result<Option<OwnFile>> {
    use nix::errno::Errno;
    use std::os::fd::AsRawFd;
    let directory = target.parent().unwrap_or(target);
    match open(directory, flags | OFlag::O_TMPFILE, mode) {
        Ok(file) => {
            let named = fs::symlink_metadata(format!("/proc/self/fd/{}", file.get()?.as_raw_fd())).is_ok();
            Ok(named.then_some(file))
        }
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn create_unnamed(_target: &Path, _flags: OFlag, _mode: Mode) -> io::Result<Option<OwnFile>> {
    Ok(None)
}

/// The free bytes on the file's disk for processes without privileges.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the widths differ between platforms")]
pub(crate) fn free_bytes(file: &OwnFile) -> io::Result<u64> {
    let found = fstatvfs(file.get()?)?;
    Ok((found.blocks_available() as u64).saturating_mul(found.fragment_size() as u64))
}
