//! [`Unwritten`]: the answer to the caller of a write whose line is not in the file as a whole.

use std::io;

/// A line that was not written whole.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) error: io::Error,
    /// How many bytes of the line are in the file nevertheless.
    pub(crate) written: usize,
}

impl From<Unwritten> for io::Error {
    fn from(unwritten: Unwritten) -> Self {
        unwritten.error
    }
}
