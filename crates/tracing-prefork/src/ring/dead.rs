//! [`DeadRing`]: a ring whose process has ended. Whoever reads it takes nothing in it for granted.

use crate::ring::entries::{Entry, State, lap};
use crate::ring::head::{Head, NEXT, NOTES, Owner, TURN};
use crate::ring::layout::{HEAD, Layout};
use crate::ring::note::{Batch, Note};
use crate::sys::{self, RingFile, RingLock, Trust};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct DeadRing {
    path: PathBuf,
    file: RingFile,
    pub(crate) owner: Owner,
    layout: Layout,
}

/// What a file with the name of a ring is.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is not there any more.
    Gone,
    /// Its process lives, or somebody else recovers it.
    InUse,
    /// Nothing in it can be relied on.
    Bad(String),
    /// It belongs to another user, who recovers it.
    OfAnother(String),
    Dead(DeadRing),
}

/// Which rings are ours to recover.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) boot: u128,
    pub(crate) pattern: u64,
}

impl DeadRing {
    /// Opens a ring, if its process has ended.
    pub(crate) fn open(path: &Path, expected: Expected) -> io::Result<Found> {
        let file = match open_trusted(path)? {
            Ok(file) => file,
            Err(other) => return Ok(other),
        };
        let read = {
            let Some(_lock) = file.try_lock()? else { return Ok(Found::InUse) };
            read_head(&file, expected)?
        };
        let head = match read {
            Ok(head) => head,
            Err(reason) => return Ok(Found::Bad(reason)),
        };
        let (owner, layout) = (head.owner, head.layout);
        Ok(Found::Dead(Self { path: path.to_owned(), file, owner, layout }))
    }

    /// The right to read and to change the ring. `None`: somebody else has it.
    pub(crate) fn lock(&self) -> io::Result<Option<RingLock<'_>>> {
        self.file.try_lock()
    }

    /// The whole ring, as it is now. An error of the kind `InvalidData` if nothing in it can be relied on.
    pub(crate) fn read(&self) -> io::Result<Snapshot> {
        Snapshot::of(read_up_to(|buffer, offset| self.file.read_at(buffer, offset), 0, self.layout.size())?)
            .map_err(invalid)
    }

    /// The head alone, as it is now. An error as for [`read`](Self::read).
    pub(crate) fn head(&self) -> io::Result<Head> {
        let page = read_up_to(|buffer, offset| self.file.read_at(buffer, offset), 0, HEAD)?;
        Head::read(page.first_chunk().ok_or_else(|| invalid("it is shorter than a ring"))?).map_err(invalid)
    }

    /// Notes that the lines before that index are in their files.
    pub(crate) fn set_next(&self, next: u64) -> io::Result<()> {
        self.file.write_all_at(&next.to_ne_bytes(), 8 * NEXT as u64)
    }

    /// Notes what is about to be appended, in the place of the note of `turn`.
    pub(crate) fn set_note(&self, turn: u64, note: Option<Note>) -> io::Result<()> {
        let words = Note::words(note).map(u64::to_ne_bytes).concat();
        self.file.write_all_at(&words, 8 * NOTES[(turn + 1) as usize & 1] as u64)?;
        self.file.write_all_at(&(turn + 1).to_ne_bytes(), 8 * TURN as u64)
    }

    /// Removes the ring, whose lines are all in their files.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.file.unlink(&self.path)
    }
}

pub(crate) fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// The file of a ring, if it can be trusted; or what else is there.
pub(super) fn open_trusted(path: &Path) -> io::Result<Result<RingFile, Found>> {
    let file = match RingFile::open(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Err(Found::Gone)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(Err(Found::OfAnother("its owner lets nobody else read it".to_owned())));
        }
        // Other failures may pass: no descriptor, no memory, a disk that does not answer.
        Err(error) => {
            return match sys::other_than_file(path) {
                Some(found) => Ok(Err(Found::Bad(format!("it is {found}, and no regular file")))),
                None => Err(error),
            };
        }
    };
    Ok(match file.trust(path)? {
        Trust::Bad(reason) => Err(Found::Bad(reason)),
        Trust::OfAnother(user) => Err(Found::OfAnother(format!("it belongs to user {user}"))),
        Trust::Trusted => Ok(file),
    })
}

/// How many lines a text has. An event can have several.
pub(crate) fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// An entry of the ring that has these bytes.
pub(super) fn entry_in(ring: &[u8], layout: Layout, index: u64) -> Entry {
    Entry(word_in(ring, HEAD + 8 * (index as usize & (layout.entries - 1))))
}

fn word_in(ring: &[u8], offset: usize) -> u64 {
    ring.get(offset..).and_then(|word| word.first_chunk()).map_or(0, |word| u64::from_ne_bytes(*word))
}

/// The bytes from one place to another, in the ring that has these bytes.
pub(super) fn text_in(ring: &[u8], layout: Layout, begin: u32, end: u32) -> Vec<u8> {
    let (place, length) = (begin as usize & (layout.bytes - 1), end.wrapping_sub(begin) as usize);
    let lines = ring.get(layout.lines()..).unwrap_or_default();
    let (before, from_there) = lines.split_at(place.min(lines.len()));
    let length = length.min(layout.bytes);
    from_there.iter().chain(before).take(length).copied().collect()
}

/// The `most` bytes of a file from `begin` on, or fewer if the file is shorter.
pub(super) fn read_up_to(
    read_at: impl Fn(&mut [u8], u64) -> io::Result<usize>,
    begin: u64,
    most: usize,
) -> io::Result<Vec<u8>> {
    let (mut bytes, mut length) = (vec![0; most], 0);
    while length < most {
        match read_at(&mut bytes[length..], begin + length as u64)? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

pub(super) fn read_head(file: &RingFile, expected: Expected) -> io::Result<Result<Head, String>> {
    let mut page = [0; HEAD];
    let size = file.size()?;
    if file.read_at(&mut page, 0)? < HEAD {
        return Ok(Err(format!("it has {size} bytes, which is less than any ring has")));
    }
    let head = match Head::read(&page) {
        Ok(head) => head,
        Err(reason) => return Ok(Err(reason)),
    };
    let (process, owner) = (head.owner.process, &head.owner);
    Ok(if head.layout.size() as u64 != size {
        Err(format!("it has {size} bytes, and says that it has {}", head.layout.size()))
    } else if owner.boot != expected.boot {
        Err(format!("process {process} made it before the machine was started, so it is perhaps not whole"))
    } else if owner.pattern != expected.pattern {
        Err(format!("process {process} made it for other file names (number {:016x})", owner.pattern))
    } else {
        Ok(head)
    })
}

/// A line of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) index: u64,
    /// Modulo 2^32.
    pub(crate) begin: u32,
    pub(crate) end: u32,
}

/// A ring's content.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) head: Head,
    bytes: Vec<u8>,
    /// The lines that are not known to be in their files, in their order.
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    index: u64,
    begin: u32,
    end: u32,
    second: i64,
}

impl Snapshot {
    /// Checks each length and each place before it is used.
    pub(crate) fn of(bytes: Vec<u8>) -> Result<Self, String> {
        let page: &[u8; HEAD] = bytes.first_chunk().ok_or("it is shorter than a ring")?;
        let head = Head::read(page)?;
        if bytes.len() != head.layout.size() {
            return Err(format!("it has {} bytes, and says that it has {}", bytes.len(), head.layout.size()));
        }
        let mut snapshot = Self { head, bytes, lines: Vec::new() };
        snapshot.lines = snapshot.read_lines()?;
        Ok(snapshot)
    }

    fn entry(&self, index: u64) -> Entry {
        entry_in(&self.bytes, self.head.layout, index)
    }

    fn read_lines(&self) -> Result<Vec<Line>, &'static str> {
        let layout = self.head.layout;
        let (first, mut lines, mut total) = (self.head.next, Vec::new(), 0_u64);
        let mut end = first.checked_add(layout.entries as u64).ok_or("its next line has no number")?;
        for index in first..end {
            let (entry, begin) = (self.entry(index), self.entry(index.wrapping_sub(1)).end());
            let state = entry.state().ok_or("one of its entries is in no state")?;
            if entry.lap() != lap(index, layout.entries) {
                return Err("its entries are out of order");
            }
            match state {
                State::Free | State::Sealed => {
                    end = index;
                    break;
                }
                State::Reserved | State::GivenUp | State::Void => {}
                State::Published => {
                    if !self.is_whole(begin, entry.end()) {
                        return Err("one of its lines has no end");
                    }
                    let place = layout.seconds() + 8 * (index as usize & (layout.entries - 1));
                    let second = word_in(&self.bytes, place) as i64;
                    lines.push(Line { index, begin, end: entry.end(), second });
                }
            }
            total += u64::from(entry.end().wrapping_sub(begin));
            if total > layout.bytes as u64 {
                return Err("its lines are longer than the ring");
            }
        }
        // The entry before the first line is never taken.
        if end - first < layout.entries as u64 { Ok(lines) } else { Err("it has more lines than a ring can have") }
    }

    /// Whether a line lies there: it ends in a newline.
    fn is_whole(&self, begin: u32, end: u32) -> bool {
        let layout = self.head.layout;
        let last = layout.lines() + (end.wrapping_sub(1) as usize & (layout.bytes - 1));
        begin != end && self.bytes.get(last) == Some(&b'\n')
    }

    /// The index of the first line from there on.
    pub(crate) fn first_from(&self, index: u64) -> u64 {
        self.lines.iter().map(|line| line.index).find(|found| *found >= index).unwrap_or(index)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many lines are not known to be in a file, and their bytes.
    pub(super) fn waiting(&self) -> (u64, u64) {
        let texts = self.lines.iter().map(|line| self.text(line.begin, line.end));
        texts.fold((0, 0), |(lines, bytes), text| (lines + newlines(&text), bytes + text.len() as u64))
    }

    /// The bytes from one place to another. Both lie in the ring.
    pub(crate) fn text(&self, begin: u32, end: u32) -> Vec<u8> {
        text_in(&self.bytes, self.head.layout, begin, end)
    }

    /// The lines of a note, those too that are known to be in the file. The first one may begin before the note does.
    /// An error if the ring has no such lines.
    pub(crate) fn lines_of(&self, note: &Note) -> Result<Vec<Noted>, &'static str> {
        const OTHER: &str = "its note is of other lines than it has";
        let length = note.end.wrapping_sub(note.begin);
        if length as usize > self.head.layout.bytes || length == 0 {
            return Err(OTHER);
        }
        let (mut lines, mut end) = (Vec::new(), note.end);
        for index in (note.next.saturating_sub(self.head.layout.entries as u64)..note.next).rev() {
            let (begin, is_there) = (self.entry(index.wrapping_sub(1)).end(), self.entry(index).end() == end);
            if !is_there || index >= self.head.next && !self.has(index) {
                return Err(OTHER);
            }
            lines.push(Noted { index, begin, end });
            end = begin;
            if note.end.wrapping_sub(begin) >= length {
                break;
            }
        }
        lines.reverse();
        let reaches = lines.first().is_some_and(|first| note.end.wrapping_sub(first.begin) >= length);
        if reaches { Ok(lines) } else { Err(OTHER) }
    }

    fn has(&self, index: u64) -> bool {
        self.lines.binary_search_by_key(&index, |line| line.index).is_ok()
    }

    /// The next lines that can be appended at once: one behind the other, of one period, at most `most` bytes unless
    /// the first line alone has more.
    pub(crate) fn batch(&self, most: usize, is_same_period: impl Fn(i64, i64) -> bool) -> Option<Batch> {
        let first = self.lines.first()?;
        let mut batch =
            Batch { indexes: first.index..first.index + 1, begin: first.begin, end: first.end, second: first.second };
        for line in &self.lines[1..] {
            let follows = line.begin == batch.end && line.index == batch.indexes.end;
            let length = line.end.wrapping_sub(batch.begin) as usize;
            if !follows || length > most || !is_same_period(first.second, line.second) {
                break;
            }
            batch.end = line.end;
            batch.indexes.end = line.index + 1;
            batch.second = line.second;
        }
        Some(batch)
    }

    /// The index behind the lines of the batch that are whole within its first `bytes` bytes.
    pub(crate) fn behind(&self, indexes: Range<u64>, begin: u32, bytes: usize) -> u64 {
        let is_in = |line: &&Line| indexes.contains(&line.index) && line.end.wrapping_sub(begin) as usize <= bytes;
        self.lines.iter().filter(is_in).map(|line| line.index + 1).max().unwrap_or(indexes.start)
    }
}
