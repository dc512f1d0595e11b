//! The lines of a file, one after the other, against the ledger.

use super::files::{Fate, Page};
use super::{CATCH_UP, Checker, HEADER, Keeps};
use crate::archive::Content;
use crate::journal::Deed;
use crate::ledger::{Outcome, Thread};
use crate::line::{Id, Line, parse, recognized};
use crate::pattern::Key;
use crate::report::Report;
use std::collections::HashSet;
use std::io::BufRead;

/// What was seen of one thread's lines.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where each line was found first: the number of the page, and one; 0 for nowhere.
    pub(super) first: Vec<u32>,
    /// The lines that were there a second time, for a good reason.
    pub(super) again: HashSet<u64>,
    /// The lines that were recognized in fragments.
    pub(super) damaged: HashSet<u64>,
    /// The highest number so far, in the order of the files.
    pub(super) last: Option<u64>,
    /// The offsets from UTC in what the timer stamped.
    pub(super) offsets: HashSet<i32>,
}

impl Seen {
    /// Notes that a line is on the page of that number. Returns the page that it has been on before.
    pub(super) fn comes(&mut self, number: usize, sequence: u64) -> Option<usize> {
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

    pub(super) fn has(&self, sequence: u64) -> bool {
        self.first.get(sequence as usize).is_some_and(|first| *first > 0)
    }
}

impl Checker<'_> {
    /// Reads one file; how many damaged lines in it could not be named.
    pub(super) fn read(
        &self,
        pages: &[Page],
        number: usize,
        content: &Content,
        seen: &mut [Seen],
        report: &mut Report,
    ) -> u64 {
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

    pub(super) fn read_part(
        &self,
        pages: &[Page],
        number: usize,
        text: &[u8],
        seen: &mut [Seen],
        report: &mut Report,
    ) -> u64 {
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
    pub(super) fn all_acknowledged(&self) -> bool {
        self.ledger.all_threads().all(|thread| thread.begun() == thread.acknowledged())
    }

    pub(super) fn of<'s>(&self, id: Id, seen: &'s mut [Seen]) -> Option<&'s mut Seen> {
        if id.thread >= self.ledger.threads() as u64 {
            return None;
        }
        seen.get_mut(id.process as usize * self.ledger.threads() + id.thread as usize)
    }

    pub(super) fn line(
        &self,
        (pages, number): (&[Page], usize),
        at: usize,
        line: &Line,
        seen: &mut [Seen],
        report: &mut Report,
    ) {
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
    pub(super) fn is_between_steps(&self, one: &Page, other: &Page) -> bool {
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
    pub(super) fn is_overdue(&self, page: &Page, id: Id, outcome: Outcome, report: &mut Report) -> bool {
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
    pub(super) fn has_to_know(&self, id: Id, before: u64, from: u64) -> bool {
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
    pub(super) fn is_late(&self, key: Key, line: &Line, outcome: Outcome) -> bool {
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

    /// Whether files could not be opened at some moment between these, or shortly before, or while the line waited for
    /// its way to the file.
    pub(super) fn is_obstructed(&self, before: u64, after: u64) -> bool {
        let within = |deed: &Deed| match *deed {
            Deed::Obstructed(from, to) => {
                from <= after.saturating_add(self.delay) && before < to + CATCH_UP + self.slack
            }
            _ => false,
        };
        self.deeds.iter().any(within)
    }

    /// Whether the line was in a file when somebody cut that to nothing.
    pub(super) fn is_cut_off(&self, before: u64, after: u64) -> bool {
        let periods = self.pattern.key_at(before)..=self.pattern.key_at(after);
        let cut = |deed: &Deed| match deed {
            Deed::Truncated(at, name) => {
                before <= *at && self.pattern.key_of_name(name).is_some_and(|key| periods.contains(&key))
            }
            _ => false,
        };
        self.deeds.iter().any(cut)
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

pub(super) fn excerpt(text: &[u8]) -> String {
    let head = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
    format!("{head:?} ({} bytes)", text.len())
}
