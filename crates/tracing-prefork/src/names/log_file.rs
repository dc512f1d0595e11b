//! [`LogFile`]: a file of a pattern, for users to look at.

use crate::names::listing;
use crate::names::pattern::{Pattern, Place};
use crate::sys;
use crate::time::calendar::Period;
use std::fs;
use std::io;
use std::path::PathBuf;

/// A file of an appender's pattern, from [`Appender::files`](crate::Appender::files).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogFile {
    /// The file's absolute path.
    pub path: PathBuf,
    /// The period that the file covers.
    pub period: Period,
    /// Which of the period's files it is, counted from 0. Always 0 without
    /// [`max_file_bytes`](crate::Builder::max_file_bytes).
    pub index: u32,
    /// The size of the file.
    pub bytes: u64,
    /// Whether a process has the file open to write to, and has written to it.
    pub open: bool,
    /// Whether the file is an archive ([`compress`](crate::Builder::compress)).
    pub compressed: bool,
}

pub(crate) fn list(pattern: &Pattern, now: i64) -> io::Result<Vec<LogFile>> {
    let mut found: Vec<_> = listing::list(pattern, now)?.found.into_iter().filter(|found| found.is_file).collect();
    found.sort_by_key(|found| found.file().map(Place::order));
    let file = |found: listing::Found| {
        let place = found.file()?;
        Some(LogFile {
            // A file that has just been removed is left out.
            bytes: fs::symlink_metadata(&found.path).ok()?.len(),
            open: sys::is_held(&found.path),
            period: pattern.period_at(place.span.start),
            index: place.index,
            compressed: found.place.is_none(),
            path: found.path,
        })
    };
    Ok(found.into_iter().filter_map(file).collect())
}
