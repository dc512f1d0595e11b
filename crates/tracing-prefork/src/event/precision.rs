//! [`Precision`]: how much of a second a timer prints.

/// The lengths of `2026-11-21T08:33:`, and of the same with `01` and `.123` behind it.
pub(super) const MINUTE: usize = 17;
pub(super) const SECOND: usize = MINUTE + 2;
pub(super) const MILLI: usize = SECOND + 4;

pub(super) const MICRO: usize = MILLI + 3;
pub(super) const NANO: usize = MICRO + 3;

/// How much of a second a [`Timer`](crate::Timer) prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
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

impl Precision {
    /// The length of a time without its offset.
    #[inline]
    pub(super) fn length(self) -> usize {
        match self {
            Self::Seconds => SECOND,
            Self::Milliseconds => MILLI,
            Self::Microseconds => MICRO,
            Self::Nanoseconds => NANO,
        }
    }
}
