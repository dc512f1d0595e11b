//! Work at a low priority: it gets the time of processors and disks that nobody else wants.

use nix::libc;
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::path::Path;
use std::thread;

/// The priority of work that nobody waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Priority {
    /// The lowest one. The usual one if a seccomp filter is on, because the filter may end a process that asks.
    #[default]
    LowestIfUnfiltered,
    Lowest,
    Usual,
}

/// Does some work at that priority, and waits for it. The work has a thread of its own, because a thread without
/// privileges cannot raise its priority again. If no thread can be started, this thread does the work, at its own
/// priority.
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

/// Whether this thread has a seccomp filter (`proc_pid_status(5)`). `true` if nobody can tell. prctl(2) could tell too,
/// but the filter may forbid that call.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_filtered() -> bool {
    let status = super::read(Path::new("/proc/thread-self/status"));
    status.map_or(true, |status| {
        String::from_utf8_lossy(&status).lines().any(|line| line.starts_with("Seccomp:") && !line.ends_with("\t0"))
    })
}

/// Lowers the priority of this thread only: these calls say process and mean a thread on Linux (`setpriority(2)`,
/// `sched(7)`, `ioprio_set(2)`). If the kernel refuses a call, that part of the priority stays as it was.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lower() {
    /// From `linux/ioprio.h`: the class IDLE, and "for a thread".
    const IDLE: libc::c_long = 3 << 13;
    const WHO_PROCESS: libc::c_long = 1;
    // SAFETY: integers, and a structure that is read during the call. The C libraries have no ioprio_set, and musl has
    // no sched_setscheduler.
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
