//! The names of a pattern's hidden files: its locks, its record, its notes.
//!
//! `.app.DATE.log.d10ea686.lock`: the prefix and the suffix for people, and a hash of what the pattern's file names
//! look like. Two patterns in one directory that only the date tells apart have hidden files of their own, and one that
//! is written in two ways (`%Y` or `[year]`) has the same. The rotation is not in the hash: where it changes no name,
//! the files are the same, and so are their locks and their record.

use crate::names::date_format::DateFormat;
use std::io;

/// The most bytes of the readable part. With the hash, the longest purpose and what `sys::unique_hidden` adds, a name
/// stays below the 255 bytes that it may have.
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
    /// What they all begin with, the last dot included.
    stem: String,
}

impl HiddenNames {
    /// `before` and `after`: what stands around the date in the names of log files.
    pub(crate) fn new(before: &str, date: Option<&DateFormat>, after: &str) -> Self {
        let readable = format!(".{before}{}{after}", if date.is_some() { "DATE" } else { "" });
        let cut = (0..=READABLE).rev().find(|at| readable.is_char_boundary(*at)).unwrap_or(0);
        let readable = &readable[..cut];
        let name = |(label, offset)| {
            let text = date.map_or_else(|| Ok(String::new()), |date| date.text(label, offset));
            text.map(|text| format!("{before}{text}{after}\n"))
        };
        let names: io::Result<String> = SAMPLES.into_iter().map(name).collect();
        Self { stem: format!("{readable}.{:08x}.", hash(&names.unwrap_or_default())) }
    }

    pub(crate) fn of(&self, purpose: &str) -> String {
        format!("{}{purpose}", self.stem)
    }

    /// Whether it is the name of one of them.
    pub(crate) fn contain(&self, name: &str) -> bool {
        name.starts_with(&*self.stem)
    }
}

/// FNV-1a, folded: the same in every version of every program, which std does not promise of its own.
pub(crate) fn hash(text: &str) -> u32 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    (hash >> 32) as u32 ^ hash as u32
}
