//! `futex(2)`: whoever sleeps lets the others go on until one of them has changed the word.

use super::sync::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// So often the others may go on. Then they have all ended, and nobody wakes this thread.
const TURNS: usize = 40;

/// A bound is over at once.
pub(super) fn wait(word: &AtomicU32, value: u32, bound: Option<Duration>) {
    for _ in 0..if bound.is_some() { 1 } else { TURNS } {
        if word.load(SeqCst) != value {
            return;
        }
        loom::thread::yield_now();
    }
    assert!(bound.is_some(), "a thread sleeps for ever");
}

/// Whoever wakes a thread has changed the word.
pub(super) fn wake(_word: &AtomicU32) {}
