//! The two locks that processes share: the lease on a log file and the housekeeping lock.

use super::files;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::stat::Mode;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The byte of a log file that stands for its lease: far behind every line, so that it meets nobody's lock on a part
/// of the file. A lock may lie beyond the end (`fcntl(2)`).
const LEASE_BYTE: libc::off_t = 1 << 62;

fn byte_lock(kind: libc::c_int, start: libc::off_t) -> libc::flock {
    // SAFETY: a plain C struct of integers, for which zero is a value; what matters is set below.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = start;
    lock.l_len = 1;
    lock
}

fn busy(error: Errno) -> bool {
    matches!(error, Errno::EAGAIN | Errno::EACCES)
}

/// What asking for a lease came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    Held,
    /// Somebody holds it against us.
    Busy,
    /// This file system has no such locks (or the descriptor may not have one): do without.
    Unsupported,
}

/// Open file description locks: they belong to the open file, so a forked child that inherits the descriptor holds
/// the lease too, and it ends with the last of them.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_lease(file: impl AsFd, kind: libc::c_int) -> Lease {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&byte_lock(kind, LEASE_BYTE))) {
        Ok(_) => Lease::Held,
        Err(error) if busy(error) => Lease::Busy,
        Err(_) => Lease::Unsupported,
    }
}

/// `flock(2)` has the same owner, the open file, where open file description locks do not exist.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(deprecated, reason = "nix's owning Flock cannot wrap a descriptor that is kept open")]
fn set_lease(file: impl AsFd, kind: libc::c_int) -> Lease {
    use nix::fcntl::{FlockArg, flock};
    use std::os::fd::AsRawFd;
    let operation = match kind as libc::c_short {
        libc::F_RDLCK => FlockArg::LockSharedNonblock,
        libc::F_WRLCK => FlockArg::LockExclusiveNonblock,
        _ => FlockArg::UnlockNonblock,
    };
    match flock(file.as_fd().as_raw_fd(), operation) {
        Ok(()) => Lease::Held,
        Err(error) if busy(error) => Lease::Busy,
        Err(_) => Lease::Unsupported,
    }
}

/// Says "I may write to this file" for as long as `file`, or a copy of it in a forked child, stays open.
pub(crate) fn share(file: &File) -> Lease {
    set_lease(file, libc::F_RDLCK as libc::c_int)
}

/// Makes sure that nobody writes to the file any more, and keeps it so until the guard goes. `None`: somebody may.
pub(crate) fn claim(file: &File) -> Option<Claim<'_>> {
    (set_lease(file, libc::F_WRLCK as libc::c_int) == Lease::Held).then(|| Claim(file))
}

/// An exclusive lease. Given back explicitly, because a child forked meanwhile holds a copy of the descriptor.
#[derive(Debug)]
pub(crate) struct Claim<'a>(&'a File);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        set_lease(self.0, libc::F_UNLCK as libc::c_int);
    }
}

/// The lock behind which one process at a time prunes the files of a pattern.
///
/// A POSIX lock, on a file that is opened for each use: a forked child does not inherit it, and a holder that is killed
/// frees it even if a child still has the descriptor (measured; open file description locks and `flock` stay held then).
/// It does not keep threads of one process apart. Two that prune at once remove nothing more than one would.
#[derive(Debug)]
pub(crate) struct HousekeepingLock(OwnedFd);

impl HousekeepingLock {
    /// Takes it, or says at once with `None` that another process has it.
    pub(crate) fn try_take(path: &Path, mode: Option<Mode>) -> io::Result<Option<Self>> {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let file = match files::open(path, flags, Mode::empty()) {
            Err(Errno::ENOENT) => match files::create(path, mode) {
                Err(Errno::EEXIST) => files::open(path, flags, Mode::empty())?,
                created => created?,
            },
            opened => opened?,
        };
        match fcntl(&file, FcntlArg::F_SETLK(&byte_lock(libc::F_WRLCK as libc::c_int, 0))) {
            Ok(_) => Ok(Some(Self(file))),
            Err(error) if busy(error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes it, waiting up to about five seconds for another process.
    pub(crate) fn take(path: &Path, mode: Option<Mode>) -> io::Result<Self> {
        for _ in 0..500 {
            if let Some(lock) = Self::try_take(path, mode)? {
                return Ok(lock);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::new(io::ErrorKind::WouldBlock, "another process has held the lock for five seconds"))
    }
}

impl Drop for HousekeepingLock {
    fn drop(&mut self) {
        let _ = fcntl(&self.0, FcntlArg::F_SETLK(&byte_lock(libc::F_UNLCK as libc::c_int, 0)));
    }
}
