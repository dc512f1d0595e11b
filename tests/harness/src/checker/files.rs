//! The files of a run: where they are, and what they must be like.

use super::lines::excerpt;
use super::{Checker, HEADER, Keeps, SECOND, first_line};
use crate::archive::Content;
use crate::journal::{self, Deed};
use crate::limited::Limits;
use crate::pattern::{Key, Place};
use crate::report::Report;
use crate::tree::{self, Entry};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A log file, and what became of it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) fate: Fate,
    /// Its turn among those of one name that went with it.
    pub(super) turn: usize,
}

/// What became of a log file, in the order in which files of one name were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Deleted at this instant, in this room.
    Deleted(usize, u64),
    /// Moved away, the same.
    Moved(usize, u64),
    /// Still in its place.
    Stays,
}

impl Fate {
    /// The first is the order in which it happened.
    pub(super) fn order(self) -> usize {
        match self {
            Self::Deleted(room, _) | Self::Moved(room, _) => room,
            Self::Stays => usize::MAX,
        }
    }
}

impl Checker<'_> {
    /// The log files in the order of their periods, those that were taken away first; whatever else lies in the
    /// directory is reported.
    pub(super) fn pages(&self, directory: &Path, report: &mut Report) -> io::Result<Vec<Page>> {
        let mut pages = Vec::new();
        for Entry { name, path, kind } in tree::entries(directory, self.pattern.depth())? {
            if self.others.contains(&name) {
                continue;
            }
            // The lock files of the pattern, and the records of its names, its links and what the hook was given; they
            // hold no lines.
            let ends = [".lock", ".link", ".names", ".rollover", ".rollover.refused", ".rings", ".settings"];
            let lock = name.starts_with('.') && ends.iter().any(|end| name.ends_with(end));
            // What a writer has made that was killed before it made the file in it.
            let is_left =
                kind.is_dir() && self.pattern.may_lead_through(&name) && matches!(self.keeps, Keeps::Limits(_));
            match self.pattern.place_of_name(&name).filter(|place| self.is_asked_for(*place)) {
                Some(place) if kind.is_file() => pages.push(Page { place, name, path, fate: Fate::Stays, turn: 0 }),
                // The record has a line of some hundred bytes for each file that the hook was given.
                _ if lock && kind.is_file() && fs::metadata(&path)?.len() < 1 << 20 => {}
                _ if is_left || self.is_left_behind(&name) => {}
                // A directory in which something stands is no entry, if names go through it.
                _ => report.other(format!("{name}: does not belong here")),
            }
        }
        for deed in &self.deeds {
            let (room, fate) = match *deed {
                Deed::Deleted(at, room) => (room, Fate::Deleted(room, at)),
                Deed::Moved(at, room) => (room, Fate::Moved(room, at)),
                Deed::Truncated(..) | Deed::Obstructed(..) | Deed::Stepped(..) => continue,
            };
            let room = journal::room(&self.attic, room);
            self.attic(&room, &room, fate, &mut pages)?;
        }
        pages.sort_by_key(|page| (page.place, page.fate.order(), page.turn));
        Ok(pages)
    }

    /// Whether a process that was killed has left this name, in a run in which nobody clears such names away.
    pub(super) fn is_left_behind(&self, name: &str) -> bool {
        matches!(&self.keeps, Keeps::Limits(limits) if !limits.cleans) && name.ends_with(".prefork.tmp")
    }

    /// Whether the appender of the run gives such names.
    pub(super) fn is_asked_for(&self, place: Place) -> bool {
        let archive = place.archive();
        (place.index == 0 || self.demands.largest.is_some()) && (archive.is_none() || archive == self.demands.archive)
    }

    /// Whether a file is as it must be: its archive is whole, it is no larger than it may be, and begins with the first
    /// line.
    pub(super) fn inspect(&self, page: &Page, content: &Content, report: &mut Report) {
        let name = &page.name;
        if let Some(damage) = &content.damage {
            report.other(format!("{name}: cannot be read: {damage}"));
        }
        report.counts.members += content.members.len() as u64;
        for part in content.parts() {
            let length = part.len() as u64;
            report.counts.largest = report.counts.largest.max(length);
            if let Some(largest) = self.demands.largest.filter(|largest| length > *largest) {
                report.other(format!("{name}: {length} bytes, at most {largest} are allowed"));
            }
            if !self.demands.header {
                continue;
            }
            let lines = part.split(|byte| *byte == b'\n').filter(|line| line.starts_with(HEADER));
            let first = part.split(|byte| *byte == b'\n').next().unwrap_or_default();
            if !self.is_first_line_of(first, page.place.key) {
                report.other(format!("{name}: does not begin with its first line: {}", excerpt(first)));
            }
            let more = lines.count() as u64;
            if more > u64::from(first.starts_with(HEADER)) {
                report.other(format!("{name}: has its first line {more} times"));
            }
        }
    }

    /// Whether this is the whole first line of that period's files.
    pub(super) fn is_first_line_of(&self, line: &[u8], key: Key) -> bool {
        let seconds =
            line.strip_prefix(HEADER).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
        seconds.is_some_and(|seconds| {
            first_line(seconds).trim_end().as_bytes() == line && self.pattern.key_at(seconds * SECOND) == key
        })
    }

    /// Whether the files that are left follow each other as they were made.
    pub(super) fn inspect_names(&self, pages: &[Page], report: &mut Report) {
        let mut periods: BTreeMap<Key, Vec<&Page>> = BTreeMap::new();
        for page in pages.iter().filter(|page| page.fate == Fate::Stays) {
            periods.entry(page.place.key).or_default().push(page);
        }
        let last = pages.iter().rev().find(|page| page.fate == Fate::Stays).map(|page| page.place);
        for (number, pages) in periods.values().enumerate() {
            // Of the oldest period the first files may have been removed.
            let loose = matches!(&self.keeps, Keeps::Limits(limits) if limits.gaps);
            let prunes = loose || number == 0 && self.keeps != Keeps::All;
            let mut before = pages.first().map(|page| page.place.index).filter(|_| prunes).map(|first| (first, true));
            for page in pages {
                let place = page.place;
                let plain = place.archive().is_none();
                match before {
                    Some((index, false)) if index == place.index && plain => {
                        report.other(format!("{}: stands beside its archive", page.name));
                    }
                    Some((index, _)) if index == place.index || index + 1 == place.index => {}
                    None if place.index == 0 => {}
                    _ if loose => {}
                    _ => report.other(format!("{}: there is none of the number before", page.name)),
                }
                let open = matches!(&self.keeps, Keeps::Limits(limits) if self.is_open(place, limits));
                if plain && self.demands.archive.is_some() && last != Some(place) && !open {
                    report.other(format!("{}: is not compressed", page.name));
                }
                before = Some((place.index, plain));
            }
        }
    }

    /// Whether a file's period is not over when the run is.
    pub(super) fn is_open(&self, place: Place, limits: &Limits) -> bool {
        place.key >= self.pattern.key_at(self.shown(limits.began_to_close))
    }

    /// Whether all files together have as many bytes as they may, and not too few where some have been removed.
    pub(super) fn inspect_total(&self, last_bytes: u64, report: &mut Report) {
        let Keeps::Bytes(limit, spare) = self.keeps else { return };
        let counts = &report.counts;
        let (total, room) = (counts.on_disk, spare.saturating_sub(last_bytes));
        if total + room > limit && counts.files > 1 {
            report.other(format!("{total} bytes, and room for {room} more: more than {limit} together"));
        }
    }

    /// The log files in a room of the attic, and in the directories there.
    pub(super) fn attic(&self, room: &Path, directory: &Path, fate: Fate, pages: &mut Vec<Page>) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                self.attic(room, &path, fate, pages)?;
                continue;
            }
            // The log directory may be a part of the path here, and directories that names go through are.
            let parts: Vec<_> =
                path.strip_prefix(room).into_iter().flatten().map(|part| part.to_string_lossy()).collect();
            let place = |from: usize| self.pattern.place_of_name(&parts[from..].join("/")).map(|place| (place, from));
            if let Some((place, from)) = (0..parts.len()).find_map(place) {
                let turn = parts[..from].first().and_then(|part| part.parse().ok()).unwrap_or(0);
                pages.push(Page { place, name: path.display().to_string(), path, fate, turn });
            }
        }
        Ok(())
    }
}
