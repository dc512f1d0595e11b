//! One descriptor number for life, whatever file it leads to.

use super::identity::{FileId, identity};
use super::numbers;
use super::own_file::OwnFile;
use nix::errno::Errno;
use nix::sys::uio::pwrite;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// A descriptor that changes its file by `dup3(2)`: whoever uses the number meanwhile writes to the file before or to
/// the file after, never to a closed descriptor, nor to one that something else in the process has been given.
///
/// Programs close descriptors that they do not know (a daemon does). The number lies where the kernel gives none to
/// those who open something (`numbers`), and still the program may use it for a file or socket of its own. So before
/// the number is used for another file it is looked at: if it does not lead to one of our last two files, it is not
/// ours any more and is left alone for good.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// -1: none yet.
    number: AtomicI32,
    /// The last two files put here. Two, because a child may be forked between `dup3` and the note of it.
    ours: [[AtomicU64; 3]; 2],
}

impl Descriptor {
    pub(crate) const fn none() -> Self {
        Self { number: AtomicI32::new(-1), ours: [const { [const { AtomicU64::new(0) }; 3] }; 2] }
    }

    /// Lets this descriptor lead to `file`. One thread at a time: the one that rolls over. Nobody may be writing.
    pub(crate) fn install(&self, file: OwnFile) {
        let number = self.number.load(Relaxed);
        // After the program closed it, the file may have been opened under that very number.
        let ours = number != file.borrow().as_raw_fd() && self.is_ours(number);
        self.note(file.id());
        if ours && duplicate(file.borrow(), number).is_ok() {
            return;
        }
        // There is no number yet, or the program closed it, or the limit on numbers (`RLIMIT_NOFILE`) has been lowered
        // below it: `dup3(2)` says EBADF then.
        let own = file.into_number();
        self.number.store(own, Relaxed);
        if own != number {
            numbers::give_up(number, ours);
        }
    }

    /// Closes the file and gives the number up. Nobody may be using it.
    pub(crate) fn release(&self) {
        let number = self.number.swap(-1, Relaxed);
        numbers::give_up(number, self.is_ours(number));
    }

    /// Leaves the number, and the file, to another process that uses the same table of descriptors.
    pub(crate) fn disown(&self) {
        self.number.store(-1, Relaxed);
    }

    fn note(&self, id: FileId) {
        let [last, before] = &self.ours;
        for ((newer, older), value) in last.iter().zip(before).zip([id.device, id.inode, id.birth]) {
            older.store(newer.load(Relaxed), Relaxed);
            newer.store(value, Relaxed);
        }
    }

    /// The file that was put here last.
    pub(crate) fn installed(&self) -> FileId {
        read(&self.ours[0])
    }

    /// Whether the number leads to the file that was put here last.
    pub(crate) fn is_intact(&self) -> bool {
        self.borrow().is_some_and(|file| identity(file).is_ok_and(|found| found == self.installed()))
    }

    /// Whether the number leads to one of our files still, and that has a name.
    pub(crate) fn has_name(&self, is_named: impl Fn(BorrowedFd<'_>) -> bool) -> bool {
        self.is_ours(self.number.load(Relaxed)) && self.borrow().is_some_and(is_named)
    }

    fn is_ours(&self, number: RawFd) -> bool {
        // SAFETY: looked at for one system call and not kept; a number that is closed gives EBADF.
        number >= 0
            && identity(unsafe { BorrowedFd::borrow_raw(number) })
                .is_ok_and(|id| self.ours.iter().any(|ours| read(ours) == id))
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

fn read(id: &[AtomicU64; 3]) -> FileId {
    let [device, inode, birth] = id.each_ref().map(|part| part.load(Relaxed));
    FileId { device, inode, birth }
}

/// Where a line is said to go. On an `O_APPEND` descriptor Linux appends whatever the offset says (`pwrite(2)`, BUGS).
/// Where the program has closed the descriptor and has the number for a file of its own, no byte of that file is
/// overwritten: EFBIG on ext4; xfs, btrfs and tmpfs let a file be so large, and put the line behind a hole. The offset
/// costs nothing.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FAR: u64 = 1 << 62;

/// A positioned write does not take the lock of the file position, which `write(2)` shares between threads: 640 ns a
/// line instead of 876 with two threads.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
pub(crate) fn append(file: impl AsFd, line: &[u8]) -> io::Result<usize> {
    // A plain call where it can say this offset.
    match nix::libc::off_t::try_from(FAR) {
        Ok(far) => Ok(super::again(|| pwrite(&file, line, far))?),
        Err(_) => super::positioned::write_at(file.as_fd(), line, FAR),
    }
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
