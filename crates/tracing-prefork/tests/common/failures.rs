//! Failures are counted and reported, the reports are limited, and logging goes on when the cause is gone.

use tracing_prefork::Rotation;

use super::{Hand, Told, telling};

pub(crate) fn reporting(hand: &Hand) -> (Told, tracing_prefork::Builder) {
    telling(hand.builder().rotation(Rotation::DAILY))
}
