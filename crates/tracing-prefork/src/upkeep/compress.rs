//! The job of compressing: a finished file is compressed, its archive published, the plain file removed. `job` says
//! when and by which process it is done, `archiving` how a file becomes an archive.

use crate::names::listing::{self, Found};
use crate::names::pattern::{Pattern, Place};
use crate::sys::{self, FileId, JobLock, Priority};
use crate::time::clock::Clock;
use crate::upkeep::archiving::{Archived, archive};
use crate::upkeep::compression::Compression;
use crate::upkeep::link::Link;
use crate::upkeep::outcome::Outcome;
use crate::upkeep::over::Over;
use crate::upkeep::prune;
use nix::errno::Errno;
use std::io;

/// The job, and what it needs. The thread that has the turn does it.
#[derive(Debug)]
pub(crate) struct Compress<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) links: &'a [Link],
    pub(crate) kind: Compression,
    /// How many of the newest finished files stay plain.
    pub(crate) keep: usize,
    pub(crate) priority: Priority,
    pub(crate) clock: &'a Clock,
    pub(crate) turn: &'a JobLock,
    /// The current files count as over, and no link keeps a file plain: the process is about to end.
    pub(crate) closing: bool,
    pub(crate) now: i64,
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
        let is_wanted = |(place, found): &(Place, Found)| {
            found.place.is_some() && over.has(*place) && !over.is_among_newest(*place, self.keep)
        };
        for (_, found) in files.into_iter().filter(is_wanted) {
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
        let closed = if self.closing { sys::identity_of(&found.path) } else { None };
        let leads_there = |link: &&Link, id: FileId| link.leads_to_file(self.pattern, &found.name, id);
        let needed = |id| !self.closing && self.links.iter().any(|link| leads_there(&link, id));
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
