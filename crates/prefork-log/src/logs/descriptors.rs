//! How many files may be open at once, and files that are opened again for each read when there are too many.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

/// Descriptors for everything else: the standard ones, the directory, inotify, the files of a listing.
const RESERVED: isize = 48;
/// More do not make anything faster.
const MOST: isize = 4096;

/// How many more files may stay open.
static LEFT: AtomicIsize = AtomicIsize::new(256 - RESERVED);

/// Raises the soft limit of open files as far as needed and allowed.
pub(crate) fn raise_limit() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = hard.min((MOST + RESERVED) as u64).max(soft);
    let limit = if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() { wanted } else { soft };
    let limit = isize::try_from(limit).unwrap_or(isize::MAX);
    LEFT.store((limit - RESERVED).clamp(0, MOST), Relaxed);
}

/// A file that is read from its beginning to its end. It stays open if the limit allows that, and else is opened again
/// for each read.
#[derive(Debug)]
pub(crate) struct Descriptor {
    path: PathBuf,
    id: FileId,
    file: Option<File>,
    pub(crate) at: u64,
    /// Nothing is read from here on.
    pub(crate) end: u64,
}

/// Device and inode.
pub(crate) type FileId = (u64, u64);

pub(crate) fn id_of(file: &File) -> io::Result<FileId> {
    file.metadata().map(|found| (found.dev(), found.ino()))
}

impl Descriptor {
    pub(crate) fn new(path: &Path, file: File) -> io::Result<Self> {
        let id = id_of(&file)?;
        let stays = LEFT.fetch_sub(1, Relaxed) > 0;
        if !stays {
            LEFT.fetch_add(1, Relaxed);
        }
        Ok(Self { path: path.to_owned(), id, file: stays.then_some(file), at: 0, end: u64::MAX })
    }

    /// The open file.
    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    fn reopened(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        if id_of(&file)? == self.id {
            return Ok(file);
        }
        Err(io::Error::other("it was replaced while it was being read; raise the limit of open files (ulimit -n)"))
    }
}

impl Read for Descriptor {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = to.len().min(usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX));
        let to = &mut to[..length];
        let read = match &self.file {
            Some(file) => file.read_at(to, self.at)?,
            None => self.reopened()?.read_at(to, self.at)?,
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if self.file.is_some() {
            LEFT.fetch_add(1, Relaxed);
        }
    }
}
