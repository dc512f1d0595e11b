//! The lease: which process may still write to a file, what holds when the kernel refuses such a lock, and who lets go
//! of it when.

use std::path::Path;
use tracing_prefork::{Appender, Rotation};

use super::Hand;

pub(crate) fn daily(hand: &Hand, directory: &Path) -> Appender {
    hand.builder().rotation(Rotation::DAILY).build(directory).expect("builds")
}
