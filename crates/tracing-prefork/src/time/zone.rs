//! [`Zone`]: in which time zone the files are named, and its offset from UTC at an instant.

use crate::BuildError;
#[cfg(feature = "local-time")]
use crate::time::tzdata;
use std::fmt;
use std::str::FromStr;

/// The time zone in which file names, rollovers and the [timer](crate::Appender::timer) count.
///
/// The zone's data is read once, at build, and kept: no event reads a file, an environment variable or a lock, and a
/// later `chroot` or change of `TZ` changes nothing. A zone that cannot be found is an error at build, never UTC in
/// silence. UTC needs no data, by whatever name; for an image without any data of zones (the package `tzdata` on most
/// systems) there is the feature `bundled-zones`.
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
    /// The system's zone, written `local`: what the environment variable `TZ` says, as `tzset(3)` reads it, else
    /// `/etc/localtime`, else UTC (`localtime(5)`).
    #[cfg(feature = "local-time")]
    Local,
    /// A fixed number of seconds east of UTC, written `+05:30`. Whole minutes, less than 24 hours either
    /// way, because that is what an RFC 3339 timestamp can say; [`build`](crate::Builder::build) refuses others.
    Fixed(i32),
    /// A zone of the IANA database by its name, written so: `Asia/Shanghai`. Read from the directory that `TZDIR`
    /// names, else `/usr/share/zoneinfo` or the system's other places for it, and with the feature `bundled-zones` from
    /// what this crate was built with, which comes last.
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
    type Err = BuildError;

    /// Reads `UTC` or `Z` and `local`, in any case, an offset such as `+05:30` or `-03:00`, or an IANA name such as
    /// `Asia/Shanghai`. Whether there is a zone of that name is found out at build.
    fn from_str(text: &str) -> Result<Self, BuildError> {
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
        Err(BuildError::Zone { value: text.to_owned(), reason: EXPECTED.to_owned() })
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

/// A zone made ready at build: nothing is looked up afterwards, no lock is taken.
#[derive(Clone, Debug)]
pub(crate) enum Offsets {
    /// Seconds east of UTC.
    Fixed(i32),
    #[cfg(feature = "local-time")]
    Transitions(jiff::tz::TimeZone),
}

/// The interval of instants `from..until` (seconds since 1970) in which a zone keeps one offset, in seconds east of
/// UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) offset: i32,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// 2000-01-01 and 2026-01-01: the years by which zones are told apart.
const COMPARED: std::ops::Range<i64> = 946_684_800..1_767_225_600;

impl Offsets {
    /// The offsets of some years, and when each began: the same text for zones that name these years alike, whatever
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
                reason: "a fixed offset is a whole number of minutes, less than 24 hours either way".to_owned(),
            }),
            #[cfg(feature = "local-time")]
            Zone::Local => tzdata::local().map(Self::Transitions),
            #[cfg(feature = "local-time")]
            Zone::Named(name) => tzdata::named(name).map(Self::Transitions),
        }
    }

    /// The segment that `at` (seconds since 1970) lies in.
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
                // Instants are held to the years 1 to 9998 (`Moment`), which are a timestamp each.
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
