//! [`Merge`]: the lines of all rows, in the order of time.
//!
//! A place is opened when its period has begun, as far as the merge has come. So of one row one place is open at a
//! time. The buffers become smaller if many rows have a place in the same period. Decoders cannot become smaller, so
//! beyond a limit archives are unpacked into a file without a name.

use super::lines::{Lines, Progress, Window};
use super::output::Output;
use crate::logs::content::Content;
use crate::logs::listing::{Row, RowKey};
use crate::logs::place::{Found, Place};
use crate::logs::spill::Spill;
use crate::logs::stamp::Nanos;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt::Display;
use std::io;
use std::path::Path;

/// For the buffers of all open places, in bytes.
const BUFFERS: usize = 12 << 20;
/// For the decoders of all open archives.
const DECODERS: u64 = 20 << 20;

/// The memory that open places share, and whether anything went wrong.
pub(super) struct Room {
    /// The bytes of a place's buffer.
    pub(super) buffer: usize,
    /// The bytes of an archive that are read at once.
    input: usize,
    used: Cell<u64>,
    spill: Spill,
    pub(super) failed: Cell<bool>,
}

impl Room {
    /// For so many places that are open at once.
    pub(super) fn for_places(open: usize) -> Self {
        let share = BUFFERS / open.max(1);
        Self {
            buffer: share.clamp(8 << 10, 256 << 10),
            input: (share / 2).clamp(4 << 10, 64 << 10),
            used: Cell::new(0),
            spill: Spill::default(),
            failed: Cell::new(false),
        }
    }

    /// The text of a file, and the memory that its decoder takes.
    pub(super) fn content(&self, found: &Found) -> io::Result<(Content, u64)> {
        let content = found.content(self.input)?;
        let bytes = Content::memory(&found.path, &found.file);
        // One archive may take what it needs.
        if bytes > 0 && self.used.get() > 0 && self.used.get() + bytes > DECODERS {
            return Ok((content.spill(&self.spill)?, 0));
        }
        self.used.set(self.used.get() + bytes);
        Ok((content, bytes))
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.set(self.used.get() - bytes);
    }

    /// Tells an error. The rest is printed, and the program ends with 1.
    pub(super) fn tell(&self, path: &Path, error: &dyn Display) {
        eprintln!("prefork-log: cannot read {} any further: {error}", path.display());
        self.failed.set(true);
    }
}

/// A row, and where its lines begin: lines before that are not wanted.
pub(super) struct Start {
    pub(super) row: Row,
    /// The bytes of text of the first place that are left out.
    pub(super) skip: u64,
}

/// A place that was read, and how far.
pub(super) type Read = (RowKey, Place, Progress);

/// How the lines of rows are printed.
pub(super) struct Merge<'a> {
    pub(super) window: Window,
    /// The last line of a plain file waits for its newline.
    pub(super) waits: bool,
    pub(super) room: &'a Room,
}

struct Reading<'a> {
    key: RowKey,
    places: VecDeque<Place>,
    skip: u64,
    /// The time of the line that was printed last, as far as the order goes.
    latest: Nanos,
    lines: Option<Lines<'a>>,
}

impl Merge<'_> {
    /// Prints the lines. Returns the places that were read, in no order.
    pub(super) fn print(&self, starts: Vec<Start>, output: &mut Output) -> io::Result<Vec<Read>> {
        let mut read = Vec::new();
        let mut rows: Vec<_> = starts.into_iter().map(|start| self.reading(start)).collect();
        let first = |(number, row): (usize, &Reading<'_>)| Some(Reverse((row.places.front()?.start, number)));
        let mut next: BinaryHeap<_> = rows.iter().enumerate().filter_map(first).collect();
        while let Some(Reverse((_, number))) = next.pop() {
            let row = &mut rows[number];
            let limit = next.peek().map(|Reverse((key, other))| (*key, number < *other));
            let Some(lines) = &mut row.lines else {
                next.extend(self.open(row, &mut read).map(|key| Reverse((key, number))));
                continue;
            };
            let is_alone = limit.is_none_or(|(key, _)| key >= lines.place().end);
            let goes_on = if is_alone && lines.is_whole && !self.waits {
                lines.pour(output)?;
                false
            } else {
                lines.run(limit, output)?
            };
            if goes_on {
                next.push(Reverse((lines.key, number)));
            } else {
                row.close(&mut read);
                next.extend(row.next().map(|key| Reverse((key, number))));
            }
        }
        Ok(read)
    }

    fn reading(&self, start: Start) -> Reading<'_> {
        let Row { key, places } = start.row;
        let places = places.into_iter().filter(|place| self.window.overlaps(place)).collect();
        Reading { key, places, skip: start.skip, latest: Nanos::MIN, lines: None }
    }

    /// Opens the next place of a row that has a line. Returns the line's time.
    fn open<'a>(&'a self, row: &mut Reading<'a>, read: &mut Vec<Read>) -> Option<Nanos> {
        let place = row.places.pop_front()?;
        let skip = std::mem::take(&mut row.skip);
        let opened = place.open().and_then(|files| {
            if files.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "it was removed after it had been listed"));
            }
            Lines::new(files, (place.clone(), row.latest), skip, self.window, self.waits, self.room)
        });
        match opened {
            Ok(lines) => {
                let lines = row.lines.insert(lines);
                if lines.ready() {
                    return Some(lines.key);
                }
                row.close(read);
            }
            Err(error) => self.room.tell(&place.plain, &error),
        }
        row.next()
    }
}

impl Reading<'_> {
    /// The time of the first line of the next place, or earlier.
    fn next(&self) -> Option<Nanos> {
        self.places.front().map(|place| place.start.max(self.latest))
    }

    fn close(&mut self, read: &mut Vec<Read>) {
        if let Some(lines) = self.lines.take() {
            self.latest = lines.latest;
            read.push((self.key.clone(), lines.place().clone(), lines.into_progress()));
        }
    }
}

/// The most places of different rows that a single instant belongs to.
pub(super) fn open_at_once(rows: &[Row], window: Window) -> usize {
    let mut changes = Vec::new();
    for row in rows {
        let places = row.places.iter().filter(|place| window.overlaps(place));
        // The places of one period are read one after the other.
        let mut last = None;
        for place in places {
            if last.replace(place.start) != Some(place.start) {
                changes.extend([(place.start, 1), (place.end, -1_i64)]);
            }
        }
    }
    changes.sort_unstable();
    let counts = changes.iter().scan(0, |open, (_, change)| {
        *open += change;
        Some(*open)
    });
    usize::try_from(counts.max().unwrap_or_default()).unwrap_or_default()
}
