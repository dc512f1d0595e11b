//! [`Period`]: which interval of time a file covers. Pure arithmetic, no clock, no I/O.

use crate::time::rotation::{Rotation, Unit, Weekday};
use crate::time::zone::{Offsets, Segment};
use std::time::SystemTime;
use time::{Date, Month, OffsetDateTime};

/// The interval of time that one file covers: `start` belongs to it, `end` does not.
///
/// See [`Appender::period_at`](crate::Appender::period_at).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first instant whose events go into the file. That of [`Rotation::NEVER`] is in the year 1: before
    /// [`UNIX_EPOCH`](std::time::UNIX_EPOCH), of which `duration_since` says so with an error.
    pub start: SystemTime,
    /// The first instant whose events go into the next file; `None` for [`Rotation::NEVER`].
    pub end: Option<SystemTime>,
}

/// A period in seconds since 1970, half-open; unbounded where it says `i64::MIN` or `i64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Span {
    pub(crate) fn contains(self, at: i64) -> bool {
        (self.start..self.end).contains(&at)
    }
}

const DAY: i64 = 86_400;

/// A rotation in a zone: tells the label and the period of any instant.
///
/// The *label* of an instant is the local date and time, in seconds, that names its unit: what the file's name shows.
/// The period around an instant is the interval in which the label stays the same.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    unit: Unit,
    every: i64,
    /// Seconds after local midnight at which a unit of a day or more begins.
    at: i64,
    /// The day, counted from 1970-01-01, with which weeks begin to be counted.
    first_week: i64,
    offsets: Offsets,
    /// Names show the offset, so that another offset is another file.
    by_offset: bool,
}

impl Calendar {
    pub(crate) fn new(rotation: &Rotation, offsets: Offsets, by_offset: bool) -> Self {
        let (hour, minute) = rotation.at.unwrap_or((0, 0));
        Self {
            unit: rotation.unit,
            every: rotation.every.into(),
            at: i64::from(hour) * 3600 + i64::from(minute) * 60,
            first_week: first_on_or_after_1970(rotation.weekday),
            offsets,
            by_offset,
        }
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The label of an instant, and the offset at it.
    pub(crate) fn label_and_offset(&self, at: i64) -> (i64, i32) {
        let offset = self.offsets.segment(at).offset;
        (self.floor(at + i64::from(offset)), offset)
    }

    /// Whether events at `at`, at another side of a transition, go to the file of this label and offset.
    fn goes_on(&self, at: i64, (label, offset): (i64, i32)) -> bool {
        let there = self.label_and_offset(at);
        there.0 == label && (!self.by_offset || there.1 == offset)
    }

    /// The period of the instant `at`: taken from the calendar and the zone's transitions, never by adding
    /// 24 hours to something.
    ///
    /// One night with hourly files, in Berlin, where the clock is set back from 03:00 to 02:00 at 01:00 UTC:
    ///
    /// ```text
    /// instant, UTC        00:00            01:00            02:00
    /// segment        ──── +02:00 ───────────┤├───────────── +01:00 ─────
    /// local time          02:00       02:59  02:00     02:59  03:00
    /// label               02                 02               03
    /// `within` label 02   [00:00 ──── 01:00) [01:00 ── 02:00)
    /// span                [00:00 ───────────────────── 02:00)      the same label goes on beyond the transition
    /// span, by offset     [00:00 ──── 01:00) [01:00 ── 02:00)      names that show the offset (`%z`) tell them apart
    /// ```
    pub(crate) fn span(&self, at: i64) -> Span {
        if self.unit == Unit::Never {
            return Span { start: i64::MIN, end: i64::MAX };
        }
        let here = self.offsets.segment(at);
        let (label, offset) = (self.floor(at + i64::from(here.offset)), here.offset);
        let Span { mut start, mut end } = self.within(here, label);
        // The same label may go on beyond a transition of the zone.
        let mut segment = here;
        while start == segment.from && self.goes_on(start - 1, (label, offset)) {
            segment = self.offsets.segment(start - 1);
            start = self.within(segment, label).start;
        }
        segment = here;
        while end == segment.until && self.goes_on(end, (label, offset)) {
            segment = self.offsets.segment(end);
            end = self.within(segment, label).end;
        }
        Span { start, end }
    }

    /// The part of a segment that has this label.
    fn within(&self, segment: Segment, label: i64) -> Span {
        let offset = i64::from(segment.offset);
        Span {
            start: segment.from.max(label + self.at - offset),
            end: segment.until.min(self.next(label) + self.at - offset),
        }
    }

    /// The period with this label; a date that a zone has skipped has none. If a zone has set its clock back there can
    /// be two, with one file: then the last that has begun by `now`, or else the first.
    pub(crate) fn span_of_label(&self, label: i64, offset: Option<i32>, now: i64) -> Option<Span> {
        // A label is less than 27 hours away from its instants: the largest offset, and the largest step of one.
        let (mut at, last) = (label + self.at - 27 * 3600, self.next(label) + self.at + 27 * 3600);
        let mut found: Option<Span> = None;
        while at < last {
            let segment = self.offsets.segment(at);
            let part = self.within(segment, label);
            let of_offset = offset.is_none_or(|offset| offset == segment.offset);
            if of_offset && part.start < part.end && (found.is_none() || part.start <= now) {
                found = Some(part);
            }
            at = segment.until;
        }
        found.map(|part| self.span(part.start))
    }

    /// The label of the unit that the local time `local` lies in.
    fn floor(&self, local: i64) -> i64 {
        let local = local - self.at;
        let day = local.div_euclid(DAY);
        let of_day = |size: i64| local - local.rem_euclid(DAY).rem_euclid(size * self.every);
        match self.unit {
            Unit::Never => i64::MIN,
            Unit::Second => of_day(1),
            Unit::Minute => of_day(60),
            Unit::Hour => of_day(3600),
            Unit::Day => (day - day.rem_euclid(self.every)) * DAY,
            Unit::Week => (day - (day - self.first_week).rem_euclid(7 * self.every)) * DAY,
            Unit::Month => {
                let month = month(local);
                first_of(month - month.rem_euclid(self.every))
            }
        }
    }

    /// The label of the unit after the one with the label `label`.
    fn next(&self, label: i64) -> i64 {
        // The last piece of a day may be shorter.
        let of_day = |size: i64| (label + size * self.every).min((label.div_euclid(DAY) + 1) * DAY);
        match self.unit {
            Unit::Never => i64::MAX,
            Unit::Second => of_day(1),
            Unit::Minute => of_day(60),
            Unit::Hour => of_day(3600),
            Unit::Day => label + self.every * DAY,
            Unit::Week => label + self.every * 7 * DAY,
            Unit::Month => first_of(month(label) + self.every),
        }
    }
}

/// 1970-01-01 was a Thursday.
fn first_on_or_after_1970(weekday: Weekday) -> i64 {
    (weekday as i64 - Weekday::Thursday as i64).rem_euclid(7)
}

/// The month of a local time, counted from January 1970. Instants are held to the years 1 to 9998 (`Moment`), so the
/// default never shows.
fn month(local: i64) -> i64 {
    let date = OffsetDateTime::from_unix_timestamp(local).map_or(Date::MIN, OffsetDateTime::date);
    i64::from(date.year() - 1970) * 12 + i64::from(u8::from(date.month())) - 1
}

/// The first second of a month that is counted from January 1970.
fn first_of(month: i64) -> i64 {
    let year = i32::try_from(1970 + month.div_euclid(12)).unwrap_or(i32::MAX);
    let name = Month::try_from(month.rem_euclid(12) as u8 + 1).unwrap_or(Month::January);
    let date = Date::from_calendar_date(year, name, 1).unwrap_or(Date::MAX);
    date.midnight().assume_utc().unix_timestamp()
}
