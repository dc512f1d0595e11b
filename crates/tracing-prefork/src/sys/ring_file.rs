//! The file of a ring: a hidden file of a fixed size, whose blocks are allocated, with a lock of its owner.

use super::files::Creation;
use super::hidden::make_ours;
use super::lock_outcome::LockOutcome;
use super::ofd;
use super::open::open;
use super::own_file::OwnFile;
use super::positioned::{read_at, write_at};
use super::ring_map::{ClosedInChild, RingMap};
use super::unnamed::Unnamed;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::libc;
use nix::sys::stat::{Mode, fstat, stat};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, fstatfs};
use nix::unistd::{geteuid, unlink};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// The byte that stands for the lock of a ring's owner, far behind the ring.
const OWNER_BYTE: i64 = (1 << 62) + 8;

fn lock(file: BorrowedFd<'_>, kind: libc::c_int) -> LockOutcome {
    ofd::set(file, kind, OWNER_BYTE..OWNER_BYTE + 1).into()
}

/// Makes the file of a ring, `size` bytes of zeros, and maps it. `prepare` fills the head, before the file has its
/// name. The lock of the owner lasts as long as the mapping.
///
/// Nobody but the owner may open the file: whoever may truncate the file could end the owner by SIGBUS (`mmap(2)`), and
/// with this mode only those may truncate it who may also send SIGKILL (`kill(2)`): the same user, and root.
pub(crate) fn create_ring(
    path: &Path,
    creation: Creation<'_>,
    (size, last): (usize, usize),
    prepare: impl FnOnce(&RingMap),
) -> io::Result<RingMap> {
    let unnamed = Unnamed::create(path, creation.now)?;
    let _closed_in_child = ClosedInChild::note(unnamed.file());
    let file = unnamed.file().get()?;
    // 1. Blocks for each byte. So a full disk is an error here, and never a SIGBUS.
    refuse_where_pages_need_blocks(file)?;
    allocate(file, size)?;
    make_ours(unnamed.file(), path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    // 2. The lock, and the memory that keeps the lock.
    if !lock(file, libc::F_WRLCK as libc::c_int).is_held()? {
        return Err(Errno::ENOLCK.into());
    }
    let map = RingMap::new(unnamed.file(), size, last)?;
    // 3. The name comes last.
    prepare(&map);
    unnamed.publish(path)?;
    Ok(map)
}

fn allocate(file: BorrowedFd<'_>, size: usize) -> io::Result<()> {
    let length = libc::off_t::try_from(size).map_err(|_| Errno::EFBIG)?;
    match super::again(|| fallocate(file, FallocateFlags::empty(), 0, length)) {
        // The file system has no such call: zeros take the blocks (`fallocate(2)`).
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
            let zeros = vec![0; size];
            match super::append(file, &zeros)? {
                written if written == size => Ok(()),
                _ => Err(Errno::ENOSPC.into()),
            }
        }
        allocated => Ok(allocated?),
    }
}

/// btrfs asks for new blocks when a page is changed in memory, even where the blocks are allocated and copy-on-write is
/// off (`chattr +C`). If there are none, or a quota is full, a store to the memory is a SIGBUS: scenario
/// `full-btrfs-quota --buffered`, Linux 6.1.
fn refuse_where_pages_need_blocks(file: BorrowedFd<'_>) -> io::Result<()> {
    if fstatfs(file).is_ok_and(|found| found.filesystem_type() == BTRFS_SUPER_MAGIC) {
        let text = "on btrfs a full disk would end the process by SIGBUS; give buffered a ring_directory on another \
                    file system, such as /dev/shm";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    Ok(())
}

/// The file of a ring, opened by somebody else than the ring's owner.
#[derive(Debug)]
pub(crate) struct RingFile {
    file: OwnFile,
    _closed_in_child: ClosedInChild,
}

/// Whether a file can be trusted as a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Trusted,
    /// It is no regular file, others may write to it, or it has other names.
    Bad(String),
    /// It belongs to a user who is neither this process's nor the directory's owner.
    OfAnother(u32),
}

impl RingFile {
    /// `None`: there is no such file.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        match open(path, flags, Mode::empty()) {
            Err(Errno::ENOENT) => Ok(None),
            opened => {
                let file = opened?;
                let _closed_in_child = ClosedInChild::note(&file);
                Ok(Some(Self { file, _closed_in_child }))
            }
        }
    }

    pub(crate) fn trust(&self, path: &Path) -> io::Result<Trust> {
        let (status, found) = (self.file.status()?, fstat(self.file.get()?)?);
        let of_directory = stat(path.parent().unwrap_or(path))?.st_uid;
        if ![geteuid().as_raw(), of_directory].contains(&found.st_uid) {
            return Ok(Trust::OfAnother(found.st_uid));
        }
        let mode = Mode::from_bits_truncate(found.st_mode);
        Ok(if let Some(other) = status.other_than_file() {
            Trust::Bad(format!("it is {other}, and no regular file"))
        } else if status.links > 1 {
            Trust::Bad(format!("it has {} names, and so others may have it open", status.links))
        } else if mode.intersects(Mode::S_IWGRP | Mode::S_IWOTH) {
            let mode = mode.bits() & 0o7777;
            Trust::Bad(format!("its mode is {mode:o}: others than its owner may write to it"))
        } else {
            Trust::Trusted
        })
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.file.status()?.size)
    }

    /// Takes the lock of the owner until the guard is dropped. `None`: the owner lives, or somebody else recovers.
    pub(crate) fn try_lock(&self) -> io::Result<Option<RingLock<'_>>> {
        let held = lock(self.file.get()?, libc::F_WRLCK as libc::c_int).is_held()?;
        Ok(held.then(|| RingLock(&self.file)))
    }

    /// Whether somebody has the lock of the owner. Takes none: a process that recovers would take this one for another
    /// that does.
    pub(crate) fn is_locked(&self) -> io::Result<bool> {
        let byte = OWNER_BYTE..OWNER_BYTE + 1;
        Ok(ofd::in_the_way(self.file.get()?, libc::F_WRLCK as libc::c_int, byte)?.is_some())
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(self.file.get()?, buffer, offset)
    }

    /// The bytes lie in the file, so no room is needed.
    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(test)]
        steps::next()?;
        match write_at(self.file.get()?, bytes, offset)? {
            written if written == bytes.len() => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Removes the name, if the name still leads to this file.
    pub(crate) fn unlink(&self, path: &Path) -> io::Result<()> {
        if super::identity_of(path) == Some(self.file.id()) {
            unlink(path)?;
        }
        Ok(())
    }
}

/// See [`RingFile::try_lock`].
#[derive(Debug)]
pub(crate) struct RingLock<'a>(&'a OwnFile);

impl Drop for RingLock<'_> {
    fn drop(&mut self) {
        let _ = self.0.get().map(|file| lock(file, libc::F_UNLCK as libc::c_int));
    }
}

/// A number that differs between two boots of the machine. Zero: the kernel does not tell.
pub(crate) fn boot() -> u128 {
    let text = super::read(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
    let digits: String = String::from_utf8_lossy(&text).chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0)
}

/// A number that nobody else has: of the kernel's generator, or of the clock and the process.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    let length = bytes.len();
    // SAFETY: the kernel writes at most `length` bytes.
    let got = unsafe { libc::syscall(libc::SYS_getrandom, bytes.as_mut_ptr(), length, libc::GRND_NONBLOCK) };
    if usize::try_from(got) == Ok(length) {
        return u64::from_ne_bytes(bytes);
    }
    let (secs, nanos) = super::now();
    (secs as u64).wrapping_mul(1_000_000_007) ^ u64::from(nanos) << 32 ^ u64::from(std::process::id())
}

/// Ends the work on rings after so many steps, as a kill would.
#[cfg(test)]
pub(crate) mod steps {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
    }

    pub(crate) fn allow(steps: u32) {
        LEFT.set(steps);
    }

    pub(super) fn next() -> io::Result<()> {
        let left = LEFT.get().checked_sub(1).ok_or(io::ErrorKind::Interrupted)?;
        LEFT.set(if left == u32::MAX - 1 { u32::MAX } else { left });
        Ok(())
    }
}
