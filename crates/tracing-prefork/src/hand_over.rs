//! Handing finished files over to the user's hook, `on_rollover`. When, and by which process, is in `housekeeping`; what stays known of
//! it, in `record`.

use crate::calendar::Period;
use crate::compression::plain_name;
use crate::housekeeping::Outcome;
use crate::listing::{self, Found};
use crate::name::Pattern;
use crate::record::{self, Record};
use crate::retention;
use crate::sys::{self, ClosedFile, Mode};
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        match sys::disturbed(|| catch_unwind(AssertUnwindSafe(|| (self.0)(path, period)))) {
            Ok(answer) => answer.map_err(io::Error::other),
            Err(panic) => Err(io::Error::other(format!("the hook has panicked: {}", message(&*panic)))),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hook")
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Whether the hook has had the file as it is now. What it has had before that was compressed it has had.
pub(crate) fn is_done(record: &Record, name: &str, path: &Path) -> bool {
    record::modified(path).is_some_and(|modified| {
        record.is_done(name, modified) || plain_name(name).is_some_and(|plain| record.is_done(plain, modified))
    })
}

/// Gives the hook each file that is over, that nobody holds, and that it has not had as it is now: the oldest first. Where files are
/// compressed it is given their archives.
pub(crate) fn hand_over(
    pattern: &Pattern,
    hook: &Hook,
    record: &Path,
    mode: Option<Mode>,
    now: i64,
) -> io::Result<Outcome> {
    let listing = listing::list(pattern, now)?;
    let mut outcome = Outcome { failed: listing.closed, ..Outcome::default() };
    let place = |found: &Found| found.place.or(found.archive_of).filter(|_| found.is_file);
    let mut files: Vec<_> = listing.found.into_iter().filter_map(|found| Some((place(&found)?, found))).collect();
    files.sort_by_key(|(place, _)| place.order());
    let places: Vec<_> = files.iter().map(|(place, _)| *place).collect();

    let mut notes = record::Writer::open(record, mode)?;
    let names = files.iter().flat_map(|(_, found)| [Some(&*found.name), plain_name(&found.name)]);
    notes.forget_all_but(&names.flatten().collect())?;

    for same in files.chunk_by(|(one, _), (other, _)| one == other) {
        let place = same[0].0;
        if !retention::is_over(place, &places, now) {
            continue;
        }
        // Where files are compressed, a plain one is about to be, by itself or, if it is of late lines, into the archive beside it.
        if pattern.archives && same.iter().any(|(_, found)| found.place.is_some()) {
            outcome.held += 1;
            continue;
        }
        for (_, found) in same {
            if is_done(&notes.record, &found.name, &found.path) {
                continue;
            }
            match hand_over_one(&mut notes, hook, found, pattern.period_at(place.span.start)) {
                Ok(true) => outcome.done += 1,
                Ok(false) => outcome.held += 1,
                Err(error) => {
                    outcome.held += 1;
                    outcome.failed = outcome.failed.or(Some((found.path.clone(), error)));
                }
            }
        }
    }
    Ok(outcome)
}

/// `false`: somebody has the file open, or it has just gone. An archive nobody writes to.
fn hand_over_one(notes: &mut record::Writer, hook: &Hook, found: &Found, period: Period) -> io::Result<bool> {
    let Found { name, path, place, .. } = found;
    if place.is_some() && ClosedFile::open(path)?.is_none_or(|file| file.is_held()) {
        return Ok(false);
    }
    // Before the hook looks at it: what comes to it from now on is for the next time.
    let Some(modified) = record::modified(path) else { return Ok(false) };
    notes.begin(name, modified)?;
    hook.call(path, period)?;
    notes.done(name)?;
    Ok(true)
}
