//! Which file an instant belongs to, worked out from the digits of its timestamp alone.

use clap::ValueEnum;

use crate::date_format;
use crate::stamp::{Stamp, date_of_day};
use crate::zone::Zone;

/// How long a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Unit {
    Never,
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
}

/// The naming of one run: `{prefix}.{date}.{suffix}`, without an empty part.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Before the date.
    pub prefix: String,
    /// After the date.
    pub suffix: String,
    /// The length of a period.
    pub unit: Unit,
    /// How the date is written, with a slash wherever a directory ends; `None`: as the unit has it by itself.
    pub date: Option<&'static str>,
    /// In which days and hours are counted.
    pub zone: Zone,
}

/// A period by the digits of its date: `20261121083301`, fewer for longer units. If names show the offset from UTC,
/// four more digits tell it, the greater the further west. Keys sort by time, but for days and longer that begin in the
/// east and end further east.
pub type Key = u64;

/// How archives are made, by what their names end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[allow(missing_docs)]
pub enum Archive {
    Gzip,
    Zstd,
}

impl Archive {
    /// What comes behind the name of the plain file.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// What the name of a log file tells. Files sort as they are written; an archive comes before the plain file of the
/// same name, which late lines have made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The period.
    pub key: Key,
    /// Which of the period's files, from 0.
    pub index: u32,
    /// The other way round, so that the plain file sorts last.
    kind: std::cmp::Reverse<Option<Archive>>,
}

impl Place {
    /// How the file is compressed; `None`: it is plain.
    #[must_use]
    pub fn archive(self) -> Option<Archive> {
        self.kind.0
    }
}

impl Pattern {
    /// What a file name tells, with numbers and archives; `None` unless the whole name is one of this pattern's.
    #[must_use]
    pub fn place_of_name(&self, name: &str) -> Option<Place> {
        let archives = Archive::value_variants().iter();
        let archive = archives.filter_map(|kind| Some((Some(*kind), name.strip_suffix(kind.ending())?))).next();
        let (kind, plain) = archive.unwrap_or((None, name));
        let kind = std::cmp::Reverse(kind);
        if let Some(key) = self.key_of_name(plain) {
            return Some(Place { key, index: 0, kind });
        }
        let suffix = if self.suffix.is_empty() { String::new() } else { format!(".{}", self.suffix) };
        let (head, digits) = plain.strip_suffix(&*suffix)?.rsplit_once('.')?;
        let index: u32 = digits.parse().ok().filter(|index| *index > 0)?;
        let key = self.key_of_name(&format!("{head}{suffix}"))?;
        (index.to_string() == digits).then_some(Place { key, index, kind })
    }

    /// The period that a timestamp names.
    #[must_use]
    pub fn key(&self, stamp: &Stamp) -> Key {
        let (year, month, day) = match self.unit {
            // A week is named by its Sunday; 1970-01-01 was a Thursday.
            Unit::Weekly => {
                let day = stamp.day_number();
                date_of_day(day - (day + 4).rem_euclid(7))
            }
            _ => (stamp.year, stamp.month, stamp.day),
        };
        let parts = [month, day, stamp.hour, stamp.minute, stamp.second];
        let digits = match self.parts() {
            None => 0,
            Some(count) => parts[..count].iter().fold(year as u64, |key, part| key * 100 + u64::from(*part)),
        };
        if self.shows_offset() { digits * 10_000 + (2000 - stamp.offset / 60) as u64 } else { digits }
    }

    /// A stamp with what the digits of a key tell.
    fn first_stamp(&self, key: Key) -> Stamp {
        let (mut digits, offset) = match self.shows_offset() {
            true => (key / 10_000, (2000 - (key % 10_000) as i32) * 60),
            false => (key, 0),
        };
        let mut parts = [1, 1, 0, 0, 0];
        for part in parts[..self.parts().unwrap_or(0)].iter_mut().rev() {
            *part = (digits % 100) as u32;
            digits /= 100;
        }
        let [month, day, hour, minute, second] = parts;
        Stamp { year: digits as i64, month, day, hour, minute, second, nanos: 0, offset }
    }

    /// The timestamp of an instant, in nanoseconds since 1970.
    #[must_use]
    pub fn stamp_at(&self, nanos: u64) -> Stamp {
        Stamp::at(nanos, self.zone.offset_at(nanos))
    }

    /// The period of an instant, in nanoseconds since 1970.
    #[must_use]
    pub fn key_at(&self, nanos: u64) -> Key {
        self.key(&self.stamp_at(nanos))
    }

    /// The file name of a period, below the log directory.
    #[must_use]
    pub fn name(&self, key: Key) -> String {
        let mut parts = Vec::new();
        if !self.prefix.is_empty() {
            parts.push(self.prefix.clone());
        }
        if let Some(format) = self.format() {
            parts.push(date_format::write(format, &self.first_stamp(key)));
        }
        if !self.suffix.is_empty() {
            parts.push(self.suffix.clone());
        }
        parts.join(".")
    }

    /// The name of one of the period's files, from 0.
    #[must_use]
    pub fn numbered_name(&self, key: Key, index: u32) -> String {
        let name = self.name(key);
        if index == 0 {
            return name;
        }
        let suffix = if self.suffix.is_empty() { String::new() } else { format!(".{}", self.suffix) };
        let head = name.strip_suffix(&*suffix).unwrap_or(&name);
        format!("{head}.{index}{suffix}")
    }

    /// The period of a file name; `None` unless the whole name is one of this pattern's.
    #[must_use]
    pub fn key_of_name(&self, name: &str) -> Option<Key> {
        let Some(format) = self.format() else {
            return (name == self.name(0)).then_some(0);
        };
        let mut date = name;
        if !self.prefix.is_empty() {
            date = date.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        }
        if !self.suffix.is_empty() {
            date = date.strip_suffix(&self.suffix)?.strip_suffix('.')?;
        }
        let stamp = date_format::read(format, date)?;
        let key = self.key(&stamp);
        // With the offset in it, the name tells an instant, and the zone must have that offset then.
        let real = !self.shows_offset() || self.key_at(stamp.instant()) == key;
        (real && self.name(key) == name).then_some(key)
    }

    /// Whether a name may go through that directory: each part of it tells something of a date.
    #[must_use]
    pub fn may_lead_through(&self, directory: &str) -> bool {
        let parts: Vec<_> = directory.split('/').collect();
        parts.len() <= self.depth() && parts.iter().all(|part| part.bytes().any(|byte| byte.is_ascii_digit()))
    }

    /// How many directories below the log directory a name goes through.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.format().map_or(0, |format| format.matches('/').count())
    }

    /// The first instant after `nanos` that belongs to another file.
    #[must_use]
    pub fn next_boundary(&self, nanos: u64) -> u64 {
        let key = self.key_at(nanos);
        let mut at = nanos;
        loop {
            // Where the clocks are changed the same name may go on.
            at = self.end_of_unit(at).min(self.zone.next_change(at));
            if at == u64::MAX || self.key_at(at) != key {
                return at;
            }
        }
    }

    /// When the unit around `nanos` ends if the clocks are not changed.
    fn end_of_unit(&self, nanos: u64) -> u64 {
        let offset = i64::from(self.zone.offset_at(nanos));
        let local = (nanos / 1_000_000_000) as i64 + offset;
        let next = match self.unit {
            Unit::Never => return u64::MAX,
            Unit::Monthly => {
                let stamp = self.stamp_at(nanos);
                let (year, month) = if stamp.month == 12 { (stamp.year + 1, 1) } else { (stamp.year, stamp.month + 1) };
                crate::stamp::day_of_date(year, month, 1) * 86_400
            }
            // Weeks are counted from Sunday, 1970-01-04.
            Unit::Weekly => (local - 259_200).div_euclid(604_800) * 604_800 + 604_800 + 259_200,
            Unit::Daily => (local.div_euclid(86_400) + 1) * 86_400,
            Unit::Hourly => (local.div_euclid(3600) + 1) * 3600,
            Unit::Minutely => (local.div_euclid(60) + 1) * 60,
            Unit::Secondly => local + 1,
        };
        (next - offset) as u64 * 1_000_000_000
    }

    /// The instant `periods` boundaries after `nanos`.
    #[must_use]
    pub fn boundary_after(&self, nanos: u64, periods: u64) -> u64 {
        (0..periods).fold(nanos, |at, _| self.next_boundary(at))
    }

    /// How the date is written; `None` where the name has none.
    fn format(&self) -> Option<&'static str> {
        self.parts().map(|parts| self.date.unwrap_or(date_format::dashed(parts)))
    }

    fn shows_offset(&self) -> bool {
        self.date.is_some_and(date_format::shows_offset)
    }

    /// How many two-digit parts follow the year; `None` where the name has no date.
    fn parts(&self) -> Option<usize> {
        Some(match self.unit {
            Unit::Never => return None,
            Unit::Monthly => 1,
            Unit::Daily | Unit::Weekly => 2,
            Unit::Hourly => 3,
            Unit::Minutely => 4,
            Unit::Secondly => 5,
        })
    }
}
