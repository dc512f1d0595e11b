//! The files of a pattern that are there, as users see them, and those that a job would take.

use crate::names::listing::{self, Found};
use crate::names::log_file::LogFile;
use crate::names::pattern::Place;
use crate::names::site::Site;
use crate::report::{Error, Operation};
use crate::sys;
use crate::upkeep::hand_over_record::{self, HandOverRecord, Version};
use crate::upkeep::job::Job;
use crate::upkeep::occasion::Occasion;
use crate::upkeep::queue::Stage;
use crate::upkeep::{Options, Upkeep, compress, prune};
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

impl Upkeep {
    /// All files and archives, the oldest first.
    pub(crate) fn files(&self) -> Result<Vec<LogFile>, Error> {
        self.files_that(|_| true)
    }

    fn files_that(&self, is_wanted: impl Fn(&Found) -> bool) -> Result<Vec<LogFile>, Error> {
        let listed = listing::list(&self.site.pattern, self.site.clock.exact_second());
        let listing =
            listed.map_err(|error| self.site.reporter.error(Operation::List, self.site.directory(), error))?;
        let mut found: Vec<_> = listing.found.into_iter().filter(|found| found.is_file && is_wanted(found)).collect();
        found.sort_by_key(|found| found.file().map(Place::order));
        let record = HandOverRecord::read(&self.record_path(), self.site.creation());
        Ok(found.into_iter().filter_map(|found| self.log_file(found, &record)).collect())
    }

    /// The files that a job would take now, the oldest first. Changes nothing.
    pub(crate) fn files_for(&self, job: Job) -> Result<Vec<LogFile>, Error> {
        if !self.has(job) {
            return Ok(Vec::new());
        }
        let failed = |error| self.site.reporter.error(Operation::List, self.site.directory(), error);
        let Site { pattern, clock, .. } = &*self.site;
        let Options { limits, links, keep_uncompressed, .. } = &self.options;
        let now = clock.exact_second();
        let paths = match job {
            Job::Prune | Job::PruneTried => {
                let queue = self.asks_hook().then(|| self.queue(false, now));
                prune::would_go(pattern, links, limits, queue.as_ref(), clock, now)
            }
            Job::Compress => compress::would_be_compressed(pattern, links, *keep_uncompressed, now),
            Job::HandOver => {
                let record = HandOverRecord::read(&self.record_path(), self.site.creation());
                self.due(Occasion::ByHand, now).paths(&record)
            }
        };
        let paths: HashSet<PathBuf> = paths.map_err(failed)?.into_iter().collect();
        self.files_that(|found| paths.contains(&found.path))
    }

    /// `None`: the file has just been removed.
    fn log_file(&self, found: Found, record: &HandOverRecord) -> Option<LogFile> {
        let place = found.file()?;
        let is_done = |version: Version| matches!(Stage::of(record, &found.name, version), Stage::Done);
        Some(LogFile {
            bytes: fs::symlink_metadata(&found.path).ok()?.len(),
            open: sys::is_held(&found.path),
            period: self.site.pattern.period_at(place.span.start),
            tag: self.site.pattern.tag_in(&found.name).map(|tag| tag.as_str().to_owned()),
            index: place.index,
            compressed: found.place.is_none(),
            handed_over: hand_over_record::version(&found.path).is_some_and(is_done),
            path: found.path,
        })
    }
}
