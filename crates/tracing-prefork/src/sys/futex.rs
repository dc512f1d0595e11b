//! Sleeping on a word of memory, and waking whoever does: `futex(2)`.

use super::sync::AtomicU32;
use nix::libc;
use std::time::Duration;

const WAIT: libc::c_int = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
const WAKE: libc::c_int = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;

/// Sleeps until somebody wakes this thread, a signal comes, or `bound` is over. Not at all if the word is not `value`.
pub(super) fn wait(word: &AtomicU32, value: u32, bound: Option<Duration>) {
    let timeout = bound.map(|bound| libc::timespec {
        tv_sec: bound.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: bound.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word outlives the call, and the timeout is null or outlives it, too.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), WAIT, value, timeout) };
}

/// Wakes a thread that sleeps on the word.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: the word outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), WAKE, 1) };
}
