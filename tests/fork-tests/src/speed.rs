//! A system clock that runs faster, for code that offers no other way to make a rollover happen
//! soon: `tracing_appender::rolling` rolls over once a minute at most and reads the system's clock.
//!
//! The definition of `clock_gettime` below takes the place of libc's in this program. At the speed
//! 1 it only passes the call on; otherwise the real-time clock, and no other, runs that many times
//! as fast from the instant at which the speed was set.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use libc::{c_int, clockid_t, timespec};

static ORIGINAL: AtomicUsize = AtomicUsize::new(0);
static SPEED: AtomicU64 = AtomicU64::new(1);
static ORIGIN: AtomicU64 = AtomicU64::new(0);

type ClockGettime = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;

/// Makes the system's clock run `speed` times as fast, counted from the origin, in this process and
/// in those it forks. The origin is in nanoseconds since 1970; all processes of a run use the same.
pub fn set(speed: u64, origin: u64) {
    // SAFETY: the name is a C string; libc defines it.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
    ORIGINAL.store(found as usize, Release);
    ORIGIN.store(origin, Relaxed);
    SPEED.store(speed.max(1), Release);
}

/// libc's `clock_gettime`, see the head of this file.
///
/// # Safety
///
/// As clock_gettime(2): `into` points to a timespec that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, into: *mut timespec) -> c_int {
    let result = match ORIGINAL.load(Acquire) {
        // SAFETY: the arguments are the caller's.
        0 => unsafe { libc::syscall(libc::SYS_clock_gettime, clock, into) as c_int },
        found => {
            // SAFETY: dlsym found libc's function of this name and type.
            let original = unsafe { std::mem::transmute::<usize, ClockGettime>(found) };
            // SAFETY: the arguments are the caller's.
            unsafe { original(clock, into) }
        }
    };
    let speed = SPEED.load(Acquire);
    if speed != 1 && result == 0 && clock == libc::CLOCK_REALTIME {
        // SAFETY: the call has just filled it.
        let time = unsafe { &mut *into };
        let now = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
        let origin = ORIGIN.load(Relaxed);
        let fast = origin + now.saturating_sub(origin) * speed;
        time.tv_sec = (fast / 1_000_000_000) as i64;
        time.tv_nsec = (fast % 1_000_000_000) as i64;
    }
    result
}
