//! What takes the lines of a load.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use nix::sys::signal::{Signal, raise};

use crate::line::Way;

/// Takes lines, from all threads of a process.
pub trait Writer: Sync {
    /// Takes one line: a message for the ways that are [timed](Way::timed), else a whole line with
    /// its newline. `Ok` acknowledges it.
    ///
    /// # Errors
    ///
    /// When the line was refused.
    fn put(&self, way: Way, line: Text<'_>) -> io::Result<()>;

    /// Writes what processes that have ended have left in memory, where the writer can.
    fn recover(&self) {}

    /// Recovers, compresses what can be compressed, prunes and hands over, at once, where the writer can.
    fn tidy(&self) {}

    /// The lines that it has written and lost in this process, if it counts them.
    fn counts(&self) -> Option<(u64, u64)> {
        None
    }
}

/// What a writer is handed.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// The message of an event.
    Message(&'a str),
    /// A whole line.
    Line(&'a [u8]),
}

/// Set when the process is to stop itself.
static STOP: AtomicBool = AtomicBool::new(false);

/// Stops the process in its next event, when the time has been read and the line has not been written.
pub fn stop_within_the_next_event() {
    STOP.store(true, Relaxed);
}

/// The message of an event. It is formatted behind the timestamp.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(pub &'a str);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if STOP.load(Relaxed) && STOP.swap(false, Relaxed) {
            let _ = raise(Signal::SIGSTOP);
        }
        f.write_str(self.0)
    }
}
