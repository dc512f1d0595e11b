//! [`Rings`]: finishing in a log file what a killed process has left half-written there.

use crate::names::hidden::{Hidden, fnv};
use crate::names::pattern::Pattern;
use crate::ring::cells::Cells;
use crate::ring::dead::{DeadRing, Expected, Found};
use crate::ring::finish::finish_pending;
use crate::ring::found;
use crate::sys::{self, FileId, PATIENCE};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The rings of a pattern, as a writer of its log files sees them.
#[derive(Debug)]
pub(crate) struct Rings {
    pub(crate) cells: Cells,
    pub(crate) directory: Option<PathBuf>,
    expected: OnceLock<Expected>,
}

impl Rings {
    /// `directory`: where this process keeps its own ring, if not beside the logs.
    pub(crate) fn new(directory: Option<PathBuf>, pattern: &Pattern) -> Self {
        Self { cells: Cells::new(pattern.hidden(Hidden::Rings)), directory, expected: OnceLock::new() }
    }

    /// Which rings are ours.
    pub(crate) fn expected(&self) -> Expected {
        *self.expected.get_or_init(|| {
            let name = self.cells.path().file_name().unwrap_or_default();
            Expected { boot: sys::boot(), pattern: fnv(&name.to_string_lossy()) }
        })
    }

    pub(crate) fn path_of(&self, pattern: &Pattern, id: u64) -> PathBuf {
        found::path_of(pattern, self.directory.as_deref(), id)
    }

    /// All rings, in the directory for rings and beside the logs.
    pub(crate) fn all(&self, pattern: &Pattern) -> io::Result<Vec<PathBuf>> {
        let mut paths = found::rings(pattern, None)?;
        if let Some(directory) = &self.directory {
            paths.extend(found::rings(pattern, Some(directory))?);
        }
        Ok(paths)
    }

    /// Whether this process or one before it buffers.
    pub(crate) fn are_in_use(&self) -> bool {
        self.cells.are_held()
    }

    /// For a child that uses its parent's table of descriptors: leaves the parent's number to the parent.
    pub(crate) fn disown(&self) {
        self.cells.disown();
    }

    /// If the last holder of the write lock was killed in the middle of its write, finishes that write. The caller has
    /// the write lock of `file`, and `own` is the ring of this process.
    #[inline(never)]
    pub(crate) fn finish_last(&self, pattern: &Pattern, file: BorrowedFd<'_>, own: u64) -> io::Result<()> {
        let id = sys::identity(file)?;
        match self.cells.unfinished(id) {
            None => Ok(()),
            // The write has failed, and its lines wait.
            Some(ring) if ring == own => Ok(()),
            Some(ring) => {
                let path = self.path_of(pattern, ring);
                // Somebody may be reading the ring. Or its process is coming to its end: the kernel frees the locks of
                // a killed process one by one, and may free that of the log file first.
                let finished = sys::wait(PATIENCE, || self.finish(&path, file, id).transpose());
                finished.unwrap_or(Ok(()))?;
                self.cells.end(id);
                Ok(())
            }
        }
    }

    /// If `file` ends in a piece of a line that a ring of the dead goes on with, goes on with it. The caller has the
    /// write lock of `file`.
    pub(crate) fn finish_torn(&self, pattern: &Pattern, file: BorrowedFd<'_>) -> io::Result<()> {
        let id = sys::identity(file)?;
        for path in self.all(pattern)? {
            // A ring whose process lives goes on with nothing here: the caller has the lock.
            let _ = self.finish(&path, file, id)?;
        }
        Ok(())
    }

    /// Whether a ring of the dead has lines that were being appended to that file.
    pub(crate) fn has_pending(&self, pattern: &Pattern, file: FileId) -> bool {
        let is_pending = |path: &PathBuf| {
            let Ok(Found::Dead(ring)) = DeadRing::open(path, self.expected()) else { return false };
            ring.read().is_ok_and(|snapshot| snapshot.head.pending().is_some_and(|note| note.file == file))
        };
        self.all(pattern).is_ok_and(|paths| paths.iter().any(is_pending))
    }

    /// `None`: the process of the ring lives, or another one has the ring.
    fn finish(&self, path: &Path, file: BorrowedFd<'_>, id: FileId) -> io::Result<Option<()>> {
        match DeadRing::open(path, self.expected())? {
            Found::Dead(ring) => match finish_pending(&ring, file, id) {
                // Whoever recovers the ring tells of it.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Some(())),
                finished => finished.map(|is_ours| is_ours.then_some(())),
            },
            Found::InUse => Ok(None),
            Found::Gone | Found::Bad(_) | Found::OfAnother(_) => Ok(Some(())),
        }
    }
}
