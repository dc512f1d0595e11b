//! The locks on a log file that processes share: the lease and the write lock.

use super::lock_outcome::LockOutcome;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::ofd;
use super::own_file::OwnFile;
use super::patience::{MOMENT, wait};
use nix::libc;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The byte of a log file that stands for the file's lease. It lies far behind every line, so that it does not meet
/// another program's lock on a part of the file. A lock may lie beyond the end (`fcntl(2)`).
const LEASE_BYTE: i64 = 1 << 62;
/// Writers without the write lock hold this byte as well. So writers under the lock know of them.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNLOCKED_BYTE: i64 = LEASE_BYTE + 1;
/// The byte that stands for the write lock.
#[cfg(any(target_os = "linux", target_os = "android"))]
const WRITE_BYTE: i64 = LEASE_BYTE + 2;

pub(super) fn byte_lock(kind: libc::c_int, start: libc::off_t) -> libc::flock {
    // SAFETY: a plain C struct of integers, for which zero is a value; what matters is set below.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = start;
    lock.l_len = 1;
    lock
}

/// An open file description lock belongs to the open file. So a forked child that inherits the descriptor has the lease
/// too, and the lease ends when the last of them has closed the file.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_lease(file: impl AsFd, kind: libc::c_int, bytes: i64) -> LockOutcome {
    ofd::set(file, kind, LEASE_BYTE..LEASE_BYTE + bytes).into()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_byte(file: impl AsFd, kind: libc::c_int, byte: i64) -> nix::Result<()> {
    ofd::set(file, kind, byte..byte + 1)
}

/// Where there are no open file description locks: a lock of `flock(2)` belongs to the open file too.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(deprecated, reason = "nix's owning Flock cannot wrap a descriptor that is kept open")]
fn set_lease(file: impl AsFd, kind: libc::c_int, _bytes: i64) -> LockOutcome {
    use nix::fcntl::{FlockArg, flock};
    use std::os::fd::AsRawFd;
    let operation = match kind as libc::c_short {
        libc::F_RDLCK => FlockArg::LockSharedNonblock,
        libc::F_WRLCK => FlockArg::LockExclusiveNonblock,
        _ => FlockArg::UnlockNonblock,
    };
    flock(file.as_fd().as_raw_fd(), operation).into()
}

/// How an appender writes to its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// Each line is one `write(2)`, without a lock.
    Unlocked,
    /// Each line is written under the write lock.
    Locked,
}

/// Takes a lease: "I may write to this file". The lease lasts as long as `file`, or a copy of it in a forked child, is
/// open.
pub(crate) fn share(file: impl AsFd, write_mode: WriteMode) -> LockOutcome {
    let bytes = match write_mode {
        WriteMode::Unlocked => 2,
        WriteMode::Locked => 1,
    };
    set_lease(file, libc::F_RDLCK as libc::c_int, bytes)
}

/// The same, but waits 10 ms at most for a process that has a lock in the way for a moment: a pruner that removes the
/// name, or a writer that cuts a fragment off.
pub(crate) fn share_patiently(file: impl AsFd, write_mode: WriteMode) -> LockOutcome {
    let ask = || Some(share(&file, write_mode)).filter(|outcome| *outcome != LockOutcome::Busy);
    wait(MOMENT, ask).unwrap_or(LockOutcome::Busy)
}

/// Gives a lease back. The copies of `file` in forked children lose it too.
pub(crate) fn unshare(file: impl AsFd) {
    set_lease(file, libc::F_UNLCK as libc::c_int, 2);
}

/// Whether this file system and this kernel have such locks. Takes none.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn has_leases(file: impl AsFd) -> bool {
    let asked = LockOutcome::from(ofd::in_the_way(file, libc::F_RDLCK as libc::c_int, LEASE_BYTE..LEASE_BYTE + 1));
    !matches!(asked, LockOutcome::Unsupported(_))
}

/// Whether there are such locks. Takes one, because nothing else tells.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn has_leases(file: impl AsFd) -> bool {
    let asked = set_lease(&file, libc::F_RDLCK as libc::c_int, 1);
    set_lease(file, libc::F_UNLCK as libc::c_int, 1);
    !matches!(asked, LockOutcome::Unsupported(_))
}

/// Makes sure that nobody may write to the file until the guard is dropped. `None`: a process has a lease. An error if
/// the kernel does not tell.
pub(crate) fn claim(file: &OwnFile) -> io::Result<Option<Claim<'_>>> {
    let held = set_lease(file.get()?, libc::F_WRLCK as libc::c_int, 1).is_held()?;
    Ok(held.then(|| Claim(file)))
}

/// Whether a process may have a lease on the file. This takes no lock, so that no opener waits for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_shared(file: &OwnFile) -> io::Result<bool> {
    let asked = ofd::in_the_way(file.get()?, libc::F_WRLCK as libc::c_int, LEASE_BYTE..LEASE_BYTE + 1);
    let is_free = matches!(asked, Ok(None));
    // Where there are no such locks, a process may write without one.
    Ok(!LockOutcome::from(asked).is_held()? || !is_free)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_shared(file: &OwnFile) -> io::Result<bool> {
    Ok(claim(file)?.is_none())
}

/// Whether a [`Claim`] keeps leases away. `false` if another program's lock on the whole file does.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_claimed(file: impl AsFd) -> bool {
    let byte = LEASE_BYTE..LEASE_BYTE + 1;
    let found = ofd::in_the_way(file, libc::F_RDLCK as libc::c_int, byte.clone());
    found
        .is_ok_and(|found| found.is_some_and(|found| found.kind == libc::F_WRLCK as libc::c_int && found.bytes == byte))
}

/// `flock(2)` does not tell who has a lock.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn is_claimed(_file: impl AsFd) -> bool {
    false
}

/// An exclusive lock in the place of the lease. Given back explicitly, because a child that is forked meanwhile has a
/// copy of the descriptor.
#[derive(Debug)]
pub(crate) struct Claim<'a>(&'a OwnFile);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let _ = self.0.get().map(|file| set_lease(file, libc::F_UNLCK as libc::c_int, 1));
    }
}

/// The write lock of a file: the right to write, among all who ask for it. It is an open file description lock, so it
/// keeps processes apart, and descriptors that one process has opened separately. Threads that share a descriptor need
/// a turn as well.
///
/// A POSIX lock would end with its holder's process, even if a forked child still has the descriptor. But a POSIX lock
/// would also end whenever any code of the process closes the file, as a page that shows the log does.
#[derive(Debug)]
pub(crate) struct WriteLock<'a>(BorrowedFd<'a>);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl<'a> WriteLock<'a> {
    /// Takes the lock at once. `None`: somebody else has it. On a file system without such locks everybody has it.
    pub(crate) fn try_take(file: BorrowedFd<'a>) -> io::Result<Option<Self>> {
        match set_byte(file, libc::F_WRLCK as libc::c_int, WRITE_BYTE).into() {
            LockOutcome::Held | LockOutcome::Unsupported(_) => Ok(Some(Self(file))),
            LockOutcome::Busy => Ok(None),
            LockOutcome::Failed(error) => Err(error.into()),
        }
    }

    /// Does `work` while nobody writes, not even without the write lock. Meanwhile openers wait. `None`: a process that
    /// may write without the lock has the file open.
    pub(crate) fn while_nobody_writes<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let set = |kind| set_byte(self.0, kind, UNLOCKED_BYTE);
        set(libc::F_WRLCK as libc::c_int).ok()?;
        let done = work();
        let _ = set(libc::F_UNLCK as libc::c_int);
        Some(done)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Drop for WriteLock<'_> {
    fn drop(&mut self) {
        let _ = set_byte(self.0, libc::F_UNLCK as libc::c_int, WRITE_BYTE);
    }
}

/// `flock(2)` is used for the lease here, and locks whole files only. So nobody is kept out.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl<'a> WriteLock<'a> {
    pub(crate) fn try_take(file: BorrowedFd<'a>) -> io::Result<Option<Self>> {
        Ok(Some(Self(file)))
    }

    pub(crate) fn while_nobody_writes<T>(&self, _work: impl FnOnce() -> T) -> Option<T> {
        let _ = self.0;
        None
    }
}

/// Announces "I write without the write lock" until this is dropped. Meanwhile a holder of the lock cuts nothing off.
#[derive(Debug)]
pub(crate) struct Unlocked<'a>(
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))] BorrowedFd<'a>,
);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl<'a> Unlocked<'a> {
    /// `None`: a holder of the lock is about to cut something off.
    pub(crate) fn announce(file: BorrowedFd<'a>) -> Option<Self> {
        let announced = LockOutcome::from(set_byte(file, libc::F_RDLCK as libc::c_int, UNLOCKED_BYTE));
        (announced != LockOutcome::Busy).then(|| Self(file))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Drop for Unlocked<'_> {
    fn drop(&mut self) {
        let _ = set_byte(self.0, libc::F_UNLCK as libc::c_int, UNLOCKED_BYTE);
    }
}

/// Here nothing is ever cut off.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl<'a> Unlocked<'a> {
    pub(crate) fn announce(file: BorrowedFd<'a>) -> Option<Self> {
        Some(Self(file))
    }
}
