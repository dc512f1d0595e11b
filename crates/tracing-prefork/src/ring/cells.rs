//! [`Cells`]: a hidden file that tells whoever takes the write lock of a log file whether the last holder of the lock
//! was killed in the middle of its write.
//!
//! Without it, a write that was cut at the end of a line would look like a finished one, and the lines of others behind
//! it could be taken for its rest. Each log file has a cell, by its inode. Two files that share a cell make it forget;
//! then the piece at the end of a file still tells.

use crate::ring::note::WORDS;
use crate::sys::sync::AtomicU32;
use crate::sys::{self, Creation, Descriptor, FileId, PATIENCE};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const CELLS: u64 = 256;
const CELL_BYTES: usize = 8 * WORDS;

#[derive(Debug)]
pub(crate) struct Cells {
    path: PathBuf,
    descriptor: Descriptor,
    /// The process one of whose threads is opening the file; 0 for none. A child that was forked meanwhile is another.
    opening: AtomicU32,
}

impl Cells {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, descriptor: Descriptor::none(), opening: AtomicU32::new(0) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, and makes it if need be. If another thread is doing so, that is waited for.
    pub(crate) fn hold(&self, creation: Creation<'_>) -> io::Result<()> {
        let process = std::process::id();
        let take = || match self.opening.load(Relaxed) {
            other if other == process => None,
            other => self.opening.compare_exchange(other, process, Acquire, Relaxed).ok(),
        };
        sys::wait(PATIENCE, take).ok_or(io::ErrorKind::TimedOut)?;
        let is_held = sys::identity_of(&self.path) == Some(self.descriptor.installed()) && self.descriptor.is_intact();
        let opened = if is_held { Ok(None) } else { sys::open_only_name(&self.path, creation).map(Some) };
        let held = opened.map(|file| file.map_or((), |file| self.descriptor.install(file)));
        self.opening.store(0, Release);
        held
    }

    pub(crate) fn are_held(&self) -> bool {
        self.descriptor.borrow().is_some()
    }

    /// The ring whose lines were being appended to the file when the last holder of its write lock ended. The caller
    /// has the lock.
    pub(crate) fn unfinished(&self, file: FileId) -> Option<u64> {
        let mut bytes = [0; CELL_BYTES];
        let length = sys::read_at(self.descriptor.borrow()?, &mut bytes, offset(file)).ok()?;
        let word = |index: usize| bytes[8 * index..].first_chunk().map(|word| u64::from_ne_bytes(*word));
        let is_whole = length == CELL_BYTES && word(0) == Some(1);
        (is_whole && word(1) == Some(file.device) && word(2) == Some(file.inode)).then(|| word(3)).flatten()
    }

    /// Notes that lines of the ring are about to be appended to the file.
    pub(crate) fn begin(&self, file: FileId, ring: u64) {
        self.write(file, [1, file.device, file.inode, ring, 0, 0, 0, 0]);
    }

    /// Notes that nobody is appending to the file.
    pub(crate) fn end(&self, file: FileId) {
        self.write(file, [0; WORDS]);
    }

    fn write(&self, file: FileId, words: [u64; WORDS]) {
        let mut bytes = [0; CELL_BYTES];
        bytes.chunks_mut(8).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_ne_bytes()));
        // Without the cell, the piece at the end of the file tells.
        let _ = self.descriptor.borrow().map(|cells| sys::write_at(cells, &bytes, offset(file)));
    }

    /// Leaves the number to the parent, whose table of descriptors this child uses.
    pub(crate) fn disown(&self) {
        self.descriptor.disown();
    }
}

fn offset(file: FileId) -> u64 {
    (file.inode % CELLS) * CELL_BYTES as u64
}
