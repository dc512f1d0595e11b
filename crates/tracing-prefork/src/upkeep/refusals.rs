//! Since when nobody could hand over: retention waits for the user's hook, but not for ever for one that cannot be
//! called.
//!
//! A hidden note holds the first and the last refusal, in seconds of the appender's clock. Refused is who cannot have
//! the turn, start a thread or write to the record, whatever the reason. Whoever could hand over wipes the note. It
//! lies in a file because workers come and go, and because an administrator's `prune()` is to know.

use crate::sys::{self, Creation};
use std::io::{self, Read};
use std::path::Path;

/// So long a hand-over must have been refused to count as tried.
pub(crate) const DAY: i64 = 24 * 3600;
/// Refusals that are further apart say nothing of the time between: perhaps nothing was running.
const GAP: i64 = DAY + 2 * 3600;

/// Columns for two numbers, a space between, and a newline.
const LENGTH: usize = 42;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusals {
    first: i64,
    last: i64,
}

impl Refusals {
    /// `None`: there are none, or nobody can tell.
    fn read(path: &Path) -> Option<Self> {
        let file = sys::open_to_read(path).ok()??;
        let mut text = String::new();
        file.reader().take(LENGTH as u64).read_to_string(&mut text).ok()?;
        let (first, last) = text.trim().split_once(' ')?;
        Some(Self { first: first.parse().ok()?, last: last.trim().parse().ok()? })
    }

    fn belongs(self, at: i64) -> bool {
        (self.last - GAP..=self.last + GAP).contains(&at)
    }
}

/// Makes the note's file, which could not be made any more when the disk is full.
pub(crate) fn prepare(path: &Path, creation: Creation<'_>) -> io::Result<()> {
    if Refusals::read(path).is_some() { Ok(()) } else { wipe(path, creation) }
}

/// Notes that a hand-over was refused.
pub(crate) fn note(path: &Path, creation: Creation<'_>, at: i64) -> io::Result<()> {
    let before = Refusals::read(path).filter(|before| before.belongs(at));
    let Refusals { first, last } = before.unwrap_or(Refusals { first: at, last: at });
    sys::overwrite(path, creation, &format!("{first:>20} {:>20}\n", last.max(at)))
}

/// Notes that one was not.
pub(crate) fn forget(path: &Path, creation: Creation<'_>) -> io::Result<()> {
    if Refusals::read(path).is_some() { wipe(path, creation) } else { Ok(()) }
}

fn wipe(path: &Path, creation: Creation<'_>) -> io::Result<()> {
    sys::overwrite(path, creation, &format!("{:41}\n", ""))
}

/// Whether all were refused for a day, up to now.
pub(crate) fn have_lasted(path: &Path, now: i64) -> bool {
    Refusals::read(path).is_some_and(|found| found.belongs(now) && found.last - found.first >= DAY)
}
