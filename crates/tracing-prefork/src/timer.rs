//! [`Timer`]: the timestamp of an event, whose reading also chooses the event's file.
//!
//! The formatter asks the timer first and the writer later, with other code and perhaps a boundary in between. So each
//! thread remembers the last few readings with the text that they were printed as, and the writer takes the reading
//! whose text it finds in the line. A reading that went elsewhere (to a console layer, say) or that belongs to an
//! event further out is never mistaken for this line's.

use crate::appender::Inner;
use crate::clock::Moment;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::sync::Arc;
use time::OffsetDateTime;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Readings that a thread remembers: one for each event that is being formatted within another's formatting, and each that went
/// elsewhere until it is overwritten. A line that finds its reading frees it.
const REMEMBERED: usize = 8;

/// A timestamp is looked for in so many bytes at the beginning of a line: JSON has it at the 14th, others sooner.
const SEARCHED: usize = 256;

/// `2026-11-21T08:33:01.123456+05:30`.
const LONGEST: usize = 32;

/// `2026-11-21T08:33:`.
const MINUTE: usize = 17;

/// Prints the time of an event in RFC 3339, in the appender's zone, with microseconds: `2026-11-21T08:33:01.123456Z`.
///
/// From [`Appender::timer`](crate::Appender::timer).
#[derive(Clone)]
pub struct Timer {
    inner: Arc<Inner>,
}

/// Text of a fixed capacity.
#[derive(Clone, Copy)]
struct Text {
    bytes: [u8; LONGEST],
    len: usize,
}

#[derive(Clone, Copy)]
struct Reading {
    /// 0: free.
    appender: u64,
    /// Counts up on the thread: the newest is looked at first, the oldest overwritten.
    number: u64,
    at: i64,
    text: Text,
}

/// What a thread knows of timestamps.
struct Memory {
    readings: [Reading; REMEMBERED],
    last: u64,
    /// The text up to the minute, and the offset behind the seconds, of the minute (and the appender) printed last.
    minute: i64,
    appender: u64,
    prefix: [u8; MINUTE],
    offset: Text,
}

thread_local! {
    static MEMORY: RefCell<Memory> = const { RefCell::new(Memory::new()) };
    /// Whether a timer of ours has ever printed on this thread.
    static PRINTED: Cell<bool> = const { Cell::new(false) };
}

/// The second of the reading that `line` shows, if the appender's timer has printed it on this thread.
#[inline]
pub(crate) fn reading_in(line: &[u8], appender: u64) -> Option<i64> {
    if PRINTED.get() { find_reading(line, appender) } else { None }
}

#[inline(never)]
fn find_reading(line: &[u8], appender: u64) -> Option<i64> {
    MEMORY.try_with(|memory| memory.try_borrow_mut().ok()?.take(line, appender)).ok().flatten()
}

impl Timer {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner }
    }
}

impl FormatTime for Timer {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let now = Moment::from(self.inner.clock.now());
        let print = |memory: &mut Memory| memory.print(&self.inner, now);
        PRINTED.set(true);
        let text = MEMORY.try_with(|memory| memory.try_borrow_mut().ok().map(|mut memory| print(&mut memory)));
        // A thread that is just ending has no memory left.
        let text = text.ok().flatten().unwrap_or_else(|| print(&mut Memory::new()));
        w.write_str(std::str::from_utf8(text.as_bytes()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer")
    }
}

impl Memory {
    const fn new() -> Self {
        let none = Text { bytes: [0; LONGEST], len: 0 };
        Self {
            readings: [Reading { appender: 0, number: 0, at: 0, text: none }; REMEMBERED],
            last: 0,
            minute: i64::MIN,
            appender: 0,
            prefix: [0; MINUTE],
            offset: none,
        }
    }

    /// The newest reading of that appender whose text `line` shows, which is freed.
    #[inline]
    fn take(&mut self, line: &[u8], appender: u64) -> Option<i64> {
        let head = &line[..line.len().min(SEARCHED)];
        let found = self
            .readings
            .iter_mut()
            .filter(|reading| reading.appender == appender && contains(head, reading.text.as_bytes()))
            .max_by_key(|reading| reading.number)?;
        found.appender = 0;
        Some(found.at)
    }

    fn remember(&mut self, appender: u64, at: i64, text: Text) {
        self.last += 1;
        let number = self.last;
        // A free one, or else the oldest.
        let place = self.readings.iter_mut().min_by_key(|reading| (reading.appender != 0, reading.number));
        if let Some(place) = place {
            *place = Reading { appender, number, at, text };
        }
    }

    /// The text of an instant, remembered as a reading.
    fn print(&mut self, inner: &Inner, now: Moment) -> Text {
        let second = now.secs.rem_euclid(60);
        let minute = now.secs - second;
        if (self.minute, self.appender) != (minute, inner.id) {
            self.turn_to(minute, inner);
        }
        let mut text = Text { bytes: [0; LONGEST], len: 0 };
        text.push(&self.prefix);
        text.push(&two_digits(second as u32));
        text.push(b".");
        let micros = now.nanos / 1000;
        for pair in [micros / 10_000, micros / 100 % 100, micros % 100] {
            text.push(&two_digits(pair));
        }
        text.push(self.offset.as_bytes());
        self.remember(inner.id, now.secs, text);
        text
    }

    /// Writes the part that stays the same for a minute. Offsets are whole minutes, so it is also a minute of local time.
    #[cold]
    fn turn_to(&mut self, minute: i64, inner: &Inner) {
        let offset = inner.pattern.calendar().offsets().segment(minute).offset;
        let local =
            OffsetDateTime::from_unix_timestamp(minute + i64::from(offset)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = Text { bytes: [0; LONGEST], len: 0 };
        let (date, time) = (local.date(), local.time());
        let _ = write!(
            text,
            "{:04}-{:02}-{:02}T{:02}:{:02}:",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute()
        );
        self.prefix.copy_from_slice(&text.bytes[..MINUTE]);
        self.offset = Text { bytes: [0; LONGEST], len: 0 };
        let east = offset.unsigned_abs();
        let _ = match offset {
            0 => self.offset.write_str("Z"),
            _ => write!(self.offset, "{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, east / 3600, east / 60 % 60),
        };
        (self.minute, self.appender) = (minute, inner.id);
    }
}

impl Text {
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let free = &mut self.bytes[self.len..];
        let length = bytes.len().min(free.len());
        free[..length].copy_from_slice(&bytes[..length]);
        self.len += length;
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

/// Whether `head` contains `text`, which most lines begin with.
#[inline]
fn contains(head: &[u8], text: &[u8]) -> bool {
    head.starts_with(text) || head.windows(text.len().max(1)).any(|part| part == text)
}
