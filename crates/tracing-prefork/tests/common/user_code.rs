//! The user's own code: `on_error`, `header`, `clock` and `on_finished` may panic, log and fork.

use std::error::Error;
use std::fmt;
use std::io;
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

/// An error of a hook, with a cause.
#[derive(Debug)]
pub(crate) struct Upload(pub(crate) io::Error);

impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upload has failed")
    }
}

impl Error for Upload {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
