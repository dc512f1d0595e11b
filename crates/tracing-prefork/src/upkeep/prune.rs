//! The job of pruning: which files may go, and how they are removed. It is done in the turn to prune.
//!
//! A file goes only if its whole name parses back to a period of the pattern, if that period is over, and if nobody
//! holds a lease on the file, so that no process has it open to write to.

use crate::names::archive::plain_name;
use crate::names::listing::{self, Disputed, Found, Listing};
use crate::names::pattern::{Pattern, Place};
use crate::sys::{self, FileId, Removal};
use crate::time::clock::{Clock, system_time};
use crate::upkeep::age::{self, ABANDONED, Look};
use crate::upkeep::link::Link;
use crate::upkeep::outcome::Outcome;
use crate::upkeep::over::Over;
use crate::upkeep::queue::{Queue, Waits};
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much is kept. A file goes if one of the limits does not keep it.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) files: Option<NonZeroUsize>,
    pub(crate) age: Option<Duration>,
    pub(crate) bytes: Option<u64>,
    /// Bytes that a current file may grow to. They are kept free for it.
    pub(crate) spare: u64,
}

impl Limits {
    pub(crate) fn is_set(&self) -> bool {
        self.files.is_some() || self.age.is_some() || self.bytes.is_some()
    }

    /// How many files are too many. `files`: the oldest come first.
    fn surplus(&self, files: &[Kept]) -> usize {
        // A file and its archives count as one.
        let names = || files.chunk_by(|one, other| one.place == other.place);
        let too_many = |keep: NonZeroUsize| names().count().saturating_sub(keep.get());
        let by_number = self.files.map_or(0, |keep| names().take(too_many(keep)).map(<[_]>::len).sum());
        let by_bytes = self.bytes.map_or(0, |bytes| {
            let mut room = bytes;
            let fits = |file: &&Kept| {
                let size = if file.grows { file.bytes().max(self.spare) } else { file.bytes() };
                room.checked_sub(size).map(|left| room = left).is_some()
            };
            files.len() - files.iter().rev().take_while(fits).count()
        });
        by_number.max(by_bytes)
    }

    fn is_aged(&self, file: &Kept, now: i64, look: Look) -> bool {
        self.age.is_some_and(|age| age::is_aged(file.place.span, &file.path, age.as_secs(), now, look))
    }
}

/// A file of the pattern.
#[derive(Debug)]
struct Kept {
    place: Place,
    /// It is no archive. A plain file beside its archive is newer than the archive.
    is_plain: bool,
    /// Relative to the log directory.
    name: String,
    path: PathBuf,
    /// It is a current file.
    grows: bool,
}

impl Kept {
    /// `None`: it is no file of the pattern. A link of such a name is not ours.
    fn of(found: Found) -> Option<Self> {
        let place = found.place.or(found.archive_of).filter(|_| found.is_file)?;
        let is_plain = found.place.is_some();
        Some(Self { place, is_plain, name: found.name, path: found.path, grows: false })
    }

    /// Whether the file waits for the user's hook.
    fn waits(&self, queue: Option<&Queue>, now: i64) -> Waits {
        queue.map_or(Waits::No, |queue| queue.waits(&self.name, &self.path, || self.has_rested(now)))
    }

    fn has_rested(&self, now: i64) -> bool {
        age::has_rested(self.place.span, &self.path, now)
    }

    /// Whether the file goes although somebody holds it.
    fn goes_held(&self, now: i64) -> bool {
        (self.place.span.end <= now || age::is_of_future(self.place.span, now)) && self.has_rested(now)
    }

    fn bytes(&self) -> u64 {
        fs::symlink_metadata(&self.path).map_or(0, |found| found.len())
    }
}

/// Removes the oldest files beyond the limits. Files of later periods never go, and of the current period only those of
/// another tag that nobody has open. Files that wait for the user's hook stay.
pub(crate) fn prune(
    pattern: &Pattern,
    links: &[Link],
    limits: &Limits,
    queue: Option<&Queue>,
    clock: &Clock,
    now: i64,
) -> io::Result<Outcome> {
    let Surplus { files, ahead, unreadable, disputed } = surplus(pattern, links, limits, clock, now, Look::AndTidy)?;
    let mut outcome = Outcome { failed: unreadable, ahead, disputed, ..Outcome::default() };
    // 1. The files beyond the limits.
    let mut left = Vec::new();
    for file in files {
        if let Some(Removal::Held | Removal::Gone) = outcome.remove(&file, pattern, links, queue, now) {
            left.push(file.place);
        }
    }
    // 2. Once more those that were held or gone. Another process may have compressed one meanwhile, and its archive
    // must not stay where newer files have gone.
    let found = if left.is_empty() { Vec::new() } else { listing::list_own(pattern, now)?.found };
    for file in found.into_iter().filter_map(Kept::of).filter(|file| left.contains(&file.place)) {
        let removal = outcome.remove(&file, pattern, links, queue, now);
        outcome.waiting += usize::from(removal == Some(Removal::Held));
    }
    Ok(outcome)
}

impl Outcome {
    /// Removes a file, and notes what has come of it. `None`: the file waits for the user's hook, or it could not be
    /// removed.
    fn remove(
        &mut self,
        file: &Kept,
        pattern: &Pattern,
        links: &[Link],
        queue: Option<&Queue>,
        now: i64,
    ) -> Option<Removal> {
        let waits = file.waits(queue, now);
        if waits == Waits::Yes {
            self.waiting += 1;
            return None;
        }
        match remove(pattern, links, &file.path, || file.goes_held(now)) {
            Ok(removal) => {
                let is_removed = removal == Removal::Removed;
                self.done += usize::from(is_removed);
                if is_removed && waits == Waits::InVain {
                    self.unseen.get_or_insert_with(|| file.path.clone());
                }
                Some(removal)
            }
            Err(error) => {
                self.note_failure(&file.path, error);
                None
            }
        }
    }
}

/// The paths of the files that [`prune`] would remove now, the oldest first.
pub(crate) fn would_go(
    pattern: &Pattern,
    links: &[Link],
    limits: &Limits,
    queue: Option<&Queue>,
    clock: &Clock,
    now: i64,
) -> io::Result<Vec<PathBuf>> {
    let files = surplus(pattern, links, limits, clock, now, Look::Only)?.files;
    let may_go = |file: &Kept| {
        let is_needed = || sys::identity_of(&file.path).is_none_or(|id| is_needed(pattern, links, id));
        file.waits(queue, now) != Waits::Yes && (!sys::is_held(&file.path) || file.goes_held(now)) && !is_needed()
    };
    Ok(files.into_iter().filter(may_go).map(|file| file.path).collect())
}

/// Removes the oldest finished file if there are more than `keep`. Says whether one has gone.
pub(crate) fn remove_oldest(pattern: &Pattern, links: &[Link], keep: NonZeroUsize, clock: &Clock) -> io::Result<bool> {
    let limits = Limits { files: Some(keep), age: None, bytes: None, spare: 0 };
    for Kept { path, .. } in surplus(pattern, links, &limits, clock, clock.exact_second(), Look::AndTidy)?.files {
        if remove(pattern, links, &path, || false)? == Removal::Removed {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The files that may go.
#[derive(Debug)]
struct Surplus {
    files: Vec<Kept>,
    /// A file of the future, whether it goes or not.
    ahead: Option<PathBuf>,
    /// A directory that could not be read.
    unreadable: Option<(PathBuf, io::Error)>,
    /// A file that another program at work could have made, too.
    disputed: Option<Disputed>,
}

/// The files beyond the limits that are over, the oldest first. Files of the future do not count, and go when nobody
/// has written to them for a day.
fn surplus(
    pattern: &Pattern,
    links: &[Link],
    limits: &Limits,
    clock: &Clock,
    now: i64,
    look: Look,
) -> io::Result<Surplus> {
    // 1. The files, in their order.
    let mut files = Vec::new();
    let Listing { found, unreadable, disputed, empty } = listing::list_own(pattern, now)?;
    if look == Look::AndTidy {
        clear_empty_directories(&empty, pattern);
    }
    for found in found {
        if found.file().is_some() {
            files.extend(Kept::of(found));
        } else if look == Look::AndTidy {
            clear_left_behind(&found, pattern, links, now);
        }
    }
    files.sort_unstable_by_key(|file| (file.place.order(), file.is_plain));
    // 2. Without those of the future. If the clock goes fast, others may have begun further files since `now`.
    let latest = clock.exact_second().max(now);
    let present = files.partition_point(|file| !limits.is_set() || !age::is_of_future(file.place.span, latest));
    let future = files.split_off(present);
    let ahead = future.first().map(|file| file.path.clone());
    // 3. Which of them are over, and which are current.
    let over = Over::new(files.iter().map(|file| file.place), now, None);
    if pattern.has_tags() {
        files = in_order_of_family(files, pattern, &over, now);
    } else if let Some(last) = files.last_mut() {
        last.grows = true;
    }
    // 4. Those that may go, and are beyond a limit. A file of the current period that nobody has open is of a process
    // that has ended.
    let count = limits.surplus(&files);
    let is_left = |file: &Kept| pattern.has_tags() && file.place.span.contains(now) && !file.grows;
    let may_go = |file: &Kept| over.has(file.place) || is_left(file);
    let goes = |(index, file): &(usize, Kept)| may_go(file) && (*index < count || limits.is_aged(file, now, look));
    let surplus = files.into_iter().enumerate().filter(goes).map(|(_, file)| file);
    let files = surplus.chain(future.into_iter().filter(|file| age::has_rested_in_future(&file.path, look))).collect();
    Ok(Surplus { files, ahead, unreadable, disputed })
}

/// The files of a pattern with tags, in the order in which they go. Within a period the current files come last, before
/// them the other files, by their last write. `files`: in the order of their places.
fn in_order_of_family(mut files: Vec<Kept>, pattern: &Pattern, over: &Over, now: i64) -> Vec<Kept> {
    let own = pattern.own_tag_id();
    let last_write = |file: &Kept| file.path.symlink_metadata().and_then(|found| found.modified()).ok();
    let mut ranks = Vec::with_capacity(files.len());
    // A file and its archives stay together.
    for same in files.chunk_by_mut(|one, other| one.place == other.place) {
        let place = same[0].place;
        let is_current = |file: &Kept| file.is_plain && (place.tag == own || sys::is_held(&file.path));
        let grows = place.span.contains(now) && !over.has(place) && same.iter().any(is_current);
        same.iter_mut().for_each(|file| file.grows = grows);
        let rank = (place.span.start, grows, same.iter().filter_map(last_write).max());
        ranks.extend(same.iter().map(|_| rank));
    }
    let mut ranked: Vec<_> = ranks.into_iter().zip(files).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, file)| file).collect()
}

/// Removes a file, unless somebody holds it, or it is needed. `regardless`: whether it goes although somebody holds it.
fn remove(pattern: &Pattern, links: &[Link], path: &Path, regardless: impl Fn() -> bool) -> io::Result<Removal> {
    let removal = sys::claim_and_remove(path, regardless, |id| is_needed(pattern, links, id))?;
    if removal == Removal::Removed {
        remove_directories_of(path, pattern.directory());
    }
    Ok(removal)
}

/// Whether a file must stay, whoever holds it.
fn is_needed(pattern: &Pattern, links: &[Link], id: FileId) -> bool {
    // If another directory has taken the place of ours, nobody knows yet which files there are others'. A hard link's
    // file keeps its own name: without it, nobody could tell that it is a log file.
    !pattern.foreign().are_of(pattern.directory()) || links.iter().any(|link| link.is_name_of(pattern, id))
}

/// Removes the directories that have become empty with a file.
pub(crate) fn remove_directories_of(file: &Path, below: &Path) {
    file.parent().into_iter().for_each(|directory| remove_empty_directories(directory, below));
}

/// Removes a directory and those above it, as far as they are empty. Whoever creates a file there makes them again.
fn remove_empty_directories(directory: &Path, below: &Path) {
    let above = directory.ancestors().take_while(|directory| *directory != below);
    // The first directory that is not empty, or not ours to remove, ends the walk.
    let _ = above.map(fs::remove_dir).find(Result::is_err);
}

/// Removes the empty directories of the pattern that a process has left, which ended after it had made a directory, or
/// had removed the last file of it.
fn clear_empty_directories(empty: &[PathBuf], pattern: &Pattern) {
    // In a directory that has taken the place of ours, nobody knows yet what is others'.
    if empty.is_empty() || !pattern.foreign().are_of(pattern.directory()) {
        return;
    }
    for directory in empty.iter().filter(|directory| age::is_unused(directory)) {
        remove_empty_directories(directory, pattern.directory());
    }
}

/// Removes a temporary name of ours that a killed process has left.
pub(crate) fn clear_left_behind(found: &Found, pattern: &Pattern, links: &[Link], now: i64) {
    let (above, name) = found.name.rsplit_once('/').map_or(("", &*found.name), |(above, name)| (above, name));
    let Some((name, age)) = sys::parse_hidden(name, system_time(now)) else { return };
    let whole = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
    let of_ours = pattern.is_hidden(&whole)
        || pattern.place_of_name(&whole, now).is_some()
        || pattern.leads_through(&whole)
        || links.iter().any(|link| link.option() == whole || link.tag_of(&whole).is_some() && pattern.has_tags());
    if of_ours && age::is_left_behind(age) {
        let _ = fs::remove_file(&found.path).or_else(|_| fs::remove_dir(&found.path));
    } else if plain_name(&whole).is_some_and(|plain| pattern.place_of_name(plain, now).is_some()) {
        // An archive in the making. It can take long, and its maker holds a lease on it.
        let _ = sys::claim_and_remove(&found.path, || age >= ABANDONED, |_| false);
    }
}
