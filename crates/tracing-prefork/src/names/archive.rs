//! The names of archives: the name of the plain file, and an ending.

use std::path::{Path, PathBuf};

/// The endings of archives, whether or not this build can make them.
pub(crate) const ENDINGS: [&str; 2] = [".gz", ".zst"];

/// The length of the longest ending.
pub(crate) const LONGEST_ENDING: usize = 4;

/// The name of the plain file whose archive has this name.
pub(crate) fn plain_name(archive: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| archive.strip_suffix(ending))
}

/// The paths that archives of a plain file have.
pub(crate) fn archives_of(plain: &Path) -> impl Iterator<Item = PathBuf> {
    ENDINGS.iter().map(|ending| with_ending(plain, ending))
}

/// A plain file's path with an ending.
pub(crate) fn with_ending(plain: &Path, ending: &str) -> PathBuf {
    let mut path = plain.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
