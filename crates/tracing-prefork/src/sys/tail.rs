//! The end of a log file: a write that fell short leaves a piece of a line there, and whatever comes next must not be glued to it.

use super::files::identity;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{Mode, fstat};
use nix::sys::uio::{pread, pwrite};
use nix::unistd::ftruncate;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// How far behind a fragment of ours other writers may have got before we look for it: 256 KiB, some thousands of lines in
/// the microseconds between a write and a look at what it left.
const BEHIND: u64 = 256 * 1024;

/// How a file ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// How many bytes the file has.
    pub(crate) size: u64,
    /// It ends in a piece of a line that nobody is about to go on with.
    pub(crate) torn: bool,
}

/// Looks how the file ends.
///
/// While a write is under way the file can end anywhere, and a reader sees that. A write of nothing waits until the one
/// under way is done (each file system takes the inode's lock first; measured on ext4, xfs, btrfs and tmpfs). If the file has not
/// grown after that, its end is what a finished write has left.
pub(crate) fn tail(file: BorrowedFd<'_>) -> io::Result<Tail> {
    let mut size = fstat(file)?.st_size;
    for _ in 0..100 {
        let mut last = [b'\n'];
        if size > 0 {
            pread(file, &mut last, size - 1)?;
        }
        if last == *b"\n" {
            break;
        }
        pwrite(file, b"", 0)?;
        let now = fstat(file)?.st_size;
        if now == size {
            return Ok(Tail { size: size as u64, torn: true });
        }
        size = now;
    }
    // Or others write without a pause, and none of them has found a fragment.
    Ok(Tail { size: size as u64, torn: false })
}

/// A write of `line` has fallen short after `written` bytes: makes the last of these a newline, so that the next line, or one that
/// another process has written behind it meanwhile, is a line of its own. Says whether that has been done.
///
/// This needs no lock and no room on the disk, and changes no byte but one that belongs to nobody: the fragment is found by its
/// content, and by not being the whole line.
pub(crate) fn end_fragment(file: BorrowedFd<'_>, line: &[u8], written: usize) -> io::Result<bool> {
    let (fragment, rest) = line.split_at(written);
    if fragment.last().is_none_or(|&last| last == b'\n') {
        return Ok(true);
    }
    let size = fstat(file)?.st_size as u64;
    let start = size.saturating_sub(written as u64 + BEHIND);
    let mut tail = Vec::new();
    tail.try_reserve_exact((size - start) as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
    tail.resize((size - start) as usize, 0);
    let read = pread(file, &mut tail, start as _)?;
    tail.truncate(read);
    let is_fragment = |&begin: &usize| {
        let behind = tail[begin..].strip_prefix(fragment);
        // The whole line, written by somebody else, is not it.
        behind.is_some_and(|behind| !behind.starts_with(&rest[..rest.len().min(behind.len())]) || behind.is_empty())
    };
    let at_the_end = tail.len().checked_sub(written);
    let line_starts = (0..tail.len()).rev().filter(|&at| at == 0 && start == 0 || at > 0 && tail[at - 1] == b'\n');
    let Some(begin) = at_the_end.into_iter().chain(line_starts).find(is_fragment) else { return Ok(false) };

    // Our descriptor appends wherever it is told to write (`pwrite(2)`, BUGS), so this needs another.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let anywhere = super::files::open(path.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let last = start + (begin + written - 1) as u64;
    // Truncated from outside meanwhile, or not the same file (another /proc).
    if identity(&anywhere)? != identity(file)? || fstat(file)?.st_size as u64 <= last {
        return Ok(false);
    }
    Ok(pwrite(&anywhere, b"\n", last as _)? == 1)
}

/// How many bytes the file has.
pub(crate) fn size(file: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(fstat(file)?.st_size as u64)
}

/// Whether this process may let the file grow by so many bytes. A file-size limit (`RLIMIT_FSIZE`) cuts a write as a full disk does.
#[allow(clippy::unnecessary_cast, reason = "rlim_t is not 64 bits wide everywhere")]
pub(crate) fn may_grow(file: BorrowedFd<'_>, by: usize) -> bool {
    let limit = getrlimit(Resource::RLIMIT_FSIZE).map_or(u64::MAX, |(limit, _)| limit as u64);
    size(file).is_ok_and(|size| size.saturating_add(by as u64) <= limit)
}

/// Cuts the last `written` bytes off again, if the file has had `size` before them and nothing has come behind them.
pub(crate) fn cut(file: BorrowedFd<'_>, size: u64, written: usize) -> io::Result<bool> {
    if self::size(file)? != size + written as u64 {
        return Ok(false);
    }
    super::again(|| ftruncate(file, size as _))?;
    Ok(true)
}

/// Appends a newline.
pub(crate) fn end_line(file: impl AsFd) -> io::Result<()> {
    match super::append(file, b"\n")? {
        1 => Ok(()),
        _ => Err(Errno::ENOSPC.into()),
    }
}
