//! Reading and writing at an offset of 64 bits, also where `off_t` has 32 bits (Linux with glibc on 32-bit processors).
//!
//! nix has the calls that take an `off_t`; the standard library has those with 64 bits.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::os::unix::fs::FileExt;

pub(crate) fn read_at(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    lend(file, |file| file.read_at(buffer, offset))
}

pub(crate) fn write_at(file: BorrowedFd<'_>, bytes: &[u8], offset: u64) -> io::Result<usize> {
    lend(file, |file| file.write_at(bytes, offset))
}

pub(super) fn truncate(file: BorrowedFd<'_>, size: u64) -> io::Result<()> {
    lend(file, |file| file.set_len(size))
}

/// Calls the standard library, and calls it again as long as a signal interrupts it.
pub(super) fn lend<T>(file: BorrowedFd<'_>, mut work: impl FnMut(&File) -> io::Result<T>) -> io::Result<T> {
    // SAFETY: open for the lifetime of the borrow, and never closed here.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(file.as_raw_fd()) });
    loop {
        match work(&file) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
