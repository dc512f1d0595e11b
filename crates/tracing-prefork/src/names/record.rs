//! The record of names: a hidden file that says what a pattern's names are made of, and which files are foreign.

use crate::names::date_format::DateFormat;
use crate::names::foreign::Foreign;
use crate::names::hidden::{Hidden, hash, is_names_record};
use crate::names::pattern::{Parts, Pattern};
use crate::names::tag::Tags;
use crate::sys::{self, OwnFile};
use crate::time::calendar::{Calendar, Shown};
use crate::time::rotation::Rotation;
use crate::time::zone::{Offsets, Zone};
use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

const FIRST_LINE: &str = "tracing-prefork names 1";
/// A record without this line was not written to its end. Each addition ends in this line, too.
const LAST_LINE: &str = "end";
/// No record is longer.
const LONGEST: u64 = 16 << 20;

/// What the names of a pattern are made of, and which files are foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) prefix: Option<String>,
    pub(crate) suffix: Option<String>,
    /// `None`: the rotation's own.
    pub(crate) date_format: Option<String>,
    pub(crate) rotation: String,
    pub(crate) zone: String,
    /// The names have a tag, whichever.
    pub(crate) tags: bool,
    pub(crate) numbered: bool,
    pub(crate) archives: bool,
    /// Foreign files, relative to the log directory.
    pub(crate) foreign: BTreeSet<String>,
}

impl Names {
    pub(crate) fn to_text(&self) -> String {
        let yes = "yes".to_owned();
        let options = [
            ("prefix", self.prefix.as_ref()),
            ("suffix", self.suffix.as_ref()),
            ("date_format", self.date_format.as_ref()),
            ("rotation", Some(&self.rotation)),
            ("zone", Some(&self.zone)),
            ("tags", Some(&yes).filter(|_| self.tags)),
        ];
        let lines = options.iter().filter_map(|(key, value)| Some(format!("{key} {}\n", value.as_ref()?)));
        let nothing = Self { numbered: false, archives: false, foreign: BTreeSet::new(), ..self.clone() };
        format!("{FIRST_LINE}\n{}{}", lines.collect::<String>(), self.text_beyond(&nothing))
    }

    /// What to add to a record that says `known`, with the last line. All processes must know of numbers and archives,
    /// so whoever numbers or compresses says so.
    pub(crate) fn text_beyond(&self, known: &Self) -> String {
        let flags = [("numbered", self.numbered && !known.numbered), ("archives", self.archives && !known.archives)];
        let flags = flags.iter().filter(|(_, added)| *added).map(|(key, _)| format!("{key} yes\n"));
        let foreign = self.foreign.difference(&known.foreign).map(|name| format!("foreign {name}\n"));
        flags.chain(foreign).collect::<String>() + LAST_LINE + "\n"
    }

    /// Whether a record that says `known` needs no addition.
    pub(crate) fn is_in(&self, known: &Self) -> bool {
        (known.numbered || !self.numbered)
            && (known.archives || !self.archives)
            && self.foreign.is_subset(&known.foreign)
    }

    /// `None`: the text is no record, or the record of a later version.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(FIRST_LINE)?;
        // The text behind the last line was not written to its end.
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
            tags: value("tags").is_some(),
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

    /// The path of the record of a pattern with these names. Two rotations, or two zones, can give the same names.
    /// Still each has a record of its own, by which others see that it is in use.
    pub(super) fn path(&self, pattern: &Pattern) -> PathBuf {
        let zone = if pattern.has_date() { pattern.calendar().offsets().history() } else { String::new() };
        pattern.hidden(Hidden::NamesRecord(hash(&format!("{}\n{zone}", self.rotation))))
    }

    /// A pattern with these names. Its zone is UTC, whatever the appender's zone is: names look the same in all zones.
    pub(super) fn pattern(&self, directory: &Path) -> Option<Pattern> {
        self.pattern_in(directory, Offsets::Fixed(0))
    }

    /// A pattern that names its files as `pattern` does, and whose foreign files are these.
    pub(super) fn anew(&self, pattern: &Pattern) -> Option<Pattern> {
        self.pattern_in(pattern.directory(), pattern.calendar().offsets().clone())
    }

    pub(super) fn pattern_in(&self, directory: &Path, offsets: Offsets) -> Option<Pattern> {
        let rotation: Rotation = self.rotation.parse().ok()?;
        let date = match &self.date_format {
            Some(custom) => Some(DateFormat::new(custom).ok()?),
            None => rotation.date_format().and_then(|own| DateFormat::new(own).ok()),
        };
        let shown = date.as_ref().map_or_else(Shown::default, |date| date.shown);
        let calendar = Calendar::new(&rotation, offsets, shown);
        let (prefix, suffix) = (self.prefix.as_deref(), self.suffix.as_deref());
        // Any tag is one of theirs.
        let tags = if self.tags { Tags::OfProcess } else { Tags::None };
        let parts = Parts { prefix, tags, date, suffix };
        let mut pattern = Pattern::new(directory.to_owned(), parts, calendar, self.numbered);
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
        let flags = [(self.tags, "a tag"), (self.numbered, "max_file_bytes"), (self.archives, "compress")];
        flags.into_iter().filter(|(is_on, _)| *is_on).try_for_each(|(_, option)| write!(f, ", {option}"))
    }
}

/// The records in a directory.
pub(crate) fn records(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let is_record = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(is_names_record)
    };
    let entries = sys::entries(directory).into_iter().flatten();
    entries.map(|entry| directory.join(entry.name)).filter(is_record)
}
