//! A file of cells, each with room for a text and a lock. By the lock others see whether a process uses the text.
//!
//! A process that uses a text holds a shared lock on the text's cell. It is an open file description lock, so a forked
//! child has the lock, too, and the lock ends when the last of these processes has closed the file. A cell that nobody
//! has locked is free, whatever stands in it: the process that used its text has ended, or was killed while it wrote.
//! So the file never grows beyond 64 cells, and nobody has to clear it.
//!
//! Whoever has the shared lock has seen the whole text, and nobody changes the text as long as somebody has the lock.

use crate::sys::job_lock::Holder;

pub(crate) use locked::{texts_in_use, use_text};

/// The most bytes that a text may have. A cell is a page, so a text that takes the place of another one takes no room
/// on the disk.
pub(crate) const CELL_BYTES: usize = 4096;

/// A text that others use.
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "nobody can tell there"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextInUse {
    /// All bytes of the cell. What follows the text is left over from an earlier text.
    pub(crate) bytes: Vec<u8>,
    pub(crate) user: Holder,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod locked {
    use super::{CELL_BYTES, TextInUse};
    use crate::sys::job_lock::Holder;
    use crate::sys::lock_outcome::LockOutcome;
    use crate::sys::locks::byte_lock;
    use crate::sys::ofd;
    use crate::sys::own_file::OwnFile;
    use crate::sys::positioned::read_at;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    use std::io;
    use std::ops::Range;
    use std::os::fd::BorrowedFd;

    /// So many different texts can be in use at a time.
    const CELLS: usize = 64;

    /// The bytes that stand for the locks of the cells. The bytes before them stand for the cells, too: a process that
    /// takes a cell also takes a POSIX lock there, which tells its process id (`fcntl(2)`). A forked child has no such
    /// lock.
    const LOCKS: Range<i64> = CELLS as i64..2 * CELLS as i64;

    /// Shares the cell that has this text, or writes the text into a free cell. `false`: no cell is free, or the
    /// kernel refuses the lock. The lock lasts as long as `file`, or a copy of it in a forked child, is open.
    pub(crate) fn use_text(file: &OwnFile, text: &[u8]) -> io::Result<bool> {
        const READ: libc::c_int = libc::F_RDLCK as libc::c_int;
        const WRITE: libc::c_int = libc::F_WRLCK as libc::c_int;
        // 1. A cell that has the text. Before the lock was there, somebody may have written another text.
        for cell in 0..CELLS {
            let found = read(file.get()?, cell)?;
            // The end of the file.
            if found.is_empty() {
                break;
            }
            if found.starts_with(text) && lock(file, cell, READ)? {
                if read(file.get()?, cell)?.starts_with(text) {
                    return Ok(true);
                }
                lock(file, cell, libc::F_UNLCK as libc::c_int)?;
            }
        }
        // 2. A free cell.
        for cell in 0..CELLS {
            if lock(file, cell, WRITE)? {
                file.write_all_at(text, (cell * CELL_BYTES) as u64)?;
                return lock(file, cell, READ);
            }
        }
        Ok(false)
    }

    /// The texts that others use. A cell that is being written is left out.
    pub(crate) fn texts_in_use(file: BorrowedFd<'_>) -> io::Result<Vec<TextInUse>> {
        let mut texts = Vec::new();
        let mut asked = vec![LOCKS];
        while let Some(bytes) = asked.pop() {
            if bytes.is_empty() {
                continue;
            }
            // Where the kernel refuses to tell, it refuses the lease on a log file, too, which is reported.
            let Ok(found) = ofd::in_the_way(file, libc::F_WRLCK as libc::c_int, bytes.clone()) else {
                return Ok(texts);
            };
            let Some(found) = found else { continue };
            // An end that is not behind the start: the lock goes on for ever.
            let end = if found.bytes.is_empty() { bytes.end } else { found.bytes.end.min(bytes.end) };
            let start = found.bytes.start.max(bytes.start);
            asked.extend([bytes.start..start, end..bytes.end]);
            // A lock on more than one cell is no lock of ours.
            if found.kind == libc::F_RDLCK as libc::c_int && found.bytes == (start..start + 1) {
                let cell = (start - LOCKS.start) as usize;
                texts.push(TextInUse { bytes: read(file, cell)?, user: user(file, cell) });
            }
        }
        Ok(texts)
    }

    /// `true`: the lock is held, or given back.
    fn lock(file: &OwnFile, cell: usize, kind: libc::c_int) -> io::Result<bool> {
        let byte = LOCKS.start + cell as i64;
        let is_held = LockOutcome::from(ofd::set(file.get()?, kind, byte..byte + 1)) == LockOutcome::Held;
        if is_held && kind == libc::F_RDLCK as libc::c_int {
            // Only a help for whoever reads a report.
            let _ = fcntl(file.get()?, FcntlArg::F_SETLK(&byte_lock(kind, cell as libc::off_t)));
        }
        Ok(is_held)
    }

    fn user(file: BorrowedFd<'_>, cell: usize) -> Holder {
        let byte = cell as i64;
        match ofd::in_the_way(file, libc::F_WRLCK as libc::c_int, byte..byte + 1) {
            Ok(Some(found)) if found.process > 0 => Holder::Process(found.process),
            _ => Holder::Unknown,
        }
    }

    fn read(file: BorrowedFd<'_>, cell: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; CELL_BYTES];
        let length = read_at(file, &mut bytes, (cell * CELL_BYTES) as u64)?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// A lock of `flock(2)` is on the whole file, so nobody could tell which text is in use.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod locked {
    use super::TextInUse;
    use crate::sys::own_file::OwnFile;
    use std::io;
    use std::os::fd::BorrowedFd;

    pub(crate) fn use_text(_file: &OwnFile, _text: &[u8]) -> io::Result<bool> {
        Ok(false)
    }

    pub(crate) fn texts_in_use(_file: BorrowedFd<'_>) -> io::Result<Vec<TextInUse>> {
        Ok(Vec::new())
    }
}
