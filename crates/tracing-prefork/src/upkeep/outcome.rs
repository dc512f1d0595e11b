//! What a job has come to.

use crate::names::listing::Disputed;
use std::io;
use std::path::PathBuf;

/// What a round over all files came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Files removed, compressed or handed over.
    pub(crate) done: usize,
    /// Files that would have been, had not somebody had them open, or needed them.
    pub(crate) held: usize,
    /// The first directory that could not be read, or else the first file with which it failed.
    pub(crate) failed: Option<(PathBuf, io::Error)>,
    /// The hook could not be called.
    pub(crate) refused: bool,
    /// The first file that was removed although the hook had not done its work with it.
    pub(crate) unseen: Option<PathBuf>,
    /// A file of the future.
    pub(crate) ahead: Option<PathBuf>,
    /// A file that another program at work could have made, too.
    pub(crate) disputed: Option<Disputed>,
}
