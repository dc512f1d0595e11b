//! The names of a pattern's hidden files: its locks, its records, its notes.
//!
//! `.app.DATE.log.d10ea686.lock`: the prefix and the suffix for people, a hash of what the pattern's file names look
//! like, and what the file is for ([`Hidden`]). Two patterns in one directory that only the date tells apart have
//! hidden files of their own. A pattern that is written in two ways (`%Y` or `[year]`) has the same hidden files. The
//! rotation is not in the hash: where another rotation changes no name, the log files are the same, and so are their
//! locks and their records.

use crate::names::date_format::DateFormat;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What a hidden file is for. Each value stands for the end of a name, which is the same in every version of this
/// crate: programs that were built with different versions share a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// `lock`: whoever holds it prunes.
    PruneLock,
    /// `compression.lock`: whoever holds it compresses.
    CompressionLock,
    /// `rollover.lock`: whoever holds it hands finished files over to the hook, and writes to the record of hand-overs.
    HandOverLock,
    /// `rollover`: the record of hand-overs. A line for each file that the hook was called for.
    HandOverRecord,
    /// `rollover.refused`: a note of the first and the last second in which nobody could hand over.
    RefusalsNote,
    /// `link`: a note of the file that the hard links were led to last.
    LinkNote,
    /// `link.d10ea686`: the same for the hard links of one tag. The number is a hash of the tag.
    LinkNoteOfTag(u32),
    /// `e8c6d7f2.names`: a record of names. It says what the names of a pattern are made of. The number is a hash of
    /// the rotation and the zone, because each of these that give the same names has a record of its own.
    NamesRecord(u32),
    /// `87d2c6f0e5b1a394.ring`: lines of a process that are not in a file yet. The number is the ring's own.
    Ring(u64),
    /// `rings`: which files' lines a killed process has left half-written. See `ring/cells.rs`.
    Rings,
    /// `settings`: the options of the processes that are at work. See `names/settings.rs`.
    Settings,
}

/// The end of the name of each record of names.
const NAMES_RECORD: &str = "names";

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PruneLock => f.write_str("lock"),
            Self::CompressionLock => f.write_str("compression.lock"),
            Self::HandOverLock => f.write_str("rollover.lock"),
            Self::HandOverRecord => f.write_str("rollover"),
            Self::RefusalsNote => f.write_str("rollover.refused"),
            Self::LinkNote => f.write_str("link"),
            Self::LinkNoteOfTag(hash) => write!(f, "link.{hash:08x}"),
            Self::Ring(id) => write!(f, "{id:016x}.ring"),
            Self::Rings => f.write_str("rings"),
            Self::Settings => f.write_str("settings"),
            Self::NamesRecord(hash) => write!(f, "{hash:08x}.{NAMES_RECORD}"),
        }
    }
}

/// Whether a file of this name is a record of names, whatever the pattern.
pub(crate) fn is_names_record(name: &str) -> bool {
    name.starts_with('.') && name.strip_suffix(NAMES_RECORD).is_some_and(|stem| stem.ends_with('.'))
}

/// Where a file goes that has the name of a hidden file and must not be written to: the same name with `.bad`.
pub(crate) fn set_aside(hidden: &Path) -> PathBuf {
    let mut aside = hidden.as_os_str().to_owned();
    aside.push(".bad");
    aside.into()
}

/// The most bytes of the readable part. With the hash, the longest [`Hidden`] and what `sys::unique_hidden` adds, a
/// name stays below the 255 bytes that it may have.
const READABLE: usize = 150;

/// Local times, and their offsets from UTC, at which any two formats in use differ.
const SAMPLES: [(i64, i32); 3] = [
    (981_173_106, 0),         // 2001-02-03 04:05:06
    (1_352_582_543, 19_800),  // 2012-11-10 21:22:23 +05:30
    (1_798_761_599, -12_600), // 2026-12-31 23:59:59 -03:30
];

/// The names of one pattern's hidden files.
#[derive(Debug)]
pub(crate) struct HiddenNames {
    /// The beginning of each of these names, the last dot included.
    stem: String,
}

impl HiddenNames {
    /// `before` and `after`: what stands around the tag and the date in the names of log files.
    pub(crate) fn new(before: &str, has_tags: bool, date: Option<&DateFormat>, after: &str) -> Self {
        let readable = format!(".{before}{}{after}", middle(has_tags, date.is_some()));
        let cut = (0..=READABLE).rev().find(|at| readable.is_char_boundary(*at)).unwrap_or(0);
        let readable = &readable[..cut];
        // No name has a control character, so no other pattern has the same text.
        let tag = if has_tags { "\0" } else { "" };
        let name = |(label, offset)| {
            let text = date.map_or_else(|| Ok(String::new()), |date| date.text(label, offset));
            text.map(|text| format!("{before}{tag}{text}{after}\n"))
        };
        let names: io::Result<String> = SAMPLES.into_iter().map(name).collect();
        Self { stem: format!("{readable}.{:08x}.", hash(&names.unwrap_or_default())) }
    }

    pub(crate) fn of(&self, hidden: Hidden) -> String {
        format!("{}{hidden}", self.stem)
    }

    /// Whether a name is that of a hidden file of the pattern. This includes the kinds of later versions.
    pub(crate) fn contain(&self, name: &str) -> bool {
        name.starts_with(&*self.stem)
    }
}

/// What stands for the tag and the date in a name for people.
pub(crate) fn middle(has_tags: bool, has_date: bool) -> &'static str {
    match (has_tags, has_date) {
        (true, true) => "TAG.DATE",
        (true, false) => "TAG",
        (false, true) => "DATE",
        (false, false) => "",
    }
}

/// [`fnv`], folded.
pub(crate) fn hash(text: &str) -> u32 {
    let hash = fnv(text);
    (hash >> 32) as u32 ^ hash as u32
}

/// FNV-1a. It is the same in every version of every program; std promises no such thing of its own hashes.
pub(crate) fn fnv(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
