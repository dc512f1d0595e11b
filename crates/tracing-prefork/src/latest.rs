//! The link to the latest file: renewed in one step, and only ever forward in time.

use crate::clock::{AHEAD, Clock, FIRST};
use crate::listing;
use crate::name::{Pattern, Place};
use crate::sys::{self, FileId, LogPath, unique_hidden};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

/// How often something under a hard link's name must be found to be none of the files before it is believed.
const LOOKS: usize = 5;

/// A link beside the files that leads to the latest of them.
#[derive(Debug)]
pub(crate) struct Link {
    kind: Kind,
    name: String,
    /// The inode that a hard link of ours leads to, 0 for none yet: it stays ours when the file's own name is gone.
    inode: AtomicU64,
    /// A mark of what has the link's name, as it was when it was looked at last; 0 for nothing.
    seen: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Relative, so that it survives a move of the directory and is right in a container.
    Symbolic,
    /// Followed by `tail -F` without polling.
    Hard,
}

impl Link {
    pub(crate) fn new(kind: Kind, name: String) -> Self {
        Self { kind, name, inode: AtomicU64::new(0), seen: AtomicU64::new(0) }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether something else has the link's name than when it was renewed last, or nothing.
    pub(crate) fn has_changed(&self, directory: &Path) -> bool {
        mark(&directory.join(&self.name)) != self.seen.load(Relaxed)
    }

    /// [`lead`](Self::lead), and a note of what has come of it.
    pub(crate) fn renew(&self, pattern: &Pattern, clock: &Clock, at: i64, index: u32) -> io::Result<()> {
        let renewed = self.lead(pattern, clock, at, index);
        self.seen.store(mark(&pattern.directory().join(&self.name)), Relaxed);
        renewed
    }

    /// Lets the link lead to the file of `at`, unless it leads there, or to a later one, already.
    ///
    /// No lock: a process that was stopped between looking and renaming could put the link back, and so each that has
    /// renamed looks at the clock again, and if the period is over meanwhile, at the directory.
    fn lead(&self, pattern: &Pattern, clock: &Clock, at: i64, index: u32) -> io::Result<()> {
        let path = pattern.directory().join(&self.name);
        let (mut place, mut target) = (Place { span: pattern.calendar().span(at), index }, pattern.path_at(at, index)?);
        loop {
            let now = clock.exact_second();
            let there = self.leads_to(&path, pattern, now)?;
            if there
                .is_some_and(|there| there.order() >= place.order() && there.span.start <= now.saturating_add(AHEAD))
            {
                return Ok(());
            }
            let replaced = self.replace(&path, &target, clock.now());
            if replaced.is_ok() && place.span.contains(clock.exact_second()) {
                return Ok(());
            }
            // Where it was to lead may be pruned meanwhile: then there are later files.
            let newest = newest(pattern, now)?.filter(|newest| newest.order() > place.order());
            let Some(newest) = newest else { return replaced };
            (place, target) = (newest, pattern.path_at(newest.span.start.max(FIRST), newest.index)?);
        }
    }

    /// Which file the link leads to now. An error if there is something else under its
    /// name, which is not ours to replace.
    fn leads_to(&self, path: &Path, pattern: &Pattern, now: i64) -> io::Result<Option<Place>> {
        for _ in 0..LOOKS {
            let found = match fs::symlink_metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                found => found?,
            };
            match self.kind {
                Kind::Symbolic if found.is_symlink() => {
                    // One that leads elsewhere, or to a file of another pattern, is replaced.
                    let target = fs::read_link(path)?;
                    return Ok(target.to_str().and_then(|name| pattern.place_of_name(name, now)));
                }
                Kind::Hard if found.is_file() => {
                    let mut files = listing::list(pattern, now)?.found.into_iter();
                    let place = files.find_map(|file| file.place.filter(|_| file.inode == found.ino()));
                    if place.is_some() || self.inode.load(Relaxed) == found.ino() {
                        return Ok(place);
                    }
                    // Between the two looks somebody may have renewed the link and pruned the file that it led to.
                }
                _ => break,
            }
        }
        Err(not_ours())
    }

    /// Whether this is a hard link, and another name of that file.
    pub(crate) fn is_name_of(&self, pattern: &Pattern, id: FileId) -> bool {
        let path = pattern.directory().join(&self.name);
        self.kind == Kind::Hard
            && fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (id.device, id.inode))
    }

    /// Whether this is a link to that file, by its name or by being another name of it.
    pub(crate) fn leads_to_file(&self, pattern: &Pattern, name: &str, id: FileId) -> bool {
        match self.kind {
            Kind::Symbolic => fs::read_link(pattern.directory().join(&self.name)).is_ok_and(|to| to == Path::new(name)),
            Kind::Hard => self.is_name_of(pattern, id),
        }
    }

    fn replace(&self, path: &Path, target: &LogPath, now: SystemTime) -> io::Result<()> {
        let hidden = unique_hidden(path, now);
        // Until the link is there, which whoever prunes looks at.
        let mut _held = None;
        match self.kind {
            Kind::Symbolic => symlink(OsStr::from_bytes(target.file_name()), &hidden)?,
            Kind::Hard => {
                _held = sys::hold(target)?;
                fs::hard_link(target.as_path(), &hidden)?;
                self.inode.store(fs::symlink_metadata(&hidden)?.ino(), Relaxed);
            }
        }
        let renamed = fs::rename(&hidden, path);
        // If both names lead to one file already, rename(2) does nothing and leaves the hidden one.
        let _ = fs::remove_file(&hidden);
        renamed
    }
}

/// Tells what has a name from what had it before: by its kind, its inode, and, since a removed link's inode is given away again, when a
/// symbolic link was made. 0 for nothing.
fn mark(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else { return 0 };
    let made = if found.is_symlink() { found.ctime().wrapping_mul(1_000_000_000) + found.ctime_nsec() } else { 0 };
    found.ino().rotate_left(16) ^ u64::from(found.mode() >> 12) ^ made as u64
}

fn not_ours() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "something that is not this link has its name; move it away")
}

/// The newest file there is.
fn newest(pattern: &Pattern, now: i64) -> io::Result<Option<Place>> {
    Ok(listing::list(pattern, now)?.found.into_iter().filter_map(|file| file.place).max_by_key(|place| place.order()))
}
