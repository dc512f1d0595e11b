//! Whose files are whose. A name alone does not say: `app.1.log` may be the second file of `app.log` or the first of an appender with the prefix
//! `app.1`, and `app.log.1` a file of `logrotate(8)`.
//!
//! So each pattern leaves a hidden record in its directory, which says what its names are made of. Whoever builds an appender compares: two
//! patterns of which one could take a file of the other for its own are not both let in. The record also lists the files that were there before it
//! and whose names fit but whose order does not. They are left alone for ever.

use crate::BuildError;
use crate::calendar::Calendar;
use crate::date_format::DateFormat;
use crate::listing;
use crate::name::{Pattern, Place};
use crate::rotation::Rotation;
use crate::sys::{self, Creation};
use crate::zone::Offsets;
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the hidden record is called after.
const PURPOSE: &str = "names";

const FIRST_LINE: &str = "tracing-prefork names 1";
/// A record without it has not been written to its end.
const LAST_LINE: &str = "end";
/// No record is longer.
const LONGEST: u64 = 16 << 20;

/// Longer than it takes from the record to the first file.
const BUILDING: Duration = Duration::from_secs(10);

/// What the names of a pattern are made of, and what is not its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) prefix: Option<String>,
    pub(crate) suffix: Option<String>,
    /// If it is not the rotation's own.
    pub(crate) date_format: Option<String>,
    pub(crate) rotation: String,
    pub(crate) numbered: bool,
    pub(crate) archives: bool,
    /// Files of others, relative to the log directory.
    pub(crate) foreign: BTreeSet<String>,
}

impl Names {
    fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        let mut line = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                text += &format!("{key} {value}\n");
            }
        };
        line("prefix", self.prefix.as_deref());
        line("suffix", self.suffix.as_deref());
        line("date_format", self.date_format.as_deref());
        line("rotation", Some(&self.rotation));
        line("numbered", self.numbered.then_some("yes"));
        line("archives", self.archives.then_some("yes"));
        self.foreign.iter().for_each(|name| line("foreign", Some(name)));
        text + LAST_LINE + "\n"
    }

    /// `None`: it is not a record, or one of a later version.
    fn parse(text: &str) -> Option<Self> {
        let lines = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?.strip_suffix('\n')?.strip_suffix(LAST_LINE)?;
        let values = |key: &'static str| {
            lines.lines().filter_map(move |line| Some(line.strip_prefix(key)?.strip_prefix(' ')?.to_owned()))
        };
        let value = |key| values(key).next();
        Some(Self {
            prefix: value("prefix"),
            suffix: value("suffix"),
            date_format: value("date_format"),
            rotation: value("rotation")?,
            numbered: value("numbered").is_some(),
            archives: value("archives").is_some(),
            foreign: values("foreign").collect(),
        })
    }

    fn read(path: &Path) -> Option<Self> {
        let mut text = String::new();
        sys::open_to_read(path).ok()??.take(LONGEST).read_to_string(&mut text).ok()?;
        Self::parse(&text)
    }

    /// A pattern with these names. Its zone is UTC, whatever the appender's is: names look the same in all.
    fn pattern(&self, directory: &Path) -> Option<Pattern> {
        let rotation: Rotation = self.rotation.parse().ok()?;
        let date = match &self.date_format {
            Some(custom) => Some(DateFormat::new(custom).ok()?),
            None => rotation.date_format().and_then(|own| DateFormat::new(own).ok()),
        };
        let shows_offset = date.as_ref().is_some_and(|date| date.shows_offset);
        let calendar = Calendar::new(&rotation, Offsets::Fixed(0), shows_offset);
        let (prefix, suffix) = (self.prefix.as_deref(), self.suffix.as_deref());
        let mut pattern = Pattern::new(directory.to_owned(), prefix, suffix, date, calendar, self.numbered);
        pattern.archives = self.archives;
        Some(pattern)
    }

    /// What both records say, for one pattern: whoever counts or compresses has files that the others know of.
    fn with(&self, own: &Self) -> Self {
        Self {
            numbered: self.numbered || own.numbered,
            archives: self.archives || own.archives,
            foreign: self.foreign.union(&own.foreign).cloned().collect(),
            rotation: own.rotation.clone(),
            date_format: own.date_format.clone(),
            ..self.clone()
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rotation {}", self.rotation)?;
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

/// The record of a pattern that is in use.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    text: String,
}

impl Record {
    /// Makes it again if it has gone: with the directory, which somebody has moved away or removed. Without it, the next program that is built would
    /// judge the files by the order of their last lines.
    pub(crate) fn keep<'c>(&self, creation: impl Fn() -> Creation<'c>) -> io::Result<()> {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => return Ok(()),
        }
        match sys::write_whole(&self.path, self.text.as_bytes(), creation(), false) {
            // Another process was faster, or the directory has gone again.
            Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => Ok(()),
            Err(error) if is_closed(&error) => Ok(()),
            written => written,
        }
    }
}

/// Makes the pattern known in its directory, and finds out which files there are not its own.
///
/// # Errors
///
/// If another pattern is in use there and one of the two could take a file of the other for its own.
pub(crate) fn settle(
    pattern: &mut Pattern,
    mut own: Names,
    creation: Creation<'_>,
    at: i64,
) -> Result<(Record, Notes), BuildError> {
    let mut notes = Notes::new();
    let record = pattern.hidden(PURPOSE);
    own.foreign = refuse_others(pattern, &own, &record, at)?;
    let (known, created) = write_record(pattern, &own, &record, creation, at, &mut notes);
    let text = known.to_text();
    pattern.foreign = known.foreign;
    if created {
        // Another may have made its names known at the same moment.
        refuse_others(pattern, &own, &record, at).inspect_err(|_| drop(fs::remove_file(&record)))?;
    }
    Ok((Record { path: record, text }, notes))
}

/// Compares with the patterns that are known in the directory. Returns files that are left of one that is not in use any more.
fn refuse_others(pattern: &Pattern, own: &Names, record: &Path, at: i64) -> Result<BTreeSet<String>, BuildError> {
    let mut left = BTreeSet::new();
    let Some(twin) = own.pattern(pattern.directory()) else { return Ok(left) };
    for path in records(pattern.directory()).filter(|path| path != record) {
        let Some(other) = Names::read(&path) else { continue };
        let Some(theirs) = other.pattern(pattern.directory()) else { continue };
        if !twin.may_meet(&theirs) {
            continue;
        }
        let files = listing::list(&theirs, at).unwrap_or_default().found;
        let files: Vec<_> = files.into_iter().filter(|file| file.is_file && file.file().is_some()).collect();
        let Some(example) = common_name(&twin, &theirs, &files) else { continue };
        let refused = |record| BuildError::Names { names: own.to_string(), other: other.to_string(), example, record };
        // The same program, started with other options: what it had before is in use only as long as it runs. A program of its own
        // may start again.
        let is_same_program = (&other.prefix, &other.suffix) == (&own.prefix, &own.suffix);
        if files.iter().any(|file| !is_same_program || sys::is_held(&file.path)) {
            return Err(refused(path));
        }
        if !is_same_program && is_new(&path) {
            return Err(refused(path));
        }
        let is_ours =
            |name: &str| pattern.place_of_name(name, at).or_else(|| pattern.place_of_archive(name, at)).is_some();
        left.extend(files.into_iter().map(|file| file.name).filter(|name| is_ours(name)));
        let _ = fs::remove_file(path);
    }
    Ok(left)
}

/// Whether somebody has just made this record, and is about to make a file.
fn is_new(record: &Path) -> bool {
    let made = fs::symlink_metadata(record).and_then(|found| found.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < BUILDING))
}

/// The records in a directory.
fn records(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let is_record = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with('.') && name.ends_with(&format!(".{PURPOSE}")))
    };
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_record)
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

/// Makes the pattern's record say what its options say. Returns what it says, and whether there was none.
fn write_record(
    pattern: &Pattern,
    own: &Names,
    record: &Path,
    creation: Creation<'_>,
    at: i64,
    notes: &mut Notes,
) -> (Names, bool) {
    let (mut said, mut created) = (own.clone(), false);
    for _ in 0..10 {
        let known = Names::read(record);
        said = known.as_ref().map_or_else(|| own.clone(), |known| known.with(own));
        if own.numbered && known.as_ref().is_none_or(|known| !known.numbered) {
            said.foreign.extend(strangers(pattern, at));
        }
        if known.as_ref() == Some(&said) {
            break;
        }
        match sys::write_whole(record, said.to_text().as_bytes(), creation, known.is_some()) {
            // It is read once more: another process may have replaced it, with less in it.
            Ok(()) => {
                created |= known.is_none();
                let known = known.map(|known| known.foreign).unwrap_or_default();
                notes.extend(
                    said.foreign.difference(&known).next().map(|first| stranger_note(pattern, first, &said, &known)),
                );
            }
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && Names::read(record).is_some() => {}
            // Where nothing can be made, no file of others can be removed either.
            Err(error) if is_closed(&error) => break,
            Err(error) => {
                notes.push((record.to_owned(), error));
                break;
            }
        }
    }
    (said, created)
}

fn stranger_note(pattern: &Pattern, first: &str, said: &Names, known: &BTreeSet<String>) -> (PathBuf, io::Error) {
    let others = said.foreign.len() - known.len() - 1;
    let reason = format!("it was there before, with {others} others, and does not fit the order of the files");
    (pattern.directory().join(first), io::Error::new(io::ErrorKind::AlreadyExists, reason))
}

fn is_closed(error: &io::Error) -> bool {
    [Errno::EACCES, Errno::EPERM, Errno::EROFS].iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
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
