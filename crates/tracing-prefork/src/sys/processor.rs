//! Barriers in other threads, so that events need none, and the clocks.

use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// Seconds since 1970, by `time(2)`.
#[inline]
#[allow(clippy::useless_conversion, reason = "time_t is not 64 bits wide everywhere")]
pub(crate) fn time() -> i64 {
    // SAFETY: with a null pointer time(2) touches no memory and cannot fail.
    unsafe { libc::time(std::ptr::null_mut()) }.into()
}

/// Seconds since 1970 and the nanoseconds of the next one, by `clock_gettime(2)`.
#[inline]
#[allow(clippy::useless_conversion, reason = "time_t is not 64 bits wide everywhere")]
pub(crate) fn now() -> (i64, u32) {
    // With this clock and memory of our own it cannot fail.
    let now = clock_gettime(ClockId::CLOCK_REALTIME).unwrap_or(TimeSpec::new(0, 0));
    (now.tv_sec().into(), now.tv_nsec() as u32)
}

/// Announces that this process will call [`barrier_in_all_threads`]. Says whether the kernel agrees.
pub(crate) fn register_barriers() -> bool {
    membarrier(REGISTER_PRIVATE_EXPEDITED)
}

/// Returns when every thread of this process that was running has passed a full memory barrier. `false`: the kernel
/// refuses.
pub(crate) fn barrier_in_all_threads() -> bool {
    membarrier(PRIVATE_EXPEDITED)
}

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED` and its registration, of `linux/membarrier.h`; `membarrier(2)`, since Linux 4.14.
const PRIVATE_EXPEDITED: i32 = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn membarrier(command: i32) -> bool {
    // SAFETY: membarrier(2) takes two integers and touches no memory of ours; neither nix nor libc wraps it.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0) == 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn membarrier(_command: i32) -> bool {
    false
}
