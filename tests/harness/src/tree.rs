//! What stands in a log directory, and in those below it that the names of log files go through.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

/// A file, a link, or a directory that is not looked into or in which nothing stands.
#[derive(Debug)]
pub struct Entry {
    /// Relative to the log directory.
    pub name: String,
    /// Where it stands.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileType,
}

/// All entries through so many levels of directories. What vanishes in the meantime is left out.
///
/// # Errors
///
/// When a directory cannot be read.
pub fn entries(directory: &Path, depth: usize) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    walk(directory, "", depth, &mut entries)?;
    Ok(entries)
}

fn walk(directory: &Path, above: &str, depth: usize, entries: &mut Vec<Entry>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let (entry, before) = (entry?, entries.len());
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && depth > 0 {
            match walk(&path, &format!("{name}/"), depth - 1, entries) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                walked => walked?,
            }
            if entries.len() > before {
                continue;
            }
        }
        entries.push(Entry { name, path, kind });
    }
    Ok(())
}
