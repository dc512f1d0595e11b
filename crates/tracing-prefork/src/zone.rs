//! [`Zone`]: in which time zone the files are named, and its offset from UTC at an instant.

use crate::BuildError;
use std::fmt;
use std::str::FromStr;

/// The time zone in which file names, rollovers and the [timer](crate::Appender::timer) count.
///
/// ```
/// use tracing_prefork::Zone;
///
/// let zone: Zone = "+05:30".parse()?;
/// assert_eq!(zone, Zone::Fixed(19_800));
/// assert_eq!(zone.to_string(), "+05:30");
/// # Ok::<(), tracing_prefork::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Zone {
    /// Coordinated Universal Time, written `UTC`. The default, as in `tracing_appender::rolling`.
    #[default]
    Utc,
    /// A fixed number of seconds east of UTC, written `+05:30`. Whole minutes, less than 24 hours either
    /// way, because that is what an RFC 3339 timestamp can say; [`build`](crate::Builder::build) refuses others.
    Fixed(i32),
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Fixed(seconds) => {
                let (sign, east) = (if *seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
                write!(f, "{sign}{:02}:{:02}", east / 3600, east / 60 % 60)?;
                if east % 60 == 0 { Ok(()) } else { write!(f, ":{:02}", east % 60) }
            }
        }
    }
}

impl FromStr for Zone {
    type Err = BuildError;

    /// Reads `UTC` or `Z` in any case, or an offset such as `+05:30` or `-03:00`.
    fn from_str(text: &str) -> Result<Self, BuildError> {
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Ok(Self::Utc);
        }
        fixed(text).map(Self::Fixed).ok_or_else(|| BuildError::Zone {
            value: text.to_owned(),
            reason: "expected `UTC` or an offset from it such as `+05:30`",
        })
    }
}

/// `+hh:mm` in seconds.
fn fixed(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let number = |digits: &str, below: i32| {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&number: &i32| two && number < below)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

/// A zone made ready at build: nothing is looked up afterwards, no lock is taken.
#[derive(Clone, Debug)]
pub(crate) struct Offsets {
    /// Seconds east of UTC.
    fixed: i32,
}

/// The interval of instants `from..until` (seconds since 1970) in which a zone keeps one offset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) offset: i32,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Offsets {
    pub(crate) fn resolve(zone: &Zone) -> Result<Self, BuildError> {
        match zone {
            Zone::Utc => Ok(Self { fixed: 0 }),
            &Zone::Fixed(east) if east.unsigned_abs() < 24 * 3600 && east % 60 == 0 => Ok(Self { fixed: east }),
            Zone::Fixed(east) => Err(BuildError::Zone {
                value: format!("Fixed({east})"),
                reason: "a fixed offset is a whole number of minutes, less than 24 hours either way",
            }),
        }
    }

    /// The segment that `at` (seconds since 1970) lies in.
    pub(crate) fn segment(&self, _at: i64) -> Segment {
        Segment { offset: self.fixed, from: i64::MIN, until: i64::MAX }
    }
}
