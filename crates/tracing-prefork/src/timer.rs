//! [`Timer`]: the timestamp of an event, whose reading also chooses the event's file.
//!
//! The formatter asks the timer first and the writer later, with other code and perhaps a boundary in between. So each
//! thread remembers the last few readings with the text that they were printed as, and the writer takes the reading
//! whose text it finds in the line. A reading that went elsewhere (to a console layer, say) or that belongs to an
//! event further out is never mistaken for this line's.

use crate::appender::Inner;
use crate::calendar::Span;
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

/// `2026-11-21T08:33:01.123456789+05:30`.
const LONGEST: usize = 35;

/// `2026-11-21T08:33:`.
const MINUTE: usize = 17;

/// Prints the time of an event in RFC 3339, in the appender's zone, with microseconds: `2026-11-21T08:33:01.123456Z`.
///
/// From [`Appender::timer`](crate::Appender::timer). An offset from UTC that is not a whole number of minutes, as local mean times
/// before the 1930s were, is printed without its seconds.
#[derive(Clone)]
pub struct Timer {
    inner: Arc<Inner>,
    precision: Precision,
}

/// How much of a second a [`Timer`] prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// `08:33:01`
    Seconds,
    /// `08:33:01.123`
    Milliseconds,
    /// `08:33:01.123456`
    #[default]
    Microseconds,
    /// `08:33:01.123456789`
    Nanoseconds,
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
    /// The place of the latest reading, and its number.
    latest: usize,
    last: u64,
    /// What stays the same for `cached`, a minute of local time or what a transition of the zone leaves of it: the text before the
    /// seconds, the second in which the minute began, and the offset behind the seconds.
    appender: u64,
    cached: Span,
    minute: i64,
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
        Self { inner, precision: Precision::default() }
    }

    /// Prints so much of a second instead of microseconds.
    ///
    /// ```
    /// use tracing_prefork::Precision;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let timer = logs.timer().with_precision(Precision::Milliseconds);
    /// # let _ = timer;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }
}

impl FormatTime for Timer {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let now = Moment::from(self.inner.clock.now());
        let print = |memory: &mut Memory| memory.print(&self.inner, now, self.precision);
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
            latest: 0,
            last: 0,
            appender: 0,
            cached: Span { start: 0, end: 0 },
            minute: 0,
            prefix: [0; MINUTE],
            offset: none,
        }
    }

    /// The newest reading of that appender whose text `line` shows, which is freed. As a rule it is the latest.
    #[inline]
    fn take(&mut self, line: &[u8], appender: u64) -> Option<i64> {
        let head = &line[..line.len().min(SEARCHED)];
        let shown = |reading: &Reading| reading.appender == appender && contains(head, reading.text.as_bytes());
        if !shown(&self.readings[self.latest]) {
            let others = self.readings.iter().enumerate().filter(|(_, reading)| shown(reading));
            self.latest = others.max_by_key(|(_, reading)| reading.number)?.0;
        }
        let found = &mut self.readings[self.latest];
        found.appender = 0;
        Some(found.at)
    }

    fn remember(&mut self, appender: u64, at: i64, text: Text) {
        // The place that was freed last, or another free one, or else the oldest.
        if self.readings[self.latest].appender != 0 {
            let places = self.readings.iter().enumerate();
            let place = places.min_by_key(|(_, reading)| (reading.appender != 0, reading.number));
            self.latest = place.map_or(0, |(index, _)| index);
        }
        self.last += 1;
        self.readings[self.latest] = Reading { appender, number: self.last, at, text };
    }

    /// The text of an instant, remembered as a reading.
    fn print(&mut self, inner: &Inner, now: Moment, precision: Precision) -> Text {
        if self.appender != inner.id || !self.cached.contains(now.secs) {
            self.turn_to(now.secs, inner);
        }
        let mut text = Text { bytes: [0; LONGEST], len: 0 };
        text.push(&self.prefix);
        text.push(&two_digits((now.secs - self.minute) as u32));
        match precision {
            Precision::Seconds => {}
            Precision::Milliseconds => text.push(&fraction::<4>(now.nanos / 1_000_000)),
            Precision::Microseconds => text.push(&fraction::<7>(now.nanos / 1000)),
            Precision::Nanoseconds => text.push(&fraction::<10>(now.nanos)),
        }
        text.push(self.offset.as_bytes());
        self.remember(inner.id, now.secs, text);
        text
    }

    /// Writes the part that stays the same for a minute.
    #[cold]
    fn turn_to(&mut self, at: i64, inner: &Inner) {
        let segment = inner.pattern.calendar().offsets().segment(at);
        let local = at + i64::from(segment.offset);
        self.minute = at - local.rem_euclid(60);
        self.cached = Span { start: segment.from.max(self.minute), end: segment.until.min(self.minute + 60) };
        self.appender = inner.id;

        let local = OffsetDateTime::from_unix_timestamp(local).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (date, month, time) = (local.date(), u8::from(local.month()), local.time());
        let mut text = Text { bytes: [0; LONGEST], len: 0 };
        let _ =
            write!(text, "{:04}-{month:02}-{:02}T{:02}:{:02}:", date.year(), date.day(), time.hour(), time.minute());
        self.prefix.copy_from_slice(&text.bytes[..MINUTE]);
        self.offset = Text { bytes: [0; LONGEST], len: 0 };
        let (sign, east) = (if segment.offset < 0 { '-' } else { '+' }, segment.offset.unsigned_abs());
        let _ = match east {
            0 => self.offset.write_str("Z"),
            _ => write!(self.offset, "{sign}{:02}:{:02}", east / 3600, east / 60 % 60),
        };
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

/// A point and the digits of `number`, with leading zeros.
#[inline]
fn fraction<const WIDTH: usize>(mut number: u32) -> [u8; WIDTH] {
    let mut text = [b'.'; WIDTH];
    let mut end = WIDTH;
    // Two at a time: a division takes longer than all else here.
    while end > 2 {
        text[end - 2..end].copy_from_slice(&two_digits(number % 100));
        number /= 100;
        end -= 2;
    }
    if end == 2 {
        text[1] = b'0' + number as u8;
    }
    text
}

/// Whether `head` contains `text`, which most lines begin with.
#[inline]
fn contains(head: &[u8], text: &[u8]) -> bool {
    head.starts_with(text) || head.windows(text.len().max(1)).any(|part| part == text)
}
