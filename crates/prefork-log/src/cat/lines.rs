//! [`Lines`]: the lines of one place, in the order of the file, each with its place in the order of time.
//!
//! The order within a file is kept as it is. A line that is behind a later one in its file counts as being of the same
//! time as that one. A line without a timestamp counts as being of the time of the line before it. All lines of a file
//! count as being within the file's period.

use super::merge::Room;
use super::output::{Output, Poured};
use crate::logs::content::Content;
use crate::logs::descriptors::{Descriptor, FileId};
use crate::logs::place::{Files, Found, Place};
use crate::logs::stamp::{Nanos, Stamps};
use memchr::memchr;
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The times whose lines are wanted: `since` is one of them, `until` is not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) since: Nanos,
    pub(super) until: Nanos,
}

impl Window {
    pub(super) const ALL: Self = Self { since: Nanos::MIN, until: Nanos::MAX };

    pub(super) fn contains(self, at: Nanos) -> bool {
        self.since <= at && (at < self.until || self.until == Nanos::MAX)
    }

    pub(super) fn overlaps(self, place: &Place) -> bool {
        place.start < self.until && self.since < place.end
    }

    fn covers(self, place: &Place) -> bool {
        self.since <= place.start && place.end <= self.until
    }
}

/// How far a place has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// The bytes of text that were read in archives.
    pub(super) archived: u64,
    /// The archive that was read last, and its size.
    pub(super) archive: Option<(FileId, u64)>,
    /// The plain file, where its next line begins, and what of its beginning is in the archive as well.
    pub(super) plain: Option<(FileId, u64, u64)>,
    /// The text that was read last ended without a newline.
    pub(super) is_cut: bool,
}

/// Lines before this time go, and those at it if `and_equal`. `None`: all go.
pub(super) type Limit = Option<(Nanos, bool)>;

/// The lines of a place.
pub(super) struct Lines<'a> {
    rest: VecDeque<Found>,
    room: &'a Room,
    part: Option<Part<'a>>,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// The end of the next line, which is ready.
    line_end: usize,
    /// The time of the next line, as far as the order goes.
    pub(super) key: Nanos,
    pub(super) latest: Nanos,
    stamps: Stamps,
    /// What precedes the next byte of the buffer is a part of the same line.
    in_line: bool,
    window: Window,
    /// Whether lines with the time of the last timestamp are wanted.
    keeps: bool,
    /// No line of the file is left out.
    pub(super) is_whole: bool,
    /// The last line of a plain file waits for its newline.
    waits: bool,
    place: Place,
    progress: Progress,
}

/// A file that is being read.
struct Part<'a> {
    path: PathBuf,
    content: Content,
    is_plain: bool,
    /// Memory of the decoder, which is given back in the end.
    bytes: u64,
    room: &'a Room,
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

impl<'a> Lines<'a> {
    /// The lines of the files that are there, without the first `skip` bytes of text. `latest`: no line counts as
    /// earlier, because lines of this time have been printed of the place before.
    pub(super) fn new(
        files: Files,
        (place, latest): (Place, Nanos),
        skip: u64,
        window: Window,
        waits: bool,
        room: &'a Room,
    ) -> io::Result<Self> {
        let mut lines = Self {
            rest: files.in_order().collect(),
            room,
            part: None,
            buffer: vec![0; room.buffer],
            begin: 0,
            end: 0,
            line_end: 0,
            key: latest.max(place.start),
            latest: latest.max(place.start),
            stamps: Stamps::default(),
            in_line: false,
            window,
            keeps: window.contains(place.start) || window.covers(&place),
            is_whole: window.covers(&place),
            waits,
            place,
            progress: Progress::default(),
        };
        lines.skip(skip)?;
        Ok(lines)
    }

    fn skip(&mut self, mut skip: u64) -> io::Result<()> {
        while skip > 0 && self.open_next() {
            let Some(part) = &mut self.part else { break };
            let passed = match &mut part.content {
                // As a rule it is the plain file, which is the last one.
                Content::Plain(_) => skip,
                content => io::copy(&mut content.take(skip), &mut io::sink())?,
            };
            if let Content::Plain(descriptor) = &mut part.content {
                descriptor.at += passed;
            }
            let is_plain = part.is_plain;
            self.count(is_plain, passed);
            skip -= passed;
        }
        Ok(())
    }

    fn count(&mut self, is_plain: bool, bytes: u64) {
        match &mut self.progress.plain {
            Some((_, at, _)) if is_plain => *at += bytes,
            _ => self.progress.archived += bytes,
        }
    }

    /// Opens the next file. A file that cannot be opened is told and left out.
    fn open_next(&mut self) -> bool {
        self.part = None;
        self.stamps = Stamps::default();
        while let Some(found) = self.rest.pop_front() {
            let is_plain = found.path == self.place.plain;
            match self.room.content(&found) {
                Ok((content, bytes)) => {
                    match is_plain {
                        true => self.progress.plain = Some((found.id, found.skip, found.skip)),
                        false => self.progress.archive = Some((found.id, found.bytes)),
                    }
                    self.part = Some(Part { path: found.path, content, is_plain, bytes, room: self.room });
                    return true;
                }
                Err(error) => self.room.tell(&found.path, &error),
            }
        }
        false
    }

    /// Makes the next line ready. `false`: there is none.
    pub(super) fn ready(&mut self) -> bool {
        self.is_in_buffer() || self.fill()
    }

    /// Whether a whole line is in the buffer. If so, it is ready.
    #[inline]
    fn is_in_buffer(&mut self) -> bool {
        let Some(length) = memchr(b'\n', &self.buffer[self.begin..self.end]) else { return false };
        self.is_ready(self.begin + length + 1);
        true
    }

    #[inline]
    fn is_ready(&mut self, line_end: usize) {
        self.line_end = line_end;
        let line = &self.buffer[self.begin..line_end];
        if self.in_line {
            // Nothing comes between the parts of a line.
            self.key = Nanos::MIN;
        } else {
            if let Some(stamp) = self.stamps.of(line) {
                self.keeps = self.is_whole || self.window.contains(stamp.at);
                self.latest = self.latest.max(stamp.at.min(self.place.end.saturating_sub(1)));
            }
            self.key = self.latest;
        }
        self.in_line = self.buffer[line_end - 1] != b'\n';
    }

    /// Reads until a line, or a part of a line that fills the buffer, is ready.
    fn fill(&mut self) -> bool {
        loop {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            // One byte is left for the newline of a last line.
            let most = self.buffer.len() - 1;
            if self.end == most {
                self.is_ready(most);
                return true;
            }
            let Some(part) = &mut self.part else {
                if self.open_next() {
                    continue;
                }
                return false;
            };
            let scanned = self.end;
            let read = match part.content.read(&mut self.buffer[self.end..most]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.room.tell(&part.path, &error);
                    0
                }
            };
            let is_plain = part.is_plain;
            self.end += read;
            self.count(is_plain, read as u64);
            if read == 0 {
                if self.end_part() {
                    return true;
                }
                continue;
            }
            if let Some(length) = memchr(b'\n', &self.buffer[scanned..self.end]) {
                self.is_ready(scanned + length + 1);
                return true;
            }
        }
    }

    /// The file has come to its end. Whether a last line is ready.
    fn end_part(&mut self) -> bool {
        let is_plain = self.part.take().is_some_and(|part| part.is_plain);
        let is_cut = self.end > 0 || self.in_line;
        self.progress.is_cut = is_cut;
        if !is_cut {
            return false;
        }
        if self.waits && is_plain {
            // Whoever follows the file reads this again.
            let waiting = self.end as u64;
            if let Some((_, at, _)) = &mut self.progress.plain {
                *at -= waiting;
            }
            self.end = 0;
            self.progress.is_cut = self.in_line;
            return false;
        }
        self.buffer[self.end] = b'\n';
        self.end += 1;
        self.is_ready(self.end);
        true
    }

    /// Prints the lines up to the limit. `false`: there are no more. A line is [ready](Self::ready).
    pub(super) fn run(&mut self, limit: Limit, output: &mut Output) -> io::Result<bool> {
        let mut from = self.begin;
        loop {
            let goes = limit.is_none_or(|(limit, and_equal)| self.key < limit || and_equal && self.key == limit);
            if !goes {
                output.write(&self.buffer[from..self.begin])?;
                return Ok(true);
            }
            if !self.keeps {
                output.write(&self.buffer[from..self.begin])?;
                from = self.line_end;
            }
            self.begin = self.line_end;
            if !self.is_in_buffer() {
                output.write(&self.buffer[from..self.begin])?;
                if !self.fill() {
                    return Ok(false);
                }
                from = self.begin;
            }
        }
    }

    /// Prints all lines. Only for files that are printed [whole](Self::is_whole).
    pub(super) fn pour(&mut self, output: &mut Output) -> io::Result<()> {
        output.write(&self.buffer[self.begin..self.end])?;
        let mut last = self.buffer[self.begin..self.end].last().copied();
        (self.begin, self.end) = (0, 0);
        while self.part.is_some() || self.open_next() {
            let Some(mut part) = self.part.take() else { break };
            if let Content::Plain(descriptor) = &mut part.content
                && let Some(copied) = copy(descriptor, output)
            {
                descriptor.at += copied?;
                last = descriptor.file().and_then(|file| last_byte(file, descriptor.at)).or(last);
            }
            // The rest of a plain file, or all of an archive.
            let (end, poured) = output.pour(&mut part.content, &mut self.buffer);
            if let Poured::Failed(error) = poured? {
                self.room.tell(&part.path, &error);
            }
            if end.or(last).is_some_and(|last| last != b'\n') {
                output.write(b"\n")?;
            }
            last = None;
        }
        Ok(())
    }

    /// How far the place has been read.
    pub(super) fn into_progress(self) -> Progress {
        self.progress
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

/// `None`: the text must be read.
fn copy(descriptor: &Descriptor, output: &mut Output) -> Option<io::Result<u64>> {
    let mut file = descriptor.file()?.try_clone().ok()?;
    file.seek(SeekFrom::Start(descriptor.at)).ok()?;
    output.copy(&mut file)
}

fn last_byte(file: &std::fs::File, end: u64) -> Option<u8> {
    use std::os::unix::fs::FileExt;
    let mut last = [0];
    file.read_exact_at(&mut last, end.checked_sub(1)?).ok()?;
    Some(last[0])
}
