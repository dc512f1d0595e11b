//! Rings of buffered appenders: the files, and processes that leave them.

use super::{all_names, child, limit, log};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use std::path::{Path, PathBuf};
use tracing_prefork::{Appender, Buffering, Builder};

/// The smallest ring: 1024 entries, and 64 KiB of lines.
pub(crate) fn small() -> Buffering {
    Buffering::default().ring_bytes(1)
}

/// The bytes of the file of a [`small`] ring.
pub(crate) const SMALL: u64 = 4096 + 16 * 1024 + (64 << 10);

/// The rings in a directory.
pub(crate) fn rings(directory: &Path) -> Vec<PathBuf> {
    let names = all_names(directory).into_iter().filter(|name| name.ends_with(".ring"));
    names.map(|name| directory.join(name)).collect()
}

/// Has a process log these lines into its ring, and kills the process before it can write them. Returns its ring.
pub(crate) fn leave_ring(directory: &Path, builder: impl Fn() -> Builder, lines: &[&str]) -> PathBuf {
    let before = rings(directory);
    let dead = child(|| {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.expect("ignored");
        let logs = builder().on_error(|_| ()).buffered(small()).build(directory).expect("builds");
        log_and_flush(&logs, "written");
        // From now on nobody can write to the log, and the ring is there.
        limit(0);
        lines.iter().for_each(|line| log(&logs, line));
        kill(nix::unistd::getpid(), Signal::SIGKILL).expect("killed");
    });
    assert_eq!(waitpid(dead, None).expect("waits"), WaitStatus::Signaled(dead, Signal::SIGKILL, false));
    let new: Vec<_> = rings(directory).into_iter().filter(|ring| !before.contains(ring)).collect();
    assert_eq!(new.len(), 1, "{new:?}");
    new[0].clone()
}

pub(crate) fn log_and_flush(logs: &Appender, line: &str) {
    log(logs, line);
    logs.flush().expect("flushed");
}
