//! Recovery: the lines of dead processes' rings go to their files.

use crate::buffer::batch::MOST;
use crate::names::hidden;
use crate::report::Operation;
use crate::ring::cells::Cells;
use crate::ring::dead::{DeadRing, Found, Snapshot, invalid, newlines};
use crate::ring::journal::Journal;
use crate::ring::note::{Batch, Note};
use crate::sys::{self, FileId, RingLock};
use crate::write::lines::Lines;
use crate::write::log::Log;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A ring is looked at again so many times without a line of it being written: others may work on it, too.
const TRIES: usize = 1000;

impl Log {
    /// Writes the lines of all rings whose process has ended, and removes these rings. Returns how many lines that
    /// were. Each failure is reported; the first one is the answer.
    pub(crate) fn recover(&self) -> io::Result<u64> {
        let (mut lines, mut answer) = (0, Ok(()));
        let (rings, paths) = (self.upkeep.rings(), self.upkeep.rings().all(&self.site.pattern)?);
        if !paths.is_empty() {
            // Whoever takes the lock of a log file next is told if this process is killed, too. Without the cells, the
            // end of the file tells most of it.
            let _ = rings.cells.hold(self.site.creation());
        }
        for path in paths {
            match self.recover_ring(&path) {
                Ok(more) => lines += more,
                Err(error) => {
                    self.site.report(Operation::Ring, &path, told(&error));
                    answer = answer.and(Err(error));
                }
            }
        }
        answer.map(|()| lines)
    }

    fn recover_ring(&self, path: &Path) -> io::Result<u64> {
        match DeadRing::open(path, self.upkeep.rings().expected())? {
            Found::Gone | Found::InUse => Ok(0),
            Found::OfAnother(reason) => {
                let text = format!(
                    "{reason}, and is left alone: its lines come into the log when a process of that user starts to \
                     log, or calls `recover`"
                );
                Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
            }
            Found::Bad(reason) => Err(set_aside(path, &reason)),
            Found::Dead(ring) => match self.empty(&ring) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(set_aside(path, &error.to_string())),
                emptied => emptied,
            },
        }
    }

    /// Writes the lines of a ring, and removes the ring.
    fn empty(&self, ring: &DeadRing) -> io::Result<u64> {
        let (mut lines, mut tries) = (0, 0);
        while tries < TRIES {
            tries += 1;
            let lock = ring.lock()?;
            // Somebody else recovers it.
            if lock.is_none() {
                return Ok(lines);
            }
            let snapshot = ring.read()?;
            if let Some(note) = snapshot.head.pending() {
                drop(lock);
                self.finish_noted(ring, &snapshot, &note)?;
                continue;
            }
            if snapshot.is_empty() {
                ring.remove()?;
                return Ok(lines);
            }
            drop(lock);
            match self.append_next(ring, &snapshot)? {
                0 => {}
                more => (lines, tries) = (lines + more, 0),
            }
        }
        Ok(lines)
    }

    /// Finishes what the process was writing when it ended.
    fn finish_noted(&self, ring: &DeadRing, snapshot: &Snapshot, note: &Note) -> io::Result<()> {
        snapshot.lines_of(note).map_err(invalid)?;
        let is_noted = |path: &PathBuf| sys::identity_of(path) == Some(note.file);
        let files = self.upkeep.files().map_err(|error| io::Error::other(error.to_string()))?;
        match files.into_iter().map(|file| file.path).find(is_noted) {
            Some(path) => self.finish_pending_in(&path, ring),
            None => {
                // The file is gone, and some of the lines may be gone with it. Written again, none is lost.
                if let Some(_lock) = ring.lock()? {
                    ring.set_note(snapshot.head.turn, None)?;
                }
                Ok(())
            }
        }
    }

    /// Appends the next lines. Returns how many.
    fn append_next(&self, ring: &DeadRing, snapshot: &Snapshot) -> io::Result<u64> {
        let calendar = self.site.pattern.calendar();
        let is_same_period = |first, second| calendar.span(first) == calendar.span(second);
        let most = MOST.min(self.longest_batch());
        let Some(batch) = snapshot.batch(most, is_same_period) else { return Ok(0) };
        let (text, tag) = (snapshot.text(batch.begin, batch.end), snapshot.head.owner.tag);
        let journal: &dyn Journal = &DeadJournal {
            ring,
            cells: &self.upkeep.rings().cells,
            batch: &batch,
            text: &text,
            snapshot,
            held: RefCell::default(),
        };
        match self.append_for(tag, Lines::of_ring(&text, &journal), batch.second) {
            Ok(()) => Ok(newlines(&text)),
            // Somebody else has appended them.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// The notes of lines of a ring of the dead.
struct DeadJournal<'a> {
    ring: &'a DeadRing,
    cells: &'a Cells,
    batch: &'a Batch,
    text: &'a [u8],
    snapshot: &'a Snapshot,
    /// The lock of the ring, and the turn of its note before this one.
    held: RefCell<Option<(RingLock<'a>, u64)>>,
}

impl fmt::Debug for DeadJournal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadJournal").field("ring", self.ring).field("batch", self.batch).finish_non_exhaustive()
    }
}

impl DeadJournal<'_> {
    fn before(&self, lines: &[u8]) -> usize {
        lines.as_ptr().addr() - self.text.as_ptr().addr()
    }

    /// The index behind the lines that are whole within the first `bytes` bytes of the batch.
    fn behind(&self, bytes: usize) -> u64 {
        self.snapshot.behind(self.batch.indexes.clone(), self.batch.begin, bytes)
    }
}

impl Journal for DeadJournal<'_> {
    fn ring(&self) -> u64 {
        0
    }

    fn begin(&self, file: FileId, size: u64, lines: &[u8]) -> io::Result<()> {
        let taken = || io::Error::from(io::ErrorKind::AlreadyExists);
        let lock = self.ring.lock()?.ok_or_else(taken)?;
        // Of a ring of the dead only the head changes.
        let (head, before) = (self.ring.head()?, self.before(lines));
        if head.pending().is_some() || self.behind(before) != self.snapshot.first_from(head.next) {
            return Err(taken());
        }
        let note = self.batch.note(file, size, before, lines.len(), self.behind(before + lines.len()));
        self.cells.begin(file, self.ring.owner.id);
        self.ring.set_note(head.turn, Some(note))?;
        *self.held.borrow_mut() = Some((lock, head.turn));
        Ok(())
    }

    fn end(&self, file: FileId, lines: &[u8], written: usize) {
        let Some((_lock, turn)) = self.held.borrow_mut().take() else { return };
        // If the ring cannot be written to, the note says what to compare.
        let noted = self.ring.set_next(self.behind(self.before(lines) + written));
        if noted.is_ok() && self.ring.set_note(turn + 1, None).is_ok() {
            self.cells.end(file);
        }
    }
}

/// Gives a ring that cannot be relied on another name, and says so.
fn set_aside(path: &Path, reason: &str) -> io::Error {
    let aside = hidden::set_aside(path);
    let text = match std::fs::rename(path, &aside) {
        Ok(()) => format!("{reason}; it is called {} now; look at it by hand, and remove it", aside.display()),
        Err(error) => format!("{reason}; it cannot be renamed: {error}; remove it by hand"),
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn told(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}
