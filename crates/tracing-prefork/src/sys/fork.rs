//! What a process knows about the forks that it comes from.

use nix::libc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

/// Each child adds one (`at_fork`).
pub(super) static LIBC_FORKS: AtomicU64 = AtomicU64::new(0);

/// The number of calls of libc's `fork` between the process that built the first appender and this one.
#[inline]
pub(super) fn libc_forks() -> u64 {
    LIBC_FORKS.load(Relaxed)
}

/// A number that differs between this process and its ancestors, if libc knows of the fork. Never 0.
pub(crate) fn generation() -> u64 {
    libc_forks() + 1
}

/// State of all appenders that each fork wipes.
#[derive(Debug)]
pub(super) struct Shared {
    /// Whether libc knows of the fork: the handler of libc's `fork` sets this in the child.
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

/// In the place of [`Shared::openers`] where the kernel does not wipe.
pub(super) static OPENERS: AtomicU32 = AtomicU32::new(0);

/// The number of threads of this process that are opening something (`standard`); 0 in a forked child.
pub(super) fn openers() -> &'static AtomicU32 {
    shared().map_or(&OPENERS, |shared| &shared.openers)
}

/// Whether libc knows of the fork that this process comes from. Libc does not know of a raw `clone`. Then a thread that
/// does not exist here may have locked the allocator.
pub(crate) fn libc_knows() -> bool {
    shared().is_none_or(|shared| shared.known.load(Relaxed))
}

/// Whether this process shares its parent's table of descriptors (`clone(2)`, CLONE_FILES). If it does, a descriptor
/// that it closes or exchanges is closed or exchanged for the parent too. `false` if the kernel does not tell: there is
/// no `kcmp(2)`, or it refuses to tell about the parent.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn shares_descriptors() -> bool {
    /// From `linux/kcmp.h`. Libc has only the number of the call.
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: compares two processes by their numbers, and touches no memory.
    unsafe { libc::syscall(libc::SYS_kcmp, libc::getppid(), libc::getpid(), KCMP_FILES, 0, 0) == 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn shares_descriptors() -> bool {
    false
}
