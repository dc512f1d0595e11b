//! [`Counted`]: which lines of a queue are in the file. The program in `performance` uses this file too.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Release};

/// Counts the lines that are in the file: the peer's thread hands over one at a time.
pub(crate) struct Counted<W> {
    pub(crate) file: W,
    pub(crate) written: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        if bytes[..length].ends_with(b"\n") {
            self.written.fetch_add(1, Release);
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
