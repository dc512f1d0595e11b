//! What a job has come to.

use crate::names::listing::Disputed;
use crate::process::user_code;
use std::io;
use std::path::{Path, PathBuf};

/// What one run of a job has come to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many files were removed, compressed or handed over.
    pub(crate) done: usize,
    /// How many files must wait, because somebody has them open or needs them.
    pub(crate) waiting: usize,
    /// The first directory that could not be read, or else the first file on which the job failed.
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

impl Outcome {
    /// Notes a failure, if it is the first. An error of the hook can be of a type of the user's.
    pub(super) fn note_failure(&mut self, path: &Path, error: io::Error) {
        match self.failed {
            None => self.failed = Some((path.to_owned(), error)),
            Some(_) => user_code::discard(error),
        }
    }
}
