//! How a new file gets its first line and its mode: once, however many open it at the same time.

use std::time::UNIX_EPOCH;
use tracing_prefork::{Builder, Period, Rotation};

use super::Hand;

pub(crate) fn since(period: Period) -> String {
    format!("# since {}", period.start.duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
}

pub(crate) fn daily(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY).header(since)
}
