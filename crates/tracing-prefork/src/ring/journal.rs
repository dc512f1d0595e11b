//! [`Journal`]: who notes that lines are about to be appended, and that they are in the file.

use crate::sys::FileId;
use std::fmt;
use std::io;

/// The ring that lines come from. Each call is made under the write lock of the file, or where there is none to be had.
pub(crate) trait Journal: fmt::Debug {
    /// The number of the ring, if its process is this one; else 0.
    fn ring(&self) -> u64;

    /// The lines are about to be appended to a file of `size` bytes. An error: they must not be, because somebody else
    /// has appended them.
    fn begin(&self, file: FileId, size: u64, lines: &[u8]) -> io::Result<()>;

    /// Of the lines, those are in the file that are whole within the first `written` bytes.
    fn end(&self, file: FileId, lines: &[u8], written: usize);
}
