//! Starting, ending and watching processes: fork, raw clone, double fork, re-execution, signals.
//!
//! A child never returns into the code that forked it: it runs the closure it was given and leaves
//! by `_exit(2)`, so no buffer, destructor or exit handler of its parent runs twice.

use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, chdir, fork as fork_process, setsid};

/// How a process comes into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birth {
    /// `fork(2)` as libc offers it.
    Fork,
    /// `fork`, then this program executed again.
    Exec,
    /// A daemon: fork, `setsid`, fork again, `chdir /`, umask 027; its parent is gone at once.
    Daemon,
    /// `clone(2)` called raw: no `pthread_atfork` handler runs and libc's locks stay as they are.
    Clone,
}

/// Ends the calling process without running anything of it.
pub fn leave(code: i32) -> ! {
    // SAFETY: _exit(2) takes any number and does not return.
    unsafe { libc::_exit(code) }
}

fn live(child: impl FnOnce() -> i32) -> ! {
    leave(catch_unwind(AssertUnwindSafe(child)).unwrap_or(101))
}

/// Forks; the child runs `child` and exits with what it returns.
///
/// # Errors
///
/// Those of fork(2).
pub fn fork(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: where the calling process has other threads, `child` takes no lock that they might
    // hold: that is what the callers are here to test.
    match unsafe { fork_process() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => live(child),
    }
}

/// Forks by the bare system call; `child` must neither allocate nor take a lock of libc's.
///
/// # Errors
///
/// Those of clone(2).
pub fn clone(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: without flags clone(2) is a fork: the child gets its own copy of all memory and goes
    // on with the caller's stack.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    match Errno::result(pid)? {
        0 => live(child),
        pid => Ok(Pid::from_raw(pid as i32)),
    }
}

/// Forks twice and detaches, as daemons do; returns when the process in between is gone.
///
/// # Errors
///
/// Those of fork(2) and waitpid(2).
pub fn daemon(child: impl FnOnce() -> i32) -> io::Result<()> {
    let between = fork(|| {
        let detached = setsid().and_then(|_| chdir("/"));
        umask(Mode::from_bits_truncate(0o027));
        i32::from(detached.is_err() || fork(child).is_err())
    })?;
    match waitpid(between, None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        other => Err(io::Error::other(format!("daemon not started: {other:?}"))),
    }
}

/// Executes this program again with its own arguments and these besides.
///
/// # Errors
///
/// Those of fork(2) and execve(2).
pub fn execute(more: &[String]) -> io::Result<()> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).args(more);
    fork(|| {
        let _ = command.exec();
        127
    })?;
    Ok(())
}

/// Collects every child that has ended, without waiting: its id, and what it died of, if not of itself.
pub fn reap() -> impl Iterator<Item = (Pid, Option<String>)> {
    std::iter::from_fn(|| match waitpid(None, Some(WaitPidFlag::WNOHANG)).ok()? {
        WaitStatus::Exited(pid, code) => Some((pid, (code != 0).then(|| format!("exit {code}")))),
        WaitStatus::Signaled(pid, signal, _) => Some((pid, Some(signal.to_string()))),
        _ => None,
    })
}

/// Sends a signal; a process that is gone already is no error.
pub fn signal(pid: i32, signal: Signal) {
    if pid > 1 {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// What the threads of a process are doing, as the kernel says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Whether one of them runs, could run, or waits for a disk.
    pub busy: bool,
    /// Whether there is one that has not ended.
    pub alive: bool,
    /// The state of each and the system call that it is in.
    pub threads: Vec<String>,
}

impl Waiting {
    /// What the threads of that process are doing now.
    #[must_use]
    pub fn of(pid: i32) -> Self {
        let mut waiting = Self::default();
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let state = read("stat").rsplit(") ").next().and_then(|rest| rest.chars().next());
            let call = read("syscall").split(' ').next().unwrap_or_default().trim().to_owned();
            waiting.busy |= matches!(state, Some('R' | 'D'));
            waiting.alive |= !matches!(state, None | Some('Z' | 'X'));
            waiting.threads.push(format!("{} in system call {call}", state.unwrap_or('?')));
        }
        waiting
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.threads.join(", "))
    }
}
