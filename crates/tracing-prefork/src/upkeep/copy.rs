//! A hard link that has become a file of its own: a backup that knows no hard links restores two files.

use crate::names::listing::Found;
use crate::sys;
use crate::upkeep::age;
use std::fs::{self, Metadata};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether a file that has a link's name is a copy, with which nothing is lost: one of the pattern's files begins with
/// all of its text, it has no other name, and nobody has written to it for a day.
pub(crate) fn is_one(path: &Path, found: &Metadata, files: &[Found]) -> bool {
    let is_of = |file: &Found| {
        let long_enough = || fs::symlink_metadata(&file.path).is_ok_and(|original| original.len() >= found.len());
        file.is_file && file.place.is_some() && long_enough() && begins_with(&file.path, path).unwrap_or(false)
    };
    found.nlink() == 1 && age::is_abandoned(found) && files.iter().any(is_of)
}

fn begins_with(file: &Path, beginning: &Path) -> io::Result<bool> {
    let (Some(file), Some(beginning)) = (sys::open_to_read(file)?, sys::open_to_read(beginning)?) else {
        return Ok(false);
    };
    let (mut file, mut beginning) = (BufReader::new(file.reader()), BufReader::new(beginning.reader()));
    loop {
        let (has, wanted) = (file.fill_buf()?, beginning.fill_buf()?);
        let length = has.len().min(wanted.len());
        if wanted.is_empty() || length == 0 || has[..length] != wanted[..length] {
            return Ok(wanted.is_empty());
        }
        file.consume(length);
        beginning.consume(length);
    }
}
