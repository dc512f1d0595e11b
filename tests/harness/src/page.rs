//! Words of memory that every process of a run shares, backed by a file so that a re-executed
//! process finds them too and nothing is lost when a process is killed.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use nix::fcntl::posix_fallocate;
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

/// Creates `path` with `words` words, all 0, and maps it for the life of the process.
///
/// # Errors
///
/// When the file cannot be created or mapped, or the disk has no room for it.
pub fn create(path: &Path, words: usize) -> io::Result<&'static [AtomicU64]> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    // Blocks that are only promised would end a process by SIGBUS when the disk is full.
    let size = words.checked_mul(8).and_then(|size| size.try_into().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    posix_fallocate(&file, 0, size)?;
    map(&file)
}

/// Maps what another process created, for the life of this process.
///
/// # Errors
///
/// When the file is missing or cannot be mapped.
pub fn open(path: &Path) -> io::Result<&'static [AtomicU64]> {
    map(&OpenOptions::new().read(true).write(true).open(path)?)
}

fn map(file: &File) -> io::Result<&'static [AtomicU64]> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let size = NonZeroUsize::new(length).ok_or(io::ErrorKind::UnexpectedEof)?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping at an address that the kernel chooses. It is never unmapped, the file
    // never shrinks, the address is page-aligned, and all access goes through atomics.
    unsafe {
        let start = mmap(None, size, access, MapFlags::MAP_SHARED, file, 0)?;
        Ok(std::slice::from_raw_parts(start.cast::<AtomicU64>().as_ptr(), length / 8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_disk_that_becomes_full_later_has_the_page_already() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("page");
        let words = create(&path, 3000).expect("a page");
        let meta = std::fs::metadata(path).expect("its file");
        assert!(meta.blocks() * 512 >= meta.len(), "{meta:?}");
        assert_eq!((words.len(), meta.len()), (3000, 24_000));
    }
}
