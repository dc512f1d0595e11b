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
use crate::upkeep::over::Over;
use crate::upkeep::prune;
use crate::upkeep::queue::Stage;
use std::io;
use std::path::Path;

/// The job, and what it needs. The thread that has the turn does it.
#[derive(Debug)]
pub(crate) struct HandOver<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) hook: &'a Hook,
    pub(crate) turn: &'a JobLock,
    pub(crate) occasion: Occasion,
    /// The current files count as over.
    pub(crate) closing: bool,
    /// How many of the newest finished files stay plain.
    pub(crate) keep_uncompressed: usize,
    pub(crate) now: i64,
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

impl HandOver<'_> {
    /// Calls the hook for each finished file that it has not had as the file is now, the oldest first. Where files are
    /// compressed, the hook gets their archives. A file that has rested for a day is handed over as it is, even if
    /// somebody holds it: the holder's next event belongs to another file.
    pub(crate) fn run(&self, record: &Path, creation: Creation<'static>) -> io::Result<Outcome> {
        // 1. The files, in their order.
        let listing = listing::list_own(self.pattern, self.now)?;
        let mut outcome = Outcome { failed: listing.unreadable, disputed: listing.disputed, ..Outcome::default() };
        let files = listing.found.into_iter().filter(|found| found.is_file);
        let mut files: Vec<_> = files.filter_map(|found| Some((found.file()?, found))).collect();
        files.sort_by_key(|(place, _)| place.order());
        let over = Over::new(files.iter().map(|(place, _)| *place), self.now, self.closing);

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
        written.forget_unless(files, |name| is_there(&self.pattern.directory().join(name)))?;
        Ok((written, wrong))
    }

    /// Offers the hook a file and its archives. `false`: the turn is lost, and all ends here.
    fn offer_all(&self, written: &mut Writer, same: &[(Place, Found)], over: &Over, outcome: &mut Outcome) -> bool {
        // Where files are compressed, a plain file soon becomes an archive, or, if it has late lines, a part of one.
        let stays_plain = over.is_among_newest(same[0].0, self.keep_uncompressed);
        let is_plain = same.iter().any(|(_, found)| found.place.is_some());
        let awaits_archive = self.pattern.archives && is_plain && !stays_plain;
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
        if let Some(settled) = self.settled(&written.record, found, version) {
            return Ok(settled);
        }
        // 2. Is the file finished, and is the turn still ours?
        let is_finished = !awaits_archive && !is_held(found)? || age::has_rested(place.span, &found.path, self.now);
        if !is_finished || !self.turn.is_ours_still() {
            return Ok(Offered::NotYet);
        }
        // 3. If somebody removed the lock's file, another process has had a turn: what does the record say now?
        if written.reread(&found.name)? {
            if let Some(settled) = self.settled(&written.record, found, version) {
                return Ok(settled);
            }
        }
        // 4. Call the hook.
        self.call(written, found, place, version).map(|()| Offered::Done)
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

    /// Calls the hook for a file. The record says so before the call, and says after it what has come of it.
    fn call(&self, written: &mut Writer, found: &Found, place: Place, version: Version) -> io::Result<()> {
        written.begin(&found.name, version, self.now)?;
        let answer = self.hook.call(&found.path, self.pattern.period_at(place.span.start));
        // If the file is longer now, late lines have come, which are for the next call. Any other change is the hook's.
        let after = hand_over_record::version(&found.path);
        let left = after.filter(|after| after.bytes <= version.bytes).unwrap_or(version);
        let mark = if answer.is_ok() { Mark::Done } else { Mark::Failed };
        written.end(&found.name, left, mark)?;
        if after.is_none() {
            prune::remove_directories_of(&found.path, self.pattern.directory());
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
