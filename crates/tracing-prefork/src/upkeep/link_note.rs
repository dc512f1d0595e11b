//! The file that hard links were led to last: a hidden note with its inode and the time at which it was made.
//!
//! A hard link is known to be ours by the other name of its file. When somebody has moved or deleted that file, the
//! note tells a process that is started later. The inode alone would not: it is given to the next file. Together with
//! the time of birth it never comes again, so that the note can be out of date, but never names somebody else's file.

use crate::sys::{self, Creation, FileId};
use std::io::{self, Read};
use std::path::Path;

/// Columns for two numbers, a space between, and a newline.
const LENGTH: usize = 42;

/// Notes that hard links lead to that file. Where nobody knows when files were made, nothing is noted.
pub(crate) fn write(path: &Path, creation: Creation<'_>, id: FileId) -> io::Result<()> {
    if id.birth == 0 {
        return Ok(());
    }
    sys::overwrite(path, creation, &format!("{:>20} {:>20}\n", id.inode, id.birth))
}

/// Whether that is the file that hard links were led to last.
pub(crate) fn names(path: &Path, creation: Creation<'_>, id: FileId) -> bool {
    id.birth != 0 && read(path, creation) == Some((id.inode, id.birth))
}

fn read(path: &Path, creation: Creation<'_>) -> Option<(u64, u64)> {
    let file = sys::open_to_read(path).ok()??;
    // A stranger's note would have us remove somebody else's file.
    if !sys::may_be_ours(&file, path, creation).unwrap_or(false) {
        return None;
    }
    let mut text = String::new();
    file.reader().take(LENGTH as u64).read_to_string(&mut text).ok()?;
    let (inode, birth) = text.trim().split_once(' ')?;
    Some((inode.parse().ok()?, birth.trim().parse().ok()?))
}
