//! The name and the number of the thread that logs.

use crate::format::line::Line;
use crate::format::shown::Shown;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Appends what a layer shows of the thread, each with a space behind it.
#[inline]
pub(super) fn push_thread(shown: &Shown, line: &mut Line) {
    if shown.thread_names || shown.thread_ids {
        push_shown(shown, line);
    }
}

#[inline(never)]
fn push_shown(shown: &Shown, line: &mut Line) {
    let thread = thread::current();
    let id = thread.id();
    let name = thread.name().filter(|_| shown.thread_names);
    if let Some(name) = name {
        let _ = write!(line, "{name:>width$} ", width = longest_name(name.len()));
    }
    // A thread without a name has its number in the name's place.
    if shown.thread_ids || name.is_none() {
        let _ = write!(line, "{id:0>2?} ");
    }
}

/// The length of the longest thread name so far. Shorter names are filled up.
fn longest_name(length: usize) -> usize {
    static LONGEST: AtomicUsize = AtomicUsize::new(0);
    LONGEST.fetch_max(length, Relaxed).max(length)
}
