//! Instants of a run: what a stepped clock showed, and in which period a line may be.

use super::{Checker, Keeps, SECOND};
use crate::journal::Deed;
use crate::ledger::Outcome;
use crate::line::Line;
use crate::pattern::Key;

impl Checker<'_> {
    /// How far what the clock shows may have been from the run's time, at any moment between these two.
    pub(super) fn offsets(&self, from: u64, to: u64) -> impl Iterator<Item = i64> + '_ {
        let stepped = self.deeds.iter().filter_map(|deed| match *deed {
            Deed::Stepped(begin, end, offset) => Some((begin, end, offset)),
            _ => None,
        });
        let ends = stepped.clone().map(|(_, end, _)| end).chain([u64::MAX]);
        let begins = [(0, 0, 0)].into_iter().chain(stepped);
        begins.zip(ends).filter(move |((begin, ..), end)| *begin <= to && from <= *end).map(|((.., offset), _)| offset)
    }

    /// What the clock shows at an instant of the run.
    pub(super) fn shown(&self, at: u64) -> u64 {
        at.wrapping_add_signed(self.offsets(at, at).last().unwrap_or(0))
    }

    /// Whether the clock was stepped in this run.
    pub(super) fn is_stepped(&self) -> bool {
        self.deeds.iter().any(|deed| matches!(deed, Deed::Stepped(..)))
    }

    /// From when on each writer knows what happened at the instant `at`: the next second.
    pub(super) fn noticed(&self, at: u64) -> u64 {
        let next = at + SECOND - self.shown(at) % SECOND;
        // A step of the clock makes another second of it as well.
        let steps = self.deeds.iter().filter_map(|deed| match *deed {
            Deed::Stepped(begin, end, _) if begin >= at => Some(end),
            _ => None,
        });
        steps.fold(next, u64::min) + self.slack
    }

    pub(super) fn in_place(&self, key: Key, line: &Line, outcome: Outcome) -> bool {
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
    pub(super) fn key_until(&self, after: u64) -> Key {
        if after == u64::MAX { Key::MAX } else { self.pattern.key_at(after) }
    }

    /// The same for a clock that showed these two instants before and after the write.
    pub(super) fn in_place_between(&self, key: Key, line: &Line, outcome: Outcome, before: u64, after: u64) -> bool {
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
}
