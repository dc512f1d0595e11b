//! Retention: which files may go, and removing them. Called behind the housekeeping lock.
//!
//! A file goes only if its whole name parses back to a period of this pattern, if that period is over, and if nobody
//! holds a lease on it, which is to say that no process has it open for writing.

use crate::latest::Link;
use crate::name::Pattern;
use crate::rotation::Span;
use crate::sys::{self, Removal};
use std::fs::{self, DirEntry};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// An idle process keeps the last file that it wrote open until its next event, and that must not keep the file for
/// ever. So a held file may go when its period has been over, and nobody has written to it, for this long: the next
/// event of whoever holds it belongs to another file.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A hidden name is in use for microseconds; one that is this old was left by a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// What a pruning came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) removed: usize,
    /// Files that would have gone, had not somebody had them open.
    pub(crate) held: usize,
    /// The first file that could not be removed.
    pub(crate) failed: Option<(PathBuf, io::Error)>,
}

/// Removes the oldest files until `keep` are left, those of current and later periods included, which never go.
pub(crate) fn prune(pattern: &Pattern, links: &[Link], keep: NonZeroUsize, now: i64) -> io::Result<Outcome> {
    let mut files = Vec::new();
    for entry in fs::read_dir(pattern.directory())? {
        let entry = entry?;
        if let Some(span) = entry.file_name().to_str().and_then(|name| pattern.span_of_name(name)) {
            // A directory or a link of that name is not ours. A file that has just vanished needs no pruning.
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                files.push((span, entry.path()));
            }
        } else if is_left_behind(&entry, pattern, links) {
            let _ = fs::remove_file(entry.path());
        }
    }
    files.sort_unstable_by_key(|(span, _)| span.start);

    let mut outcome = Outcome::default();
    let surplus = files.len().saturating_sub(keep.get());
    for (span, path) in files.into_iter().take(surplus).filter(|(span, _)| span.end <= now) {
        match sys::claim_and_remove(&path, || is_abandoned(span, &path, now)) {
            Ok(Removal::Removed) => outcome.removed += 1,
            Ok(Removal::Gone) => {}
            Ok(Removal::Held) => outcome.held += 1,
            Err(error) => outcome.failed = outcome.failed.or(Some((path, error))),
        }
    }
    Ok(outcome)
}

fn is_abandoned(span: Span, path: &Path, now: i64) -> bool {
    let over = now.saturating_sub(span.end) >= ABANDONED.as_secs() as i64;
    over && fs::symlink_metadata(path).and_then(|found| found.modified()).is_ok_and(|when| is_past(when, ABANDONED))
}

/// Whether this is a temporary name of ours that its process did not live to remove.
fn is_left_behind(entry: &DirEntry, pattern: &Pattern, links: &[Link]) -> bool {
    let file_name = entry.file_name();
    let Some((name, age)) = file_name.to_str().and_then(sys::parse_hidden) else { return false };
    let of_ours = pattern.span_of_name(name).is_some() || links.iter().any(|link| link.name() == name);
    of_ours && age >= LEFT_BEHIND && entry.file_type().is_ok_and(|kind| !kind.is_dir())
}

fn is_past(when: SystemTime, distance: Duration) -> bool {
    SystemTime::now().duration_since(when).is_ok_and(|passed| passed >= distance)
}
