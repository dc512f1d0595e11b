//! Other programs at work in a directory, whose names are like ours.

use crate::names::pattern::Pattern;
use crate::names::record::{Names, records};
use crate::sys::{self, OwnFile};
use crate::time::zone::{Offsets, Zone};
use std::path::{Path, PathBuf};

/// The other programs that are at work in the directory of a pattern, and could take files of the pattern for their
/// own.
///
/// Two rotations, or two zones, can give the same names to their files. Nobody can tell from a name whose file it is.
/// So as long as both programs run, neither of them prunes, compresses or hands over a file that both could have made.
/// A program that was started again with other options has all its files when its earlier processes have ended.
#[derive(Debug)]
pub(crate) struct Rivals(Vec<(Names, Pattern)>);

impl Rivals {
    pub(crate) fn of(pattern: &Pattern) -> Self {
        let is_other = |record: &PathBuf| Some(record) != pattern.record.as_ref();
        Self(records(pattern.directory()).filter(is_other).filter_map(|record| rival(pattern, &record)).collect())
    }

    /// Who could have made a file of this name, too.
    pub(crate) fn claimant(&self, name: &str) -> Option<&Names> {
        self.0.iter().find(|(_, pattern)| pattern.reading(name).is_some()).map(|(names, _)| names)
    }
}

/// The program that holds a record, if its names can meet those of the pattern.
fn rival(pattern: &Pattern, record: &Path) -> Option<(Names, Pattern)> {
    let record = sys::open_to_read(record).ok()??;
    if !is_in_use(&record) {
        return None;
    }
    let names = Names::read_from(&record)?;
    let zone: Option<Zone> = names.zone.parse().ok();
    let offsets = zone.and_then(|zone| Offsets::resolve(&zone).ok()).unwrap_or(Offsets::Fixed(0));
    let theirs = names.pattern_in(pattern.directory(), offsets)?;
    pattern.may_meet(&theirs).then_some((names, theirs))
}

/// Whether a process holds the record. `false` where there are no such locks.
fn is_in_use(record: &OwnFile) -> bool {
    record.get().is_ok_and(sys::has_leases) && sys::is_shared(record).unwrap_or(true)
}
