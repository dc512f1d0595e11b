//! The [note] of the file that hard links were led to last: the file's inode and the time at which it was made.
//!
//! A hard link is known to be ours by the other name of its file. If somebody has moved or deleted that file, the note
//! tells a process that is started later. The inode alone would not tell: a file system gives it to the next file. The
//! inode together with the time of birth never comes again. So the note can be out of date, but it never names somebody
//! else's file.

use crate::sys::{Creation, FileId};
use crate::upkeep::note;
use std::io;
use std::path::Path;

/// Notes that hard links lead to that file. Where the file system does not tell when files were made, nothing is noted.
pub(crate) fn write(path: &Path, creation: Creation<'_>, id: FileId) -> io::Result<()> {
    if id.birth == 0 {
        return Ok(());
    }
    note::write(path, creation, Some((id.inode, id.birth)))
}

/// Whether that is the file that hard links were led to last. A stranger's note is not believed: it would have us
/// remove somebody else's file.
pub(crate) fn tells_of(path: &Path, creation: Creation<'_>, id: FileId) -> bool {
    id.birth != 0 && note::read_ours(path, creation) == Some((id.inode, id.birth))
}
