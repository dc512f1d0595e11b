//! The lines of the ledger that no file has: lost, or removed by a limit.

use super::files::{Fate, Page};
use super::lines::Seen;
use super::{Checker, DAY, Keeps};
use crate::ledger::{Outcome, Thread};
use crate::limited::{Limits, Removable};
use crate::line::Id;
use crate::pattern::Key;
use crate::report::Report;
use std::collections::BTreeSet;

impl Checker<'_> {
    /// What the ledger has acknowledged and the files do not have.
    pub(super) fn compare(&self, pages: &[Page], seen: &[Seen], report: &mut Report) {
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
    pub(super) fn inspect_refusals(&self, thread: Thread, report: &mut Report) {
        for sequence in 0..thread.begun() {
            let Outcome::Failed(before, after) = thread.outcome(sequence) else { continue };
            if !self.is_obstructed(before, after) {
                let Thread { process, thread, .. } = thread;
                report.other(format!("refused without a reason: {process}.{thread}.{sequence}, {before} to {after}"));
            }
        }
    }

    /// What the limits of this run may have removed.
    pub(super) fn removable<'l>(&self, limits: &'l Limits, pages: &[Page], periods: &BTreeSet<Key>) -> Removable<'l> {
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
    pub(super) fn may_be_removed(
        &self,
        removable: &Removable<'_>,
        before: u64,
        after: u64,
        gap: bool,
        orphan: bool,
    ) -> bool {
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
    pub(super) fn is_ahead(&self, key: Key, after: u64) -> bool {
        let Keeps::Limits(limits) = &self.keeps else { return false };
        let from = after + DAY;
        let mut later = self.offsets(from, limits.ended);
        from <= limits.ended && later.any(|offset| self.pattern.key_at(from.wrapping_add_signed(offset)) < key)
    }

    /// Whether no more files are left than there may be.
    pub(super) fn inspect_limits(&self, removable: &Removable<'_>, pages: &[Page], report: &mut Report) {
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
    pub(super) fn periods(&self) -> BTreeSet<Key> {
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
    pub(super) fn oldest(&self, pages: &[Page], periods: &BTreeSet<Key>) -> Key {
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
