//! What a process knows of the forks that it comes from.

use nix::libc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

/// Counted in each child (`at_fork`).
pub(super) static LIBC_FORKS: AtomicU64 = AtomicU64::new(0);

/// How many calls of libc's `fork` lie between this process and the one that built the first appender.
#[inline]
pub(super) fn libc_forks() -> u64 {
    LIBC_FORKS.load(Relaxed)
}

/// Not 0, and different in this process and those that it was forked from, unless libc does not know of it.
pub(crate) fn generation() -> u64 {
    libc_forks() + 1
}

/// What each fork wipes for all appenders.
#[derive(Debug)]
pub(super) struct Shared {
    /// Libc knows of the fork: its own sets this again.
    pub(super) known: AtomicBool,
    /// See [`openers`].
    openers: AtomicU32,
}

/// Null where the kernel does not wipe, and before the first appender is built.
pub(super) static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());

pub(super) fn shared() -> Option<&'static Shared> {
    // SAFETY: null, or a page that is never unmapped (`at_fork`).
    unsafe { SHARED.load(Acquire).as_ref() }
}

/// Instead of [`Shared::openers`] where there is none.
pub(super) static OPENERS: AtomicU32 = AtomicU32::new(0);

/// How many threads of this process open something (`standard`): 0 in a forked child.
pub(super) fn openers() -> &'static AtomicU32 {
    shared().map_or(&OPENERS, |shared| &shared.openers)
}

/// Whether libc knows of the fork that this process comes from. It does not know of a raw `clone`, and then its
/// allocator may be locked by a thread that does not exist here.
pub(crate) fn libc_knows() -> bool {
    shared().is_none_or(|shared| shared.known.load(Relaxed))
}

/// Whether this process uses its parent's table of descriptors (`clone(2)`, CLONE_FILES): what it closes or exchanges
/// there, its parent finds closed or exchanged. `false` where nobody can tell: no `kcmp(2)`, or a parent that is not to
/// be asked about.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn shares_descriptors() -> bool {
    /// From `linux/kcmp.h`; libc has the number of the call only.
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: compares two processes by their numbers, and touches no memory.
    unsafe { libc::syscall(libc::SYS_kcmp, libc::getppid(), libc::getpid(), KCMP_FILES, 0, 0) == 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn shares_descriptors() -> bool {
    false
}
