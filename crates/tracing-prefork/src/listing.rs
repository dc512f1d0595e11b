//! The files of a pattern, as they stand in its directory.

use crate::calendar::Span;
use crate::name::Pattern;
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
    /// The period, unless it is another name.
    pub(crate) span: Option<Span>,
}

/// All names in the log directory, and in those directories below it that the pattern's names go through.
pub(crate) fn list(pattern: &Pattern, now: i64) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    walk(pattern, pattern.directory(), "", pattern.depth(), now, &mut found)?;
    Ok(found)
}

fn walk(
    pattern: &Pattern,
    directory: &Path,
    above: &str,
    depth: usize,
    now: i64,
    found: &mut Vec<Found>,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // What is not UTF-8 is not ours; what has just vanished is of no interest.
        let (Ok(file_name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
        let name = format!("{above}{file_name}");
        if kind.is_dir() {
            if depth > 0 {
                match walk(pattern, &entry.path(), &format!("{name}/"), depth - 1, now, found) {
                    // Vanished, or closed to us, as `lost+found` is: nothing that we have written is in there.
                    Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
                    }
                    walked => walked?,
                }
            }
            continue;
        }
        found.push(Found {
            span: pattern.span_of_name(&name, now),
            name,
            path: entry.path(),
            inode: entry.ino(),
            is_file: kind.is_file(),
        });
    }
    Ok(())
}
