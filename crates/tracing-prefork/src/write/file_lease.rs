//! Waiting for a file server that holds a lease of its own on a log file (`fcntl(2)`, F_SETLEASE), as Samba and NFS
//! servers do.
//!
//! An open that does not block is refused meanwhile (EAGAIN), and has the kernel ask the server to give its lease back.
//! If it does not, the kernel ends the lease after `/proc/sys/fs/lease-break-time`, 45 seconds as a rule.

use crate::write::log::Log;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// So long an event waits at most.
const PATIENCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(1);

/// A wait that begins when it is first asked whether it goes on.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    /// `None`: as long as it takes.
    patience: Option<Duration>,
    /// Some thread of this process waits.
    waits: &'a AtomicBool,
    /// Whether others wait in vain, because lines have somewhere else to go meanwhile.
    alone: bool,
    began: Option<Instant>,
}

impl Log {
    /// Building waits as an ordinary open does. An event does not for long; and if a file is open that takes the lines
    /// meanwhile, one thread waits, and no other.
    pub(crate) fn wait_for_file_lease(&self) -> Wait<'_> {
        Wait {
            patience: self.slots.is_built().then_some(PATIENCE),
            waits: &self.state.waits_for_server,
            alone: self.slots.is_open(),
            began: None,
        }
    }
}

impl Wait<'_> {
    /// Waits for a moment. `false`: it has been long enough.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.began.is_none() && self.alone && self.waits.swap(true, Relaxed) {
            return false;
        }
        let began = *self.began.get_or_insert_with(Instant::now);
        let goes_on = self.patience.is_none_or(|patience| began.elapsed() < patience);
        if goes_on {
            thread::sleep(PAUSE);
        }
        goes_on
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.alone && self.began.is_some() {
            self.waits.store(false, Relaxed);
        }
    }
}
