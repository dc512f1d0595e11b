//! Opening and creating log files: regular files only, never through a symbolic link, never truncated.

use super::identity::{FileId, identity_at, identity_of};
use super::lock_outcome::LockOutcome;
use super::locks::{self, WriteMode};
use super::open::{LOG, open};
use super::own_file::OwnFile;
use super::path::LogPath;
use super::tail::tail;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::fchmod;
use nix::unistd::linkat;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::SystemTime;

pub(crate) use nix::sys::stat::Mode;

/// A log file, opened for appending.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: OwnFile,
    /// In bytes.
    pub(crate) size: u64,
    /// The file did not exist before.
    pub(crate) created: bool,
    /// The file may end in a fragment, which a killed process has left.
    pub(crate) torn: bool,
    /// A lease keeps the file from being removed, or there are no leases here.
    pub(crate) leased: bool,
}

/// How a file that is not there is created.
#[derive(Clone, Copy)]
pub(crate) struct Creation<'a> {
    /// The exact mode. `None`: 0666 less the umask.
    pub(crate) mode: Option<Mode>,
    /// Returns the first line. Called only when the file is created.
    pub(crate) header: &'a dyn Fn() -> Vec<u8>,
    /// The time of the appender's clock, for a temporary name.
    pub(crate) now: SystemTime,
}

impl Creation<'_> {
    /// An empty file.
    pub(crate) fn empty(mode: Option<Mode>, now: SystemTime) -> Self {
        Self { mode, header: &Vec::new, now }
    }
}

/// The lease that an opener takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseWanted {
    pub(crate) write_mode: WriteMode,
    /// Whether there are such locks here.
    pub(crate) are_supported: bool,
}

/// A log file is opened so many times, if others remove or replace it each time.
const OPEN_TRIES: u32 = 40;

/// A log file is created so many times if the kernel says EPERM.
const PERMISSION_TRIES: u32 = 3;

/// Opens a log file, and takes the `lease` on it. Creates the file if it is not there and there is a `creation`.
pub(crate) fn open_log(
    path: &LogPath,
    creation: Option<Creation<'_>>,
    lease: Option<LeaseWanted>,
) -> io::Result<Opened> {
    for attempt in 0..OPEN_TRIES {
        // 1. A regular file.
        let Some((file, created)) = open_or_create(path, creation, attempt)? else { continue };
        let found = file.status()?;
        found.must_be_regular()?;
        // 2. Its lease.
        let outcome = lease.map(|lease| locks::share_patiently(file.borrow(), lease.write_mode));
        if outcome == Some(LockOutcome::Busy) && locks::is_claimed(file.borrow()) {
            // A pruner was stopped before it removed the name. It does so when it goes on, and a line would be gone.
            return Err(Errno::EBUSY.into());
        }
        // 3. Was the name removed, or given to another file, before the lease was there?
        if identity_at(path).is_ok_and(|found| found == Some(file.id())) {
            let torn = !created && tail(file.borrow()).is_ok_and(|tail| tail.torn);
            let leased = match (outcome, lease) {
                (Some(LockOutcome::Held), _) => true,
                (Some(LockOutcome::Unsupported(_)), Some(lease)) => !lease.are_supported,
                _ => false,
            };
            return Ok(Opened { file, size: found.size, created, torn, leased });
        }
    }
    Err(io::Error::other("the file was removed or replaced each time it had been opened"))
}

/// The file, and whether it was created. `None`: others have changed the directory in this very moment.
fn open_or_create(
    path: &LogPath,
    creation: Option<Creation<'_>>,
    attempt: u32,
) -> nix::Result<Option<(OwnFile, bool)>> {
    let by_name = || open(path.as_c_str(), LOG, Mode::empty());
    match by_name() {
        Err(Errno::ENOENT) => {}
        opened => return Ok(Some((opened?, false))),
    }
    match create(path.as_path(), creation.ok_or(Errno::ENOENT)?) {
        // EEXIST: another process was faster, so its file is opened next. EXDEV: the directory is another one now,
        // because a volume was mounted over it after the file was made.
        Err(Errno::EEXIST | Errno::EXDEV) => Ok(None),
        // The directory was removed in this very moment (ext4 says EPERM). Or nothing may be added to the directory
        // (`chattr +i`): then the next tries say so, too.
        Err(Errno::EPERM) if attempt < PERMISSION_TRIES => Ok(None),
        Err(error) => Err(error),
        // The file is opened by its name, if its mode allows that. Otherwise `/proc` shows the file as deleted, and
        // FUSE takes it for another file, with a lock of its own, so that lines are not kept apart from those of
        // others.
        Ok(made) => Ok(Some((by_name().unwrap_or(made), true))),
    }
}

/// A shared lease on a log file, for a moment. The lease is given back explicitly, because a child that is forked
/// meanwhile has a copy of the descriptor.
#[derive(Debug)]
pub(crate) struct Hold(OwnFile);

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.0.get().map(locks::unshare);
    }
}

/// Takes a shared lease on a log file that is there. Nobody prunes the file until the lease is given back. `None`: this
/// process may not open the file.
pub(crate) fn hold(path: &LogPath) -> io::Result<Option<Hold>> {
    match open(path.as_c_str(), LOG, Mode::empty()) {
        // Busy: a pruner was stopped before it removed the file.
        Ok(file) => match locks::share_patiently(file.get()?, WriteMode::Locked) {
            LockOutcome::Busy => Err(Errno::EBUSY.into()),
            LockOutcome::Failed(error) => Err(error.into()),
            LockOutcome::Held | LockOutcome::Unsupported(_) => Ok(Some(Hold(file))),
        },
        Err(Errno::ENOENT) => Err(Errno::ENOENT.into()),
        Err(_) => Ok(None),
    }
}

/// Whether a process has the file open to write to.
pub(crate) fn is_held(path: &Path) -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    open(path, flags, Mode::empty()).is_ok_and(|file| locks::is_shared(&file).unwrap_or(true))
}

/// Creates the file, or says EEXIST. The file gets its name when it has its mode and its first line, so nobody finds it
/// without them. Only where links are refused, the creator writes the first line after the file has its name.
pub(super) fn create(path: &Path, creation: Creation<'_>) -> nix::Result<OwnFile> {
    let header = (creation.header)();
    if creation.mode.is_none() && header.is_empty() {
        return create_in_place(path, None, &[]);
    }
    let created = create_unnamed(path, creation.mode, &header).or_else(|refused| match refused.errno() {
        // The answers of a file system, or a kernel, without O_TMPFILE (open(2)). ENOENT: there is no /proc to link
        // through.
        Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOENT => create_hidden(path, creation, &header),
        _ => Err(refused),
    });
    match created {
        // The answers of FAT, of other file systems without links, and of security filters (linkat(2)).
        Err(Refused::Link(Errno::EPERM | Errno::EACCES | Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EMLINK)) => {
            create_in_place(path, creation.mode, &header)
        }
        created => created.map_err(Refused::errno),
    }
}

/// The step of creating a file that was refused. A directory that is closed for a moment refuses the file, not the
/// link. Such a file must not be created in place: as soon as the directory is open again, the file could get lines of
/// others before its first line.
#[derive(Clone, Copy, Debug)]
enum Refused {
    File(Errno),
    Link(Errno),
}

impl Refused {
    fn errno(self) -> Errno {
        match self {
            Self::File(errno) | Self::Link(errno) => errno,
        }
    }
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self::File(errno)
    }
}

fn create_in_place(path: &Path, mode: Option<Mode>, header: &[u8]) -> nix::Result<OwnFile> {
    let file = open(path, LOG | OFlag::O_CREAT | OFlag::O_EXCL, mode.unwrap_or(ANY))?;
    furnish(&file, mode, header)?;
    Ok(file)
}

/// The mode of a file for which no mode is given, before the umask.
pub(super) const ANY: Mode = Mode::from_bits_truncate(0o666);

#[cfg(any(target_os = "linux", target_os = "android"))]
fn create_unnamed(path: &Path, mode: Option<Mode>, header: &[u8]) -> Result<OwnFile, Refused> {
    let flags = (LOG | OFlag::O_TMPFILE).difference(OFlag::O_NOFOLLOW);
    let file = open(path.parent().unwrap_or(path), flags, mode.unwrap_or(ANY))?;
    furnish(&file, mode, header)?;
    link_unnamed(&file, path).map_err(Refused::Link)?;
    Ok(file)
}

/// Gives a name to a file that has none.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn link_unnamed(file: &OwnFile, path: &Path) -> nix::Result<()> {
    let mut source = [0; 32];
    let _ = write!(&mut source[..], "/proc/self/fd/{}\0", file.get()?.as_raw_fd());
    let source = std::ffi::CStr::from_bytes_until_nul(&source).map_err(|_| Errno::EINVAL)?;
    linkat(AT_FDCWD, source, AT_FDCWD, path, AtFlags::AT_SYMLINK_FOLLOW)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn link_unnamed(_file: &OwnFile, _path: &Path) -> nix::Result<()> {
    Err(Errno::EOPNOTSUPP)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn create_unnamed(_path: &Path, _mode: Option<Mode>, _header: &[u8]) -> Result<OwnFile, Refused> {
    Err(Errno::EOPNOTSUPP.into())
}

/// Creates the file under a hidden name first. A crash may leave the hidden name behind; pruning removes such names.
fn create_hidden(path: &Path, Creation { mode, now, .. }: Creation<'_>, header: &[u8]) -> Result<OwnFile, Refused> {
    let hidden = super::unique_hidden(path, now);
    let own = mode.map_or(ANY, |_| Mode::S_IRUSR | Mode::S_IWUSR);
    let file = open(&hidden, LOG | OFlag::O_CREAT | OFlag::O_EXCL, own)?;
    let link = || linkat(AT_FDCWD, &hidden, AT_FDCWD, path, AtFlags::empty()).map_err(Refused::Link);
    let linked = furnish(&file, mode, header).map_err(Refused::File).and_then(|()| link());
    let _ = nix::unistd::unlink(&hidden);
    linked.map(|()| file)
}

fn furnish(file: &OwnFile, mode: Option<Mode>, header: &[u8]) -> nix::Result<()> {
    if let Some(mode) = mode {
        fchmod(file.get()?, mode)?;
    }
    let mut left = header;
    while !left.is_empty() {
        match super::again(|| nix::unistd::write(file.get()?, left))? {
            0 => return Err(Errno::ENOSPC),
            written => left = &left[written..],
        }
    }
    Ok(())
}

/// The outcome of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    Removed,
    /// A process has the file open for writing, or the caller needs the file.
    Held,
    /// The file is not there any more, or something else has its name now.
    Gone,
}

/// Removes a log file. Two things keep the file: a lease, unless `regardless` says that the lease does not count; and
/// the caller's `needed`.
pub(crate) fn claim_and_remove(
    path: &Path,
    regardless: impl Fn() -> bool,
    needed: impl Fn(FileId) -> bool,
) -> io::Result<Removal> {
    let file = match open(path, LOG, Mode::empty()) {
        Err(Errno::ENOENT | Errno::ELOOP) => return Ok(Removal::Gone),
        // A file server holds a lease of its own.
        Err(Errno::EAGAIN) => return Ok(Removal::Held),
        opened => opened?,
    };
    // The claim lasts until the name is gone. An opener that comes meanwhile waits, and then finds the name free.
    let claim = locks::claim(&file);
    if !matches!(claim, Ok(Some(_))) && !regardless() {
        return claim.map(|_| Removal::Held);
    }
    let found = file.status()?;
    if found.must_be_regular().is_err() || identity_of(path) != Some(found.id) {
        return Ok(Removal::Gone);
    }
    if needed(found.id) {
        return Ok(Removal::Held);
    }
    match nix::unistd::unlink(path) {
        Err(Errno::ENOENT) => Ok(Removal::Gone),
        unlinked => Ok(unlinked.map(|()| Removal::Removed)?),
    }
}
