//! The identity of the file that a descriptor or a path leads to.

use super::path::LogPath;
use nix::NixPath;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat, lstat, stat};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// Tells files apart: device, inode, and the time at which the file was made.
///
/// A file system gives the inode of a removed file to the next file. The time of birth tells the two apart (`statx(2)`,
/// `stx_btime`: ext4, xfs, btrfs, tmpfs). The time is 0 if the kernel, a seccomp filter or the file system does not
/// tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// In nanoseconds, modulo 2^64.
    pub(crate) birth: u64,
}

/// An unknown time of birth equals any other: a filter that is set later must not make an open file unknown.
impl Eq for FileId {}

impl PartialEq for FileId {
    fn eq(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
            && (self.birth == other.birth || self.birth == 0 || other.birth == 0)
    }
}

/// A file's identity, and other facts from the same system call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) id: FileId,
    /// In bytes.
    pub(crate) size: u64,
    /// The number of names.
    pub(crate) links: u64,
    kind: SFlag,
}

impl Status {
    /// The file that a descriptor leads to.
    pub(crate) fn of(file: impl AsFd) -> nix::Result<Self> {
        born::of(&file).unwrap_or_else(|| fstat(file).map(Self::from))
    }

    /// The file that a path leads to; a symbolic link is not followed.
    pub(crate) fn at<P: NixPath + ?Sized>(path: &P) -> nix::Result<Self> {
        born::at(path, Links::AreNotFollowed).unwrap_or_else(|| lstat(path).map(Self::from))
    }

    /// The file that a path leads to; a symbolic link is followed.
    fn behind(path: &Path) -> nix::Result<Self> {
        born::at(path, Links::AreFollowed).unwrap_or_else(|| stat(path).map(Self::from))
    }

    /// Whether it is a regular file, and whether it is a directory.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn is_file_or_directory(&self) -> (bool, bool) {
        (self.kind == SFlag::S_IFREG, self.kind == SFlag::S_IFDIR)
    }

    /// What it is, if it is something else than a regular file.
    pub(crate) fn other_than_file(&self) -> Option<&'static str> {
        match self.kind {
            SFlag::S_IFREG => None,
            SFlag::S_IFDIR => Some("a directory"),
            SFlag::S_IFIFO => Some("a FIFO"),
            SFlag::S_IFSOCK => Some("a socket"),
            SFlag::S_IFLNK => Some("a symbolic link"),
            _ => Some("a device"),
        }
    }

    pub(crate) fn must_be_regular(&self) -> io::Result<()> {
        let Some(found) = self.other_than_file() else { return Ok(()) };
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{found}, where a regular file is wanted")))
    }
}

impl From<nix::sys::stat::FileStat> for Status {
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between platforms")]
    fn from(stat: nix::sys::stat::FileStat) -> Self {
        Self {
            id: FileId { device: stat.st_dev as u64, inode: stat.st_ino as u64, birth: 0 },
            size: stat.st_size as u64,
            links: stat.st_nlink as u64,
            kind: SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT,
        }
    }
}

/// Symbolic links at the end of a path.
#[derive(Clone, Copy, Debug)]
enum Links {
    AreFollowed,
    AreNotFollowed,
}

/// The status with the time of birth. `None`: there is no `statx(2)` here.
#[cfg(all(
    any(target_os = "linux", target_os = "android"),
    any(target_env = "gnu", target_env = "musl", target_os = "android")
))]
mod born {
    use super::{FileId, Links, Status};
    use nix::NixPath;
    use nix::errno::Errno;
    use nix::libc;
    use nix::sys::stat::SFlag;
    use std::ffi::CStr;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, AsRawFd, RawFd};

    pub(super) fn of(file: &impl AsFd) -> Option<nix::Result<Status>> {
        statx(file.as_fd().as_raw_fd(), c"", libc::AT_EMPTY_PATH)
    }

    pub(super) fn at<P: NixPath + ?Sized>(path: &P, links: Links) -> Option<nix::Result<Status>> {
        let flags = match links {
            Links::AreFollowed => 0,
            Links::AreNotFollowed => libc::AT_SYMLINK_NOFOLLOW,
        };
        match path.with_nix_path(|path| statx(libc::AT_FDCWD, path, flags)) {
            Ok(found) => found,
            Err(error) => Some(Err(error)),
        }
    }

    /// Calls `statx(2)` by its number: nix has no such function, and glibc has one since 2.28.
    fn statx(directory: RawFd, path: &CStr, flags: libc::c_int) -> Option<nix::Result<Status>> {
        let mut found = MaybeUninit::<libc::statx>::zeroed();
        let mask = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
        // SAFETY: the path ends in NUL and the kernel writes one `struct statx`.
        let result =
            unsafe { libc::syscall(libc::SYS_statx, directory, path.as_ptr(), flags, mask, found.as_mut_ptr()) };
        match Errno::result(result) {
            Err(error @ (Errno::ENOENT | Errno::ENOTDIR)) => Some(Err(error)),
            // There is no such call, or a seccomp filter refuses it with any error. `fstat` and `lstat` are older. If
            // the error comes from the file itself, they give it too.
            Err(_) => None,
            // SAFETY: integers, zero before and filled by the kernel.
            Ok(_) => Some(Ok(unsafe { found.assume_init() }.into())),
        }
    }

    impl From<libc::statx> for Status {
        #[allow(clippy::unnecessary_cast, reason = "the widths differ between platforms")]
        fn from(found: libc::statx) -> Self {
            let (born, is_known) = (found.stx_btime, found.stx_mask & libc::STATX_BTIME != 0);
            let nanos = (born.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(born.tv_nsec.into());
            Self {
                id: FileId {
                    device: libc::makedev(found.stx_dev_major, found.stx_dev_minor) as u64,
                    inode: found.stx_ino,
                    birth: if is_known { nanos } else { 0 },
                },
                size: found.stx_size,
                links: found.stx_nlink.into(),
                kind: SFlag::from_bits_truncate(found.stx_mode.into()) & SFlag::S_IFMT,
            }
        }
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android"),
    any(target_env = "gnu", target_env = "musl", target_os = "android")
)))]
mod born {
    use super::{Links, Status};
    use nix::NixPath;
    use std::os::fd::AsFd;

    pub(super) fn of(_file: &impl AsFd) -> Option<nix::Result<Status>> {
        None
    }

    pub(super) fn at<P: NixPath + ?Sized>(_path: &P, _links: Links) -> Option<nix::Result<Status>> {
        None
    }
}

/// The file that a descriptor leads to.
pub(crate) fn identity(file: impl AsFd) -> io::Result<FileId> {
    Ok(Status::of(file)?.id)
}

/// The file that a path leads to; a symbolic link is not followed. `None`: there is no file. An error if the kernel
/// does not tell.
pub(crate) fn identity_at(path: &LogPath) -> io::Result<Option<FileId>> {
    match Status::at(path.as_c_str()) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        found => Ok(Some(found?.id)),
    }
}

/// Whether a path leads to a directory; symbolic links are followed. An error if the kernel does not tell.
/// (`Path::is_dir` says `false` then.)
pub(crate) fn is_directory(path: &Path) -> io::Result<bool> {
    Ok(Status::behind(path)?.kind == SFlag::S_IFDIR)
}

/// The directory that a path leads to; symbolic links are followed. `None`: there is none, or the kernel does not tell.
pub(crate) fn directory_identity(path: &Path) -> Option<FileId> {
    Status::behind(path).ok().filter(|status| status.kind == SFlag::S_IFDIR).map(|status| status.id)
}

/// Whether the path leads to a symbolic link.
pub(crate) fn is_link(path: &Path) -> bool {
    Status::at(path).is_ok_and(|status| status.kind == SFlag::S_IFLNK)
}

/// As [`identity_at`] for any path. `None` also if the kernel does not tell.
pub(crate) fn identity_of(path: &Path) -> Option<FileId> {
    Status::at(path).ok().map(|found| found.id)
}

/// The number of names of the file, in all directories; 0 if the kernel does not tell.
pub(crate) fn names(file: impl AsFd) -> u64 {
    Status::of(file).map_or(0, |found| found.links)
}
