//! Files that are somebody else's, although their names are like ours.

use crate::sys::{self, FileId};
use std::collections::BTreeSet;
use std::path::Path;

/// Files of others with names like ours, and the directory that they are in.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Foreign {
    /// `None`: nobody could tell which one it is.
    pub(super) directory: Option<FileId>,
    /// Relative to the log directory.
    pub(crate) names: BTreeSet<String>,
}

impl Foreign {
    /// Whether the path leads to that directory still, or nobody could tell which one it was.
    pub(crate) fn are_of(&self, directory: &Path) -> bool {
        self.directory.is_none() || self.directory == sys::directory_identity(directory)
    }
}
