//! One descriptor number for life, whatever file it leads to.

use super::files::{FileId, identity};
use nix::errno::Errno;
use nix::sys::uio::pwrite;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// A descriptor that changes its file by `dup3(2)`: whoever uses the number meanwhile writes to the file before or to
/// the file after, never to a closed descriptor, nor to one that something else in the process has been given.
///
/// Programs close descriptors that they do not know (a daemon does) and are then given the same numbers for their own
/// files and sockets. So before the number is used for another file it is looked at: if it does not lead to one of our
/// last two files, it is not ours any more and is left alone for good.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// -1: none yet.
    number: AtomicI32,
    /// The last two files put here. Two, because a child may be forked between `dup3` and the note of it.
    ours: [[AtomicU64; 2]; 2],
}

impl Descriptor {
    pub(crate) const fn none() -> Self {
        Self { number: AtomicI32::new(-1), ours: [const { [const { AtomicU64::new(0) }; 2] }; 2] }
    }

    /// Lets this descriptor lead to `file`. One thread at a time: the one that rolls over.
    pub(crate) fn install(&self, file: File, id: FileId) -> io::Result<()> {
        let number = self.number.load(Relaxed);
        let ours = self.is_ours(number);
        self.note(id);
        if ours && number != file.as_raw_fd() {
            duplicate(file.as_fd(), number)?;
        } else {
            self.number.store(file.into_raw_fd(), Relaxed);
        }
        Ok(())
    }

    /// Lets this descriptor lead to the file of `other`, so that its own is let go.
    pub(crate) fn follow(&self, other: &Self) -> io::Result<()> {
        if !self.is_ours(self.number.load(Relaxed)) {
            self.number.store(-1, Relaxed);
            return Ok(());
        }
        let (number, source) = (self.number.load(Relaxed), other.borrow().ok_or(Errno::EBADF)?);
        self.note(identity(source)?);
        Ok(duplicate(source, number)?)
    }

    /// Closes the file and gives the number up. Nobody may be using it.
    pub(crate) fn release(&self) {
        let number = self.number.swap(-1, Relaxed);
        if self.is_ours(number) {
            // SAFETY: ours by the check above, and used by nobody.
            drop(unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(number) });
        }
    }

    /// Gives the number up if `other` has it: after the program has closed both, a new file may have been given the number
    /// that was this one's. Says whether it did.
    pub(crate) fn leave_to(&self, other: &Self) -> bool {
        let number = self.number.load(Relaxed);
        number >= 0 && number == other.number.load(Relaxed) && self.number.swap(-1, Relaxed) >= 0
    }

    fn note(&self, id: FileId) {
        let [last, before] = &self.ours;
        for ((newer, older), value) in last.iter().zip(before).zip([id.device, id.inode]) {
            older.store(newer.load(Relaxed), Relaxed);
            newer.store(value, Relaxed);
        }
    }

    /// The file that was put here last.
    pub(crate) fn installed(&self) -> FileId {
        let [device, inode] = self.ours[0].each_ref().map(|part| part.load(Relaxed));
        FileId { device, inode }
    }

    /// Whether the number leads to that file now.
    pub(crate) fn leads_to(&self, id: FileId) -> bool {
        self.borrow().is_some_and(|file| identity(file).is_ok_and(|found| found == id))
    }

    /// The file that the number leads to now, if it still is one of ours.
    pub(crate) fn file(&self) -> Option<FileId> {
        self.borrow().filter(|_| self.is_ours(self.number.load(Relaxed))).and_then(|file| identity(file).ok())
    }

    fn is_ours(&self, number: RawFd) -> bool {
        // SAFETY: looked at for one fstat(2) and not kept; a number that is closed gives EBADF.
        number >= 0
            && identity(unsafe { BorrowedFd::borrow_raw(number) }).is_ok_and(|id| {
                let id = [id.device, id.inode];
                self.ours.iter().any(|ours| ours.each_ref().map(|part| part.load(Relaxed)) == id)
            })
    }

    /// The file that the number leads to, whatever it is.
    #[inline]
    pub(crate) fn borrow(&self) -> Option<BorrowedFd<'_>> {
        let number = self.number.load(Relaxed);
        // SAFETY: the number stays open as long as `self` (dup3 replaces it in one step), unless other code of the
        // process closes what it does not own; and it is not -1.
        (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
    }

    /// Appends `line` in one system call and returns how many bytes of it went in.
    #[inline(always)]
    pub(crate) fn append(&self, line: &[u8]) -> io::Result<usize> {
        append(self.borrow().ok_or(Errno::EBADF)?, line)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.release();
    }
}

/// On an `O_APPEND` descriptor Linux appends whatever the offset says (`pwrite(2)`, BUGS), and does not take the
/// lock of the file position, which `write(2)` shares between threads: 640 ns a line instead of 876 with two threads.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
pub(crate) fn append(file: impl AsFd, line: &[u8]) -> io::Result<usize> {
    Ok(super::again(|| pwrite(&file, line, 0))?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn append(file: impl AsFd, line: &[u8]) -> io::Result<usize> {
    Ok(super::again(|| nix::unistd::write(&file, line))?)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn duplicate(file: BorrowedFd<'_>, number: RawFd) -> nix::Result<()> {
    // SAFETY: `number` is ours (`is_ours`), and stays an open descriptor of ours: it is not closed here.
    let kept = super::again(|| unsafe { nix::unistd::dup3_raw(file, Number(number), nix::fcntl::OFlag::O_CLOEXEC) })?;
    let _ = kept.into_raw_fd();
    Ok(())
}

/// Without `dup3(2)` the descriptor lacks close-on-exec for a moment.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn duplicate(file: BorrowedFd<'_>, number: RawFd) -> nix::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    // SAFETY: as above.
    let kept = super::again(|| unsafe { nix::unistd::dup2_raw(file, Number(number)) })?;
    fcntl(&kept, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let _ = kept.into_raw_fd();
    Ok(())
}

/// A descriptor number for nix, whose type for the target would close it.
struct Number(RawFd);

impl IntoRawFd for Number {
    fn into_raw_fd(self) -> RawFd {
        self.0
    }
}
