//! Open file description locks (`fcntl(2)`) on bytes that 64 bits count, whatever the width of `off_t`.
//!
//! Processes of 32 and of 64 bits have to agree on the bytes, and a 32-bit `struct flock` cannot name them. On a 32-bit
//! system glibc's own `fcntl` takes such a structure, so this calls the kernel directly there.

use nix::libc;
use std::ops::Range;
use std::os::fd::AsFd;

use width::{Lock, ask_kernel};

pub(super) use width::set;

/// A lock that is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) kind: libc::c_int,
    pub(super) bytes: Range<i64>,
    /// -1: an open file description lock.
    pub(super) process: libc::pid_t,
}

/// A lock that would be in the way of this one. Locks of other open file descriptions count, and POSIX locks of every
/// process, this one included.
pub(super) fn in_the_way(file: impl AsFd, kind: libc::c_int, bytes: Range<i64>) -> nix::Result<Option<Obstacle>> {
    let found = ask_kernel(file, lock(kind, bytes))?;
    let kind = libc::c_int::from(found.l_type);
    let bytes = found.l_start..found.l_start + found.l_len;
    Ok((kind != libc::F_UNLCK as libc::c_int).then_some(Obstacle { kind, bytes, process: found.l_pid }))
}

fn lock(kind: libc::c_int, bytes: Range<i64>) -> Lock {
    // SAFETY: a plain C struct of integers, for which zero is a value; what matters is set below.
    let mut lock: Lock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = bytes.start;
    lock.l_len = bytes.end - bytes.start;
    lock
}

#[cfg(not(all(target_pointer_width = "32", any(target_env = "gnu", target_os = "android"))))]
mod width {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    use std::ops::Range;
    use std::os::fd::AsFd;

    pub(super) type Lock = libc::flock;

    /// Takes a lock, or gives it back.
    pub(in super::super) fn set(file: impl AsFd, kind: libc::c_int, bytes: Range<i64>) -> nix::Result<()> {
        fcntl(file, FcntlArg::F_OFD_SETLK(&super::lock(kind, bytes))).map(drop)
    }

    pub(super) fn ask_kernel(file: impl AsFd, mut lock: Lock) -> nix::Result<Lock> {
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
        Ok(lock)
    }
}

#[cfg(all(target_pointer_width = "32", any(target_env = "gnu", target_os = "android")))]
mod width {
    use nix::errno::Errno;
    use nix::libc;
    use std::ops::Range;
    use std::os::fd::{AsFd, AsRawFd};

    pub(super) type Lock = libc::flock64;

    /// Takes a lock, or gives it back.
    pub(in super::super) fn set(file: impl AsFd, kind: libc::c_int, bytes: Range<i64>) -> nix::Result<()> {
        call(file, libc::F_OFD_SETLK, &mut super::lock(kind, bytes))
    }

    pub(super) fn ask_kernel(file: impl AsFd, mut lock: Lock) -> nix::Result<Lock> {
        call(file, libc::F_OFD_GETLK, &mut lock)?;
        Ok(lock)
    }

    fn call(file: impl AsFd, command: libc::c_int, lock: &mut Lock) -> nix::Result<()> {
        let lock: *mut Lock = lock;
        // SAFETY: `fcntl64` takes a `struct flock64` with these commands, and the lock outlives the call.
        Errno::result(unsafe { libc::syscall(libc::SYS_fcntl64, file.as_fd().as_raw_fd(), command, lock) }).map(drop)
    }
}
