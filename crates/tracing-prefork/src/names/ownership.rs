//! Whose files are whose. A name alone does not say: `app.1.log` may be the second file of `app.log` or the first of an appender with the prefix
//! `app.1`, and `app.log.1` a file of `logrotate(8)`.
//!
//! So each pattern leaves a hidden record in its directory, which says what its names are made of. Whoever builds an appender compares: two
//! patterns of which one could take a file of the other for its own are not both let in. The record also lists the files that were there before it
//! and whose names fit but whose order does not. They are left alone for ever.

use crate::BuildError;
use crate::names::date_format::DateFormat;
use crate::names::hidden::hash;
use crate::names::listing;
use crate::names::pattern::{Pattern, Place};
use crate::names::presence::{self, Presence, Recorded};
use crate::sys::{self, Creation, FileId, OwnFile, Removal};
use crate::time::calendar::Calendar;
use crate::time::rotation::Rotation;
use crate::time::zone::{Offsets, Zone};
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What the hidden record is called after.
const PURPOSE: &str = "names";

const FIRST_LINE: &str = "tracing-prefork names 1";
/// A record that does not end in it has not been written to its end. What is added brings another one.
const LAST_LINE: &str = "end";
/// No record is longer.
const LONGEST: u64 = 16 << 20;

/// What the names of a pattern are made of, and what is not its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) prefix: Option<String>,
    pub(crate) suffix: Option<String>,
    /// If it is not the rotation's own.
    pub(crate) date_format: Option<String>,
    pub(crate) rotation: String,
    pub(crate) zone: String,
    pub(crate) numbered: bool,
    pub(crate) archives: bool,
    /// Files of others, relative to the log directory.
    pub(crate) foreign: BTreeSet<String>,
}

impl Names {
    pub(crate) fn to_text(&self) -> String {
        let options = [
            ("prefix", self.prefix.as_ref()),
            ("suffix", self.suffix.as_ref()),
            ("date_format", self.date_format.as_ref()),
            ("rotation", Some(&self.rotation)),
            ("zone", Some(&self.zone)),
        ];
        let lines = options.iter().filter_map(|(key, value)| Some(format!("{key} {}\n", value.as_ref()?)));
        let nothing = Self { numbered: false, archives: false, foreign: BTreeSet::new(), ..self.clone() };
        format!("{FIRST_LINE}\n{}{}", lines.collect::<String>(), self.text_beyond(&nothing))
    }

    /// What is to be added to a record that says `known`, to its last line: whoever numbers or compresses has files
    /// that the others know of.
    pub(crate) fn text_beyond(&self, known: &Self) -> String {
        let flags = [("numbered", self.numbered && !known.numbered), ("archives", self.archives && !known.archives)];
        let flags = flags.iter().filter(|(_, added)| *added).map(|(key, _)| format!("{key} yes\n"));
        let foreign = self.foreign.difference(&known.foreign).map(|name| format!("foreign {name}\n"));
        flags.chain(foreign).collect::<String>() + LAST_LINE + "\n"
    }

    /// Whether a record that says `known` says all this.
    pub(crate) fn is_in(&self, known: &Self) -> bool {
        (known.numbered || !self.numbered)
            && (known.archives || !self.archives)
            && self.foreign.is_subset(&known.foreign)
    }

    /// `None`: it is not a record, or one of a later version.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(FIRST_LINE)?;
        // What stands behind the last line has not been written to its end.
        let (lines, _) = text.rsplit_once(&format!("\n{LAST_LINE}\n"))?;
        let values = |key: &'static str| {
            lines.lines().filter_map(move |line| Some(line.strip_prefix(key)?.strip_prefix(' ')?.to_owned()))
        };
        let value = |key| values(key).next();
        Some(Self {
            prefix: value("prefix"),
            suffix: value("suffix"),
            date_format: value("date_format"),
            rotation: value("rotation")?,
            zone: value("zone").unwrap_or_else(|| Zone::Utc.to_string()),
            numbered: value("numbered").is_some(),
            archives: value("archives").is_some(),
            foreign: values("foreign").collect(),
        })
    }

    pub(crate) fn read(record: &Path) -> Option<Self> {
        Self::read_from(&sys::open_to_read(record).ok()??)
    }

    pub(crate) fn read_from(record: &OwnFile) -> Option<Self> {
        let mut text = String::new();
        record.reader().take(LONGEST).read_to_string(&mut text).ok()?;
        Self::parse(&text)
    }

    /// What the record of a pattern with these names is called after. The name patterns of two rotations, or of two
    /// zones, can be the same, and still each has a record of its own, by which others see that it is in use.
    fn purpose(&self, pattern: &Pattern) -> String {
        let zone = if pattern.has_date() { pattern.calendar().offsets().history() } else { String::new() };
        format!("{:08x}.{PURPOSE}", hash(&format!("{}\n{zone}", self.rotation)))
    }

    /// A pattern with these names. Its zone is UTC, whatever the appender's is: names look the same in all.
    fn pattern(&self, directory: &Path) -> Option<Pattern> {
        self.pattern_in(directory, Offsets::Fixed(0))
    }

    /// A pattern that names its files as this one does, and knows of no files of others but these.
    fn anew(&self, pattern: &Pattern) -> Option<Pattern> {
        self.pattern_in(pattern.directory(), pattern.calendar().offsets().clone())
    }

    fn pattern_in(&self, directory: &Path, offsets: Offsets) -> Option<Pattern> {
        let rotation: Rotation = self.rotation.parse().ok()?;
        let date = match &self.date_format {
            Some(custom) => Some(DateFormat::new(custom).ok()?),
            None => rotation.date_format().and_then(|own| DateFormat::new(own).ok()),
        };
        let shows_offset = date.as_ref().is_some_and(|date| date.shows_offset);
        let calendar = Calendar::new(&rotation, offsets, shows_offset);
        let (prefix, suffix) = (self.prefix.as_deref(), self.suffix.as_deref());
        let mut pattern = Pattern::new(directory.to_owned(), prefix, suffix, date, calendar, self.numbered);
        pattern.archives = self.archives;
        pattern.set_foreign(Foreign { directory: None, names: self.foreign.clone() });
        Some(pattern)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rotation {}", self.rotation)?;
        if self.zone != Zone::Utc.to_string() {
            write!(f, ", zone {}", self.zone)?;
        }
        let texts = [("prefix", &self.prefix), ("suffix", &self.suffix), ("date_format", &self.date_format)];
        for (option, value) in texts.into_iter().filter_map(|(option, value)| Some((option, value.as_ref()?))) {
            write!(f, ", {option} {value:?}")?;
        }
        let flags = [(self.numbered, "max_file_bytes"), (self.archives, "compress")];
        flags.into_iter().filter(|(is_on, _)| *is_on).try_for_each(|(_, option)| write!(f, ", {option}"))
    }
}

/// What could not be done, or was found, and is to be reported when there is somebody to report it.
pub(crate) type Notes = Vec<(PathBuf, io::Error)>;

/// Files of others with names like ours, and the directory that they are in.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Foreign {
    /// `None`: nobody could tell which one it is.
    directory: Option<FileId>,
    /// Relative to the log directory.
    pub(crate) names: BTreeSet<String>,
}

impl Foreign {
    /// Whether the path leads to that directory still, or nobody could tell which one it was.
    pub(crate) fn are_of(&self, directory: &Path) -> bool {
        self.directory.is_none() || self.directory == sys::directory_identity(directory)
    }
}

/// Makes the pattern known in its directory, and finds out which files there are not its own.
///
/// # Errors
///
/// If another pattern is in use there and one of the two could take a file of the other for its own.
pub(crate) fn settle(
    pattern: &mut Pattern,
    own: Names,
    creation: Creation<'_>,
    at: i64,
) -> Result<(Presence, Notes), BuildError> {
    let mut notes = Notes::new();
    let record = pattern.hidden(&own.purpose(pattern));
    let others = compare_with_others(pattern, &own, &record, Meeting::MakesWay, at)?;
    let mut foreign = Foreign {
        directory: sys::directory_identity(pattern.directory()),
        names: foreign_files(pattern, &own, &others, &record, at),
    };
    let presence = Presence::new(record.clone(), own);
    match presence.hold(&foreign.names, creation) {
        Ok(Recorded { created, known }) => {
            notes.extend(stranger_note(pattern, foreign.names.difference(&known).collect()));
            foreign.names.extend(known);
            // Another may have made its names known at the same moment.
            let own = Names { foreign: foreign.names.clone(), ..presence.names().clone() };
            if created && let Err(error) = compare_with_others(pattern, &own, &record, Meeting::MakesWay, at) {
                drop(presence);
                remove_unless_held(&record);
                return Err(error);
            }
        }
        // Where nothing can be made, no file of others can be removed either.
        Err(error) if presence::is_closed(&error) => {}
        Err(error) => notes.push((record, error)),
    }
    pattern.set_foreign(foreign);
    pattern.record = Some(presence.record().to_owned());
    for record in &others.free {
        remove_unless_held(record);
    }
    Ok((presence, notes))
}

/// Holds the record again that its path leads to. In another directory than before, finds out anew which files are
/// not the pattern's own. One thread at a time.
pub(crate) fn renew(pattern: &Pattern, presence: &Presence, creation: Creation<'_>, at: i64) -> Notes {
    // Without the directory there is no file to be mistaken.
    let Some(directory) = sys::directory_identity(pattern.directory()) else { return Notes::new() };
    let (own, record, before) = (presence.names(), presence.record(), pattern.foreign());
    let is_same = before.directory == Some(directory);
    let mut names = before.names.clone();
    if !is_same {
        // Whoever is at work there is not refused any more.
        let others = compare_with_others(pattern, own, record, Meeting::IsLeft, at).unwrap_or_default();
        names = foreign_files(pattern, own, &others, record, at);
    }
    let mut notes = Notes::new();
    match presence.hold(&names, creation) {
        Ok(Recorded { known, .. }) => {
            if !is_same {
                notes.extend(stranger_note(pattern, names.difference(&known).collect()));
            }
            names.extend(known);
        }
        Err(error) if presence::is_closed(&error) || error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => notes.push((record.to_owned(), error)),
    }
    pattern.set_foreign(Foreign { directory: Some(directory), names });
    notes
}

/// Files of others in the directory of a pattern, as far as the others' records and the order of the files tell.
fn foreign_files(pattern: &Pattern, own: &Names, others: &Others, record: &Path, at: i64) -> BTreeSet<String> {
    let mut own = Names { foreign: others.foreign.clone(), ..own.clone() };
    let is_numbered_already = || others.numbered || Names::read(record).is_some_and(|known| known.numbered);
    if own.numbered
        && !is_numbered_already()
        && let Some(anew) = own.anew(pattern)
    {
        own.foreign.extend(strangers(&anew, at));
    }
    own.foreign
}

/// What becomes of another pattern whose names meet ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meeting {
    /// Its record is removed, unless it is in use: that is an error.
    MakesWay,
    IsLeft,
}

/// What the other records of a directory say.
#[derive(Debug, Default)]
struct Others {
    /// Files that are not the pattern's: those that records of the same names list, and those of a pattern that is not
    /// in use any more.
    foreign: BTreeSet<String>,
    /// The same names have had numbers before.
    numbered: bool,
    /// Records of the same names, with other options.
    free: Vec<PathBuf>,
}

/// Compares with the patterns that are known in the directory.
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
        if path.file_name().is_some_and(|name| name.to_str().is_some_and(|name| pattern.is_hidden(name))) {
            others.foreign.extend(other.foreign);
            others.numbered |= other.numbered;
            others.free.push(path);
            continue;
        }
        let Some(theirs) = other.pattern(pattern.directory()) else { continue };
        if !twin.may_meet(&theirs) {
            continue;
        }
        let files = listing::list(&theirs, at).unwrap_or_default().found;
        let files: Vec<_> = files.into_iter().filter(|file| file.is_file && file.file().is_some()).collect();
        let Some(example) = common_name(&twin, &theirs, &files) else { continue };
        // The same program, started with other options: what it had before is in use only as long as it runs. A
        // program of its own may start again.
        let is_same_program = (&other.prefix, &other.suffix) == (&own.prefix, &own.suffix);
        let is_in_use = || sys::is_held(&path) || files.iter().any(|file| !is_same_program || sys::is_held(&file.path));
        if meeting == Meeting::MakesWay && (lasts(is_in_use) || !remove_unless_held(&path)) {
            let (names, other) = (own.to_string(), other.to_string());
            return Err(BuildError::Names { names, other, example, record: path });
        }
        let is_ours = |name: &str| anew.place_of_name(name, at).or_else(|| anew.place_of_archive(name, at)).is_some();
        others.foreign.extend(files.into_iter().map(|file| file.name).filter(|name| is_ours(name)));
    }
    others.foreign.retain(|name| !takes_lines(&anew, name, at));
    Ok(others)
}

/// The other programs that are at work in the directory of a pattern, and could take files of the pattern for their
/// own.
///
/// Two rotations, or two zones, can give the same names to their files. Nobody can tell from a name whose file it is.
/// So as long as both programs run, neither of them prunes, compresses or hands over a file that both could have made.
/// A program that was started with other options has all its files again when the processes of before have ended.
#[derive(Debug)]
pub(crate) struct Rivals(Vec<(Names, Pattern)>);

impl Rivals {
    pub(crate) fn of(pattern: &Pattern) -> Self {
        let rival = |record: PathBuf| {
            let names = Names::read(&record)?;
            let zone: Option<Zone> = names.zone.parse().ok();
            let offsets = zone.and_then(|zone| Offsets::resolve(&zone).ok()).unwrap_or(Offsets::Fixed(0));
            let theirs = names.pattern_in(pattern.directory(), offsets)?;
            (pattern.may_meet(&theirs) && is_at_work(&record)).then_some((names, theirs))
        };
        let others = records(pattern.directory()).filter(|record| Some(record) != pattern.record.as_ref());
        Self(others.filter_map(rival).collect())
    }

    /// Who could have made the file of that name, too.
    pub(crate) fn claimant(&self, name: &str) -> Option<&Names> {
        self.0.iter().find(|(_, pattern)| pattern.reading(name).is_some()).map(|(names, _)| names)
    }
}

/// Whether a process holds the record. `false` where there are no such locks.
fn is_at_work(record: &Path) -> bool {
    let has_leases = |file: OwnFile| file.get().is_ok_and(sys::has_leases);
    sys::open_to_read(record).is_ok_and(|file| file.is_some_and(has_leases)) && sys::is_held(record)
}

/// Whether lines of the pattern go to that file from now on, whoever has begun it: the name of a period's first file is fixed.
fn takes_lines(pattern: &Pattern, name: &str, at: i64) -> bool {
    pattern.place_of_name(name, at).is_some_and(|place| place.index == 0 && at < place.span.end)
}

/// Whether it stays so for a moment. A process that is just ending, or a child that is about to execute another
/// program, has the locks until then.
fn lasts(is_so: impl Fn() -> bool) -> bool {
    (0..20).all(|attempt| {
        if attempt > 0 {
            thread::sleep(Duration::from_millis(5));
        }
        is_so()
    })
}

/// Removes the record of a pattern, unless a process has it. `false`: one has.
fn remove_unless_held(record: &Path) -> bool {
    match sys::claim_and_remove(record, || false, |_| false) {
        Ok(removal) => removal != Removal::Held,
        // A file that may not be written to cannot be claimed.
        Err(_) => {
            let is_free = !sys::is_held(record);
            if is_free {
                let _ = fs::remove_file(record);
            }
            is_free
        }
    }
}

/// The records in a directory.
pub(crate) fn records(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let is_record = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with('.') && name.ends_with(&format!(".{PURPOSE}")))
    };
    let entries = sys::entries(directory).into_iter().flatten();
    entries.map(|entry| directory.join(entry.name)).filter(is_record)
}

/// A name that the two patterns read in different ways: as files of other periods, with other numbers, or as a file and an archive. Where they read
/// all names alike, the files are the same, as with a rotation that was changed. `files` are those of the other that are there.
fn common_name(one: &Pattern, other: &Pattern, files: &[listing::Found]) -> Option<String> {
    let differ = |name: &String| {
        let readings = one.reading(name).zip(other.reading(name));
        readings.is_some_and(|(reading, others)| reading != others)
    };
    let found = files.iter().map(|file| &file.name).find(|name| differ(name)).cloned();
    found.or_else(|| [one, other].into_iter().find_map(|pattern| pattern.samples().find(differ)))
}

fn stranger_note(pattern: &Pattern, foreign: Vec<&String>) -> Option<(PathBuf, io::Error)> {
    let (first, others) = foreign.split_first()?;
    let reason = format!("it was there before, with {} others, and does not fit the order of the files", others.len());
    Some((pattern.directory().join(first), io::Error::new(io::ErrorKind::AlreadyExists, reason)))
}

/// Files with numbers that are not the pattern's, as far as can be told when the pattern begins to number. Its own files were written one after
/// the other: the first file first, and the higher the number, the later. `logrotate(8)` and others count the other way round.
fn strangers(pattern: &Pattern, at: i64) -> BTreeSet<String> {
    let mut files: Vec<_> = listing::list(pattern, at).unwrap_or_default().found;
    files.retain(|file| file.is_file && file.file().is_some());
    files.sort_by_key(|file| file.file().map(Place::order));
    let mut strangers = BTreeSet::new();
    let span = |file: &listing::Found| file.file().map(|place| place.span);
    for period in files.chunk_by(|one, other| span(one) == span(other)) {
        let written = |file: &listing::Found| fs::symlink_metadata(&file.path).and_then(|found| found.modified()).ok();
        let index = |file: &listing::Found| file.file().map_or(0, |place| place.index);
        let begins_early = period.first().is_some_and(|first| index(first) <= listing::LARGEST_GAP);
        let in_order = period
            .windows(2)
            .position(|pair| index(&pair[0]) != index(&pair[1]) && written(&pair[0]) > written(&pair[1]));
        let from = match in_order {
            _ if !begins_early => 0,
            None => continue,
            // Without the first file there is nothing that says where the order begins.
            Some(_) if period.first().is_some_and(|first| index(first) > 0) => 0,
            Some(position) => position + 1,
        };
        strangers.extend(period[from..].iter().filter(|file| index(file) > 0).map(|file| file.name.clone()));
    }
    strangers
}
