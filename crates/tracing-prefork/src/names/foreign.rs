//! Foreign files: they are somebody else's, although their names are like ours.

use crate::sys::{self, FileId};
use std::collections::BTreeSet;
use std::path::Path;

/// The foreign files in a directory.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Foreign {
    /// `None`: nobody could tell which directory it is.
    pub(super) directory: Option<FileId>,
    /// Relative to the log directory.
    pub(crate) names: BTreeSet<String>,
}

impl Foreign {
    /// Whether the path still leads to their directory, or nobody could tell which directory it was.
    pub(crate) fn are_of(&self, directory: &Path) -> bool {
        self.directory.is_none() || self.directory == sys::directory_identity(directory)
    }
}
