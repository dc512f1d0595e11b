//! Appending lines of a ring of the dead. They go to their files by descriptors of their own, beside the slots: the
//! files may be of another tag, and of any period.

use crate::names::listing;
use crate::names::pattern::LAST_INDEX;
use crate::names::tag::Tag;
use crate::ring::dead::DeadRing;
use crate::ring::finish::finish_pending;
use crate::sys::{self, LogPath, Opened, PATIENCE, WriteLock};
use crate::write::lines::Lines;
use crate::write::locked::{Appended, IfFull};
use crate::write::log::Log;
use crate::write::size_limit::TRIES;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Log {
    /// Appends lines to the file of that tag and that second. An error if they are not all in a file; the journal of
    /// the lines knows which ones are.
    pub(crate) fn append_for(&self, tag: Option<Tag>, lines: Lines<'_>, at: i64) -> io::Result<()> {
        let mut tries = 1..TRIES;
        loop {
            let opened = self.open_for_tag(tag, at, lines.len())?;
            // The last try takes a file even if it is full, or has been removed.
            let is_last = tries.next().is_none();
            let if_full = if is_last { IfFull::Append } else { IfFull::Refuse };
            let appended = self.write_to(opened.file.borrow(), lines, opened.torn, at, if_full);
            let is_gone = !opened.leased && !self.upkeep.keeps_name(opened.file.borrow());
            match appended {
                Appended::Tried(outcome) if is_last || !is_gone => {
                    return match outcome? {
                        written if written == lines.len() => Ok(()),
                        _ => Err(io::ErrorKind::WriteZero.into()),
                    };
                }
                _ => {}
            }
        }
    }

    /// The most bytes of lines that go to a file at once: a file with a small limit is not filled by one write.
    pub(crate) fn longest_batch(&self) -> usize {
        self.size_limit.as_ref().map_or(usize::MAX, |limit| usize::try_from(limit.max() / 4).unwrap_or(usize::MAX))
    }

    /// The room in the file that is open, in bytes. Other processes may take it.
    pub(crate) fn room(&self) -> usize {
        let Some(limit) = &self.size_limit else { return usize::MAX };
        let Some(pin) = self.slots.pin_latest() else { return self.longest_batch() };
        let size = pin.file().and_then(|file| sys::size(file).ok()).unwrap_or(0);
        pin.cancel();
        usize::try_from(limit.max().saturating_sub(size)).unwrap_or(usize::MAX)
    }

    fn open_for_tag(&self, tag: Option<Tag>, at: i64, length: usize) -> io::Result<Opened> {
        let pattern = &self.site.pattern;
        if tag == pattern.own_tag() {
            return Ok(self.open_for(at, length)?.0);
        }
        let path = |index: u32| -> io::Result<LogPath> { pattern.path_of(tag, at, index) };
        if self.size_limit.is_none() {
            return self.open(&path(0)?, at);
        }
        let mut index = match listing::last_index_behind(pattern, &path(0)?)? {
            None => 0,
            Some((index, true)) => index,
            Some((index, false)) => index.saturating_add(1).min(LAST_INDEX),
        };
        for _ in 1..TRIES {
            let opened = self.open(&path(index)?, at)?;
            if index == LAST_INDEX || self.has_room(opened.size, length) {
                return Ok(opened);
            }
            index += 1;
        }
        self.open(&path(index)?, at)
    }

    /// Finishes in the log file at `path` what the process of a ring was writing there when it ended.
    pub(crate) fn finish_pending_in(&self, path: &Path, ring: &DeadRing) -> io::Result<()> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let mut path = LogPath::in_directory(directory)?;
        path.write_all(name.as_bytes())?;
        let opened = sys::open_log(&path, None, None)?;
        let file = opened.file.borrow();
        let lock = sys::wait(PATIENCE, || WriteLock::try_take(file).transpose());
        let _lock = lock.unwrap_or(Err(io::ErrorKind::TimedOut.into()))?;
        finish_pending(ring, file, opened.file.id()).map(drop)
    }
}
