//! [`LogFile`]: a file of a pattern, for users to look at.

use crate::time::calendar::Period;
use std::path::PathBuf;

/// A file of a pattern, from [`Appender::files`](crate::Appender::files) or [`LogFiles`](crate::LogFiles).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogFile {
    /// The file's absolute path.
    pub path: PathBuf,
    /// The tag in the file's name, with [`tag`](crate::Builder::tag) or [`per_process`](crate::Builder::per_process).
    pub tag: Option<String>,
    /// The period that the file covers.
    pub period: Period,
    /// Which of the period's files it is, counted from 0. Always 0 without
    /// [`max_file_bytes`](crate::Builder::max_file_bytes).
    pub index: u32,
    /// The size of the file.
    pub bytes: u64,
    /// Whether a process has the file open to write to, and has written to it. `false` if this process may not read the
    /// file.
    pub open: bool,
    /// Whether the file is an archive ([`compress`](crate::Builder::compress)).
    pub compressed: bool,
    /// Whether the file, as it is now, was handed over to [`on_finished`](crate::Builder::on_finished) with success, by
    /// whichever process.
    pub handed_over: bool,
}
