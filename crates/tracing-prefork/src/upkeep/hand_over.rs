//! The job of handing finished files over to the user's hook. `job` says when and by which process it is done,
//! `hand_over_record` what stays known of it.

use crate::names::archive::archives_of;
use crate::names::listing::{self, Found};
use crate::names::pattern::{Pattern, Place};
use crate::sys::{Creation, FinishedFile, JobLock};
use crate::upkeep::age;
use crate::upkeep::hand_over_record::{self, HandOverRecord, Mark, Version, Writer};
use crate::upkeep::hook::Hook;
use crate::upkeep::occasion::Occasion;
use crate::upkeep::outcome::Outcome;
use crate::upkeep::over::{Closing, Over};
use crate::upkeep::prune;
use crate::upkeep::queue::Stage;
use std::io;
use std::path::{Path, PathBuf};

/// Which files are to be handed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) occasion: Occasion,
    /// The current files of a tag count as over.
    pub(crate) closing: Option<Closing>,
    /// How many of the newest finished files stay plain.
    pub(crate) keep_uncompressed: usize,
    pub(crate) now: i64,
}

/// The job, and what it needs. The thread that has the turn does it.
#[derive(Debug)]
pub(crate) struct HandOver<'a> {
    pub(crate) due: Due<'a>,
    pub(crate) hook: &'a Hook,
    pub(crate) turn: &'a JobLock,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    /// There is nothing to do: the hook has had the file as it is now, or the file has gone.
    Before,
    /// Somebody may still write to the file, or the hook is not due for it.
    NotYet,
    /// The hook has done its work with it.
    Done,
}

/// The files of a pattern in their order, and which of them are over.
type Ordered = (Vec<(Place, Found)>, Over);

impl Due<'_> {
    fn order(&self, found: Vec<Found>) -> Ordered {
        let files = found.into_iter().filter(|found| found.is_file);
        let mut files: Vec<_> = files.filter_map(|found| Some((found.file()?, found))).collect();
        // A plain file before its archive.
        files.sort_by_key(|(place, found)| (place.order(), found.place.is_none()));
        let over = Over::new(files.iter().map(|(place, _)| *place), self.now, self.closing);
        (files, over)
    }

    /// Whether a file and its archives will soon be one archive: where files are compressed, a plain file becomes one,
    /// or, if it has late lines, a part of one.
    fn awaits_archive(&self, same: &[(Place, Found)], over: &Over) -> bool {
        let stays_plain = over.newest(self.keep_uncompressed)(same[0].0);
        let is_plain = same.iter().any(|(_, found)| found.place.is_some());
        self.pattern.archives && is_plain && !stays_plain
    }

    /// Whether a file is finished, or has rested for a day: the next event of whoever holds it belongs to another file.
    fn is_finished(&self, found: &Found, place: Place, awaits_archive: bool) -> io::Result<bool> {
        Ok(!awaits_archive && !is_held(found)? || age::has_rested(place.span, &found.path, self.now))
    }

    /// What the record says of a file for which the hook is not called now. `None`: the hook is to be called.
    fn settled(&self, record: &HandOverRecord, found: &Found, version: Version) -> Option<Offered> {
        match Stage::of(record, &found.name, version) {
            Stage::Done => Some(Offered::Before),
            Stage::Called(line) if self.occasion == Occasion::Schedule && !line.is_due(self.now) => {
                Some(Offered::NotYet)
            }
            Stage::Called(_) | Stage::New => None,
        }
    }

    /// The paths of the files that would be handed over now, the oldest first.
    pub(crate) fn paths(&self, record: &HandOverRecord) -> io::Result<Vec<PathBuf>> {
        let (files, over) = self.order(listing::list_own(self.pattern, self.now)?.found);
        let mut due = Vec::new();
        for same in files.chunk_by(|(one, _), (other, _)| one == other).filter(|same| over.has(same[0].0)) {
            let awaits_archive = self.awaits_archive(same, &over);
            let mut handed_over = None;
            for (place, found) in same {
                let Some(version) = hand_over_record::version(&found.path) else { continue };
                // An archive has the time of its plain file.
                let is_new = self.settled(record, found, version).is_none() && handed_over != Some(version.modified);
                if is_new && self.is_finished(found, *place, awaits_archive)? {
                    due.push(found.path.clone());
                    handed_over = Some(version.modified);
                }
            }
        }
        Ok(due)
    }
}

impl HandOver<'_> {
    /// Calls the hook for each finished file that it has not had as the file is now, the oldest first. Where files are
    /// compressed, the hook gets their archives. A file that has rested for a day is handed over as it is, even if
    /// somebody holds it.
    pub(crate) fn run(&self, record: &Path, creation: Creation<'static>) -> io::Result<Outcome> {
        // 1. The files, in their order.
        let listing = listing::list_own(self.due.pattern, self.due.now)?;
        let mut outcome = Outcome { failed: listing.unreadable, disputed: listing.disputed, ..Outcome::default() };
        let (files, over) = self.due.order(listing.found);

        // 2. The record of hand-overs. Without the record the hook cannot be called.
        let mut written = match self.open_record(record, creation, files.len()) {
            Ok((written, wrong)) => {
                wrong.into_iter().for_each(|wrong| outcome.note_failure(record, wrong));
                written
            }
            Err(error) => {
                return Ok(Outcome { waiting: 1, failed: Some((record.to_owned(), error)), refused: true, ..outcome });
            }
        };

        // 3. Each finished file, together with its archives.
        for same in files.chunk_by(|(one, _), (other, _)| one == other) {
            if over.has(same[0].0) && !self.offer_all(&mut written, same, &over, &mut outcome) {
                return Ok(outcome);
            }
        }
        outcome.refused = written.begun == 0 && outcome.failed.is_some();
        Ok(outcome)
    }

    /// The record, and what was wrong with a file that had the record's name before.
    fn open_record(
        &self,
        record: &Path,
        creation: Creation<'static>,
        files: usize,
    ) -> io::Result<(Writer, Option<io::Error>)> {
        let (mut written, wrong) = Writer::open(record, creation)?;
        written.forget_unless(files, |name| is_there(&self.due.pattern.directory().join(name)))?;
        Ok((written, wrong))
    }

    /// Offers the hook a file and its archives. `false`: the turn is lost, and all ends here.
    fn offer_all(&self, written: &mut Writer, same: &[(Place, Found)], over: &Over, outcome: &mut Outcome) -> bool {
        let awaits_archive = self.due.awaits_archive(same, over);
        for (place, found) in same {
            match self.offer(written, found, *place, awaits_archive) {
                Ok(Offered::Before) => continue,
                Ok(Offered::NotYet) => outcome.waiting += 1,
                Ok(Offered::Done) => outcome.done += 1,
                Err(error) => {
                    outcome.waiting += 1;
                    outcome.note_failure(&found.path, error);
                }
            }
            if !self.turn.is_ours_still() {
                // The program may have closed the lock's descriptor, so that nobody has the turn now.
                outcome.waiting += 1;
                return false;
            }
        }
        true
    }

    fn offer(&self, written: &mut Writer, found: &Found, place: Place, awaits_archive: bool) -> io::Result<Offered> {
        // 1. Does the record say that there is nothing to do?
        let Some(version) = hand_over_record::version(&found.path) else { return Ok(Offered::Before) };
        if let Some(settled) = self.due.settled(&written.record, found, version) {
            return Ok(settled);
        }
        // 2. Is the file finished, and is the turn still ours?
        if !self.due.is_finished(found, place, awaits_archive)? || !self.turn.is_ours_still() {
            return Ok(Offered::NotYet);
        }
        // 3. If somebody removed the lock's file, another process has had a turn: what does the record say now?
        if written.reread(&found.name)? {
            if let Some(settled) = self.due.settled(&written.record, found, version) {
                return Ok(settled);
            }
        }
        // 4. Call the hook.
        self.call(written, found, place, version).map(|()| Offered::Done)
    }

    /// Calls the hook for a file. The record says so before the call, and says after it what has come of it.
    fn call(&self, written: &mut Writer, found: &Found, place: Place, version: Version) -> io::Result<()> {
        let Due { pattern, now, .. } = self.due;
        written.begin(&found.name, version, now)?;
        let answer = self.hook.call(&found.path, pattern.period_at(place.span.start));
        // If the file is longer now, late lines have come, which are for the next call. Any other change is the hook's.
        let after = hand_over_record::version(&found.path);
        let left = after.filter(|after| after.bytes <= version.bytes).unwrap_or(version);
        let mark = if answer.is_ok() { Mark::Done } else { Mark::Failed };
        written.end(&found.name, left, mark)?;
        if after.is_none() {
            prune::remove_directories_of(&found.path, pattern.directory());
        }
        answer
    }
}

/// Whether somebody may write to a file. Nobody writes to an archive, nor to a file that has just gone.
fn is_held(found: &Found) -> io::Result<bool> {
    if found.place.is_none() {
        return Ok(false);
    }
    match FinishedFile::open(&found.path) {
        Ok(None) => Ok(false),
        Ok(Some(plain)) => plain.is_held(),
        // A file server holds a lease of its own.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether a file of the record is there, or its archive. If nobody can tell, it is.
fn is_there(plain: &Path) -> bool {
    let gone = |path: &Path| matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    !gone(plain) || archives_of(plain).any(|archive| !gone(&archive))
}
