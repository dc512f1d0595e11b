//! [`Period`]: which interval of time a file covers. This is pure arithmetic: no clock, no I/O.

use crate::time::rotation::{Rotation, Unit, Weekday};
use crate::time::zone::{Offsets, Segment};
use std::iter;
use std::time::SystemTime;
use time::{Date, Month, OffsetDateTime};

/// The interval of time that one file covers: `start` belongs to it, `end` does not. The earlier period is the less.
///
/// See [`Appender::period_at`](crate::Appender::period_at).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Period {
    /// The first instant whose events go into the file. For [`Rotation::NEVER`] this is in the year 1. That is before
    /// [`UNIX_EPOCH`](std::time::UNIX_EPOCH), so `start.duration_since(UNIX_EPOCH)` is an error.
    pub start: SystemTime,
    /// The first instant whose events go into the next file. `None` for [`Rotation::NEVER`].
    pub end: Option<SystemTime>,
}

impl Period {
    /// Whether an event of that time goes into the period's file.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::hourly(directory.path(), "app.log");
    /// let period = logs.period_at(UNIX_EPOCH);
    /// assert!(period.contains(UNIX_EPOCH + Duration::from_secs(3_599)));
    /// assert!(!period.contains(UNIX_EPOCH + Duration::from_secs(3_600)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn contains(&self, time: SystemTime) -> bool {
        self.start <= time && self.end.is_none_or(|end| time < end)
    }
}

/// A period in seconds since 1970: `start` belongs to it, `end` does not. `i64::MIN` and `i64::MAX` mean no bound.
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

/// What names show beside the units of the rotation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// The offset from UTC. If so, another offset is another file, and a repeated hour has two files.
    pub(crate) offset: bool,
    /// The minute.
    pub(crate) minute: bool,
}

/// A rotation in a zone: tells the label and the period of any instant.
///
/// The *label* of an instant is what the file's name shows: the local date and time, in seconds, at which the instant's
/// unit begins. The period around an instant is the interval in which the label stays the same.
///
/// With a time of day (`at`) a label has of that time what the name shows. With 04:30 the label of a day is its
/// midnight, and the label of a piece of hours is 04:00, unless the names show the minute.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    unit: Unit,
    every: i64,
    /// Seconds after local midnight at which a unit of a day or more begins, or the first piece of a day.
    at: i64,
    /// The part of `at` that labels have.
    labelled: i64,
    /// The first day of the first week, counted from 1970-01-01.
    first_week: i64,
    offsets: Offsets,
    by_offset: bool,
}

impl Calendar {
    pub(crate) fn new(rotation: &Rotation, offsets: Offsets, shown: Shown) -> Self {
        let (hour, minute) = rotation.at.unwrap_or((0, 0));
        let (whole_hours, at) = (i64::from(hour) * 3600, i64::from(hour) * 3600 + i64::from(minute) * 60);
        let labelled = match rotation.unit {
            Unit::Second | Unit::Minute => at,
            Unit::Hour if shown.minute => at,
            Unit::Hour => whole_hours,
            Unit::Never | Unit::Day | Unit::Week | Unit::Month => 0,
        };
        Self {
            unit: rotation.unit,
            every: rotation.every.into(),
            at,
            labelled,
            first_week: first_on_or_after_1970(rotation.weekday),
            offsets,
            by_offset: shown.offset,
        }
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The label of an instant, and the zone's offset at the instant.
    pub(crate) fn label_and_offset(&self, at: i64) -> (i64, i32) {
        let offset = self.offsets.segment(at).offset;
        (self.floor(at + i64::from(offset)), offset)
    }

    /// Whether events at `at`, on the other side of a transition, go to the file of this label and offset.
    fn goes_on(&self, at: i64, (label, offset): (i64, i32)) -> bool {
        let there = self.label_and_offset(at);
        there.0 == label && (!self.by_offset || there.1 == offset)
    }

    /// The period of the instant `at`. It follows from the calendar and the zone's transitions; nothing ever adds 24
    /// hours.
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
        // 1. The part of this segment that has the label.
        let here = self.offsets.segment(at);
        let (label, offset) = (self.floor(at + i64::from(here.offset)), here.offset);
        let Span { mut start, mut end } = self.within(here, label);
        // 2. The label may go on before the segment, and behind it.
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

    /// The part of a segment that has this label. Empty (`start >= end`) if the segment does not have it.
    fn within(&self, segment: Segment, label: i64) -> Span {
        let from_label = self.at - self.labelled - i64::from(segment.offset);
        Span { start: segment.from.max(label + from_label), end: segment.until.min(self.next(label) + from_label) }
    }

    /// The period with this label. A date that a zone has skipped has none. If a zone has set its clock back, two
    /// periods can have one label and share a file: the last that has begun by `now` is meant, or the first if none has
    /// begun.
    ///
    /// The same night in Berlin, with a file each minute: the local time 02:30 comes twice.
    ///
    /// ```text
    /// instant, UTC        00:00    00:30    01:00    01:30    02:00
    /// segment        ──── +02:00 ───────────┤├────── +01:00 ─────
    /// local time          02:00    02:30    02:00    02:30    03:00
    /// periods of 02:30             ├─┤               ├─┤           [00:30, 00:31) and [01:30, 01:31)
    /// `now` is 00:45               this one
    /// `now` is 01:45                                 this one
    /// ```
    pub(crate) fn span_of_label(&self, label: i64, offset: Option<i32>, now: i64) -> Option<Span> {
        // 1. The parts of all segments that have the label, and the offset if the name shows one.
        let of_offset = |segment: &Segment| offset.is_none_or(|offset| offset == segment.offset);
        let parts = self.segments_around(label).filter(of_offset).map(|segment| self.within(segment, label));
        let mut parts = parts.filter(|part| part.start < part.end);
        // 2. The last that has begun, or else the first.
        let first = parts.next()?;
        let part = parts.take_while(|part| part.start <= now).last().unwrap_or(first);
        // 3. The label may go on beyond that part.
        Some(self.span(part.start))
    }

    /// The segments that can contain an instant with this label, in their order. A label is less than 27 hours away
    /// from its instants: by the largest offset, and the largest step of an offset.
    fn segments_around(&self, label: i64) -> impl Iterator<Item = Segment> {
        let from_label = self.at - self.labelled;
        let (first, last) = (label + from_label - 27 * 3600, self.next(label) + from_label + 27 * 3600);
        let next = move |segment: &Segment| (segment.until < last).then(|| self.offsets.segment(segment.until));
        iter::successors(Some(self.offsets.segment(first)), next)
    }

    /// The label of the unit that contains the local time `local`.
    fn floor(&self, local: i64) -> i64 {
        let local = local - self.at;
        let day = local.div_euclid(DAY);
        let of_day = |size: i64| local - local.rem_euclid(DAY).rem_euclid(size * self.every) + self.labelled;
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

    /// The label of the next unit.
    fn next(&self, label: i64) -> i64 {
        // The last piece of a day may be shorter. The day of the pieces begins at `at`.
        let end_of_day = ((label - self.labelled).div_euclid(DAY) + 1) * DAY + self.labelled;
        let of_day = |size: i64| (label + size * self.every).min(end_of_day);
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

/// The month of a local time, counted from January 1970. Instants are in the years 1 to 9998 (`Moment`), so the default
/// is never used.
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
