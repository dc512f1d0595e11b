//! [`Zone`]: the time zone of file names, and its offset from UTC at an instant.

use crate::BuildError;
use crate::report::parse_error::{ParseError, What};
#[cfg(feature = "local-time")]
use crate::time::tzdata;
use std::fmt;
use std::str::FromStr;

/// The time zone of file names, rollovers and the [timer](crate::Appender::timer).
///
/// The zone's data is read once, at build. After that, no event reads a file or an environment variable, or takes a
/// lock for the zone. A later `chroot` or change of `TZ` changes nothing.
///
/// A zone that cannot be found is an error at build; it never becomes UTC in silence. UTC needs no data, whatever its
/// name. For images without zone data (the package `tzdata` on most systems) there is the feature `bundled-zones`.
///
/// ```
/// use tracing_prefork::Zone;
///
/// let zone: Zone = "+05:30".parse()?;
/// assert_eq!(zone, Zone::Fixed(19_800));
/// assert_eq!(zone.to_string(), "+05:30");
/// # Ok::<(), tracing_prefork::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Zone {
    /// Coordinated Universal Time, written `UTC`. This is the default, as in `tracing_appender::rolling`.
    #[default]
    Utc,
    /// The system's zone, written `local`. It is the zone of the environment variable `TZ`, as `tzset(3)` reads it;
    /// else that of `/etc/localtime`; else UTC (`localtime(5)`).
    #[cfg(feature = "local-time")]
    Local,
    /// A fixed number of seconds east of UTC, written `+05:30`. The number must be whole minutes, and less than 24
    /// hours either way, because an RFC 3339 timestamp can say no more. [`build`](crate::Builder::build) refuses
    /// others.
    Fixed(i32),
    /// A zone of the IANA database by its name, written `Asia/Shanghai`. The data comes from the first of these that
    /// has it: the directory in `TZDIR`, `/usr/share/zoneinfo`, the system's other directories for zones, and, with the
    /// feature `bundled-zones`, the data in this crate.
    #[cfg(feature = "local-time")]
    Named(String),
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            #[cfg(feature = "local-time")]
            Self::Local => f.write_str("local"),
            #[cfg(feature = "local-time")]
            Self::Named(name) => f.write_str(name),
            Self::Fixed(seconds) => {
                let (sign, east) = (if *seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
                write!(f, "{sign}{:02}:{:02}", east / 3600, east / 60 % 60)?;
                if east % 60 == 0 { Ok(()) } else { write!(f, ":{:02}", east % 60) }
            }
        }
    }
}

impl FromStr for Zone {
    type Err = ParseError;

    /// Reads `UTC`, `Z` and `local`, in upper or lower case; an offset such as `+05:30` or `-03:00`; or an IANA name
    /// such as `Asia/Shanghai`. Only `build` finds out whether a zone of that name exists.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Ok(Self::Utc);
        }
        if let Some(east) = fixed(text) {
            return Ok(Self::Fixed(east));
        }
        #[cfg(feature = "local-time")]
        {
            if text.eq_ignore_ascii_case("local") {
                return Ok(Self::Local);
            }
            if tzdata::is_name(text) {
                return Ok(Self::Named(text.to_owned()));
            }
        }
        Err(ParseError::new(What::Zone, text, EXPECTED))
    }
}

#[cfg(feature = "local-time")]
const EXPECTED: &str = "expected `UTC`, `local`, an offset such as `+05:30` or an IANA name such as `Asia/Shanghai`";
#[cfg(not(feature = "local-time"))]
const EXPECTED: &str = "expected `UTC` or an offset such as `+05:30` (others need the feature `local-time`)";

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

/// A zone, made ready at build. Later nothing is looked up, and no lock is taken.
#[derive(Clone, Debug)]
pub(crate) enum Offsets {
    /// Seconds east of UTC.
    Fixed(i32),
    #[cfg(feature = "local-time")]
    Transitions(jiff::tz::TimeZone),
}

/// An interval of instants in which a zone keeps one offset: `from..until` in seconds since 1970, `offset` in seconds
/// east of UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) offset: i32,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// From 2000-01-01 to 2026-01-01: these years tell zones apart.
const COMPARED: std::ops::Range<i64> = 946_684_800..1_767_225_600;

impl Offsets {
    /// The offsets in some years, and when each begins. Zones that name these years alike have the same text, whatever
    /// the zones are called.
    pub(crate) fn history(&self) -> String {
        let (mut history, mut last, mut at) = (String::new(), None, COMPARED.start);
        while COMPARED.contains(&at) {
            let Segment { offset, until, .. } = self.segment(at);
            if last.replace(offset) != Some(offset) {
                history += &format!("{at} {offset}\n");
            }
            at = until;
        }
        history
    }

    pub(crate) fn resolve(zone: &Zone) -> Result<Self, BuildError> {
        match zone {
            Zone::Utc => Ok(Self::Fixed(0)),
            &Zone::Fixed(east) if east.unsigned_abs() < 24 * 3600 && east % 60 == 0 => Ok(Self::Fixed(east)),
            Zone::Fixed(east) => Err(BuildError::Zone {
                value: format!("Fixed({east})"),
                reason: "a fixed offset is in seconds east of UTC, in whole minutes, from -86340 to 86340; +05:30 is \
                         Fixed(19800)"
                    .to_owned(),
            }),
            #[cfg(feature = "local-time")]
            Zone::Local => tzdata::local().map(Self::Transitions),
            #[cfg(feature = "local-time")]
            Zone::Named(name) => tzdata::named(name).map(Self::Transitions),
        }
    }

    /// The segment that contains `at` (seconds since 1970).
    #[cfg_attr(
        not(feature = "local-time"),
        allow(unused_variables, reason = "a fixed offset is the same at all times")
    )]
    pub(crate) fn segment(&self, at: i64) -> Segment {
        match self {
            Self::Fixed(offset) => Segment { offset: *offset, from: i64::MIN, until: i64::MAX },
            #[cfg(feature = "local-time")]
            Self::Transitions(zone) => {
                use jiff::Timestamp;
                // Instants are in the years 1 to 9998 (`Moment`), so each has a timestamp.
                let timestamp = |second| Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
                let from = zone.preceding(timestamp(at.saturating_add(1))).next();
                let until = zone.following(timestamp(at)).next();
                Segment {
                    offset: zone.to_offset(timestamp(at)).seconds(),
                    from: from.map_or(i64::MIN, |transition| transition.timestamp().as_second()),
                    until: until.map_or(i64::MAX, |transition| transition.timestamp().as_second()),
                }
            }
        }
    }
}
