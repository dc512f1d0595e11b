//! The files of a pattern that are in its directory.

use crate::names::pattern::{Pattern, Place};
use crate::names::rivals::Rivals;
use crate::sys::{self, Entry, LogPath};
use crate::time::clock::system_time;
use std::io;
use std::path::{Path, PathBuf};

/// The largest distance between two numbers of a period's files. The files of a period are numbered one after the
/// other, but retention and the user's hook remove some. A number that is further from the number before it is somebody
/// else's: a date, a time, the number of a process.
pub(crate) const LARGEST_GAP: u32 = 1_000_000;

/// An entry of the directory: a file, a link, or a directory that may be a hidden one of ours.
#[derive(Debug)]
pub(crate) struct Found {
    /// Relative to the log directory.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) inode: u64,
    pub(crate) is_file: bool,
    /// Which file of the pattern it is. `None`: it is none.
    pub(crate) place: Option<Place>,
    /// Which file of the pattern it is an archive of. `None`: it is no archive.
    pub(crate) archive_of: Option<Place>,
}

/// What was found in the directories.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) found: Vec<Found>,
    /// The first directory below the log directory that could not be read.
    pub(crate) unreadable: Option<(PathBuf, io::Error)>,
    /// A file that another program at work could have made, too.
    pub(crate) disputed: Option<Disputed>,
    /// Directories that the pattern's names go through, and that nothing is in.
    pub(crate) empty: Vec<PathBuf>,
}

/// A file that two programs could have made.
#[derive(Debug)]
pub(crate) struct Disputed {
    pub(crate) path: PathBuf,
    /// The options of the other program.
    pub(crate) claimant: String,
}

/// All entries of the log directory, and of the directories below it that the pattern's names go through. Other
/// directories are not looked into: `lost+found` cannot be read, and the files in a directory of somebody's are not
/// ours.
pub(crate) fn list(pattern: &Pattern, now: i64) -> io::Result<Listing> {
    let mut listing = Listing::default();
    let top = Directory { path: pattern.directory(), above: String::new(), depth: pattern.depth() };
    top.list(pattern, now, &mut listing)?;
    if pattern.is_numbered() {
        leave_out_strays(&mut listing.found);
    }
    Ok(listing)
}

/// The same, except that a file does not count as the pattern's if another program at work could have made it, too.
pub(crate) fn list_own(pattern: &Pattern, now: i64) -> io::Result<Listing> {
    let mut listing = list(pattern, now)?;
    let rivals = Rivals::of(pattern);
    for found in listing.found.iter_mut().filter(|found| found.file().is_some()) {
        if let Some(names) = rivals.claimant(&found.name) {
            (found.place, found.archive_of) = (None, None);
            let disputed = || Disputed { path: found.path.clone(), claimant: names.to_string() };
            listing.disputed.get_or_insert_with(disputed);
        }
    }
    Ok(listing)
}

impl Found {
    /// Which file of the pattern this is, or which file it is an archive of.
    pub(crate) fn file(&self) -> Option<Place> {
        self.place.or(self.archive_of)
    }
}

/// The last number before the first gap that is too large. `indices`: in order.
fn last_before_gap(indices: impl IntoIterator<Item = u32>) -> Option<u32> {
    let mut indices = indices.into_iter();
    let first = indices.next()?;
    let near = |last: &mut u32, index| (index - *last <= LARGEST_GAP).then(|| *last = index).map(|()| index);
    Some(indices.scan(first, near).last().unwrap_or(first))
}

/// Leaves out the files whose numbers lie far from those of the other files of their row: they are somebody else's.
fn leave_out_strays(found: &mut [Found]) {
    let mut places: Vec<_> = found.iter().filter_map(Found::file).collect();
    places.sort_unstable_by_key(|place| place.order());
    for row in places.chunk_by(|one, other| one.is_in_row_of(*other)) {
        let (Some(last), Some(highest)) = (last_before_gap(row.iter().map(|place| place.index)), row.last()) else {
            continue;
        };
        if last < highest.index {
            let is_stray = |place: Place| place.is_in_row_of(*highest) && place.index > last;
            for stray in found.iter_mut().filter(|found| found.file().is_some_and(is_stray)) {
                (stray.place, stray.archive_of) = (None, None);
            }
        }
    }
}

/// The number of the last file of the period of `at`, and whether it is the file itself and not its archive. Reads one
/// directory only.
pub(crate) fn last_index(pattern: &Pattern, at: i64) -> io::Result<Option<(u32, bool)>> {
    last_index_behind(pattern, &pattern.path_at(at, 0)?)
}

/// The same for the period and the tag of the file that has this path as its first one.
pub(crate) fn last_index_behind(pattern: &Pattern, first: &LogPath) -> io::Result<Option<(u32, bool)>> {
    let entries = match sys::entries(first.directory()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let first = std::str::from_utf8(first.file_name()).unwrap_or_default();
    let (above, first) = first.rfind('/').map_or(("", first), |slash| first.split_at(slash + 1));
    let mut found = Vec::new();
    for entry in entries {
        let index = entry.name.to_str().and_then(|name| pattern.index_of_name(above, first, name));
        found.extend(index.filter(|_| !entry.is_directory));
    }
    found.sort_unstable();
    let last = last_before_gap(found.iter().map(|(index, _)| *index));
    Ok(found.into_iter().rev().find(|(index, _)| Some(*index) == last))
}

/// A directory that is listed.
struct Directory<'a> {
    path: &'a Path,
    /// Its path below the log directory, with a slash at the end; empty for the log directory.
    above: String,
    /// How many further directories names go through.
    depth: usize,
}

impl Directory<'_> {
    fn list(&self, pattern: &Pattern, now: i64, listing: &mut Listing) -> io::Result<()> {
        let entries = sys::entries(self.path)?;
        if entries.is_empty() && !self.above.is_empty() {
            listing.empty.push(self.path.to_owned());
        }
        for Entry { name, inode, is_file, is_directory } in entries {
            // A name that is not UTF-8 is not ours.
            let Ok(file_name) = name.into_string() else { continue };
            let path = self.path.join(&file_name);
            let name = format!("{}{file_name}", self.above);
            if is_directory {
                self.list_below(&path, &name, pattern, now, listing);
                // A directory with a hidden name is being made, or was left behind. It is an entry, too.
                if self.depth == 0 || sys::parse_hidden(&file_name, system_time(now)).is_none() {
                    continue;
                }
            }
            listing.found.push(Found {
                place: pattern.place_of_name(&name, now),
                archive_of: pattern.place_of_archive(&name, now),
                name,
                path,
                inode,
                is_file,
            });
        }
        Ok(())
    }

    /// Lists a directory in this one, if names go through it.
    fn list_below(&self, path: &Path, name: &str, pattern: &Pattern, now: i64, listing: &mut Listing) {
        if self.depth == 0 || !pattern.leads_through(name) {
            return;
        }
        let below = Directory { path, above: format!("{name}/"), depth: self.depth - 1 };
        match below.list(pattern, now, listing) {
            // The directory has vanished: pruning has emptied it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => listing.unreadable = listing.unreadable.take().or(Some((path.to_owned(), error))),
            Ok(()) => {}
        }
    }
}
