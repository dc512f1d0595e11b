//! The zone of a run: its offset from UTC at an instant, and when that changes.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Where a run counts its hours.
#[derive(Clone, Debug)]
pub enum Zone {
    /// Seconds east of UTC.
    Fixed(i32),
    /// The system's own zone, which is the one of this name: all processes find it in `TZ`.
    ///
    /// The rule beside it is what `jiff` reckons with here, so the harness reads no zone data: the library does,
    /// by the name, and has to agree.
    Local(&'static str, TimeZone),
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self::Fixed(0);

    /// New York by the rule that it keeps since 2007.
    ///
    /// # Panics
    ///
    /// Never: the rule is one.
    #[must_use]
    pub fn new_york() -> Self {
        Self::Local("America/New_York", TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").expect("a rule of tzset(3)"))
    }

    /// Seconds east of UTC at an instant, in nanoseconds since 1970. Takes no lock and allocates nothing.
    #[must_use]
    pub fn offset_at(&self, nanos: u64) -> i32 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Local(_, rule) => rule.to_offset(timestamp(nanos)).seconds(),
        }
    }

    /// The first instant after `nanos` at which the clocks are changed; `u64::MAX` where they never are.
    #[must_use]
    pub fn next_change(&self, nanos: u64) -> u64 {
        let change = match self {
            Self::Fixed(_) => None,
            Self::Local(_, rule) => rule.following(timestamp(nanos)).next(),
        };
        change.map_or(u64::MAX, |change| change.timestamp().as_nanosecond() as u64)
    }
}

/// Clocks of a run show no instant that `jiff` does not know.
fn timestamp(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
}
