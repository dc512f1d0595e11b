//! [`Source`]: whose clock and zone a timer has.

use crate::time::clock::Clock;
use crate::time::times::Times;
use crate::time::zone::Offsets;
use crate::write::log::Log;
use std::sync::Arc;

/// Whose clock and zone a timer has.
#[derive(Clone)]
pub(super) enum Source {
    Log(Arc<Log>),
    #[cfg_attr(not(feature = "socket"), allow(dead_code, reason = "only the socket has times without files"))]
    Times(Arc<Times>),
}

impl Source {
    /// Tells the timers of different appenders apart; never 0.
    #[inline]
    pub(super) fn id(&self) -> u64 {
        match self {
            Self::Log(log) => log.id,
            Self::Times(times) => times.id,
        }
    }

    #[inline]
    pub(super) fn clock(&self) -> &Clock {
        match self {
            Self::Log(log) => &log.site.clock,
            Self::Times(times) => &times.clock,
        }
    }

    pub(super) fn offsets(&self) -> &Offsets {
        match self {
            Self::Log(log) => log.site.pattern.calendar().offsets(),
            Self::Times(times) => &times.offsets,
        }
    }
}
