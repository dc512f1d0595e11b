//! [`Rotation`]: how often a new file begins, and how a rotation is written and read.

use crate::report::parse_error::{ParseError, What};
use std::fmt;
use std::str::FromStr;

/// How often a new file begins.
///
/// Boundaries follow the calendar of the appender's [zone](crate::Zone) and not the start of the process. So all
/// processes agree on them. The constants have the names of `tracing_appender::rolling::Rotation`.
///
/// ```
/// use tracing_prefork::{Rotation, Weekday};
///
/// assert_eq!("hourly".parse::<Rotation>()?, Rotation::HOURLY);
/// assert_eq!("6 hours".parse::<Rotation>()?, Rotation::HOURLY.every(6));
/// assert_eq!("daily at 04:00".parse::<Rotation>()?, Rotation::DAILY.at(4, 0));
/// assert_eq!("6 hours at 04:00".parse::<Rotation>()?, Rotation::HOURLY.every(6).at(4, 0));
/// assert_eq!("monday".parse::<Rotation>()?, Rotation::weekly_on(Weekday::Monday));
/// assert_eq!(Rotation::DAILY.at(4, 0).to_string(), "daily at 04:00");
/// # Ok::<(), tracing_prefork::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rotation {
    pub(crate) unit: Unit,
    pub(crate) every: u32,
    /// Hour and minute of the day.
    pub(crate) at: Option<(u8, u8)>,
    /// The day on which a week begins.
    pub(crate) weekday: Weekday,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unit {
    Never,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// Each unit: its text alone, its text behind a number, and the largest number that makes sense.
const UNITS: [(Unit, &str, &str, u32); 7] = [
    (Unit::Never, "never", "never", 1),
    (Unit::Second, "secondly", "seconds", 86_400),
    (Unit::Minute, "minutely", "minutes", 1440),
    (Unit::Hour, "hourly", "hours", 24),
    (Unit::Day, "daily", "days", 36_500),
    (Unit::Week, "weekly", "weeks", 5200),
    (Unit::Month, "monthly", "months", 1200),
];

impl Unit {
    fn row(self) -> (&'static str, &'static str, u32) {
        UNITS.iter().find(|row| row.0 == self).map_or(("", "", 0), |&(_, alone, counted, most)| (alone, counted, most))
    }
}

/// A day of the week, for [`Rotation::weekly_on`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the days' names")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// In the order of Python's `W0` to `W6`.
const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "monday"),
    (Weekday::Tuesday, "tuesday"),
    (Weekday::Wednesday, "wednesday"),
    (Weekday::Thursday, "thursday"),
    (Weekday::Friday, "friday"),
    (Weekday::Saturday, "saturday"),
    (Weekday::Sunday, "sunday"),
];

impl Rotation {
    /// One file for ever, without a date: `app.log`.
    pub const NEVER: Self = Self::of(Unit::Never);
    /// A file each second: `app.2026-11-21-08-33-01.log`. It is meant for tests.
    pub const SECONDLY: Self = Self::of(Unit::Second);
    /// A file each minute: `app.2026-11-21-08-33.log`.
    pub const MINUTELY: Self = Self::of(Unit::Minute);
    /// A file each hour: `app.2026-11-21-08.log`.
    pub const HOURLY: Self = Self::of(Unit::Hour);
    /// A file each day: `app.2026-11-21.log`.
    pub const DAILY: Self = Self::of(Unit::Day);
    /// A file each week, named by its Sunday: `app.2026-11-15.log`.
    pub const WEEKLY: Self = Self::of(Unit::Week);
    /// A file each month: `app.2026-11.log`.
    pub const MONTHLY: Self = Self::of(Unit::Month);

    const fn of(unit: Unit) -> Self {
        Self { unit, every: 1, at: None, weekday: Weekday::Sunday }
    }

    /// A file for every `n` units.
    ///
    /// * Seconds, minutes and hours count from local midnight, or from the time that [`at`](Self::at) gives. The last
    ///   file of a day may cover less.
    /// * Days and months count from 1970-01-01.
    /// * Weeks count from the first week that begins on or after 1970-01-01.
    ///
    /// So all processes agree, whenever they were started.
    ///
    /// The largest `n` makes a day of seconds, minutes and hours, and a century of the longer units.
    /// [`build`](crate::Builder::build) refuses a larger `n`, and 0.
    #[must_use]
    pub const fn every(mut self, n: u32) -> Self {
        self.every = n;
        self
    }

    /// The local time at which a day, a week or a month begins, instead of midnight. With `DAILY.at(4, 0)`, an event at
    /// three in the morning goes into the file of the day before.
    ///
    /// Seconds, minutes and hours count from this time: with `HOURLY.every(6).at(4, 0)` files begin at 04:00, 10:00,
    /// 16:00 and 22:00. The file that begins at 22:00 ends at 04:00 and is named by its beginning: `2026-11-21-22`.
    /// With `every(5)` files begin at 04:00, 09:00, 14:00, 19:00 and 00:00, and the last ends at 04:00. With
    /// `HOURLY.at(0, 30)` a file begins at half past each hour.
    ///
    /// [`build`](crate::Builder::build) refuses times that do not exist, and any time for [`NEVER`](Self::NEVER).
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let builder = Appender::builder().rotation(Rotation::HOURLY.every(6).at(4, 0));
    /// let logs = builder.build(directory.path())?;
    /// let instant = UNIX_EPOCH + Duration::from_secs(1_795_228_200); // 2026-11-21 02:30 UTC
    /// assert!(logs.path_at(instant).ends_with("2026-11-20-22"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn at(mut self, hour: u8, minute: u8) -> Self {
        self.at = Some((hour, minute));
        self
    }

    /// A file each week. The week begins on `weekday`, and the file is named by that day.
    #[must_use]
    pub const fn weekly_on(weekday: Weekday) -> Self {
        let mut weekly = Self::WEEKLY;
        weekly.weekday = weekday;
        weekly
    }

    /// Refuses combinations that mean nothing.
    pub(crate) fn check(&self) -> Result<(), ParseError> {
        let (_, counted, most) = self.unit.row();
        let reason = match self.at {
            _ if self.every == 0 => "every(0) has no length; the least is 1".to_owned(),
            _ if self.every > most && self.unit == Unit::Never => {
                "`never` cannot be counted; give a unit such as `daily`".to_owned()
            }
            _ if self.every > most => format!("a file covers at most {most} {counted}"),
            Some(_) if self.unit == Unit::Never => "`never` begins at no time of day; leave the time out".to_owned(),
            Some((hour, minute)) if hour > 23 || minute > 59 => {
                "there is no such time of day; give one from 00:00 to 23:59".to_owned()
            }
            _ => return Ok(()),
        };
        Err(ParseError::new(What::Rotation, self.to_string(), reason))
    }

    /// The day on which weeks begin, if the rotation is one of weeks.
    pub(crate) fn weekday_of_weeks(&self) -> Option<Weekday> {
        (self.unit == Unit::Week).then_some(self.weekday)
    }

    /// The date in a file's name, as a format description of the crate `time`. `None`: the name has no date.
    pub(crate) fn date_format(&self) -> Option<&'static str> {
        match self.unit {
            Unit::Never => None,
            Unit::Second => Some("[year]-[month]-[day]-[hour]-[minute]-[second]"),
            Unit::Minute => Some("[year]-[month]-[day]-[hour]-[minute]"),
            Unit::Hour => Some("[year]-[month]-[day]-[hour]"),
            Unit::Day | Unit::Week => Some("[year]-[month]-[day]"),
            Unit::Month => Some("[year]-[month]"),
        }
    }
}

/// [`Rotation::NEVER`], as in `tracing_appender::rolling`.
impl Default for Rotation {
    fn default() -> Self {
        Self::NEVER
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alone, counted, _) = self.unit.row();
        let weekday = WEEKDAYS.iter().find(|(day, _)| *day == self.weekday).map_or("", |(_, name)| name);
        let on_sunday = self.weekday == Weekday::Sunday;
        let mut text = match self.every {
            1 if on_sunday => alone.to_owned(),
            1 => weekday.to_owned(),
            n if on_sunday => format!("{n} {counted}"),
            n => format!("{n} {counted} on {weekday}"),
        };
        if let Some((hour, minute)) = self.at {
            text += &format!(" at {hour:02}:{minute:02}");
        }
        f.pad(&text)
    }
}

impl FromStr for Rotation {
    type Err = ParseError;

    /// Reads these texts, in upper or lower case:
    ///
    /// * `never`, `secondly`, `minutely`, `hourly`, `daily`, `weekly`, `monthly`
    /// * `monday` to `sunday`
    /// * `6 hours`, `2 weeks`, `2 weeks on monday`, `weekly on monday`, and so on
    /// * `30s`, `15m`, `2h`, `1d`, `1w`: seconds, minutes, hours, days, weeks
    /// * any of these but `never`, with a time: `daily at 04:00`, `monday at 04:00`, `6 hours at 04:00`
    /// * the names of Python's `TimedRotatingFileHandler`: `S`, `M`, `H`, `D`, `midnight`, and `W0` (Monday) to `W6`
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let lower = text.trim().to_ascii_lowercase();
        let expected = "expected one such as `daily`, `6 hours`, `monday` or `daily at 04:00`";
        let rotation = read(&lower).ok_or_else(|| ParseError::new(What::Rotation, text, expected))?;
        // The error names the text as it was given.
        rotation.check().map_err(|error| ParseError::new(What::Rotation, text, error.reason()))?;
        Ok(rotation)
    }
}

fn read(text: &str) -> Option<Rotation> {
    let (what, at) = match text.split_once(" at ") {
        Some((what, at)) => {
            let (hour, minute) = at.split_once(':')?;
            let number = |digits: &str| number(digits).filter(|_| digits.len() <= 2)?.try_into().ok();
            (what, Some((number(hour)?, number(minute)?)))
        }
        None => (text, None),
    };
    let rotation = alone(what).or_else(|| counted(what)).or_else(|| short(what))?;
    Some(Rotation { at, ..rotation })
}

fn alone(text: &str) -> Option<Rotation> {
    let weekday = |name: &str| WEEKDAYS.iter().find(|(_, day)| *day == name).map(|(day, _)| Rotation::weekly_on(*day));
    let unit = |name: &str| UNITS.iter().find(|row| row.1 == name).map(|row| Rotation::of(row.0));
    match text {
        "s" => Some(Rotation::SECONDLY),
        "m" => Some(Rotation::MINUTELY),
        "h" => Some(Rotation::HOURLY),
        "d" | "midnight" => Some(Rotation::DAILY),
        _ => match text.strip_prefix('w').filter(|day| day.len() == 1).and_then(number) {
            Some(day) => WEEKDAYS.get(day as usize).map(|(day, _)| Rotation::weekly_on(*day)),
            None => unit(text).or_else(|| weekday(text)),
        },
    }
}

/// `6 hours`, `1 day`, `2 weeks on monday`.
fn counted(text: &str) -> Option<Rotation> {
    let (number, what) = text.split_once(' ')?;
    let (what, day) = what.split_once(" on ").map_or((what, None), |(what, day)| (what, Some(day)));
    let row = UNITS.iter().skip(1).find(|row| row.2 == what || row.2.strip_suffix('s') == Some(what))?;
    let rotation = match day {
        None => Rotation::of(row.0),
        Some(day) if row.0 == Unit::Week && WEEKDAYS.iter().any(|(_, name)| *name == day) => alone(day)?,
        Some(_) => return None,
    };
    Some(rotation.every(self::number(number)?))
}

/// `2h`, `weekly on monday`.
fn short(text: &str) -> Option<Rotation> {
    if let Some(day) = text.strip_prefix("weekly on ") {
        return alone(day).filter(|_| WEEKDAYS.iter().any(|(_, name)| *name == day));
    }
    let unit = match text.chars().last()? {
        's' => Unit::Second,
        'm' => Unit::Minute,
        'h' => Unit::Hour,
        'd' => Unit::Day,
        'w' => Unit::Week,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    Some(Rotation::of(unit).every(number(digits)?))
}

/// A number of digits alone. `parse` would also take a `+`.
fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}
