//! A daemon: two forks, `setsid`, `chdir /`, a umask, and each descriptor closed that the daemon does not know.
//!
//! ```text
//! cargo run --example daemonize -- logs /tmp/daemon.pid
//! kill $(cat /tmp/daemon.pid)
//! ```
//!
//! The appender is built before all of that, so that an error of `build` is told to whoever starts the daemon. Three
//! things need no care:
//!
//! * `logs` is a relative path. `build` makes it absolute, so `chdir /` does not lead the files elsewhere.
//! * The descriptor of the log file is closed with the others. The next event notices it and opens the file again. If
//!   a file of the daemon has that number by then, here the file of the process id, the library leaves it alone.
//! * The umask does not change the mode of the files: `file_mode` is exact.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, chdir, fork, setsid};
use signal_hook::consts::SIGTERM;
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [directory, pid_file] = &arguments[..] else { return Err("usage: daemonize DIRECTORY PIDFILE".into()) };
    // A path of the program's own is the program's to make absolute.
    let pid_file = std::path::absolute(pid_file)?;

    let logs = Appender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("daemon")
        .filename_suffix("log")
        .max_log_files(14)
        .file_mode(0o640)
        .build(directory)?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();
    tracing::info!(pid = process::id(), "the daemon is started");

    daemonize()?;

    // The lowest free number: as a rule the one that the log file had.
    let mut file = File::create(&pid_file)?;
    writeln!(file, "{}", process::id())?;
    tracing::info!(pid = process::id(), "the daemon begins");

    let over = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, over.clone())?;
    let mut lines = 0_u64;
    while !over.load(Relaxed) {
        tracing::info!(line = lines, "at work");
        lines += 1;
        thread::sleep(Duration::from_millis(10));
    }
    fs::remove_file(&pid_file)?;
    tracing::info!(lines, "the daemon ends");
    Ok(())
}

/// Returns in the daemon. The process that was started ends here, with status 0 if the second fork has succeeded.
fn daemonize() -> Result<(), Box<dyn Error>> {
    // SAFETY: the process has one thread.
    if let ForkResult::Parent { child } = unsafe { fork() }? {
        let status = waitpid(child, None)?;
        process::exit(if let WaitStatus::Exited(_, code) = status { code } else { 1 });
    }
    setsid()?;
    // Not the leader of its session, so no terminal that it opens becomes its own. SAFETY: the same.
    if let ForkResult::Parent { .. } = unsafe { fork() }? {
        // The daemon does the rest.
        process::exit(0);
    }
    chdir("/")?;
    umask(Mode::from_bits_truncate(0o027));
    close_all()?;
    Ok(())
}

/// Closes each descriptor, and leaves `/dev/null` as standard input, output and error.
fn close_all() -> Result<(), Box<dyn Error>> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for standard in 0..=2 {
        // SAFETY: these three descriptors are nobody's value here.
        if unsafe { libc::dup2(null.as_raw_fd(), standard) } < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
    }
    drop(null);
    // The names are read first, because the reading has a descriptor of its own.
    let open = fs::read_dir("/dev/fd")?.map(|entry| Ok(entry?.file_name().to_str().and_then(|name| name.parse().ok())));
    let open: Vec<Option<RawFd>> = open.collect::<std::io::Result<_>>()?;
    for descriptor in open.into_iter().flatten().filter(|&descriptor| descriptor > 2) {
        // SAFETY: no value of this program has it. The appender expects that its descriptors are closed.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}
