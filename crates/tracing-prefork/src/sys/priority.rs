//! Work that gets what nobody else wants of processors and disks.

use nix::libc;
use std::io;
use std::thread;

/// Does some work at the lowest priority, and waits for it. In a thread of its own: without a privilege a thread cannot
/// raise its priority again. Where no thread can be started, the work is done in place, at the priority of this one.
pub(crate) fn at_lowest_priority<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let mut work = Some(work);
    let done = thread::scope(|scope| {
        let lowered = || {
            lower();
            work.take().map(|work| work())
        };
        let spawned = super::undisturbed(name, |builder, _| builder.spawn_scoped(scope, lowered)).ok()?;
        Some(spawned.join().map_err(|_| io::Error::other("it has panicked")))
    });
    match (done, work) {
        (Some(done), _) => done?.ok_or_else(|| io::Error::other("it was not begun")),
        (None, Some(work)) => Ok(work()),
        (None, None) => Err(io::Error::other("it has ended with the thread that it was begun in")),
    }
}

/// For this thread only: what Linux calls a process in these calls is a thread (`setpriority(2)`, `sched(7)`, `ioprio_set(2)`). Whatever the
/// kernel refuses stays as it was.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lower() {
    /// `linux/ioprio.h`: the class IDLE, and that it is for a thread.
    const IDLE: libc::c_long = 3 << 13;
    const WHO_PROCESS: libc::c_long = 1;
    // SAFETY: integers, and a structure that is read during the call. The C libraries have no ioprio_set, and musl no sched_setscheduler.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        let none: libc::sched_param = std::mem::zeroed();
        libc::syscall(libc::SYS_sched_setscheduler, 0 as libc::c_long, libc::SCHED_IDLE as libc::c_long, &none);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0 as libc::c_long, IDLE);
    }
}

/// Elsewhere these calls mean the whole process.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn lower() {
    let _ = libc::PRIO_PROCESS;
}
