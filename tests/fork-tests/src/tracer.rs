//! [`Traced`]: a thread that stops where it enters and leaves a `pwrite64(2)`, by `ptrace(2)`. There it may be killed,
//! and its write may be cut after any byte before.

use std::fs;
use std::hint::spin_loop;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::killer::Dice;
use harness::process::fork;

/// A thread that has not come to its write for so long has none.
const BOUND: Duration = Duration::from_secs(5);

/// Where in its write a thread is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before any byte is in the file.
    Before,
    /// When so many thousandths of its bytes are there.
    After(u64),
    /// When all bytes are there, and nothing is noted yet.
    Whole,
    /// At any moment, by nothing but the signal.
    AtRandom,
}

impl Cut {
    /// One of them, as the dice fall.
    pub fn drawn(dice: &mut Dice) -> Self {
        match dice.below(8) {
            0 => Self::Before,
            1 => Self::Whole,
            2 | 3 => Self::AtRandom,
            _ => Self::After(dice.below(1000)),
        }
    }
}

/// A `pwrite64(2)` that a thread has entered.
#[derive(Debug)]
pub struct Write {
    /// How many bytes it is to write.
    pub bytes: u64,
    /// The file, by its descriptor in that process.
    descriptor: PathBuf,
}

impl Write {
    /// How large the file is now.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn file(&self) -> io::Result<fs::File> {
        fs::File::open(&self.descriptor)
    }

    fn path(&self) -> PathBuf {
        fs::read_link(&self.descriptor).unwrap_or_default()
    }

    /// Whether a log file is written, and not a file of the library's own.
    #[must_use]
    pub fn is_to_a_log(&self) -> bool {
        let path = self.path();
        path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
    }

    /// Whether a file in that directory is written.
    #[must_use]
    pub fn is_in(&self, directory: &Path) -> bool {
        self.path().starts_with(directory)
    }
}

/// A thread of another process, which stands still between two calls of this.
#[derive(Debug)]
pub struct Traced {
    process: Pid,
    thread: Pid,
}

impl Traced {
    /// The thread of that name in a running process. `None`: the process has none, or has ended.
    ///
    /// # Errors
    ///
    /// Those of ptrace(2): not everybody may do this.
    pub fn seize(process: Pid, name: &str) -> io::Result<Option<Self>> {
        let Some(thread) = thread_named(process, name) else { return Ok(None) };
        match ptrace::seize(thread, Options::PTRACE_O_TRACESYSGOOD).and_then(|()| ptrace::interrupt(thread)) {
            Err(Errno::ESRCH) => return Ok(None),
            other => other?,
        }
        let traced = Self { process, thread };
        Ok(traced.wait(BOUND)?.map(|_| traced))
    }

    /// A child of this process.
    ///
    /// # Errors
    ///
    /// Those of fork(2) and ptrace(2).
    pub fn fork(child: impl FnOnce() -> i32) -> io::Result<Self> {
        let pid = fork(|| match ptrace::traceme().and_then(|()| raise(Signal::SIGSTOP)) {
            Ok(()) => child(),
            Err(_) => 1,
        })?;
        let traced = Self { process: pid, thread: pid };
        traced.wait(BOUND)?;
        ptrace::setoptions(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL)?;
        Ok(traced)
    }

    /// Lets the thread go on until it enters a write that is wanted. `None`: it comes to none, or has ended.
    ///
    /// # Errors
    ///
    /// Those of ptrace(2).
    pub fn next_write(&self, mut is_wanted: impl FnMut(&Write) -> bool) -> io::Result<Option<Write>> {
        let since = Instant::now();
        let mut sent = None;
        while since.elapsed() < BOUND {
            ptrace::syscall(self.thread, sent.take())?;
            match self.wait(BOUND.saturating_sub(since.elapsed()))? {
                None => return Ok(None),
                Some(WaitStatus::PtraceSyscall(_)) => {}
                Some(WaitStatus::Stopped(_, signal)) => {
                    sent = Some(signal);
                    continue;
                }
                Some(_) => continue,
            }
            if let Some(write) = entered(self.process, self.thread)?.filter(&mut is_wanted) {
                return Ok(Some(write));
            }
        }
        Ok(None)
    }

    /// Kills the process within the write that it has entered. How many bytes are in the file then is the answer, where
    /// nobody else writes to the file.
    ///
    /// # Errors
    ///
    /// Those of ptrace(2) and of reading the file.
    pub fn kill_in(self, write: &Write, cut: Cut, dice: &mut Dice) -> io::Result<u64> {
        let file = write.file()?;
        let before = file.metadata()?.len();
        match cut {
            Cut::Before => {}
            Cut::After(thousandths) => {
                shorten(self.thread, (write.bytes * thousandths / 1000).max(1))?;
                self.to_its_end()?;
            }
            Cut::Whole => self.to_its_end()?,
            Cut::AtRandom => {
                ptrace::cont(self.thread, None)?;
                let (since, wait) = (Instant::now(), Duration::from_nanos(dice.below(20_000)));
                while since.elapsed() < wait {
                    spin_loop();
                }
            }
        }
        self.kill()?;
        Ok(file.metadata()?.len() - before)
    }

    fn to_its_end(&self) -> io::Result<()> {
        ptrace::syscall(self.thread, None)?;
        self.wait(BOUND).map(drop)
    }

    /// Kills the process. It has ended when this returns.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub fn kill(self) -> io::Result<()> {
        harness::process::signal(self.process.as_raw(), Signal::SIGKILL);
        while self.wait(BOUND)?.is_some() {}
        // Its files are closed, and their locks free, when no thread of it is left.
        let since = Instant::now();
        while !has_ended(self.process) {
            if since.elapsed() > BOUND {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_micros(20));
        }
        Ok(())
    }

    /// What has become of the thread. `None`: it has ended, or nothing has become of it for so long.
    fn wait(&self, bound: Duration) -> io::Result<Option<WaitStatus>> {
        let since = Instant::now();
        loop {
            match waitpid(self.thread, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
                Ok(WaitStatus::StillAlive) if since.elapsed() > bound => return Ok(None),
                Ok(WaitStatus::StillAlive) => sleep(Duration::from_micros(20)),
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD) => return Ok(None),
                Ok(status) => return Ok(Some(status)),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn thread_named(process: Pid, name: &str) -> Option<Pid> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let is_named =
        |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).is_ok_and(|found| found.trim_end() == name);
    let task = tasks.flatten().find(is_named)?;
    task.file_name().to_str()?.parse().ok().map(Pid::from_raw)
}

fn has_ended(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    let threads = fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
    matches!(state, None | Some('Z' | 'X')) && threads <= 1
}

/// The `pwrite64(2)` at whose beginning the thread stands.
#[cfg(target_arch = "x86_64")]
fn entered(process: Pid, thread: Pid) -> io::Result<Option<Write>> {
    let registers = ptrace::getregs(thread)?;
    // So the kernel tells the beginning of a call from its end.
    let enters = registers.rax as i64 == -i64::from(libc::ENOSYS);
    if !enters || registers.orig_rax as libc::c_long != libc::SYS_pwrite64 {
        return Ok(None);
    }
    let descriptor = PathBuf::from(format!("/proc/{process}/fd/{}", registers.rdi));
    Ok(Some(Write { bytes: registers.rdx, descriptor }))
}

/// Has the call at whose beginning the thread stands write so many bytes only.
#[cfg(target_arch = "x86_64")]
fn shorten(thread: Pid, bytes: u64) -> io::Result<()> {
    let registers = ptrace::getregs(thread)?;
    Ok(ptrace::setregs(thread, libc::user_regs_struct { rdx: bytes, ..registers })?)
}

#[cfg(not(target_arch = "x86_64"))]
fn entered(_: Pid, _: Pid) -> io::Result<Option<Write>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_arch = "x86_64"))]
fn shorten(_: Pid, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
