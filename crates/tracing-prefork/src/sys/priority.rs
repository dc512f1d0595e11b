//! Work that gets what nobody else wants of processors and disks.

use nix::libc;
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::path::Path;
use std::thread;

/// The priority of work that nobody waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Priority {
    /// The lowest, unless a seccomp filter is on: that may end whoever asks for it.
    #[default]
    LowestIfUnfiltered,
    Lowest,
    Usual,
}

/// Does some work at that priority, and waits for it. In a thread of its own: without a privilege a thread cannot
/// raise its priority again. Where no thread can be started, the work is done in place, at the priority of this one.
pub(crate) fn at_priority<T: Send>(priority: Priority, name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let mut work = Some(work);
    let done = thread::scope(|scope| {
        let lowered = || {
            match priority {
                Priority::Lowest => lower(),
                Priority::LowestIfUnfiltered if !is_filtered() => lower(),
                Priority::LowestIfUnfiltered | Priority::Usual => {}
            }
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

/// Whether this thread has a seccomp filter (`proc_pid_status(5)`), or nobody can tell. prctl(2) could tell too, but
/// may be what the filter forbids.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_filtered() -> bool {
    let status = super::read(Path::new("/proc/thread-self/status"));
    status.map_or(true, |status| {
        String::from_utf8_lossy(&status).lines().any(|line| line.starts_with("Seccomp:") && !line.ends_with("\t0"))
    })
}

/// For this thread only: what Linux calls a process in these calls is a thread (`setpriority(2)`, `sched(7)`,
/// `ioprio_set(2)`). Whatever the kernel refuses stays as it was.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lower() {
    /// `linux/ioprio.h`: the class IDLE, and that it is for a thread.
    const IDLE: libc::c_long = 3 << 13;
    const WHO_PROCESS: libc::c_long = 1;
    // SAFETY: integers, and a structure that is read during the call. The C libraries have no ioprio_set, and musl no
    // sched_setscheduler.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        let none: libc::sched_param = std::mem::zeroed();
        libc::syscall(libc::SYS_sched_setscheduler, 0 as libc::c_long, libc::SCHED_IDLE as libc::c_long, &none);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0 as libc::c_long, IDLE);
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_filtered() -> bool {
    false
}

/// Elsewhere these calls mean the whole process.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn lower() {
    let _ = libc::PRIO_PROCESS;
}
