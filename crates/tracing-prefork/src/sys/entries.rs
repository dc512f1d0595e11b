//! The names in a directory: their list, and what is changed by way of a name.

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::entries;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use other::entries;

/// A name in a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) inode: u64,
    pub(crate) is_file: bool,
    pub(crate) is_directory: bool,
}

/// Sets the time of a file's last change. A symbolic link is not followed.
pub(crate) fn set_modified(path: &Path, time: SystemTime) -> io::Result<()> {
    let time = TimeSpec::from_duration(time.duration_since(UNIX_EPOCH).unwrap_or_default());
    Ok(utimensat(AT_FDCWD, path, &TimeSpec::UTIME_OMIT, &time, UtimensatFlags::NoFollowSymlink)?)
}

/// Removes a name, whatever the name leads to.
pub(crate) fn unlink(path: &Path) -> io::Result<()> {
    Ok(nix::unistd::unlink(path)?)
}

/// Lists by `getdents64(2)`, which neither nix nor libc wraps. Reason: if the program closes the descriptor of a
/// directory that the standard library or nix reads, they close a descriptor of the program, or panic.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use super::Entry;
    use crate::sys::identity::Status;
    use crate::sys::open::open;
    use nix::errno::Errno;
    use nix::fcntl::OFlag;
    use nix::libc;
    use nix::sys::stat::Mode;
    use std::ffi::{CStr, OsStr};
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    /// All names in a directory but `.` and `..`, in no order. A name that vanishes meanwhile may be missing.
    pub(crate) fn entries(directory: &Path) -> io::Result<Vec<Entry>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let file = open(directory, flags, Mode::empty())?;
        let (mut entries, mut buffer) = (Vec::new(), vec![0; 32 * 1024]);
        loop {
            let mut records = match crate::sys::again(|| getdents(file.get()?, &mut buffer)) {
                // ENOENT: the directory has been removed.
                Ok(0) | Err(Errno::ENOENT) => return Ok(entries),
                read => &buffer[..read?],
            };
            while let Some((record, rest)) = split(records) {
                entries.extend(parse(directory, record));
                records = rest;
            }
        }
    }

    fn getdents(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
        let number = directory.as_raw_fd();
        // SAFETY: the kernel writes no more than the length of the buffer.
        let read = unsafe { libc::syscall(libc::SYS_getdents64, number, buffer.as_mut_ptr(), buffer.len()) };
        Errno::result(read).map(|read| read as usize)
    }

    /// Reads a `struct linux_dirent64`: the inode (8 bytes), an offset (8), the length of the whole (2), the type (1),
    /// and the name.
    fn split(records: &[u8]) -> Option<(&[u8], &[u8])> {
        let length = records.get(16..18)?.try_into().ok()?;
        records.split_at_checked(u16::from_ne_bytes(length).into())
    }

    fn parse(directory: &Path, record: &[u8]) -> Option<Entry> {
        let inode = u64::from_ne_bytes(record.get(..8)?.try_into().ok()?);
        let name = OsStr::from_bytes(CStr::from_bytes_until_nul(record.get(19..)?).ok()?.to_bytes());
        if name == "." || name == ".." {
            return None;
        }
        let (is_file, is_directory) = match *record.get(18)? {
            // Some file systems do not tell the type (`readdir(3)`).
            libc::DT_UNKNOWN => Status::at(&directory.join(name)).ok()?.is_file_or_directory(),
            kind => (kind == libc::DT_REG, kind == libc::DT_DIR),
        };
        Some(Entry { name: name.to_owned(), inode, is_file, is_directory })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other {
    use super::Entry;
    use std::io;
    use std::os::unix::fs::DirEntryExt;
    use std::path::Path;

    pub(crate) fn entries(directory: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let Ok(kind) = entry.file_type() else { continue };
            let (is_file, is_directory) = (kind.is_file(), kind.is_dir());
            entries.push(Entry { name: entry.file_name(), inode: entry.ino(), is_file, is_directory });
        }
        Ok(entries)
    }
}
