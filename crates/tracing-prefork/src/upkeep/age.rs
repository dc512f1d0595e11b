//! How old a file is, and what to believe after a clock was wrong.
//!
//! A file's name says when the file's period ended, by the appender's clock. The kernel sets the time of the last
//! write, by the system's clock. Both clocks can have been wrong: a machine without a battery starts in 1970, and a
//! clock can be a year ahead until somebody sets it.

use crate::sys;
use crate::time::calendar::Span;
use crate::time::clock::{AHEAD, system_time};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A held file may go when its period has been over, and nobody has written to it, for this many seconds. The reason:
/// an idle process keeps its last file open until its next event, which must not keep the file for ever. The next event
/// of that process belongs to another file.
pub(crate) const ABANDONED: i64 = 24 * 3600;

/// A temporary name, or a directory without a file, is in use for microseconds. One of this many seconds was left by a
/// process that has ended.
const LEFT_BEHIND: i64 = 60;

/// 2000-01-01 00:00 UTC. A clock that shows an earlier time was never set.
const SET: i64 = 946_684_800;

/// Whether a file's period begins so far in the future that only a wrong clock can have begun it.
pub(crate) fn is_of_future(span: Span, now: i64) -> bool {
    span.start > now.saturating_add(AHEAD)
}

/// Whether a temporary name of this age was left behind: it is old, or of the future.
pub(crate) fn is_left_behind(seconds: i64) -> bool {
    seconds >= LEFT_BEHIND || seconds <= -AHEAD
}

/// Whether a file has rested: its last line is a day old, and its period ended a day ago, if the period has ended.
///
/// Each of the two ages is the distance of two readings of one clock: the system's for the last line, the appender's
/// for the period. One of them alone would not do. The appender's clock may have been ahead, or pass a day in a second
/// in a test; somebody may still write to the file then.
pub(crate) fn has_rested(span: Span, path: &Path, now: i64) -> bool {
    let over = span.end > now || now.saturating_sub(span.end) >= ABANDONED;
    over && fs::symlink_metadata(path).is_ok_and(|found| is_abandoned(&found))
}

/// Whether a file has not been written to for a day.
pub(crate) fn is_abandoned(file: &Metadata) -> bool {
    is_unchanged(file, ABANDONED)
}

/// Whether nothing has come into a directory or left it for so long that no process is about to make a file in it.
pub(crate) fn is_unused(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|found| is_unchanged(&found, LEFT_BEHIND))
}

fn is_unchanged(found: &Metadata, seconds: i64) -> bool {
    let passed = |changed| SystemTime::now().duration_since(changed).ok();
    found.modified().ok().and_then(passed).is_some_and(|passed| passed.as_secs() as i64 >= seconds)
}

/// What a look at files may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing: somebody asks what a job would do.
    Only,
    /// The look is a part of a job: it sets times that a wrong clock has made, and clears away what killed processes
    /// have left.
    AndTidy,
}

/// Whether nobody has written to a file of the future for a day. The time of the last write may come from the same
/// wrong clock. If that time is in the future too, it is set to now, so that the day begins at the first look.
pub(crate) fn has_rested_in_future(path: &Path, look: Look) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    let now = SystemTime::now();
    let is_ahead = |written| written > now + Duration::from_secs(AHEAD.unsigned_abs());
    if look == Look::AndTidy && found.modified().is_ok_and(is_ahead) {
        let _ = sys::set_modified(path, now);
    }
    is_abandoned(&found)
}

/// Whether a file is `age` seconds old, counted from the end of its period or from its last write, whichever is later.
///
/// If the last write is before the year 2000, its time is set to now. If it is more than an hour in the future, it does
/// not count.
pub(crate) fn is_aged(span: Span, path: &Path, age: u64, now: i64, look: Look) -> bool {
    let last = now.saturating_sub_unsigned(age);
    let was_written = |written: i64| {
        if written < SET && SET <= now {
            if look == Look::AndTidy {
                let _ = sys::set_modified(path, system_time(now));
            }
            return false;
        }
        written <= last || written > now.saturating_add(AHEAD)
    };
    span.end <= last && fs::symlink_metadata(path).is_ok_and(|found| was_written(found.mtime()))
}
