//! To whom a file belongs. A name alone does not say: `app.1.log` may be the second file of `app.log`, or the first
//! file of an appender with the prefix `app.1`. `app.log.1` may be a file of `logrotate(8)`.
//!
//! So each pattern has a hidden record of names in its directory, which says what its names are made of. `build`
//! compares the records. If one of two patterns could take a file of the other for its own, the second one is refused.
//!
//! The record also lists foreign files: they were there before the record, and their names fit the pattern, but their
//! order does not. They are left alone for ever.

use crate::BuildError;
use crate::names::foreign::Foreign;
use crate::names::listing;
use crate::names::pattern::{Pattern, Place};
use crate::names::presence::{self, Presence, Recorded};
use crate::names::record::{Names, records};
use crate::sys::{self, Creation, Removal};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What failed or was found, with its path. It is reported when the appender has somebody to report it.
pub(crate) type Findings = Vec<(PathBuf, io::Error)>;

/// At build: makes the pattern known in its directory, and finds out which files there are foreign.
///
/// # Errors
///
/// If another pattern is in use there, and one of the two could take a file of the other for its own.
pub(crate) fn settle(
    pattern: &mut Pattern,
    own: Names,
    creation: Creation<'_>,
    at: i64,
) -> Result<(Presence, Findings), BuildError> {
    let mut findings = Findings::new();
    let record = own.path(pattern);
    // 1. What do the other records say?
    let others = compare_with_others(pattern, &own, &record, Meeting::MakesWay, at)?;
    let mut foreign = Foreign {
        directory: sys::directory_identity(pattern.directory()),
        names: foreign_files(pattern, &own, &others, &record, at),
    };
    // 2. Hold the record of this pattern, or make it.
    let presence = Presence::new(record.clone(), own);
    match presence.hold(&foreign.names, creation) {
        Ok(Recorded { created, known }) => {
            findings.extend(out_of_order(pattern, foreign.names.difference(&known).collect()));
            foreign.names.extend(known);
            // Another process may have made its record at the same moment. If so, both see it here.
            let own = Names { foreign: foreign.names.clone(), ..presence.names().clone() };
            if created {
                if let Err(error) = compare_with_others(pattern, &own, &record, Meeting::MakesWay, at) {
                    drop(presence);
                    remove_unless_held(&record);
                    return Err(error);
                }
            }
        }
        // Where nothing can be made, no foreign file can be removed either.
        Err(error) if presence::forbids_files(&error) => {}
        Err(error) => findings.push((record, error)),
    }
    // 3. Note the foreign files. Records of the same names with other options are of no more use.
    pattern.set_foreign(foreign);
    pattern.record = Some(presence.record().to_owned());
    for record in &others.free {
        remove_unless_held(record);
    }
    Ok((presence, findings))
}

/// For somebody who makes no file: finds out what the records say of the pattern, and writes nothing.
pub(crate) fn look(pattern: &mut Pattern, mut own: Names, at: i64) {
    let is_of_pattern =
        |path: &PathBuf| path.file_name().is_some_and(|name| pattern.is_hidden(&name.to_string_lossy()));
    let mut known = BTreeSet::new();
    for names in records(pattern.directory()).filter(is_of_pattern).filter_map(|record| Names::read(&record)) {
        own.numbered |= names.numbered;
        own.archives |= names.archives;
        known.extend(names.foreign);
    }
    pattern.has_also(own.numbered, own.archives);
    let record = own.path(pattern);
    // Whose name is in doubt is for a builder to say. Here such files are left alone.
    let others = compare_with_others(pattern, &own, &record, Meeting::IsLeft, at).unwrap_or_default();
    known.extend(foreign_files(pattern, &own, &others, &record, at));
    pattern.set_foreign(Foreign { directory: sys::directory_identity(pattern.directory()), names: known });
    pattern.record = Some(record);
}

/// Holds the record again. If another directory has taken the place of the one before, finds out anew which files are
/// foreign. One thread at a time.
pub(crate) fn renew(pattern: &Pattern, presence: &Presence, creation: Creation<'_>, at: i64) -> Findings {
    // Without a directory there are no foreign files.
    let Some(directory) = sys::directory_identity(pattern.directory()) else { return Findings::new() };
    let (own, record, before) = (presence.names(), presence.record(), pattern.foreign());
    let is_same = before.directory == Some(directory);
    let mut names = before.names.clone();
    if !is_same {
        // It is too late to refuse another pattern.
        let others = compare_with_others(pattern, own, record, Meeting::IsLeft, at).unwrap_or_default();
        names = foreign_files(pattern, own, &others, record, at);
    }
    let mut findings = Findings::new();
    match presence.hold(&names, creation) {
        Ok(Recorded { known, .. }) => {
            if !is_same {
                findings.extend(out_of_order(pattern, names.difference(&known).collect()));
            }
            names.extend(known);
        }
        Err(error) if presence::forbids_files(&error) || error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => findings.push((record.to_owned(), error)),
    }
    pattern.set_foreign(Foreign { directory: Some(directory), names });
    findings
}

/// The foreign files in the directory of a pattern, as far as the other records and the order of the files tell.
fn foreign_files(pattern: &Pattern, own: &Names, others: &Others, record: &Path, at: i64) -> BTreeSet<String> {
    let mut own = Names { foreign: others.foreign.clone(), ..own.clone() };
    let is_numbered_already = || others.numbered || Names::read(record).is_some_and(|known| known.numbered);
    if own.numbered && !is_numbered_already() {
        if let Some(anew) = own.anew(pattern) {
            own.foreign.extend(foreign_by_order(&anew, at));
        }
    }
    own.foreign
}

/// What becomes of the record of another pattern whose names meet ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meeting {
    /// The record is removed. If the record is in use, that is an error.
    MakesWay,
    /// The record stays.
    IsLeft,
}

/// What the other records of a directory say.
#[derive(Debug, Default)]
struct Others {
    /// Foreign files: those that records of the same names list, and those of a pattern that is not in use any more.
    foreign: BTreeSet<String>,
    /// The same names have had numbers before.
    numbered: bool,
    /// Records of the same names, with other options.
    free: Vec<PathBuf>,
}

/// Compares a pattern with the other records in its directory.
fn compare_with_others(
    pattern: &Pattern,
    own: &Names,
    record: &Path,
    meeting: Meeting,
    at: i64,
) -> Result<Others, BuildError> {
    let mut others = Others::default();
    let Some((twin, anew)) = own.pattern(pattern.directory()).zip(own.anew(pattern)) else { return Ok(others) };
    for path in records(pattern.directory()).filter(|path| path != record) {
        let Some(other) = Names::read(&path) else { continue };
        // 1. A record of the same names: the programs share their files.
        if path.file_name().is_some_and(|name| name.to_str().is_some_and(|name| pattern.is_hidden(name))) {
            others.foreign.extend(other.foreign);
            others.numbered |= other.numbered;
            others.free.push(path);
            continue;
        }
        // 2. Is there a name that the two patterns read in different ways?
        let Some(theirs) = other.pattern(pattern.directory()) else { continue };
        if !twin.may_meet(&theirs) {
            continue;
        }
        let files = listing::list(&theirs, at).unwrap_or_default().found;
        let files: Vec<_> = files.into_iter().filter(|file| file.is_file && file.file().is_some()).collect();
        let Some(example) = common_name(&twin, &theirs, &files) else { continue };
        // 3. Then the other pattern makes way, unless it is in use. If the prefix and the suffix are the same, it is
        // the same program with earlier options, which is in use only as long as one of its processes runs. Another
        // program may start again, so it is in use as long as it has files.
        let is_same_program = (&other.prefix, &other.suffix, other.tags) == (&own.prefix, &own.suffix, own.tags);
        let is_in_use = || sys::is_held(&path) || files.iter().any(|file| !is_same_program || sys::is_held(&file.path));
        if meeting == Meeting::MakesWay && (lasts(is_in_use) || !remove_unless_held(&path)) {
            let (names, other) = (own.to_string(), other.to_string());
            return Err(BuildError::Names { names, other, example, record: path });
        }
        // 4. The other pattern's files stay foreign.
        let is_ours = |name: &str| anew.place_of_name(name, at).or_else(|| anew.place_of_archive(name, at)).is_some();
        others.foreign.extend(files.into_iter().map(|file| file.name).filter(|name| is_ours(name)));
    }
    others.foreign.retain(|name| !takes_lines(&anew, name, at));
    Ok(others)
}

/// Whether lines of the pattern go to a file from now on, whoever has begun it: the name of a period's first file is
/// fixed.
fn takes_lines(pattern: &Pattern, name: &str, at: i64) -> bool {
    pattern.place_of_name(name, at).is_some_and(|place| place.index == 0 && at < place.span.end)
}

/// Whether something stays so for a moment. A process that is just ending still has its locks, and so has a child that
/// is about to execute another program.
fn lasts(is_so: impl Fn() -> bool) -> bool {
    (0..20).all(|attempt| {
        if attempt > 0 {
            thread::sleep(Duration::from_millis(5));
        }
        is_so()
    })
}

/// Removes the record of a pattern, unless a process holds it. `false`: a process does.
fn remove_unless_held(record: &Path) -> bool {
    match sys::claim_and_remove(record, || false, |_| false) {
        Ok(removal) => removal != Removal::Held,
        // Nobody can claim a file that he may not write to.
        Err(_) => {
            let is_free = !sys::is_held(record);
            if is_free {
                let _ = fs::remove_file(record);
            }
            is_free
        }
    }
}

/// A name that two patterns read in different ways: as files of different periods, with different numbers, or as a file
/// and an archive. If they read all names alike, their files are the same, as after a change of the rotation. `files`:
/// the files of the other pattern that are there.
fn common_name(one: &Pattern, other: &Pattern, files: &[listing::Found]) -> Option<String> {
    let differ = |name: &String| {
        let readings = one.reading(name).zip(other.reading(name));
        readings.is_some_and(|(reading, others)| reading != others)
    };
    let found = files.iter().map(|file| &file.name).find(|name| differ(name)).cloned();
    found.or_else(|| one.samples(other).chain(other.samples(one)).find(differ))
}

/// Says that files were found whose order does not fit.
fn out_of_order(pattern: &Pattern, foreign: Vec<&String>) -> Option<(PathBuf, io::Error)> {
    let (first, others) = foreign.split_first()?;
    let mut reason = "it was there before the appender and does not fit the order of its files".to_owned();
    if !others.is_empty() {
        reason += &format!("; the same is true of {} others", others.len());
    }
    Some((pattern.directory().join(first), io::Error::new(io::ErrorKind::AlreadyExists, reason)))
}

/// The numbered files that are not the pattern's, as far as anybody can tell when the pattern begins to number. The
/// pattern's own files were written in the order of their numbers, the first file first. `logrotate(8)` and others
/// count the other way round.
fn foreign_by_order(pattern: &Pattern, at: i64) -> BTreeSet<String> {
    let mut files: Vec<_> = listing::list(pattern, at).unwrap_or_default().found;
    files.retain(|file| file.is_file && file.file().is_some());
    files.sort_by_key(|file| file.file().map(Place::order));
    let mut foreign = BTreeSet::new();
    let row = |file: &listing::Found| file.file().map(|place| (place.tag, place.span));
    for period in files.chunk_by(|one, other| row(one) == row(other)) {
        let written = |file: &listing::Found| fs::symlink_metadata(&file.path).and_then(|found| found.modified()).ok();
        let index = |file: &listing::Found| file.file().map_or(0, |place| place.index);
        let begins_early = period.first().is_some_and(|first| index(first) <= listing::LARGEST_GAP);
        let in_order = period
            .windows(2)
            .position(|pair| index(&pair[0]) != index(&pair[1]) && written(&pair[0]) > written(&pair[1]));
        let from = match in_order {
            _ if !begins_early => 0,
            None => continue,
            // Without the first file nothing says where the order begins.
            Some(_) if period.first().is_some_and(|first| index(first) > 0) => 0,
            Some(position) => position + 1,
        };
        foreign.extend(period[from..].iter().filter(|file| index(file) > 0).map(|file| file.name.clone()));
    }
    foreign
}
