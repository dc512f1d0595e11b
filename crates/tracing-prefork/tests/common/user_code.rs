//! The user's own code: `on_error`, `header`, `clock` and `on_finished` may panic, log and fork.

use tracing_prefork::{Builder, Rotation};

use super::Hand;

/// What a hook may panic with: its `Drop` panics too.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's own fault");
    }
}

pub(crate) fn daily(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY)
}
