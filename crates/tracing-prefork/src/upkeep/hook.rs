//! Handing finished files over to the user's hook, `on_rollover`. When, and by which process, is in `job`; what stays
//! known of it, in `record`.

use crate::names::archive::archives_of;
use crate::names::listing::{self, Found};
use crate::names::pattern::{Pattern, Place};
use crate::process::user_code;
use crate::sys::{Creation, FinishedFile, JobLock};
use crate::time::calendar::Period;
use crate::upkeep::age;
use crate::upkeep::outcome::Outcome;
use crate::upkeep::prune;
use crate::upkeep::queue::Stage;
use crate::upkeep::record::{self, Record, State, Version};
use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

type Answer = Result<(), Box<dyn Error + Send + Sync>>;
type Function = dyn Fn(&Path, Period) -> Answer + Send + Sync;

/// `Builder::on_rollover`.
pub(crate) struct Hook(Box<Function>);

impl Hook {
    pub(crate) fn new(hook: impl Fn(&Path, Period) -> Answer + Send + Sync + 'static) -> Self {
        Self(Box::new(hook))
    }

    fn call(&self, path: &Path, period: Period) -> io::Result<()> {
        user_code::run("on_rollover", || (self.0)(path, period))?.map_err(io::Error::other)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hook")
    }
}

/// A round over all files, by the one whose turn it is.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) hook: &'a Hook,
    pub(crate) turn: &'a JobLock,
    /// Also what has failed so recently that it is not tried again by itself.
    pub(crate) all: bool,
    pub(crate) now: i64,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offered {
    /// The hook has had it, as it is now.
    Before,
    NotYet,
    Done,
}

impl Round<'_> {
    /// Gives the hook each file that is over, that nobody holds, and that it has not had as it is now: the oldest
    /// first. Where files are compressed it is given their archives. What has rested for a day it is given as it is,
    /// since whoever holds it does not write there any more.
    pub(crate) fn hand_over(&self, record: &Path, creation: Creation<'static>) -> io::Result<Outcome> {
        // 1. The files, in their order.
        let listing = listing::list_own(self.pattern, self.now)?;
        let mut outcome = Outcome { failed: listing.closed, disputed: listing.disputed, ..Outcome::default() };
        let place = |found: &Found| found.place.or(found.archive_of).filter(|_| found.is_file);
        let mut files: Vec<_> = listing.found.into_iter().filter_map(|found| Some((place(&found)?, found))).collect();
        files.sort_by_key(|(place, _)| place.order());
        let places: Vec<_> = files.iter().map(|(place, _)| *place).collect();
        // 2. The record of what the hook has had. Without it the hook cannot be called.
        let mut notes = match self.notes(record, creation, files.len()) {
            Ok((notes, wrong)) => {
                outcome.failed = outcome.failed.or(wrong.map(|wrong| (record.to_owned(), wrong)));
                notes
            }
            Err(error) => {
                return Ok(Outcome { held: 1, failed: Some((record.to_owned(), error)), refused: true, ..outcome });
            }
        };
        // 3. Each file that is over, together with its archives.
        for same in files.chunk_by(|(one, _), (other, _)| one == other) {
            let place = same[0].0;
            if !prune::is_over(place, &places, self.now) {
                continue;
            }
            // Where files are compressed, a plain one is about to be, by itself or, if it is of late lines, into the
            // archive beside it.
            let unpacked = self.pattern.archives && same.iter().any(|(_, found)| found.place.is_some());
            for (_, found) in same {
                match self.offer(&mut notes, found, place, unpacked) {
                    Ok(Offered::Before) => continue,
                    Ok(Offered::NotYet) => outcome.held += 1,
                    Ok(Offered::Done) => outcome.done += 1,
                    Err(error) => {
                        outcome.held += 1;
                        match outcome.failed {
                            None => outcome.failed = Some((found.path.clone(), error)),
                            Some(_) => user_code::discard(error),
                        }
                    }
                }
                if !self.turn.is_ours_still() {
                    // Nobody else may have the turn: the program can have closed the lock's descriptor.
                    outcome.held += 1;
                    return Ok(outcome);
                }
            }
        }
        outcome.refused = notes.begun == 0 && outcome.failed.is_some();
        Ok(outcome)
    }

    /// The record, and what was wrong with the one that it has taken the place of.
    fn notes(
        &self,
        record: &Path,
        creation: Creation<'static>,
        files: usize,
    ) -> io::Result<(record::Writer, Option<io::Error>)> {
        let (mut notes, wrong) = record::Writer::open(record, creation)?;
        notes.forget_unless(files, |name| is_there(&self.pattern.directory().join(name)))?;
        Ok((notes, wrong))
    }

    fn offer(&self, notes: &mut record::Writer, found: &Found, place: Place, unpacked: bool) -> io::Result<Offered> {
        let Some(version) = record::version(&found.path) else { return Ok(Offered::Before) };
        if let Some(settled) = self.settled(&notes.record, found, version) {
            return Ok(settled);
        }
        let finished = !unpacked && !is_held(found)? || age::has_rested(place.span, &found.path, self.now);
        // Somebody may have removed the lock's file, so that another process has had a turn.
        if !finished || !self.turn.is_ours_still() {
            return Ok(Offered::NotYet);
        }
        if notes.reread(&found.name)?
            && let Some(settled) = self.settled(&notes.record, found, version)
        {
            return Ok(settled);
        }
        self.call(notes, found, place, version).map(|()| Offered::Done)
    }

    /// What the record says of a file that the hook is not called for now.
    fn settled(&self, record: &Record, found: &Found, version: Version) -> Option<Offered> {
        match Stage::of(record, &found.name, version) {
            Stage::Done => Some(Offered::Before),
            Stage::Called(line) if !self.all && !line.is_due(self.now) => Some(Offered::NotYet),
            Stage::Called(_) | Stage::New => None,
        }
    }

    /// Calls the hook for a file, with a note before and after.
    fn call(&self, notes: &mut record::Writer, found: &Found, place: Place, version: Version) -> io::Result<()> {
        notes.begin(&found.name, version, self.now)?;
        let answer = self.hook.call(&found.path, self.pattern.period_at(place.span.start));
        // Late lines make a file longer, and are for the next time. What else has changed it is the hook.
        let after = record::version(&found.path);
        let left = after.filter(|after| after.bytes <= version.bytes).unwrap_or(version);
        let state = if answer.is_ok() { State::Done } else { State::Failed };
        notes.end(&found.name, left, state)?;
        if after.is_none() {
            prune::remove_empty_directories(&found.path, self.pattern.directory());
        }
        answer
    }
}

/// Whether somebody may write to a file. An archive nobody writes to, and one that has just gone is none to wait for.
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

/// Whether a file of the record is there, or its archive.
fn is_there(plain: &Path) -> bool {
    let gone = |path: &Path| matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound);
    !gone(plain) || archives_of(plain).any(|archive| !gone(&archive))
}
