//! The worker processes: forked, replaced when they die, and ended by SIGTERM or Ctrl-C.

use crate::journal::Journal;
use crate::options::Options;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{io, process, thread};
use tracing_prefork::Appender;

/// Not at once: workers that die as soon as they start must not keep the machine busy.
const PAUSE: Duration = Duration::from_millis(100);

/// A worker was told to end.
static ENDS: AtomicBool = AtomicBool::new(false);

extern "C" fn end(_: i32) {
    ENDS.store(true, Relaxed);
}

/// The signals that the parent takes one by one from sigwait(3). It has no handler for any: one that comes early waits.
pub(crate) fn block_signals() -> nix::Result<SigSet> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD]);
    signals.thread_block()?;
    Ok(signals)
}

/// Keeps the workers running until SIGTERM or Ctrl-C, then ends them and waits for them.
pub(crate) fn run(options: &Options, journal: &Journal, logs: &Appender, signals: &SigSet) -> nix::Result<()> {
    let mut workers = HashSet::new();
    let mut ends = false;
    loop {
        while !ends && workers.len() < usize::from(options.workers) {
            workers.insert(start(options, journal, logs)?);
        }
        match signals.wait()? {
            Signal::SIGCHLD => {
                while let Some(pid) = ended()? {
                    if workers.remove(&pid) && !ends {
                        thread::sleep(PAUSE);
                    }
                }
            }
            _ => {
                ends = true;
                for &pid in &workers {
                    // It was not waited for, so the pid is not another process's.
                    let _ = kill(pid, Signal::SIGTERM);
                }
            }
        }
        if ends && workers.is_empty() {
            return Ok(());
        }
    }
}

/// A child that has ended, if one has.
fn ended() -> nix::Result<Option<Pid>> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => Ok(None),
        status => status.map(|status| status.pid()),
    }
}

fn start(options: &Options, journal: &Journal, logs: &Appender) -> nix::Result<Pid> {
    let parent = Pid::this();
    // SAFETY: the parent starts no thread of its own. The appender may be sending a file in a thread; it keeps no lock
    // there that a child needs, and the child opens the store anew.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => process::exit(match work(options, journal, logs, parent) {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("upload: a worker failed: {error}");
                1
            }
        }),
    }
}

/// A worker: logs, until SIGTERM. Here a server would start its runtime.
fn work(options: &Options, journal: &Journal, logs: &Appender, parent: Pid) -> io::Result<()> {
    // SAFETY: the handler sets a flag, and nothing else.
    unsafe {
        sigaction(Signal::SIGTERM, &SigAction::new(SigHandler::Handler(end), SaFlags::SA_RESTART, SigSet::empty()))
    }?;
    // A parent that is killed tells nobody: let the kernel do it. It may have died before this call.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    if Pid::parent() != parent {
        return Ok(());
    }
    // A terminal sends Ctrl-C to parent and workers alike, and it is the parent who decides.
    SigSet::from_iter([Signal::SIGTERM, Signal::SIGCHLD]).thread_unblock()?;

    let count = journal.count()?;
    let pause = Duration::from_secs(1) / options.events;
    let begin = Instant::now();
    let mut noise = Noise(u64::from(process::id()));
    for event in 1.. {
        let (number, padding) = (noise.next(), noise.text(options.padding));
        let (status, ms) = (if number % 50 == 0 { 500 } else { 200 }, number % 97);
        let path = format!("/orders/{}", number % 1000);
        tracing::info!(worker = process::id(), event, path, status, ms, padding, "answered");
        count.logged(event)?;
        if ENDS.load(Relaxed) {
            break;
        }
        thread::sleep((pause * u32::try_from(event).unwrap_or(u32::MAX)).saturating_sub(begin.elapsed()));
    }
    // Whichever process is the last one sends the file of the current period.
    if let Err(error) = logs.close() {
        eprintln!("upload: {error}");
    }
    Ok(())
}

/// Numbers without a pattern: xorshift64 (Marsaglia, 2003).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Text that does not become much smaller when it is packed.
    fn text(&mut self, bytes: usize) -> Option<String> {
        let words = (0..bytes.div_ceil(16)).map(|_| format!("{:016x}", self.next()));
        (bytes > 0).then(|| words.collect::<String>()[..bytes].to_owned())
    }
}
