//! [`Descriptor`]: one descriptor number for life, which leads to one file after another.

use super::identity::{FileId, identity};
use super::numbers;
use super::own_file::OwnFile;
use nix::errno::Errno;
use nix::sys::uio::pwrite;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// A descriptor that changes its file by `dup3(2)`. A thread that uses the number meanwhile writes to the file before
/// or to the file after. It never writes to a closed descriptor, nor to a descriptor that other code has been given.
///
/// Programs close descriptors that they do not know, as a daemon does. The kernel does not give so high a number to
/// code that opens something (`numbers`). Still the program may use the number for a file or socket of its own. So this
/// looks before it puts another file at the number. A number that leads to neither of our last two files is not ours
/// any more, and is left alone for good.
#[derive(Debug)]
pub(crate) struct Descriptor {
    /// -1: none yet.
    number: AtomicI32,
    /// The last two files that were put here. Two, because a child may be forked between the note of a file and `dup3`.
    ours: [[AtomicU64; 3]; 2],
}

impl Descriptor {
    pub(crate) const fn none() -> Self {
        Self { number: AtomicI32::new(-1), ours: [const { [const { AtomicU64::new(0) }; 3] }; 2] }
    }

    /// Makes this descriptor lead to `file`. The caller is the thread that rolls over, and no writer is in the slot.
    pub(crate) fn install(&self, file: OwnFile) {
        let number = self.number.load(Relaxed);
        // If the program has closed our number, `file` may have been opened at that very number.
        let ours = number != file.borrow().as_raw_fd() && self.is_ours(number);
        self.note(file.id());
        if ours && duplicate(file.borrow(), number).is_ok() {
            return;
        }
        // There is no number yet, or the program has closed it, or the limit on numbers (`RLIMIT_NOFILE`) is below it
        // now: `dup3(2)` says EBADF then.
        let own = file.into_number();
        self.number.store(own, Relaxed);
        if own != number {
            numbers::give_up(number, ours);
        }
    }

    /// Closes the file and gives the number up. No thread may be using the number.
    pub(crate) fn release(&self) {
        let number = self.number.swap(-1, Relaxed);
        numbers::give_up(number, self.is_ours(number));
    }

    /// Leaves the number and the file to another process that shares the table of descriptors.
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

    /// Whether the number still leads to one of our files, and that file has a name.
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

    /// Appends `line` in one system call. Returns how many bytes of the line are in the file.
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

/// The offset of each write. On an `O_APPEND` descriptor Linux appends whatever the offset says (`pwrite(2)`, BUGS).
/// The program may have closed the descriptor and have the number for a file of its own. With this offset no byte of
/// that file is overwritten: ext4 says EFBIG; xfs, btrfs and tmpfs let a file be so large, and put the line behind a
/// hole. The offset costs nothing.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FAR: u64 = 1 << 62;

/// A positioned write does not take the lock of the file position, for which threads wait in `write(2)`. With two
/// threads a line takes 640 ns instead of 876.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
pub(crate) fn append(file: impl AsFd, line: &[u8]) -> io::Result<usize> {
    // A plain call, where `off_t` can hold this offset.
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

/// Without `dup3(2)`, the descriptor is without close-on-exec for a moment.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn duplicate(file: BorrowedFd<'_>, number: RawFd) -> nix::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    // SAFETY: as above.
    let kept = super::again(|| unsafe { nix::unistd::dup2_raw(file, Number(number)) })?;
    fcntl(&kept, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let _ = kept.into_raw_fd();
    Ok(())
}

/// A descriptor number for nix, whose own type for the target would close the number.
struct Number(RawFd);

impl IntoRawFd for Number {
    fn into_raw_fd(self) -> RawFd {
        self.0
    }
}
