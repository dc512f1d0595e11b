//! Waiting for a file server that holds a lease of its own on a log file (`fcntl(2)`, F_SETLEASE), as Samba and NFS
//! servers do.
//!
//! Meanwhile the kernel refuses an open that does not block (EAGAIN), and asks the server to give its lease back. If
//! the server does not, the kernel ends the lease after `/proc/sys/fs/lease-break-time`, 45 seconds as a rule.

use crate::sys::Patience;
use crate::write::log::Log;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The longest wait of an event.
const BOUND: Duration = Duration::from_millis(100);

/// A wait that begins when it is first asked whether it goes on.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    patience: Patience,
    /// Whether some thread of this process waits.
    waits: &'a AtomicBool,
    /// Whether one thread waits and no other, because lines have another file to go to meanwhile.
    alone: bool,
    has_begun: bool,
}

impl Log {
    /// Building waits without a bound, as an ordinary open does. An event waits 100 ms at most. If a file is open that
    /// takes the lines meanwhile, one thread waits, and no other.
    pub(crate) fn wait_for_file_lease(&self) -> Wait<'_> {
        Wait {
            patience: if self.slots.is_built() { Patience::of(BOUND) } else { Patience::without_end() },
            waits: &self.state.waits_for_server,
            alone: self.slots.is_open(),
            has_begun: false,
        }
    }
}

impl Wait<'_> {
    /// Waits for a moment. `false`: the bound is reached, or another thread waits.
    pub(crate) fn goes_on(&mut self) -> bool {
        if !self.has_begun && self.alone && self.waits.swap(true, Relaxed) {
            return false;
        }
        self.has_begun = true;
        self.patience.goes_on()
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.alone && self.has_begun {
            self.waits.store(false, Relaxed);
        }
    }
}
