//! The checker: reads every file of the log directory and holds it against the ledger.
//!
//! It demands every acknowledged line exactly once, intact, in order per thread, and in the file
//! that its timestamp names. A line whose write was under way when its process was killed, or which
//! was refused, may be there or not, at most once. A line that the timer stamped is in the file
//! that the stamp names, no other; one that the load stamped is in a file of a period that has an
//! instant between the beginning and the end of its write.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::{self, BufRead};
use std::path::Path;

use crate::ledger::{Ledger, Outcome};
use crate::line::{Id, Line, parse, recognized};
use crate::pattern::{Key, Pattern};
use crate::report::Report;
use crate::tree::{self, Entry};

/// What the checker holds a directory against.
#[derive(Clone, Debug)]
pub struct Checker<'a> {
    /// The record of the run.
    pub ledger: Ledger,
    /// Names and periods.
    pub pattern: &'a Pattern,
    /// How many files retention leaves; `None`: nothing may be missing.
    pub keeps: Option<usize>,
    /// Whether the clock only went forward; else order is demanded within a file alone.
    pub forward: bool,
    /// How far a timer's stamp may lie outside of its line's write, in nanoseconds.
    pub slack: u64,
    /// Lines that went to a file after it had been removed: lost, even if the file was to go.
    pub orphans: HashSet<Id>,
    /// Names of other files that belong in the directory.
    pub others: Vec<String>,
}

/// What was seen of one thread's lines.
#[derive(Debug, Default)]
struct Seen {
    /// How often each line was there, intact.
    times: Vec<u8>,
    /// The lines that were recognized in fragments.
    damaged: HashSet<u64>,
    /// The highest number so far, in the order of the files.
    last: Option<u64>,
    /// The offsets from UTC in what the timer stamped.
    offsets: HashSet<i32>,
}

impl Checker<'_> {
    /// Reads the directory and compares.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn check(&self, directory: &Path) -> io::Result<Report> {
        let mut report = Report::default();
        let files = self.files(directory, &mut report)?;
        let mut seen: Vec<Seen> = Vec::new();
        seen.resize_with(self.ledger.members() * self.ledger.threads(), Seen::default);
        let mut nameless = 0;
        for (key, name) in &files {
            let text = fs::read(directory.join(name))?;
            report.counts.files += 1;
            report.counts.bytes += text.len() as u64;
            if !self.forward {
                seen.iter_mut().for_each(|seen| seen.last = None);
            }
            nameless += self.read(*key, name, &text, &mut seen, &mut report);
        }
        self.compare(&files, &seen, &mut report);
        if !self.orphans.is_empty() {
            let count = self.orphans.len();
            report.cases.insert(0, format!("{count} lines went to files that had been removed"));
        }
        // A damaged line that could not be named is torn, not lost besides.
        report.counts.lost = report.counts.lost.saturating_sub(nameless);
        Ok(report)
    }

    /// The log files in the order of their periods; whatever else lies there is reported.
    fn files(&self, directory: &Path, report: &mut Report) -> io::Result<BTreeMap<Key, String>> {
        let mut files = BTreeMap::new();
        for Entry { name, path, kind } in tree::entries(directory, self.pattern.depth())? {
            if self.others.contains(&name) {
                continue;
            }
            // The lock file of the pattern; it holds no lines.
            let lock = name.starts_with('.') && name.ends_with(".lock");
            match self.pattern.key_of_name(&name) {
                Some(key) if kind.is_file() => {
                    files.insert(key, name);
                }
                _ if lock && kind.is_file() && fs::metadata(path)?.len() < 4096 => {}
                // A directory in which something stands is no entry, if names go through it.
                _ => report.other(format!("{name}: does not belong here")),
            }
        }
        Ok(files)
    }

    /// Reads one file; how many damaged lines in it could not be named.
    fn read(&self, key: Key, name: &str, text: &[u8], seen: &mut [Seen], report: &mut Report) -> u64 {
        let (mut pieces, mut damaged) = (0_u64, 0_u64);
        let mut rest = text;
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            let mut after = rest;
            let length = after.skip_until(b'\n').unwrap_or(rest.len());
            let (piece, whole) = match rest[..length].strip_suffix(b"\n") {
                Some(piece) => (piece, true),
                None => (rest, false),
            };
            rest = after;
            match parse(piece).filter(|_| whole) {
                Some(line) => self.line(key, name, at, &line, seen, report),
                None => {
                    pieces += 1;
                    for id in recognized(piece) {
                        if let Some(seen) = self.of(id, seen) {
                            damaged += u64::from(seen.damaged.insert(id.sequence));
                        }
                    }
                    report.case(|| format!("{name}: byte {at}: torn: {}", excerpt(piece)));
                }
            }
        }
        // Each line brings one newline: lines mixed into each other make as many pieces as they
        // were, and lines whose ends are missing make fewer.
        report.counts.torn += damaged.max(pieces);
        pieces.saturating_sub(damaged)
    }

    fn of<'s>(&self, id: Id, seen: &'s mut [Seen]) -> Option<&'s mut Seen> {
        if id.thread >= self.ledger.threads() as u64 {
            return None;
        }
        seen.get_mut(id.process as usize * self.ledger.threads() + id.thread as usize)
    }

    fn line(&self, key: Key, name: &str, at: usize, line: &Line, seen: &mut [Seen], report: &mut Report) {
        let outcome = self.ledger.outcome(line.id);
        let Some(seen) = self.of(line.id, seen).filter(|_| outcome != Outcome::Untouched) else {
            report.counts.unknown += 1;
            report.case(|| format!("{name}: byte {at}: nobody wrote {:?}", line.id));
            return;
        };
        if line.timed {
            seen.offsets.insert(line.stamp.offset);
        }
        let sequence = line.id.sequence as usize;
        if seen.times.len() <= sequence {
            seen.times.resize(sequence + 1, 0);
        }
        seen.times[sequence] = seen.times[sequence].saturating_add(1);
        if seen.times[sequence] > 1 {
            report.counts.duplicated += 1;
            report.case(|| format!("{name}: byte {at}: once more: {:?}", line.id));
        } else if !self.in_place(key, line, outcome) {
            report.counts.misplaced += 1;
            report.case(|| format!("{name}: byte {at}: misplaced: {line:?}, written {outcome:?}"));
        } else if seen.last.is_some_and(|last| last > line.id.sequence) {
            report.counts.out_of_order += 1;
            let last = seen.last;
            report.case(|| format!("{name}: byte {at}: {:?} after {last:?}", line.id));
        } else {
            seen.last = Some(line.id.sequence);
        }
    }

    fn in_place(&self, key: Key, line: &Line, outcome: Outcome) -> bool {
        let (before, after) = match outcome {
            Outcome::Untouched => return false,
            Outcome::InFlight(before) | Outcome::Failed(before) => (before, u64::MAX),
            Outcome::Acknowledged(before, after) => (before, after),
        };
        let stamp = line.stamp.instant();
        if line.timed {
            // The timer shows microseconds.
            let from = before.min(after) / 1000 * 1000;
            let within = from <= stamp + self.slack && stamp <= after.max(before).saturating_add(self.slack);
            return within
                && line.stamp.offset == self.pattern.zone.offset_at(stamp)
                && self.pattern.key(&line.stamp) == key;
        }
        let first = self.pattern.key_at(before);
        if stamp != before || first == key {
            return stamp == before;
        }
        match outcome {
            Outcome::Acknowledged(..) if self.forward => first <= key && key <= self.pattern.key_at(after),
            Outcome::Acknowledged(..) => key == self.pattern.key_at(after),
            _ => !self.forward || first <= key,
        }
    }

    /// What the ledger has acknowledged and the files do not have.
    fn compare(&self, files: &BTreeMap<Key, String>, seen: &[Seen], report: &mut Report) {
        let periods = self.periods();
        report.counts.rollovers = periods.len().saturating_sub(1) as u64;
        let oldest = self.oldest(files, periods);
        for (thread, seen) in self.ledger.all_threads().zip(seen) {
            let begun = thread.begun();
            let counts = &mut report.counts;
            counts.threads += u64::from(begun > 0);
            counts.crossed += u64::from(seen.offsets.len() > 1);
            counts.rollovers = counts.rollovers.max(thread.rollovers());
            counts.refused += thread.refused();
            let first = seen.times.iter().position(|times| *times > 0);
            for sequence in 0..begun {
                let Outcome::Acknowledged(before, after) = thread.outcome(sequence) else { continue };
                report.counts.lines += 1;
                let there = seen.times.get(sequence as usize).is_some_and(|times| *times > 0);
                if there || seen.damaged.contains(&sequence) {
                    continue;
                }
                let begins = self.pattern.key_at(before).min(self.pattern.key_at(after));
                // What retention leaves has no gaps: neither by time nor by number.
                let gap = first.is_some_and(|first| first < sequence as usize);
                let (process, thread) = (thread.process, thread.thread);
                let orphan = self.orphans.contains(&Id { process, thread, sequence });
                if self.keeps.is_some() && begins < oldest && !gap && !orphan {
                    report.counts.pruned += 1;
                    continue;
                }
                report.counts.lost += 1;
                let to = if orphan { ", to a file that had been removed" } else { "" };
                report.case(|| format!("lost: {process}.{thread}.{sequence}, written {before} to {after}{to}"));
            }
        }
        if let Some(keeps) = self.keeps.filter(|keeps| *keeps != files.len()) {
            report.other(format!("{} files, but {keeps} are to be kept", files.len()));
        }
    }

    /// The periods in which acknowledged lines begin.
    fn periods(&self) -> BTreeSet<Key> {
        let mut periods = BTreeSet::new();
        for thread in self.ledger.all_threads() {
            let mut last = None;
            for sequence in 0..thread.begun() {
                if let Outcome::Acknowledged(before, _) = thread.outcome(sequence) {
                    let key = self.pattern.key_at(before);
                    if last.replace(key) != Some(key) {
                        periods.insert(key);
                    }
                }
            }
        }
        periods
    }

    /// The oldest period of which nothing may be missing.
    fn oldest(&self, files: &BTreeMap<Key, String>, mut periods: BTreeSet<Key>) -> Key {
        periods.extend(files.keys());
        let keeps = self.keeps.unwrap_or(periods.len()).max(1);
        periods.iter().rev().nth(keeps - 1).copied().unwrap_or(0)
    }
}

fn excerpt(text: &[u8]) -> String {
    let head = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
    format!("{head:?} ({} bytes)", text.len())
}
