//! Forked workers that each write a file of their own, under one limit on the number of files.
//!
//! ```text
//! cargo run --example per_process -- /tmp/logs
//! ls /tmp/logs # app.4711.2026-11-21.log, app.4712.2026-11-21.log, ...
//! ```
//!
//! Kill a worker: another one takes its place and opens a new file. `max_log_files` goes over the files of all
//! processes, so the files of workers that are gone go, and those of living workers stay. SIGTERM or Ctrl-C at the
//! parent ends all.
//!
//! With [`tag`](tracing_prefork::Builder::tag) in place of `per_process`, a worker that takes the place of another one
//! also takes its file: see `tag(format!("worker-{number}"))`.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use signal_hook::consts::{SIGINT, SIGTERM};
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

const WORKERS: u32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = env::args_os().nth(1).ok_or("usage: per_process DIRECTORY")?;
    let logs = Appender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("app")
        .filename_suffix("log")
        .per_process(true)
        .max_log_files(10) // of all processes together; a number of days would be `max_age`
        .build(directory)?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();

    // The parent takes its signals one by one from sigwait(3), and has no thread.
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD]);
    signals.thread_block()?;
    let mut workers = HashMap::new();
    for number in 1..=WORKERS {
        workers.insert(start(number, &signals)?, number);
    }
    let mut ending = false;
    while !ending || !workers.is_empty() {
        if signals.wait()? != Signal::SIGCHLD {
            ending = true;
            for &pid in workers.keys() {
                let _ = kill(pid, Signal::SIGTERM);
            }
        }
        // One signal may stand for several children.
        while let Some(status) = ended()? {
            let Some(number) = status.pid().and_then(|pid| workers.remove(&pid)) else { continue };
            tracing::info!(number, ?status, "a worker has ended");
            if !ending {
                // Workers that die as soon as they start must not keep the machine busy.
                thread::sleep(Duration::from_millis(100));
                workers.insert(start(number, &signals)?, number);
            }
        }
        // Without this call the files go at the next rollover, or when the program is started again.
        match logs.prune() {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "files of workers that are gone"),
            Err(error) => tracing::error!(%error, "files are left"),
        }
    }
    Ok(())
}

/// How a child has ended, if one has.
fn ended() -> nix::Result<Option<WaitStatus>> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => Ok(None),
        status => status.map(Some),
    }
}

fn start(number: u32, signals: &SigSet) -> nix::Result<Pid> {
    let parent = Pid::this();
    // SAFETY: the parent has one thread.
    if let ForkResult::Parent { child } = unsafe { fork() }? {
        println!("worker {number} is process {child}");
        return Ok(child);
    }
    let _worker = tracing::info_span!("worker", number, pid = process::id()).entered();
    process::exit(match work(parent, signals) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(%error, "the worker failed");
            1
        }
    })
}

/// A worker: it logs until SIGTERM. The first event opens the file of this process.
fn work(parent: Pid, signals: &SigSet) -> Result<(), Box<dyn Error>> {
    // A parent that is killed cannot end its workers: let the kernel do it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    let over = Arc::new(AtomicBool::new(Pid::parent() != parent));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, over.clone())?;
    }
    signals.thread_unblock()?;

    tracing::info!("the worker begins");
    let mut lines = 0_u64;
    while !over.load(Relaxed) {
        tracing::info!(line = lines, "at work");
        lines += 1;
        thread::sleep(Duration::from_millis(10));
    }
    tracing::info!(lines, "the worker ends");
    Ok(())
}
