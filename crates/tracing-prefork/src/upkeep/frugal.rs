//! [`Frugal`]: a writer that leaves room on the disk.

use crate::sys::{self, OwnFile};
use std::io::{self, Write};

/// Writes at most half of what was free on the disk, so that lines find room meanwhile.
pub(super) struct Frugal<'a> {
    file: &'a OwnFile,
    left: u64,
}

impl<'a> Frugal<'a> {
    pub(super) fn new(file: &'a OwnFile) -> io::Result<Self> {
        Ok(Self { file, left: sys::free_bytes(file)? / 2 })
    }
}

impl Write for Frugal<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::StorageFull,
                "the archive would take more than half of the room that is left on the disk",
            )
        })?;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
