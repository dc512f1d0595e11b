//! The readings of timers that a thread remembers.
//!
//! The formatter calls the timer first and the writer later. Other code, and perhaps a boundary, lies in between. So
//! each thread remembers its last few readings with their texts, and the writer takes the reading whose text stands
//! first in the line. A reading that went to another place, such as a console layer, is never taken for this line's
//! reading. Nor is the reading of an outer event, in whose formatting this event was logged.

use crate::event::precision::{MICRO, MILLI, MINUTE, NANO, Precision, SECOND};
use crate::event::time_source::Source;
use crate::sys::ShortText;
use crate::time::calendar::Span;
use crate::time::clock::Moment;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use time::OffsetDateTime;

/// The readings that a thread remembers: one for each event that is being formatted within the formatting of another
/// event, and those that went to other places.
///
/// A reading that no line shows is forgotten only when a newer one takes its place. No earlier moment is right: nothing
/// tells the timer that a formatter has finished, so such a reading looks like that of an outer event whose line is
/// still to come. Forgetting it has misplaced the lines of outer events.
const REMEMBERED: usize = 8;

/// The first bytes of a line, in which a timestamp is searched for. JSON has it at the 14th byte, other formats sooner.
const SEARCHED: usize = 256;

/// The length of `+05:30`.
const OFFSET: usize = 6;

/// In nanoseconds.
const MILLISECOND: u32 = 1_000_000;

#[derive(Clone, Copy)]
struct Reading {
    /// 0: free.
    appender: u64,
    at: i64,
    /// The text, as it was printed.
    text: [u8; NANO],
    len: usize,
}

impl Reading {
    #[inline]
    fn is_at_the_start_of(&self, text: &[u8], appender: u64) -> bool {
        self.appender == appender && text.starts_with(&self.text[..self.len])
    }
}

/// What a thread remembers of timestamps.
struct Memory {
    /// A ring: a reading goes into the place after the latest. A line that shows the latest reading gives its place
    /// back. So events that are logged while another event is formatted do not overwrite that event's reading.
    readings: [Reading; REMEMBERED],
    latest: usize,
    /// The appender and the millisecond that `text` and `offset` belong to. The text ends with the milliseconds.
    appender: u64,
    at: i64,
    nanos: u32,
    text: ShortText<MILLI>,
    offset: ShortText<OFFSET>,
    /// The text before the seconds stays the same for `minute`: a minute of local time, or the part of it that a
    /// transition of the zone leaves.
    minute: Span,
    minute_text: ShortText<MINUTE>,
    /// The second in which the whole minute began.
    began: i64,
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
    MEMORY.with(|memory| memory.try_borrow_mut().ok()?.take(line, appender))
}

/// Gives the time of an instant to `push`, in pieces. The reading is `remembered`, if its line is to be found by it.
#[inline]
pub(super) fn print(
    source: &Source,
    now: Moment,
    precision: Precision,
    remembered: bool,
    push: &mut impl FnMut(&str) -> fmt::Result,
) -> fmt::Result {
    let printed = MEMORY.with(|memory| {
        let mut memory = memory.try_borrow_mut().ok()?;
        if remembered {
            PRINTED.set(true);
            memory.remember(source, now, precision);
        }
        Some(memory.print(source, now, precision, push))
    });
    printed.unwrap_or_else(|| print_apart(source, now, precision, push))
}

/// Prints a time that is not remembered, because `push` itself prints times.
#[cold]
#[inline(never)]
fn print_apart(
    source: &Source,
    now: Moment,
    precision: Precision,
    push: &mut impl FnMut(&str) -> fmt::Result,
) -> fmt::Result {
    Memory::new().print(source, now, precision, push)
}

impl Memory {
    const fn new() -> Self {
        Self {
            readings: [Reading { appender: 0, at: 0, text: [0; NANO], len: 0 }; REMEMBERED],
            latest: 0,
            appender: 0,
            at: 0,
            nanos: 0,
            text: ShortText::new(),
            offset: ShortText::new(),
            minute: Span { start: 0, end: 0 },
            minute_text: ShortText::new(),
            began: 0,
        }
    }

    /// The second of the reading of that appender whose text stands first in `line`. The reading is forgotten. As a
    /// rule it is the latest one, and the line begins with it.
    #[inline]
    fn take(&mut self, line: &[u8], appender: u64) -> Option<i64> {
        let head = &line[..line.len().min(SEARCHED)];
        let back = if self.reading(0).is_at_the_start_of(head, appender) { 0 } else { self.find(head, appender)? };
        let at = self.reading(back).at;
        // Newer readings were printed while this event was formatted. That is over, so no line shows them any more.
        for newer in 0..=back {
            let newer = &mut self.readings[self.latest.wrapping_sub(newer) % REMEMBERED];
            newer.appender = if newer.appender == appender { 0 } else { newer.appender };
        }
        for _ in 0..=back {
            if self.reading(0).appender == 0 {
                self.latest = self.place(1);
            }
        }
        Some(at)
    }

    /// How far back the reading is whose text stands first in the line. A timestamp that a field has printed stands
    /// behind the line's own. One search of the line serves all readings, because readings of a console stay for some
    /// time.
    #[inline(never)]
    fn find(&self, head: &[u8], appender: u64) -> Option<usize> {
        let reading_of =
            |text: &[u8]| (0..REMEMBERED).find(|back| self.reading(*back).is_at_the_start_of(text, appender));
        timestamps(head).find_map(reading_of)
    }

    fn place(&self, back: usize) -> usize {
        self.latest.wrapping_sub(back) % REMEMBERED
    }

    fn reading(&self, back: usize) -> &Reading {
        &self.readings[self.place(back)]
    }

    /// Turns to the millisecond of an instant. Returns the digits of its microseconds and of its nanoseconds.
    #[inline]
    fn turn(&mut self, source: &Source, now: Moment) -> (&'static str, &'static str) {
        let mut rest = now.nanos.wrapping_sub(self.nanos);
        if self.appender != source.id() || self.at != now.secs || rest >= MILLISECOND {
            rest = now.nanos % MILLISECOND;
            self.turn_to(source, now.secs, now.nanos - rest);
        }
        (three_digits(rest / 1000), three_digits(rest % 1000))
    }

    /// Remembers an instant as a reading.
    #[inline]
    fn remember(&mut self, source: &Source, now: Moment, precision: Precision) {
        let (micros, nanos) = self.turn(source, now);
        self.latest = (self.latest + 1) % REMEMBERED;
        let reading = &mut self.readings[self.latest];
        (reading.appender, reading.at, reading.len) = (source.id(), now.secs, precision.length());
        reading.text[..MILLI]
            .copy_from_slice(self.text.as_str().as_bytes().first_chunk::<MILLI>().unwrap_or(&[0; MILLI]));
        reading.text[MILLI..MICRO].copy_from_slice(micros.as_bytes());
        reading.text[MICRO..].copy_from_slice(nanos.as_bytes());
    }

    /// Prints an instant.
    ///
    /// The text goes out in pieces that lie ready. To put the digits together first, and to copy them as one text, was
    /// measured to take 7 ns longer.
    #[inline]
    fn print(
        &mut self,
        source: &Source,
        now: Moment,
        precision: Precision,
        push: &mut impl FnMut(&str) -> fmt::Result,
    ) -> fmt::Result {
        let (micros, nanos) = self.turn(source, now);
        let (text, length) = (self.text.as_str(), precision.length());
        push(text.get(..length).unwrap_or(text))?;
        if length > MILLI {
            push(micros)?;
        }
        if length > MICRO {
            push(nanos)?;
        }
        push(self.offset.as_str())
    }

    /// Writes the text that stays the same for a millisecond.
    #[cold]
    fn turn_to(&mut self, source: &Source, at: i64, nanos: u32) {
        if self.appender != source.id() || !self.minute.contains(at) {
            self.turn_to_minute(source, at);
        }
        (self.at, self.nanos) = (at, nanos);
        let text = &mut self.text;
        text.clear();
        text.push(self.minute_text.as_str());
        text.push(three_digits((at - self.began) as u32).get(1..).unwrap_or_default());
        text.push(".");
        text.push(three_digits(nanos / MILLISECOND));
    }

    /// Writes the text that stays the same for a minute.
    fn turn_to_minute(&mut self, source: &Source, at: i64) {
        let segment = source.offsets().segment(at);
        let local = at + i64::from(segment.offset);
        self.began = at - local.rem_euclid(60);
        self.minute = Span { start: segment.from.max(self.began), end: segment.until.min(self.began + 60) };
        self.appender = source.id();

        let local = OffsetDateTime::from_unix_timestamp(local).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (date, month, time) = (local.date(), u8::from(local.month()), local.time());
        let (year, day, hour, minute) = (date.year(), date.day(), time.hour(), time.minute());
        self.minute_text.clear();
        let _ = write!(self.minute_text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:");
        let (sign, east) = (if segment.offset < 0 { '-' } else { '+' }, segment.offset.unsigned_abs());
        self.offset.clear();
        let _ = match east {
            0 => self.offset.write_str("Z"),
            _ => write!(self.offset, "{sign}{:02}:{:02}", east / 3600, east / 60 % 60),
        };
    }
}

/// The three digits of a `number` below a thousand.
#[inline]
fn three_digits(number: u32) -> &'static str {
    let begin = number as usize * 3;
    ALL_DIGITS.get(begin..begin + 3).unwrap_or_default()
}

/// `000001002`, and so on to `999`.
static ALL_DIGITS: &str = {
    const BYTES: [u8; 3000] = {
        let mut bytes = [0; 3000];
        let mut number = 0;
        while number < 1000 {
            bytes[3 * number] = b'0' + (number / 100) as u8;
            bytes[3 * number + 1] = b'0' + (number / 10 % 10) as u8;
            bytes[3 * number + 2] = b'0' + (number % 10) as u8;
            number += 1;
        }
        bytes
    };
    match std::str::from_utf8(&BYTES) {
        Ok(digits) => digits,
        Err(_) => "",
    }
};

/// Each part of a text that begins like a timestamp and reaches to the end of the text. The shape tells:
/// `2026-11-21T08:33:01`.
fn timestamps(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let has_shape = |text: &[u8]| text[10] == b'T' && text[4] == b'-' && text[13] == b':';
    head.windows(SECOND).enumerate().filter(move |(_, text)| has_shape(text)).map(|(begin, _)| &head[begin..])
}
