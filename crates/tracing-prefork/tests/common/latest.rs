//! The link to the latest file.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Hand, NOW, all_names, daily, log, names};

pub(crate) fn target(directory: &Path) -> PathBuf {
    fs::read_link(directory.join("latest")).expect("a link")
}

/// Temporary names that are left.
pub(crate) fn temporary(directory: &Path) -> Vec<String> {
    all_names(directory).into_iter().filter(|name| name.ends_with(".tmp")).collect()
}

/// Both links and where they lead.
pub(crate) fn lead(directory: &Path) -> [PathBuf; 2] {
    let inode = |path: &Path| fs::metadata(path).map(|found| found.ino()).ok();
    let hard = inode(&directory.join("latest.hard")).expect("there");
    let name = names(directory)
        .into_iter()
        .find(|name| !name.starts_with("latest") && inode(&directory.join(name)) == Some(hard));
    [target(directory), name.expect("a file").into()]
}

/// Builds an appender that leads a hard link to today's file, and ends.
pub(crate) fn leave_a_hard_link(directory: &Path) {
    let logs = daily(&Hand::at(NOW)).latest_hard_link("latest").build(directory).expect("builds");
    log(&logs, "today");
}

/// `false`, and a word about it, where nobody knows when a file was made.
pub(crate) fn knows_births(directory: &Path) -> bool {
    let knows = fs::metadata(directory).and_then(|found| found.created()).is_ok();
    if !knows {
        writeln!(std::io::stderr(), "SKIPPED: this file system does not know when files were made").expect("told");
    }
    knows
}
