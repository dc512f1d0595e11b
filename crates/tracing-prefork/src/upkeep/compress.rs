//! The job of compressing: a finished file is compressed, its archive published, the plain file removed. `job` says
//! when and by which process it is done, `archiving` how a file becomes an archive.

use crate::names::listing::{self, Found};
use crate::names::pattern::{Pattern, Place};
use crate::ring::pending::Rings;
use crate::sys::{self, FileId, JobLock, Priority};
use crate::time::clock::Clock;
use crate::upkeep::archiving::{Archived, archive};
use crate::upkeep::compression::Compression;
use crate::upkeep::link::Link;
use crate::upkeep::outcome::Outcome;
use crate::upkeep::over::{Closing, Over};
use crate::upkeep::prune;
use nix::errno::Errno;
use std::io;
use std::path::PathBuf;

/// The job, and what it needs. The thread that has the turn does it.
#[derive(Debug)]
pub(crate) struct Compress<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) links: &'a [Link],
    pub(crate) rings: &'a Rings,
    pub(crate) kind: Compression,
    /// How many of the newest finished files stay plain.
    pub(crate) keep: usize,
    pub(crate) priority: Priority,
    pub(crate) clock: &'a Clock,
    pub(crate) turn: &'a JobLock,
    /// The current files of a tag count as over, and no link keeps a file plain: the process is about to end.
    pub(crate) closing: Option<Closing>,
    pub(crate) now: i64,
}

/// Which files are over, and are to become archives. `keep`: so many of the newest finished files stay plain.
fn wanted(over: &Over, keep: usize) -> impl Fn(&(Place, Found)) -> bool + '_ {
    let is_among_newest = over.newest(keep);
    move |(place, found)| found.place.is_some() && over.has(*place) && !is_among_newest(*place)
}

/// The paths of the files that would be compressed now, the oldest first.
pub(crate) fn would_be_compressed(
    pattern: &Pattern,
    links: &[Link],
    keep: usize,
    now: i64,
) -> io::Result<Vec<PathBuf>> {
    let found = listing::list_own(pattern, now)?.found.into_iter().filter(|found| found.is_file);
    let mut files: Vec<_> = found.filter_map(|found| Some((found.file()?, found))).collect();
    files.sort_unstable_by_key(|(place, _)| place.order());
    let over = Over::new(files.iter().map(|(place, _)| *place), now, None);
    let is_free = |found: &Found| {
        let is_linked = |id| links.iter().any(|link| link.leads_to_file(pattern, &found.name, id));
        !sys::is_held(&found.path) && sys::identity_of(&found.path).is_some_and(|id| !is_linked(id))
    };
    let wanted = files.into_iter().filter(wanted(&over, keep)).filter(|file| is_free(&file.1));
    Ok(wanted.map(|(_, found)| found.path).collect())
}

impl Compress<'_> {
    /// Compresses the finished files, the oldest first.
    pub(crate) fn run(&self) -> io::Result<Outcome> {
        // 1. The files and archives, in their order.
        let listing = listing::list_own(self.pattern, self.now)?;
        let mut outcome = Outcome { failed: listing.unreadable, disputed: listing.disputed, ..Outcome::default() };
        let mut files = Vec::new();
        for found in listing.found {
            match found.file() {
                Some(place) if found.is_file => files.push((place, found)),
                Some(_) => {}
                None => prune::clear_left_behind(&found, self.pattern, self.links, self.now),
            }
        }
        files.sort_unstable_by_key(|(place, _)| place.order());
        let over = Over::new(files.iter().map(|(place, _)| *place), self.now, self.closing);
        // 2. Each plain file that is over, and does not stay plain.
        for (_, found) in files.into_iter().filter(wanted(&over, self.keep)) {
            match self.compress(&found) {
                Ok(Archived::Done) => outcome.done += 1,
                Ok(Archived::NotYet) => outcome.waiting += 1,
                Ok(Archived::Gone) => {}
                // The program has closed a descriptor of ours. The plain file is as it was, and is looked at again.
                Err(error) if error.raw_os_error() == Some(Errno::EBADF as i32) => outcome.waiting += 1,
                Err(error) => {
                    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                    outcome.failed = outcome.failed.or(Some((found.path, error)));
                    // A further try would take room for a while that lines may need.
                    if full {
                        break;
                    }
                }
            }
        }
        Ok(outcome)
    }

    fn compress(&self, found: &Found) -> io::Result<Archived> {
        let closed = if self.closing.is_some() { sys::identity_of(&found.path) } else { None };
        let leads_there = |link: &&Link, id: FileId| link.leads_to_file(self.pattern, &found.name, id);
        let is_linked = |id| self.closing.is_none() && self.links.iter().any(|link| leads_there(&link, id));
        // A killed process has left lines half-written: they are finished first (`ring::pending`).
        let needed = |id| is_linked(id) || self.rings.has_pending(self.pattern, id);
        let is_our_turn = || self.turn.is_ours_where_it_is();
        let archived = archive(&found.path, self.kind, self.priority, self.clock, is_our_turn, needed)?;
        if let Some(id) = closed.filter(|_| archived == Archived::Done) {
            // A process that is logging finds the link gone within a second, and makes it anew.
            let mut led_there = self.links.iter().filter(|link| leads_there(link, id));
            led_there.try_for_each(|link| link.remove(self.pattern))?;
        }
        Ok(archived)
    }
}
