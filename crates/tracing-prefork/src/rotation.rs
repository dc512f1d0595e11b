//! [`Rotation`] and [`Period`]: which interval of time a file covers. Pure arithmetic, no clock, no I/O.

use crate::BuildError;
use crate::zone::Offsets;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;
use time::{Date, OffsetDateTime};

/// How often a new file begins.
///
/// Boundaries follow the calendar of the appender's [zone](crate::Zone), never the start of the process, so
/// that all processes agree on them. Names as in `tracing_appender::rolling::Rotation`.
///
/// ```
/// use tracing_prefork::Rotation;
///
/// let rotation: Rotation = "hourly".parse()?;
/// assert_eq!(rotation, Rotation::HOURLY);
/// assert_eq!(rotation.to_string(), "hourly");
/// # Ok::<(), tracing_prefork::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rotation(Unit);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Never,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// Each unit with its constant's name in lower case, which is also how it is written and read.
const UNITS: [(Unit, &str); 7] = [
    (Unit::Never, "never"),
    (Unit::Second, "secondly"),
    (Unit::Minute, "minutely"),
    (Unit::Hour, "hourly"),
    (Unit::Day, "daily"),
    (Unit::Week, "weekly"),
    (Unit::Month, "monthly"),
];

impl Rotation {
    /// One file for ever, without a date: `app.log`.
    pub const NEVER: Self = Self(Unit::Never);
    /// A file each second: `app.2026-11-21-08-33-01.log`. Meant for tests.
    pub const SECONDLY: Self = Self(Unit::Second);
    /// A file each minute: `app.2026-11-21-08-33.log`.
    pub const MINUTELY: Self = Self(Unit::Minute);
    /// A file each hour: `app.2026-11-21-08.log`.
    pub const HOURLY: Self = Self(Unit::Hour);
    /// A file each day: `app.2026-11-21.log`.
    pub const DAILY: Self = Self(Unit::Day);
    /// A file each week, named by its Sunday: `app.2026-11-15.log`.
    pub const WEEKLY: Self = Self(Unit::Week);
    /// A file each month: `app.2026-11.log`.
    pub const MONTHLY: Self = Self(Unit::Month);

    /// The date in a file's name, as a `time` format description; `None` leaves it out.
    pub(crate) fn date_format(&self) -> Option<&'static str> {
        match self.0 {
            Unit::Never => None,
            Unit::Second => Some("[year]-[month]-[day]-[hour]-[minute]-[second]"),
            Unit::Minute => Some("[year]-[month]-[day]-[hour]-[minute]"),
            Unit::Hour => Some("[year]-[month]-[day]-[hour]"),
            Unit::Day | Unit::Week => Some("[year]-[month]-[day]"),
            Unit::Month => Some("[year]-[month]"),
        }
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = UNITS.iter().find(|(unit, _)| *unit == self.0).map_or("", |(_, text)| text);
        f.pad(text)
    }
}

impl FromStr for Rotation {
    type Err = BuildError;

    /// Reads `never`, `secondly`, `minutely`, `hourly`, `daily`, `weekly` or `monthly`, in any case.
    fn from_str(text: &str) -> Result<Self, BuildError> {
        UNITS
            .iter()
            .find(|(_, name)| text.eq_ignore_ascii_case(name))
            .map(|(unit, _)| Self(*unit))
            .ok_or_else(|| BuildError::Rotation { value: text.to_owned() })
    }
}

/// The interval of time that one file covers: `start` belongs to it, `end` does not.
///
/// See [`Appender::period_at`](crate::Appender::period_at).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first instant whose events go into the file.
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
/// The *label* of an instant is the local time, in seconds, at which its unit began: what the file's name
/// shows. The period around an instant is the interval in which the label stays the same.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    unit: Unit,
    offsets: Offsets,
}

impl Calendar {
    pub(crate) fn new(rotation: &Rotation, offsets: Offsets) -> Self {
        Self { unit: rotation.0, offsets }
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    pub(crate) fn label(&self, at: i64) -> i64 {
        self.floor(at + i64::from(self.offsets.segment(at).offset))
    }

    /// The period of the instant `at`: taken from the calendar and the zone's transitions, never by adding
    /// 24 hours to something.
    pub(crate) fn span(&self, at: i64) -> Span {
        if self.unit == Unit::Never {
            return Span { start: i64::MIN, end: i64::MAX };
        }
        let mut segment = self.offsets.segment(at);
        let label = self.floor(at + i64::from(segment.offset));
        let mut end = segment.until.min(self.next(label) - i64::from(segment.offset));
        let mut start = segment.from.max(label - i64::from(segment.offset));
        // The same name may go on beyond a transition of the zone.
        while start == segment.from && self.label(start - 1) == label {
            segment = self.offsets.segment(start - 1);
            start = segment.from.max(label - i64::from(segment.offset));
        }
        segment = self.offsets.segment(at);
        while end == segment.until && self.label(end) == label {
            segment = self.offsets.segment(end);
            end = segment.until.min(self.next(label) - i64::from(segment.offset));
        }
        Span { start, end }
    }

    /// The period that has this label, if there is one: a date that a zone skipped has none.
    pub(crate) fn span_of_label(&self, label: i64) -> Option<Span> {
        let about = label - i64::from(self.offsets.segment(label).offset);
        let at = label - i64::from(self.offsets.segment(about).offset);
        (self.label(at) == label).then(|| self.span(at))
    }

    /// The start of the unit that the local time `local` lies in.
    fn floor(&self, local: i64) -> i64 {
        let to = |size: i64| local - local.rem_euclid(size);
        match self.unit {
            Unit::Never => i64::MIN,
            Unit::Second => local,
            Unit::Minute => to(60),
            Unit::Hour => to(3600),
            Unit::Day => to(DAY),
            // 1970-01-04 was a Sunday.
            Unit::Week => local - (local - 3 * DAY).rem_euclid(7 * DAY),
            Unit::Month => date(local).replace_day(1).map_or(local, seconds),
        }
    }

    /// The start of the unit after the one that starts at the local time `label`.
    fn next(&self, label: i64) -> i64 {
        match self.unit {
            Unit::Never => i64::MAX,
            Unit::Second => label + 1,
            Unit::Minute => label + 60,
            Unit::Hour => label + 3600,
            Unit::Day => label + DAY,
            Unit::Week => label + 7 * DAY,
            // 31 days after the first of a month is in the next month.
            Unit::Month => self.floor(label + 31 * DAY),
        }
    }
}

/// The date of a local time. Instants are held to the years 1 to 9998 (`Moment`), so the default never shows.
fn date(local: i64) -> Date {
    OffsetDateTime::from_unix_timestamp(local).map_or(Date::MIN, OffsetDateTime::date)
}

fn seconds(date: Date) -> i64 {
    date.midnight().assume_utc().unix_timestamp()
}
