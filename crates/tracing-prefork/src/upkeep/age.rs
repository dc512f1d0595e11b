//! How old a file is, and what is made of clocks that were wrong.
//!
//! A name says when its period ended, by the appender's clock. The time of the last write is set by the kernel, from
//! the system's clock. Both can come from a clock that was wrong: a machine without a battery starts in 1970, and a
//! clock can be a year ahead until somebody sets it.

use crate::sys;
use crate::time::calendar::Span;
use crate::time::clock::{AHEAD, system_time};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// An idle process keeps the last file that it wrote open until its next event, and that must not keep the file for
/// ever. So a held file may go when its period has been over, and nobody has written to it, for so many seconds: the
/// next event of whoever holds it belongs to another file.
pub(crate) const ABANDONED: i64 = 24 * 3600;

/// A hidden name is in use for microseconds; one that is so many seconds old was left by a process that was killed.
const LEFT_BEHIND: i64 = 60;

/// 2000-01-01 00:00 UTC: no clock that has been set says less.
const SET: i64 = 946_684_800;

/// Whether a file is of a period that a clock which was wrong has begun.
pub(crate) fn is_of_future(span: Span, now: i64) -> bool {
    span.start > now.saturating_add(AHEAD)
}

/// Whether a temporary name of that age was left behind: an old one, or one of the future.
pub(crate) fn is_left_behind(seconds: i64) -> bool {
    seconds >= LEFT_BEHIND || seconds <= -AHEAD
}

/// Whether it is a day since the last line of a file that is over, and since the end of its period, if that has ended.
/// Each of the two is the distance of two readings of one clock: the kernel sets the times of files by the system's,
/// whatever clock the appender has, and where that was ahead, or a fast clock of a test has passed a day in a second,
/// somebody may still write there.
pub(crate) fn has_rested(span: Span, path: &Path, now: i64) -> bool {
    let over = span.end > now || now.saturating_sub(span.end) >= ABANDONED;
    over && fs::symlink_metadata(path).is_ok_and(|found| is_abandoned(&found))
}

/// Whether a file has not been written to for a day.
pub(crate) fn is_abandoned(file: &Metadata) -> bool {
    let passed = |written| SystemTime::now().duration_since(written).ok();
    file.modified().ok().and_then(passed).is_some_and(|passed| passed.as_secs() as i64 >= ABANDONED)
}

/// Whether nobody has written to a file of the future for a day. Whoever wrote it may have had its time from the same
/// clock, so a last write that is in the future too is noted to have been now: then the day begins at the first look.
pub(crate) fn has_rested_in_future(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    let now = SystemTime::now();
    if found.modified().is_ok_and(|written| written > now + Duration::from_secs(AHEAD.unsigned_abs())) {
        let _ = sys::set_modified(path, now);
    }
    is_abandoned(&found)
}

/// Whether a file is so many seconds old, from the end of its period or from its last write, whichever is later. A last
/// write of before clocks were set is noted to have been now; one in the future says nothing.
pub(crate) fn is_aged(span: Span, path: &Path, age: u64, now: i64) -> bool {
    let last = now.saturating_sub_unsigned(age);
    let was_written = |written: i64| {
        if written < SET && SET <= now {
            let _ = sys::set_modified(path, system_time(now));
            return false;
        }
        written <= last || written > now.saturating_add(AHEAD)
    };
    span.end <= last && fs::symlink_metadata(path).is_ok_and(|found| was_written(found.mtime()))
}
