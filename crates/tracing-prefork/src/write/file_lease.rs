//! Waiting for a file server that holds a lease of its own on a log file (`fcntl(2)`, F_SETLEASE), as Samba and NFS
//! servers do.
//!
//! Meanwhile the kernel refuses an open that does not block (EAGAIN), and asks the server to give its lease back. If
//! the server does not, the kernel ends the lease after `/proc/sys/fs/lease-break-time`, 45 seconds as a rule.

use crate::sys::{Patience, Taken, Turn};
use crate::write::log::Log;
use std::time::Duration;

/// The longest wait of an event.
const BOUND: Duration = Duration::from_millis(100);

/// A wait that begins when it is first asked whether it goes on.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    patience: Patience,
    /// The turn of the one thread that waits, if lines have another file to go to meanwhile. `None`: each thread waits.
    turn: Option<&'a Turn>,
    taken: Option<Taken<'a>>,
}

impl Log {
    /// Building waits without a bound, as an ordinary open does. An event waits 100 ms at most. If a file is open that
    /// takes the lines meanwhile, one thread waits, and no other.
    pub(crate) fn wait_for_file_lease(&self) -> Wait<'_> {
        Wait {
            patience: if self.slots.is_built() { Patience::of(BOUND) } else { Patience::without_end() },
            turn: self.slots.is_open().then_some(&self.state.waiter_for_server),
            taken: None,
        }
    }
}

impl Wait<'_> {
    /// Waits for a moment. `false`: the bound is reached, or another thread waits.
    pub(crate) fn goes_on(&mut self) -> bool {
        if let Some(turn) = self.turn.filter(|_| self.taken.is_none()) {
            self.taken = turn.try_take();
            if self.taken.is_none() {
                return false;
            }
        }
        self.patience.goes_on()
    }
}
