//! [`Note`]: which lines a process is about to append to which file.

use crate::sys::FileId;
use std::ops::Range;

/// The words of a note.
pub(crate) const WORDS: usize = 8;

/// Lines of a ring that are about to be appended. Whoever writes the note has the write lock of the file, and gives it
/// back when the note is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) file: FileId,
    /// The bytes of the file before.
    pub(crate) size: u64,
    /// Where the lines begin in the ring, modulo 2^32. The first one may have begun before.
    pub(crate) begin: u32,
    pub(crate) end: u32,
    /// The index behind the last line's.
    pub(crate) next: u64,
    /// The second of the last line.
    pub(crate) second: i64,
}

impl Note {
    pub(crate) fn words(note: Option<Self>) -> [u64; WORDS] {
        let Some(Self { file, size, begin, end, next, second }) = note else { return [0; WORDS] };
        let places = u64::from(begin) << 32 | u64::from(end);
        [1, file.device, file.inode, file.birth, size, places, next, second as u64]
    }

    /// `None`: nothing is about to be appended. An error if no note has these words.
    pub(crate) fn read(words: [u64; WORDS]) -> Result<Option<Self>, &'static str> {
        let [state, device, inode, birth, size, places, next, second] = words;
        match state {
            0 => Ok(None),
            1 => Ok(Some(Self {
                file: FileId { device, inode, birth },
                size,
                begin: (places >> 32) as u32,
                end: places as u32,
                next,
                second: second as i64,
            })),
            _ => Err("its note is neither there nor not there"),
        }
    }
}

/// The lines of a ring from one index to another, and where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) indexes: Range<u64>,
    /// Modulo 2^32.
    pub(crate) begin: u32,
    pub(crate) end: u32,
    /// The second of the last line. All have the same period. Whoever writes the lines looks for their file as at an
    /// event of that second, so no line is in a file that was gone before its second.
    pub(crate) second: i64,
}

impl Batch {
    /// The note that `length` bytes of the batch, behind the first `before`, are about to be appended to a file of
    /// `size` bytes. `next`: the index behind their last line.
    pub(crate) fn note(&self, file: FileId, size: u64, before: usize, length: usize, next: u64) -> Note {
        let begin = self.begin.wrapping_add(before as u32);
        Note { file, size, begin, end: begin.wrapping_add(length as u32), next, second: self.second }
    }

    pub(crate) fn length(&self) -> usize {
        self.end.wrapping_sub(self.begin) as usize
    }
}
