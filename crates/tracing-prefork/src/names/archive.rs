//! The names of archives: that of the plain file, and an ending.

use std::path::{Path, PathBuf};

/// What the names of archives end in, whatever this build can make.
pub(crate) const ENDINGS: [&str; 2] = [".gz", ".zst"];

/// The longest of them.
pub(crate) const LONGEST_ENDING: usize = 4;

/// The name of the plain file whose archive would have that name.
pub(crate) fn plain_name(archive: &str) -> Option<&str> {
    ENDINGS.iter().find_map(|ending| archive.strip_suffix(ending))
}

/// Where the archives of a plain file would be.
pub(crate) fn archives_of(plain: &Path) -> impl Iterator<Item = PathBuf> {
    ENDINGS.iter().map(|ending| with_ending(plain, ending))
}

/// The plain path with that ending.
pub(crate) fn with_ending(plain: &Path, ending: &str) -> PathBuf {
    let mut path = plain.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
