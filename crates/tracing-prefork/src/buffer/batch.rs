//! Lines of this process's ring on their way to a file: which ones, and what the ring notes of them.

use crate::buffer::live::Live;
use crate::ring::cells::Cells;
use crate::ring::entries::Next;
use crate::ring::journal::Journal;
use crate::ring::note::Batch;
use crate::sys::FileId;
use std::io;

/// The most bytes of one write. They keep others from the write lock.
pub(crate) const MOST: usize = 256 << 10;

/// What is at the head of a ring.
#[derive(Debug)]
pub(crate) enum Head {
    Empty,
    /// A thread is copying its line.
    NotYet,
    Lines(Batch),
}

impl Live {
    /// The next lines that can be appended at once: of one period, at most `most` bytes unless the first line alone has
    /// more. Entries that have no line are left behind. One thread at a time.
    pub(crate) fn batch(&self, most: usize, mut is_same_period: impl FnMut(i64, i64) -> bool) -> Head {
        let entries = self.entries();
        let mut first = self.next();
        let line = loop {
            match entries.look(first) {
                Next::End => return Head::Empty,
                Next::NotYet(_) => return Head::NotYet,
                Next::Skip => {
                    first += 1;
                    self.set_next(first);
                }
                Next::Line(line) => break line,
            }
        };
        let mut batch = Batch { indexes: first..first + 1, begin: line.begin, end: line.end, second: line.second };
        let first_second = line.second;
        while let Next::Line(line) = entries.look(batch.indexes.end) {
            let length = line.end.wrapping_sub(batch.begin) as usize;
            if length > most || !is_same_period(first_second, line.second) {
                break;
            }
            batch.end = line.end;
            batch.indexes.end += 1;
            batch.second = line.second;
        }
        Head::Lines(batch)
    }

    /// Gives up the line at the head, if it is not there yet.
    pub(crate) fn give_up_first(&self) {
        let next = self.next();
        if let Next::NotYet(entry) = self.entries().look(next) {
            if self.entries().give_up(next, entry) {
                self.set_next(next + 1);
            }
        }
    }
}

/// The notes that a ring keeps of one of its batches.
#[derive(Debug)]
pub(crate) struct OwnJournal<'a> {
    pub(crate) live: &'a Live,
    pub(crate) cells: &'a Cells,
    pub(crate) batch: &'a Batch,
}

impl OwnJournal<'_> {
    /// How many bytes of the batch stand before `lines`, which are some of its lines.
    fn before(&self, lines: &[u8]) -> usize {
        lines.as_ptr().addr() - self.live.text(self.batch).as_ptr().addr()
    }

    /// The index behind the lines that are whole within the first `bytes` bytes of the batch.
    fn index_behind(&self, bytes: usize) -> u64 {
        let batch = self.batch;
        if bytes == batch.length() {
            return batch.indexes.end;
        }
        let is_in = |index: &u64| match self.live.entries().look(*index) {
            Next::Line(line) => line.end.wrapping_sub(batch.begin) as usize <= bytes,
            _ => false,
        };
        batch.indexes.start + batch.indexes.clone().take_while(is_in).count() as u64
    }
}

impl Journal for OwnJournal<'_> {
    fn ring(&self) -> u64 {
        self.live.id
    }

    fn begin(&self, file: FileId, size: u64, lines: &[u8]) -> io::Result<()> {
        if self.live.is_of_parent() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let before = self.before(lines);
        let next = self.index_behind(before + lines.len());
        self.cells.begin(file, self.live.id);
        self.live.set_note(Some(self.batch.note(file, size, before, lines.len(), next)));
        Ok(())
    }

    fn end(&self, file: FileId, lines: &[u8], written: usize) {
        self.live.set_next(self.index_behind(self.before(lines) + written));
        if written < lines.len() {
            self.live.set_note(None);
        }
        self.cells.end(file);
    }
}
