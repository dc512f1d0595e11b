//! Since when nobody could hand over. Retention waits for the user's hook, but not for ever: after a day of refusals it
//! waits no longer.
//!
//! A hand-over is refused if a process cannot take the turn, start a thread or write to the record of hand-overs. A
//! hidden [note](note) holds the first and the last refusal, in seconds of the appender's clock. Whoever could hand
//! over wipes the note. The refusals are in a file because workers come and go, and because an administrator's
//! `prune()` must know of them.

use crate::sys::Creation;
use crate::upkeep::note;
use std::io;
use std::path::Path;

/// After refusals for this long, a hand-over counts as tried.
pub(crate) const DAY: i64 = 24 * 3600;
/// Two refusals that are further apart say nothing of the time between them: perhaps no process was running.
const GAP: i64 = DAY + 2 * 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusals {
    first: i64,
    last: i64,
}

impl Refusals {
    /// `None`: there are none, or nobody can tell.
    fn read(path: &Path) -> Option<Self> {
        note::read(path).map(|(first, last)| Self { first, last })
    }

    /// Whether a refusal at `at` belongs to the same row of refusals.
    fn belongs(self, at: i64) -> bool {
        (self.last - GAP..=self.last + GAP).contains(&at)
    }
}

/// Makes the note's file at build, because nobody could make it later on a full disk.
pub(crate) fn prepare(path: &Path, creation: Creation<'_>) -> io::Result<()> {
    if Refusals::read(path).is_some() { Ok(()) } else { wipe(path, creation) }
}

/// Notes that a hand-over was refused.
pub(crate) fn note(path: &Path, creation: Creation<'_>, at: i64) -> io::Result<()> {
    let before = Refusals::read(path).filter(|before| before.belongs(at));
    let Refusals { first, last } = before.unwrap_or(Refusals { first: at, last: at });
    note::write(path, creation, Some((first, last.max(at))))
}

/// Notes that a hand-over was not refused.
pub(crate) fn forget(path: &Path, creation: Creation<'_>) -> io::Result<()> {
    if Refusals::read(path).is_some() { wipe(path, creation) } else { Ok(()) }
}

fn wipe(path: &Path, creation: Creation<'_>) -> io::Result<()> {
    note::write::<i64>(path, creation, None)
}

/// Whether each hand-over was refused for a day, up to now.
pub(crate) fn have_lasted(path: &Path, now: i64) -> bool {
    Refusals::read(path).is_some_and(|found| found.belongs(now) && found.last - found.first >= DAY)
}
