//! The files of a pattern, as they stand in its directory.

use crate::name::{Pattern, Place};
use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

/// A regular file or a link whose name is one of the pattern's, or a hidden one of ours.
#[derive(Debug)]
pub(crate) struct Found {
    /// Relative to the log directory.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) inode: u64,
    pub(crate) is_file: bool,
    /// Which file of the pattern it is, unless it is another name.
    pub(crate) place: Option<Place>,
    /// Of which file this is an archive, by its name.
    pub(crate) archive_of: Option<Place>,
}

/// What a look at the directories has come to.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) found: Vec<Found>,
    /// The first directory below the log directory that could not be read.
    pub(crate) closed: Option<(PathBuf, io::Error)>,
}

/// All names in the log directory, and in those directories below it that the pattern's names go through. Others are not
/// looked into: `lost+found` is closed to us, and what an archive holds is not ours.
pub(crate) fn list(pattern: &Pattern, now: i64) -> io::Result<Listing> {
    let mut listing = Listing::default();
    walk(pattern, pattern.directory(), "", pattern.depth(), now, &mut listing)?;
    Ok(listing)
}

fn walk(
    pattern: &Pattern,
    directory: &Path,
    above: &str,
    depth: usize,
    now: i64,
    listing: &mut Listing,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // What is not UTF-8 is not ours; what has just vanished is of no interest.
        let (Ok(file_name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
        let name = format!("{above}{file_name}");
        if kind.is_dir() {
            if depth > 0 && pattern.leads_through(&name) {
                match walk(pattern, &entry.path(), &format!("{name}/"), depth - 1, now, listing) {
                    // Vanished: pruning has emptied it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => listing.closed = listing.closed.take().or(Some((entry.path(), error))),
                    Ok(()) => {}
                }
            }
            continue;
        }
        listing.found.push(Found {
            place: pattern.place_of_name(&name, now),
            archive_of: pattern.place_of_archive(&name, now),
            name,
            path: entry.path(),
            inode: entry.ino(),
            is_file: kind.is_file(),
        });
    }
    Ok(())
}
