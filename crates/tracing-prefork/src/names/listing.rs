//! The files of a pattern, as they stand in its directory.

use crate::names::pattern::{Pattern, Place};
use crate::names::rivals::Rivals;
use crate::sys::{self, Entry};
use crate::time::clock::system_time;
use std::io;
use std::path::{Path, PathBuf};

/// Files of a period are numbered one after the other. Retention and the user's hook remove some, and others keep a
/// few; a number that is further from the one before it than this was given by somebody else: a date, a time, a
/// process.
pub(crate) const LARGEST_GAP: u32 = 1_000_000;

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
    pub(crate) unreadable: Option<(PathBuf, io::Error)>,
    /// A file that another program at work could have made, too.
    pub(crate) disputed: Option<Disputed>,
}

/// A file that two programs could have made, and the options of the other one.
#[derive(Debug)]
pub(crate) struct Disputed {
    pub(crate) path: PathBuf,
    pub(crate) claimant: String,
}

/// All names in the log directory, and in those directories below it that the pattern's names go through. Others are
/// not looked into: `lost+found` is closed to us, and what an archive holds is not ours.
pub(crate) fn list(pattern: &Pattern, now: i64) -> io::Result<Listing> {
    let mut listing = Listing::default();
    walk(pattern, pattern.directory(), "", pattern.depth(), now, &mut listing)?;
    if pattern.is_numbered() {
        leave_out_strays(&mut listing.found);
    }
    Ok(listing)
}

/// The same, but files that another program at work could have made, too, are no files of the pattern.
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
    /// Which file of the pattern this is, or is an archive of.
    pub(crate) fn file(&self) -> Option<Place> {
        self.place.or(self.archive_of)
    }
}

/// The last of some numbers, which are in order, before one that is too far from the others.
fn last_before_gap(indices: impl IntoIterator<Item = u32>) -> Option<u32> {
    let mut indices = indices.into_iter();
    let first = indices.next()?;
    let near = |last: &mut u32, index| (index - *last <= LARGEST_GAP).then(|| *last = index).map(|()| index);
    Some(indices.scan(first, near).last().unwrap_or(first))
}

/// Takes files whose numbers lie far from those of their period's others for those of somebody else.
fn leave_out_strays(found: &mut [Found]) {
    let mut places: Vec<_> = found.iter().filter_map(Found::file).collect();
    places.sort_unstable_by_key(|place| place.order());
    for period in places.chunk_by(|one, other| one.span == other.span) {
        let (Some(last), Some(highest)) = (last_before_gap(period.iter().map(|place| place.index)), period.last())
        else {
            continue;
        };
        if last < highest.index {
            let is_stray = |place: Place| place.span == highest.span && place.index > last;
            for stray in found.iter_mut().filter(|found| found.file().is_some_and(is_stray)) {
                (stray.place, stray.archive_of) = (None, None);
            }
        }
    }
}

/// The number of the last file of the period of `at`, and whether that is the file itself and not its archive. Looks
/// into one directory only.
pub(crate) fn last_index(pattern: &Pattern, at: i64) -> io::Result<Option<(u32, bool)>> {
    let first = pattern.path_at(at, 0)?;
    let entries = match sys::entries(first.directory()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let first = str::from_utf8(first.file_name()).unwrap_or_default();
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

fn walk(
    pattern: &Pattern,
    directory: &Path,
    above: &str,
    depth: usize,
    now: i64,
    listing: &mut Listing,
) -> io::Result<()> {
    for Entry { name, inode, is_file, is_directory } in sys::entries(directory)? {
        // What is not UTF-8 is not ours.
        let Ok(file_name) = name.into_string() else { continue };
        let path = directory.join(&file_name);
        let name = format!("{above}{file_name}");
        if is_directory {
            if depth > 0 && pattern.leads_through(&name) {
                match walk(pattern, &path, &format!("{name}/"), depth - 1, now, listing) {
                    // Vanished: pruning has emptied it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => listing.unreadable = listing.unreadable.take().or(Some((path.clone(), error))),
                    Ok(()) => {}
                }
            }
            if depth == 0 || sys::parse_hidden(&file_name, system_time(now)).is_none() {
                continue;
            }
            // A directory that is being made, or was left behind by that.
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
