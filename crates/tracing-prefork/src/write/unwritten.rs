//! What the caller of a write is told when its line could not be written whole.

use std::io;

/// A line that was not written whole.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) error: io::Error,
    /// How much of it is in the file nevertheless.
    pub(crate) written: usize,
}

impl From<Unwritten> for io::Error {
    fn from(unwritten: Unwritten) -> Self {
        unwritten.error
    }
}
