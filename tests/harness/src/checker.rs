//! The checker: reads every file of the log directory and holds it against the ledger.
//!
//! It demands every acknowledged line exactly once, intact, in order per thread, and in the file
//! that its timestamp names. A line whose write was under way when its process was killed, or which
//! was refused, may be there or not, at most once. A line that the timer stamped is in the file
//! that the stamp names, no other; one that the load stamped is in a file of a period that has an
//! instant between the beginning and the end of its write.
//!
//! What somebody did from outside stands in the [`journal`]. A file that was moved away is read where it is now. A line
//! in a file that was deleted is excused if its write began before the end of the second of the deletion, and no later:
//! writers look once a second. A line may be in the file before the right one if that could not be opened.

//!
//! Of the files themselves it demands what [`Demands`] says: sizes, archives, first lines. What retention has removed
//! is what is oldest, so that each thread's lines have no gap from the first that is left.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use crate::archive::Content;
use crate::journal::{self, Deed};
use crate::ledger::{Ledger, Outcome, Thread};
use crate::limited::{Limits, Removable};
use crate::line::{Id, Line, parse, recognized};
use crate::pattern::{Archive, Key, Pattern, Place};
use crate::report::{Allows, Report};
use crate::tree::{self, Entry};

/// What the checker holds a directory against.
#[derive(Clone, Debug)]
pub struct Checker<'a> {
    /// The record of the run.
    pub ledger: Ledger,
    /// Names and periods.
    pub pattern: &'a Pattern,
    /// What retention leaves.
    pub keeps: Keeps,
    /// What the files must be like.
    pub demands: Demands,
    /// Whether the clock only went forward; else order is demanded within a file alone.
    pub forward: bool,
    /// How far a timer's stamp may lie outside of its line's write, in nanoseconds.
    pub slack: u64,
    /// Lines that went to a file after it had been removed: lost, even if the file was to go.
    pub orphans: HashSet<Id>,
    /// Names of other files that belong in the directory.
    pub others: Vec<String>,
    /// What somebody did to the files from outside.
    pub deeds: Vec<Deed>,
    /// Where the files are that were moved away or deleted.
    pub attic: PathBuf,
    /// What is no error in this run.
    pub allows: Allows,
}

/// What retention leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing may be missing.
    All,
    /// The newest files, so many.
    Files(usize),
    /// So many or more.
    AtLeast(usize),
    /// The newest files that have so many bytes together, with so much room for the last one to grow.
    Bytes(u64, u64),
    /// What several limits together leave, while somebody takes files away besides.
    Limits(Limits),
}

/// What the files of a run must be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The bound on a file's size, where a period may have several files; `None`: it has one.
    pub largest: Option<u64>,
    /// How all files but the last are compressed.
    pub archive: Option<Archive>,
    /// Each file begins with [`first_line`].
    pub header: bool,
}

/// What a first line begins with; no other line does.
const HEADER: &[u8] = b"# since ";

/// The first line of the files of the period that begins so many seconds after 1970-01-01.
#[must_use]
pub fn first_line(start: u64) -> String {
    format!("{}{start}\n", String::from_utf8_lossy(HEADER))
}

/// A log file, and what became of it.
#[derive(Debug)]
struct Page {
    place: Place,
    name: String,
    path: PathBuf,
    fate: Fate,
    /// Its turn among those of one name that went with it.
    turn: usize,
}

/// What became of a log file, in the order in which files of one name were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Deleted at this instant, in this room.
    Deleted(usize, u64),
    /// Moved away, the same.
    Moved(usize, u64),
    /// Still in its place.
    Stays,
}

impl Fate {
    /// The first is the order in which it happened.
    fn order(self) -> usize {
        match self {
            Self::Deleted(room, _) | Self::Moved(room, _) => room,
            Self::Stays => usize::MAX,
        }
    }
}

/// The slowest that a writer tries again to open a file, and a second more for the event that does it.
const CATCH_UP: u64 = 11_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// How long a file that is held stays after its last line.
const DAY: u64 = 86_400 * SECOND;

/// What was seen of one thread's lines.
#[derive(Debug, Default)]
struct Seen {
    /// Where each line was found first: the number of the page, and one; 0 for nowhere.
    first: Vec<u32>,
    /// The lines that were there a second time, for a good reason.
    again: HashSet<u64>,
    /// The lines that were recognized in fragments.
    damaged: HashSet<u64>,
    /// The highest number so far, in the order of the files.
    last: Option<u64>,
    /// The offsets from UTC in what the timer stamped.
    offsets: HashSet<i32>,
}

impl Seen {
    /// Notes that a line is on the page of that number. Returns the page that it has been on before.
    fn comes(&mut self, number: usize, sequence: u64) -> Option<usize> {
        let sequence = sequence as usize;
        if self.first.len() <= sequence {
            self.first.resize(sequence + 1, 0);
        }
        match self.first[sequence] {
            0 => {
                self.first[sequence] = number as u32 + 1;
                None
            }
            before => Some(before as usize - 1),
        }
    }

    fn has(&self, sequence: u64) -> bool {
        self.first.get(sequence as usize).is_some_and(|first| *first > 0)
    }
}

impl Checker<'_> {
    /// Reads the directory and compares.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn check(&self, directory: &Path) -> io::Result<Report> {
        let mut report = Report::default();
        report.counts.allows = self.allows;
        let pages = self.pages(directory, &mut report)?;
        let mut seen: Vec<Seen> = Vec::new();
        seen.resize_with(self.ledger.members() * self.ledger.threads(), Seen::default);
        let mut nameless = 0;
        let mut last_bytes = 0;
        for (number, page) in pages.iter().enumerate() {
            let content = Content::read(&page.path, page.place.archive())?;
            if page.fate == Fate::Stays {
                last_bytes = fs::metadata(&page.path)?.len();
                report.counts.on_disk += last_bytes;
                report.counts.files += 1;
                report.counts.archives += u64::from(page.place.archive().is_some());
            }
            report.counts.bytes += content.text.len() as u64;
            if !self.forward {
                seen.iter_mut().for_each(|seen| seen.last = None);
            }
            self.inspect(page, &content, &mut report);
            nameless += self.read(&pages, number, &content, &mut seen, &mut report);
        }
        self.inspect_names(&pages, &mut report);
        self.inspect_total(last_bytes, &mut report);
        self.compare(&pages, &seen, &mut report);
        if !self.orphans.is_empty() {
            let count = self.orphans.len();
            report.cases.insert(0, format!("{count} lines went to files that had been removed"));
        }
        // A damaged line that could not be named is torn, not lost besides.
        report.counts.lost = report.counts.lost.saturating_sub(nameless);
        Ok(report)
    }

    /// The log files in the order of their periods, those that were taken away first; whatever else lies in the
    /// directory is reported.
    fn pages(&self, directory: &Path, report: &mut Report) -> io::Result<Vec<Page>> {
        let mut pages = Vec::new();
        for Entry { name, path, kind } in tree::entries(directory, self.pattern.depth())? {
            if self.others.contains(&name) {
                continue;
            }
            // The lock files of the pattern, and the records of its names, its links and what the hook was given; they
            // hold no lines.
            let ends = [".lock", ".link", ".names", ".rollover", ".rollover.refused"];
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
    fn is_left_behind(&self, name: &str) -> bool {
        matches!(&self.keeps, Keeps::Limits(limits) if !limits.cleans) && name.ends_with(".prefork.tmp")
    }

    /// Whether the appender of the run gives such names.
    fn is_asked_for(&self, place: Place) -> bool {
        let archive = place.archive();
        (place.index == 0 || self.demands.largest.is_some()) && (archive.is_none() || archive == self.demands.archive)
    }

    /// Whether a file is as it must be: its archive is whole, it is no larger than it may be, and begins with the first
    /// line.
    fn inspect(&self, page: &Page, content: &Content, report: &mut Report) {
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
    fn is_first_line_of(&self, line: &[u8], key: Key) -> bool {
        let seconds =
            line.strip_prefix(HEADER).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
        seconds.is_some_and(|seconds| {
            first_line(seconds).trim_end().as_bytes() == line && self.pattern.key_at(seconds * SECOND) == key
        })
    }

    /// Whether the files that are left follow each other as they were made.
    fn inspect_names(&self, pages: &[Page], report: &mut Report) {
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
    fn is_open(&self, place: Place, limits: &Limits) -> bool {
        place.key >= self.pattern.key_at(self.shown(limits.began_to_close))
    }

    /// Whether all files together have as many bytes as they may, and not too few where some have been removed.
    fn inspect_total(&self, last_bytes: u64, report: &mut Report) {
        let Keeps::Bytes(limit, spare) = self.keeps else { return };
        let counts = &report.counts;
        let (total, room) = (counts.on_disk, spare.saturating_sub(last_bytes));
        if total + room > limit && counts.files > 1 {
            report.other(format!("{total} bytes, and room for {room} more: more than {limit} together"));
        }
    }

    /// The log files in a room of the attic, and in the directories there.
    fn attic(&self, room: &Path, directory: &Path, fate: Fate, pages: &mut Vec<Page>) -> io::Result<()> {
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

    /// How far what the clock shows may have been from the run's time, at any moment between these two.
    fn offsets(&self, from: u64, to: u64) -> impl Iterator<Item = i64> + '_ {
        let stepped = self.deeds.iter().filter_map(|deed| match *deed {
            Deed::Stepped(begin, end, offset) => Some((begin, end, offset)),
            _ => None,
        });
        let ends = stepped.clone().map(|(_, end, _)| end).chain([u64::MAX]);
        let begins = [(0, 0, 0)].into_iter().chain(stepped);
        begins.zip(ends).filter(move |((begin, ..), end)| *begin <= to && from <= *end).map(|((.., offset), _)| offset)
    }

    /// What the clock shows at an instant of the run.
    fn shown(&self, at: u64) -> u64 {
        at.wrapping_add_signed(self.offsets(at, at).last().unwrap_or(0))
    }

    /// Whether the clock was stepped in this run.
    fn is_stepped(&self) -> bool {
        self.deeds.iter().any(|deed| matches!(deed, Deed::Stepped(..)))
    }

    /// From when on each writer knows what happened at the instant `at`: the next second.
    fn noticed(&self, at: u64) -> u64 {
        let next = at + SECOND - self.shown(at) % SECOND;
        // A step of the clock makes another second of it as well.
        let steps = self.deeds.iter().filter_map(|deed| match *deed {
            Deed::Stepped(begin, end, _) if begin >= at => Some(end),
            _ => None,
        });
        steps.fold(next, u64::min) + self.slack
    }

    /// Reads one file; how many damaged lines in it could not be named.
    fn read(&self, pages: &[Page], number: usize, content: &Content, seen: &mut [Seen], report: &mut Report) -> u64 {
        let (page, mut nameless) = (&pages[number], 0);
        for (member, part) in content.parts().enumerate() {
            nameless += self.read_part(pages, number, part, seen, report);
            if member + 1 < content.members.len() && part.last().is_some_and(|byte| *byte != b'\n') {
                report.counts.glued += 1;
                report.case(|| format!("{}: a member is glued to a piece of a line in the one before", page.name));
            }
        }
        nameless
    }

    fn read_part(&self, pages: &[Page], number: usize, text: &[u8], seen: &mut [Seen], report: &mut Report) -> u64 {
        let (mut pieces, mut damaged, mut fragments) = (0_u64, 0_u64, 0_u64);
        let name = &pages[number].name;
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
            if self.demands.header && whole && piece.starts_with(HEADER) {
                continue;
            }
            if let Some(line) = parse(piece).filter(|_| whole) {
                self.line((pages, number), at, &line, seen, report);
                continue;
            }
            let (head, glued) = if whole { split_glued(piece) } else { (piece, None) };
            if let Some(line) = glued {
                self.line((pages, number), at, &line, seen, report);
                if matches!(self.ledger.outcome(line.id), Outcome::Acknowledged(..)) {
                    report.counts.glued += 1;
                    report.case(|| format!("{name}: byte {at}: {:?} glued to: {}", line.id, excerpt(head)));
                }
            }
            pieces += 1;
            for id in recognized(head) {
                let acknowledged = matches!(self.ledger.outcome(id), Outcome::Acknowledged(..));
                if let Some(seen) = self.of(id, seen) {
                    let new = u64::from(seen.damaged.insert(id.sequence));
                    *(if acknowledged { &mut damaged } else { &mut fragments }) += new;
                }
            }
            if !self.allows.fragments {
                report.case(|| format!("{name}: byte {at}: torn: {}", excerpt(piece)));
            }
        }
        // Each line brings one newline: lines mixed into each other make as many pieces as they
        // were, and lines whose ends are missing make fewer.
        let nameless = pieces.saturating_sub(damaged + fragments);
        report.counts.fragments += fragments;
        report.counts.torn += damaged;
        if self.all_acknowledged() && !self.allows.fragments {
            report.counts.torn += nameless;
            return nameless;
        }
        report.counts.fragments += nameless;
        0
    }

    /// Whether no line was refused, and none under way when its process was killed.
    fn all_acknowledged(&self) -> bool {
        self.ledger.all_threads().all(|thread| thread.begun() == thread.acknowledged())
    }

    fn of<'s>(&self, id: Id, seen: &'s mut [Seen]) -> Option<&'s mut Seen> {
        if id.thread >= self.ledger.threads() as u64 {
            return None;
        }
        seen.get_mut(id.process as usize * self.ledger.threads() + id.thread as usize)
    }

    fn line(&self, (pages, number): (&[Page], usize), at: usize, line: &Line, seen: &mut [Seen], report: &mut Report) {
        let page = &pages[number];
        let (key, name) = (page.place.key, &page.name);
        let outcome = self.ledger.outcome(line.id);
        let Some(seen) = self.of(line.id, seen).filter(|_| outcome != Outcome::Untouched) else {
            report.counts.unknown += 1;
            report.case(|| format!("{name}: byte {at}: nobody wrote {:?}", line.id));
            return;
        };
        if line.timed {
            seen.offsets.insert(line.stamp.offset);
        }
        let before = seen.comes(number, line.id.sequence);
        if before
            .is_some_and(|before| !self.is_between_steps(&pages[before], page) || !seen.again.insert(line.id.sequence))
        {
            report.counts.duplicated += 1;
            report.case(|| format!("{name}: byte {at}: once more: {:?}", line.id));
        } else if self.is_overdue(page, line.id, outcome, report) {
            report.case(|| format!("{name}: byte {at}: too late for that file: {line:?}, written {outcome:?}"));
        } else if !self.in_place(key, line, outcome) && self.is_late(key, line, outcome) {
            report.counts.late += 1;
            // It may be followed by others in the same file, and those come before the ones in the right file.
            seen.last = seen.last.max(Some(line.id.sequence));
            if !self.allows.late {
                report.case(|| format!("{name}: byte {at}: in the file before: {line:?}, written {outcome:?}"));
            }
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

    /// Whether a line may be on both of these pages: on a plain one and its archive, since somebody took them away
    /// between the two steps of compressing, where both are there. If he deleted both, neither is left. If a process
    /// was killed between the steps, the archive stays although the plain file was taken away before the next round.
    fn is_between_steps(&self, one: &Page, other: &Page) -> bool {
        let is_pair = (one.place.key, one.place.index) == (other.place.key, other.place.index)
            && one.place.archive().is_some() != other.place.archive().is_some();
        let both_deleted =
            matches!((one.fate, other.fate), (Fate::Deleted(..), Fate::Deleted(..))) && one.fate == other.fate;
        let is_taken = one.fate != Fate::Stays || other.fate != Fate::Stays;
        let kills = matches!(&self.keeps, Keeps::Limits(limits) if limits.kills);
        is_pair && (both_deleted || is_taken && kills)
    }

    /// Whether the line went to a file that was gone already, when its writer had to know; counts it. One in a file
    /// that was deleted is lost.
    fn is_overdue(&self, page: &Page, id: Id, outcome: Outcome, report: &mut Report) -> bool {
        let Outcome::Acknowledged(before, after) = outcome else { return false };
        match page.fate {
            Fate::Deleted(_, at) if before <= at => report.counts.removed += 1,
            Fate::Deleted(_, at) if !self.has_to_know(id, before, self.noticed(at)) => report.counts.unnoticed += 1,
            Fate::Deleted(..) => {
                report.counts.lost += 1;
                return true;
            }
            // While no other can be opened, a file that was moved away is as good a place as any.
            Fate::Moved(_, at)
                if !self.is_obstructed(before, after) && self.has_to_know(id, before, self.noticed(at)) =>
            {
                report.counts.overdue += 1;
                return true;
            }
            Fate::Moved(..) | Fate::Stays => {}
        }
        false
    }

    /// Whether the process of a line had to know when it began the line what each look shows from a certain instant on.
    /// While one thread looks or exchanges files, the others go on as before: so a line counts that was written while
    /// no other was, this one or one before it.
    fn has_to_know(&self, id: Id, before: u64, from: u64) -> bool {
        let threads = (0..self.ledger.threads()).map(|thread| self.ledger.thread(id.process as usize, thread));
        let threads: Vec<Thread> = threads.filter(|thread| thread.begun() > 0).collect();
        if before < from || threads.len() == 1 {
            return before >= from;
        }
        let span = |outcome| match outcome {
            Outcome::Untouched => None,
            Outcome::InFlight(begin) => Some((begin, u64::MAX)),
            Outcome::Failed(begin, end) | Outcome::Acknowledged(begin, end) => Some((begin, end)),
        };
        let lines =
            |thread: &Thread| (0..thread.begun()).filter_map(|line| span(thread.outcome(line))).collect::<Vec<_>>();
        let mut spans: Vec<(u64, u64)> = threads.iter().flat_map(lines).collect();
        spans.sort_unstable();
        let mut last_end = 0;
        for (number, &(begin, end)) in spans.iter().enumerate().take_while(|(_, (begin, _))| *begin <= before) {
            let alone = last_end < begin && spans.get(number + 1).is_none_or(|(next, _)| end < *next);
            if alone && begin >= from && !self.is_obstructed(begin, end) {
                return true;
            }
            last_end = last_end.max(end);
        }
        false
    }

    /// Whether the line belongs to a later file, which could not be opened when it was written, or shortly before.
    fn is_late(&self, key: Key, line: &Line, outcome: Outcome) -> bool {
        let (before, after) = match outcome {
            Outcome::Untouched => return false,
            Outcome::InFlight(before) => (before, u64::MAX),
            Outcome::Acknowledged(before, after) | Outcome::Failed(before, after) => (before, after),
        };
        // A line that was kept from its file across a boundary goes to the one that is open: if something is in the
        // way, or the file is being compressed or removed.
        let is_obstructed = self.is_obstructed(before, after);
        let limits = if let Keeps::Limits(limits) = &self.keeps { Some(limits) } else { None };
        let names = |offset: i64| {
            let last = self.key_until(if after == u64::MAX { after } else { after.wrapping_add_signed(offset) });
            (self.pattern.key_at(before.wrapping_add_signed(offset))..=last).contains(&key)
        };
        if limits.is_some_and(|limits| limits.cleans || is_obstructed) && self.offsets(before, after).any(names) {
            return true;
        }
        // Where the clock was set back, the file before is of a later period.
        (key < self.pattern.key(&line.stamp) || self.is_stepped()) && is_obstructed
    }

    /// Whether files could not be opened at some moment between these, or shortly before.
    fn is_obstructed(&self, before: u64, after: u64) -> bool {
        let within = |deed: &Deed| match *deed {
            Deed::Obstructed(from, to) => from <= after && before < to + CATCH_UP + self.slack,
            _ => false,
        };
        self.deeds.iter().any(within)
    }

    /// Whether the line was in a file when somebody cut that to nothing.
    fn is_cut_off(&self, before: u64, after: u64) -> bool {
        let periods = self.pattern.key_at(before)..=self.pattern.key_at(after);
        let cut = |deed: &Deed| match deed {
            Deed::Truncated(at, name) => {
                before <= *at && self.pattern.key_of_name(name).is_some_and(|key| periods.contains(&key))
            }
            _ => false,
        };
        self.deeds.iter().any(cut)
    }

    fn in_place(&self, key: Key, line: &Line, outcome: Outcome) -> bool {
        let (before, after) = match outcome {
            Outcome::Untouched => return false,
            Outcome::InFlight(before) | Outcome::Failed(before, _) => (before, u64::MAX),
            Outcome::Acknowledged(before, after) => (before, after),
        };
        if !self.is_stepped() && !matches!(self.keeps, Keeps::Limits(_)) {
            return self.in_place_between(key, line, outcome, before, after);
        }
        let shown = |offset: i64| {
            let move_by = |at: u64| if at == u64::MAX { at } else { at.wrapping_add_signed(offset) };
            (move_by(before), move_by(after))
        };
        let stamp = line.stamp.instant();
        let mut readings = self.offsets(before, after).map(shown);
        if line.timed {
            return readings.any(|(before, after)| self.in_place_between(key, line, outcome, before, after));
        }
        // The line's own stamp was read first, and the clock may have been stepped in the middle of that reading, or
        // before the library's.
        let stamped = self.offsets(before, after).any(|offset| before.wrapping_add_signed(offset) == stamp);
        let names = |(before, after)| self.pattern.key_at(before) <= key && key <= self.key_until(after);
        stamped && readings.any(names)
    }

    /// The last period that a clock may show until this instant.
    fn key_until(&self, after: u64) -> Key {
        if after == u64::MAX { Key::MAX } else { self.pattern.key_at(after) }
    }

    /// The same for a clock that showed these two instants before and after the write.
    fn in_place_between(&self, key: Key, line: &Line, outcome: Outcome, before: u64, after: u64) -> bool {
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
    fn compare(&self, pages: &[Page], seen: &[Seen], report: &mut Report) {
        let periods = self.periods();
        report.counts.rollovers = periods.len().saturating_sub(1) as u64;
        let oldest = self.oldest(pages, &periods);
        let removable = match &self.keeps {
            Keeps::Limits(limits) => Some(self.removable(limits, pages, &periods)),
            _ => None,
        };
        for (thread, seen) in self.ledger.all_threads().zip(seen) {
            let begun = thread.begun();
            let counts = &mut report.counts;
            counts.threads += u64::from(begun > 0);
            counts.crossed += u64::from(seen.offsets.len() > 1);
            counts.rollovers = counts.rollovers.max(thread.rollovers());
            counts.refused += thread.refused();
            if let Keeps::Limits(_) = self.keeps {
                self.inspect_refusals(thread, report);
            }
            let counts = &mut report.counts;
            let first = (0..begun).find(|sequence| seen.has(*sequence));
            // A write that fell short, and then was made again: the line is whole elsewhere.
            let again = |sequence: &&u64| {
                seen.has(**sequence) && matches!(thread.outcome(**sequence), Outcome::Acknowledged(..))
            };
            let again = seen.damaged.iter().filter(again).count() as u64;
            counts.torn -= again;
            counts.fragments += again;
            for sequence in 0..begun {
                let Outcome::Acknowledged(before, after) = thread.outcome(sequence) else { continue };
                report.counts.lines += 1;
                if seen.has(sequence) {
                    continue;
                }
                if seen.damaged.contains(&sequence) {
                    report.case(|| format!("torn: {}.{}.{sequence}", thread.process, thread.thread));
                    continue;
                }
                if self.is_cut_off(before, after) {
                    report.counts.removed += 1;
                    continue;
                }
                let begins = self.pattern.key_at(before).min(self.pattern.key_at(after));
                // What retention leaves has no gaps: neither by time nor by number.
                let gap = first.is_some_and(|first| first < sequence);
                let (process, thread) = (thread.process, thread.thread);
                let orphan = self.orphans.contains(&Id { process, thread, sequence });
                let may_go = match &removable {
                    Some(removable) => self.may_be_removed(removable, before, after, gap, orphan),
                    None => self.keeps != Keeps::All && begins < oldest && !gap && !orphan,
                };
                if may_go {
                    report.counts.pruned += 1;
                    continue;
                }
                report.counts.lost += 1;
                let to = if orphan { ", to a file that had been removed" } else { "" };
                report.case(|| format!("lost: {process}.{thread}.{sequence}, written {before} to {after}{to}"));
            }
        }
        let files = pages.iter().filter(|page| page.fate == Fate::Stays).count();
        match self.keeps {
            Keeps::Files(count) if files != count => report.other(format!("{files} files, but {count} are to be kept")),
            Keeps::AtLeast(count) if files < count => {
                report.other(format!("{files} files, but {count} are to be kept"))
            }
            Keeps::Bytes(limit, spare) if report.counts.pruned > 0 => {
                // The one that went last did not fit. Files had more bytes before they were compressed.
                let counts = &report.counts;
                let most = (counts.bytes + spare).saturating_add(self.demands.largest.unwrap_or(counts.largest));
                if most < limit {
                    let bytes = counts.bytes;
                    report.other(format!("{bytes} bytes are left, and more have been removed than {limit} demands"));
                }
            }
            _ => {}
        }
        if let Some(removable) = removable {
            self.inspect_limits(&removable, pages, report);
        }
    }

    /// A line may be refused while files cannot be opened or written, and at no other time.
    fn inspect_refusals(&self, thread: Thread, report: &mut Report) {
        for sequence in 0..thread.begun() {
            let Outcome::Failed(before, after) = thread.outcome(sequence) else { continue };
            if !self.is_obstructed(before, after) {
                let Thread { process, thread, .. } = thread;
                report.other(format!("refused without a reason: {process}.{thread}.{sequence}, {before} to {after}"));
            }
        }
    }

    /// What the limits of this run may have removed.
    fn removable<'l>(&self, limits: &'l Limits, pages: &[Page], periods: &BTreeSet<Key>) -> Removable<'l> {
        let mut removable = Removable::new(limits);
        periods.iter().for_each(|key| removable.period(*key));
        for page in pages {
            removable.file(page.place, page.fate != Fate::Stays);
        }
        for thread in self.ledger.all_threads() {
            for sequence in 0..thread.begun() {
                let before = match thread.outcome(sequence) {
                    Outcome::Untouched => continue,
                    Outcome::InFlight(before) | Outcome::Failed(before, _) | Outcome::Acknowledged(before, _) => before,
                };
                let id = Id { process: thread.process, thread: thread.thread, sequence };
                removable.line(self.pattern.key_at(self.shown(before)), id);
            }
        }
        removable
    }

    /// Whether retention may have removed the file that a line was in.
    fn may_be_removed(&self, removable: &Removable<'_>, before: u64, after: u64, gap: bool, orphan: bool) -> bool {
        let limits = removable.limits;
        if orphan {
            // One that was stopped for a day between choosing its file and writing.
            return after - before >= DAY;
        }
        if gap && !limits.gaps {
            return false;
        }
        self.offsets(before, after).any(|offset| {
            // Of the files that it may be in, the first goes first.
            let first = before.wrapping_add_signed(offset);
            let (key, end) = (self.pattern.key_at(first), self.pattern.next_boundary(first));
            let aged = |age: u64| {
                let mut shown = self.offsets(0, limits.ended).map(|offset| limits.ended.wrapping_add_signed(offset));
                shown.any(|ended| end + age <= ended)
            };
            removable.may_go(key) || limits.age.is_some_and(aged) || self.is_ahead(key, after)
        })
    }

    /// Whether that period was still to come a day after a line was written to it: by a clock that was ahead.
    fn is_ahead(&self, key: Key, after: u64) -> bool {
        let Keeps::Limits(limits) = &self.keeps else { return false };
        let from = after + DAY;
        let mut later = self.offsets(from, limits.ended);
        from <= limits.ended && later.any(|offset| self.pattern.key_at(from.wrapping_add_signed(offset)) < key)
    }

    /// Whether no more files are left than there may be.
    fn inspect_limits(&self, removable: &Removable<'_>, pages: &[Page], report: &mut Report) {
        let limits = removable.limits;
        let left: BTreeSet<(Key, u32)> = pages
            .iter()
            .filter(|page| page.fate == Fate::Stays)
            .map(|page| (page.place.key, page.place.index))
            .collect();
        if let Some(files) = limits.files.filter(|files| left.len() > *files && limits.counts) {
            report.other(format!("{} files are left, at most {files} are to be kept", left.len()));
        }
    }

    /// The periods in which acknowledged lines begin.
    fn periods(&self) -> BTreeSet<Key> {
        let mut periods = BTreeSet::new();
        for thread in self.ledger.all_threads() {
            let mut last = None;
            for sequence in 0..thread.begun() {
                if let Outcome::Acknowledged(before, _) = thread.outcome(sequence) {
                    let key = self.pattern.key_at(self.shown(before));
                    if last.replace(key) != Some(key) {
                        periods.insert(key);
                    }
                }
            }
        }
        periods
    }

    /// The oldest period of which nothing may be missing.
    fn oldest(&self, pages: &[Page], periods: &BTreeSet<Key>) -> Key {
        let count = match self.keeps {
            Keeps::All | Keeps::Limits(_) => return 0,
            Keeps::Files(count) | Keeps::AtLeast(count) => count.max(1),
            Keeps::Bytes(..) => {
                // That of the oldest file; of this one, what stood in files before it may be missing as well.
                let oldest = pages.iter().map(|page| page.place).min();
                return oldest.map_or(0, |oldest| oldest.key + Key::from(oldest.index > 0));
            }
        };
        let all: BTreeSet<Key> = periods.iter().copied().chain(pages.iter().map(|page| page.place.key)).collect();
        all.iter().rev().nth(count - 1).copied().unwrap_or(0)
    }
}

/// A whole line at the end of a piece of text that is none, and what stands before it.
fn split_glued(piece: &[u8]) -> (&[u8], Option<Line>) {
    // A payload begins at a bar; the stamp before it takes less than this.
    const HEAD: usize = 64;
    let bars = piece.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'|').map(|(at, _)| at);
    for bar in bars {
        for start in (bar.saturating_sub(HEAD).max(1)..bar).filter(|start| piece[*start..].starts_with(b"20")) {
            if let Some(line) = parse(&piece[start..]) {
                return (&piece[..start], Some(line));
            }
        }
    }
    (piece, None)
}

fn excerpt(text: &[u8]) -> String {
    let head = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
    format!("{head:?} ({} bytes)", text.len())
}
