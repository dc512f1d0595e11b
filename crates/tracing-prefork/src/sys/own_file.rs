//! [`OwnFile`]: an open file of this library, which is never mistaken for a file of the program.

use super::identity::{FileId, Status};
use super::numbers;
use super::positioned::lend;
use nix::errno::Errno;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

/// An open file that knows which file it is.
///
/// Programs close descriptors that they do not know (`closefrom(3)`), and open files of their own. The kernel does not
/// give so high a number to code that opens something (`numbers`). Still the program may use the number for a file or
/// socket of its own. So each use compares first, and says EBADF if the number leads to another file. Drop compares,
/// too.
#[derive(Debug)]
pub(crate) struct OwnFile {
    number: RawFd,
    id: FileId,
}

impl OwnFile {
    /// Moves a file that has just been opened to a number of its own.
    pub(super) fn new(opened: OwnedFd) -> nix::Result<Self> {
        let number = numbers::settle(opened);
        // SAFETY: open, and ours.
        match Status::of(unsafe { BorrowedFd::borrow_raw(number) }) {
            Ok(found) => Ok(Self { number, id: found.id }),
            Err(error) => {
                numbers::give_up(number, true);
                Err(error)
            }
        }
    }

    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    /// The file that the number leads to, whatever it is.
    pub(crate) fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: open as long as `self` is, unless other code of the process closes what it does not own; and not -1.
        unsafe { BorrowedFd::borrow_raw(self.number) }
    }

    /// The status of the file now. EBADF: the program has closed the file.
    pub(crate) fn status(&self) -> nix::Result<Status> {
        let found = Status::of(self.borrow())?;
        if found.id == self.id { Ok(found) } else { Err(Errno::EBADF) }
    }

    /// The file, for a use that follows at once. EBADF: the program has closed the file.
    pub(crate) fn get(&self) -> nix::Result<BorrowedFd<'_>> {
        self.status().map(|_| self.borrow())
    }

    /// Lends the file to the standard library. If a signal interrupts the work, does it again.
    pub(crate) fn with<T>(&self, work: impl FnMut(&File) -> io::Result<T>) -> io::Result<T> {
        lend(self.get()?, work)
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.with(File::metadata)
    }

    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|file| file.write_all_at(bytes, offset))
    }

    /// Reads from the beginning. The position of the descriptor stays as it is, because it could be the program's.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { file: self, position: 0 }
    }

    /// The number. It stays open and claimed.
    pub(super) fn into_number(self) -> RawFd {
        std::mem::ManuallyDrop::new(self).number
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        numbers::give_up(self.number, self.get().is_ok());
    }
}

/// Appends to a file that was opened for appending. The write overwrites nothing, whatever file it is
/// (`super::append`).
impl Write for &OwnFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        super::append(self.get()?, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct Reader<'a> {
    file: &'a OwnFile,
    position: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.with(|file| file.read_at(buffer, self.position))?;
        self.position += read as u64;
        Ok(read)
    }
}
