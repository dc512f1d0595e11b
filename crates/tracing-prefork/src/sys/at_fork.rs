//! The work of a child at the moment of a fork that libc knows of.

use super::fork::{LIBC_FORKS, OPENERS, SHARED, Shared, shared};
use super::fork_wiped::{map, wipe_on_fork};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::ring_map;
use super::zero_is_empty::ZeroIsEmpty;
use super::{job_lock, seat, standard};
use nix::libc;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

// SAFETY: integers and booleans in atomics.
unsafe impl ZeroIsEmpty for Shared {}

/// Registers a handler for forks with libc, at the first appender.
pub(crate) fn watch_forks() -> io::Result<()> {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    extern "C" fn in_child() {
        LIBC_FORKS.fetch_add(1, Relaxed);
        seat::keep_only_own();
        if let Some(shared) = shared() {
            shared.known.store(true, Relaxed);
        }
        OPENERS.store(0, Relaxed);
        standard::close_in_child();
        job_lock::close_in_child();
        #[cfg(any(target_os = "linux", target_os = "android"))]
        ring_map::replace_in_child();
    }
    // Not a `Once`: a child that is forked meanwhile would inherit it locked. If two threads register, each fork counts
    // twice, and a page is kept in vain.
    if !REGISTERED.load(Acquire) {
        let page = map::<Shared>()?;
        if wipe_on_fork(page.cast(), size_of::<Shared>()) {
            // SAFETY: mapped, aligned, zero, and never unmapped.
            unsafe { page.as_ref() }.known.store(true, Relaxed);
            SHARED.store(page.as_ptr(), Release);
        }
        // SAFETY: the handler changes atomics, reads a constant-initialised variable of its thread, closes descriptors
        // and maps memory: all async-signal-safe.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        REGISTERED.store(true, Release);
    }
    Ok(())
}
