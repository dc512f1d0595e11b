//! Buffering: events go into a ring, a hidden file in memory, and a thread writes them to the log files.
//!
//! What is in the ring outlives the process. If the process is killed, the next one writes the lines.

pub(crate) mod batch;
#[allow(clippy::module_inception, reason = "the room is named after what it owns")]
pub(crate) mod buffer;
pub(crate) mod drain;
pub(crate) mod ends;
pub(crate) mod flusher;
pub(crate) mod live;
mod making;
pub(crate) mod options;
mod put;
pub(crate) mod recovery;

use std::io;

/// An error with what follows from it.
fn explained(error: io::Error, then: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{error}; {then}"))
}
