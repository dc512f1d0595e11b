//! The load: what one thread of a writing process does from its first line to its last.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::clock::{Clock, Ticking};
use crate::ledger::{Ledger, State, Thread, Word};
use crate::line::{Pen, Sizes, Way};
use crate::pattern::Pattern;
use crate::process::fork;
use crate::writer::{self, Text, Writer};

/// What the threads of a run write.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many rollovers the run lasts.
    pub rollovers: u64,
    /// How many lines all threads that live through the run write together, at least; spread over
    /// its time. 0: as fast as they can, and only as many as the time allows.
    pub lines: u64,
    /// The ways in which lines are handed over, in turn.
    pub ways: &'static [Way],
    /// How long the lines are.
    pub sizes: Sizes,
    /// The pause of a thread after every fourth line.
    pub rest: Duration,
}

/// When a thread ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When the run ends: its time is over and its lines are written, or it is stopped.
    End,
    /// After so many rollovers since the thread's own start.
    Rollovers(u64),
    /// After so many lines.
    Lines(u64),
}

/// All that the threads of a run have in common.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The record.
    pub ledger: Ledger,
    /// The clock.
    pub clock: Clock,
    /// How the clock was chosen.
    pub ticking: Ticking,
    /// Names and periods.
    pub pattern: Pattern,
    /// What is written.
    pub load: Load,
    /// How many lines each thread that lives through the run writes.
    pub share: u64,
}

/// Threads do not pause this close to a boundary of the clock, so that all of them write
/// at full speed there.
const RUSH: u64 = 4_000_000;
/// A thread that is ahead of its plan by less than this goes on.
const AHEAD: Duration = Duration::from_millis(5);
/// The pause after a line that was refused.
const REFUSED: Duration = Duration::from_micros(200);
/// The pause after each line where the clock stands.
const TURN: Duration = Duration::from_micros(100);

impl Ground {
    /// Writes until the end. Allocates nothing when all ways are [`Way::Direct`], the writer
    /// allocates nothing, and the pen has room.
    pub fn write(&self, writer: &dyn Writer, thread: Thread, pen: &mut Pen, until: Until) {
        let plan = Plan { begin: Instant::now(), span: self.span(until) };
        let end = match until {
            Until::Rollovers(count) => self.pattern.boundary_after(self.clock.now(), count),
            _ => u64::MAX,
        };
        let mut last = None;
        loop {
            let (time, now) = self.clock.reading();
            let over = match until {
                Until::Lines(count) => thread.begun() >= count,
                Until::Rollovers(_) => now >= end,
                Until::End => self.ledger.get(Word::Stop) != 0 || self.time_is_over(time, thread),
            };
            if over {
                return;
            }
            if let Some(child) = self.ledger.member(thread.process as usize).is_asked_to_bear() {
                self.bear(writer, child, pen);
            }
            let key = self.pattern.key_at(now);
            if last.replace(key).is_some_and(|last| last != key) {
                thread.rolled_over();
            }
            if !self.write_line(writer, thread, pen) {
                // The record is full: nothing more to do until the end.
                thread.alive();
                std::thread::sleep(AHEAD);
            }
            self.pause(now, &plan, thread);
            if !self.load.rest.is_zero() && thread.begun() % 4 == 0 {
                std::thread::sleep(self.load.rest);
            }
        }
    }

    /// Writes one line; false when the record has no room for it.
    pub fn write_line(&self, writer: &dyn Writer, thread: Thread, pen: &mut Pen) -> bool {
        let ways = self.load.ways;
        let (time, before) = self.clock.reading();
        let Some(id) = thread.begin(time) else { return false };
        let way = ways[(id.hash() >> 8) as usize % ways.len()];
        let padding = self.load.sizes.padding(id);
        if way.timed() && self.ledger.member(id.process as usize).is_asked_to_stop() {
            writer::stop_within_the_next_event();
        }
        let answer = if way.timed() {
            writer.put(way, Text::Message(pen.message(id, way, padding)))
        } else {
            let stamp = self.pattern.stamp_at(before);
            writer.put(way, Text::Line(pen.line(id, way, &stamp, padding)))
        };
        thread.end_as(id.sequence, answer.is_ok(), self.clock.time());
        if answer.is_err() {
            std::thread::sleep(REFUSED);
        }
        true
    }

    /// Forks, in the middle of whatever the other threads of this process are doing; the child writes with what it has
    /// inherited, until the end.
    fn bear(&self, writer: &dyn Writer, child: usize, pen: &mut Pen) {
        let member = self.ledger.member(child);
        member.enter(State::Waiting);
        let born = fork(|| {
            member.born();
            member.enter(State::Working);
            self.write(writer, self.ledger.thread(child, 0), pen, Until::End);
            self.compare_counts(writer, child);
            member.enter(State::Done);
            0
        });
        if let Err(error) = born {
            eprintln!("fork-tests: process {child} cannot be forked: {error}");
            member.enter(State::Spared);
        }
    }

    /// Whether the writer has counted the lines of this process as they were acknowledged and refused; else that is
    /// amiss.
    pub fn compare_counts(&self, writer: &dyn Writer, process: usize) {
        let Some((lines, lost)) = writer.counts() else { return };
        let threads = || (0..self.ledger.threads()).map(|thread| self.ledger.thread(process, thread));
        let acknowledged: u64 = threads().map(|thread| thread.acknowledged()).sum();
        let refused: u64 = threads().map(|thread| thread.refused()).sum();
        // A refused line may have been tried again, and be counted twice; two threads may take one's refusal for
        // both's.
        let right = if refused == 0 { (lines, lost) == (acknowledged, 0) } else { lost > 0 };
        if !right {
            self.ledger.word(Word::Amiss).fetch_add(1, Relaxed);
            eprintln!(
                "fork-tests: process {process}: {lines} lines and {lost} lost ones are counted, but {acknowledged} \
                 were acknowledged and {refused} refused"
            );
        }
    }

    fn time_is_over(&self, now: u64, thread: Thread) -> bool {
        let end = self.ledger.get(Word::End);
        end != 0 && now >= end && thread.begun() >= self.share.min(self.ledger.rows() as u64)
    }

    /// Waits while the thread is ahead of its plan, but not across a boundary of a clock that runs.
    fn pause(&self, now: u64, plan: &Plan, thread: Thread) {
        if let Ticking::Standing(_) = self.ticking {
            // Whoever sets the clock waits until all threads have logged: give each its turn.
            return std::thread::sleep(TURN);
        }
        let Some(span) = plan.span else { return };
        let speed = self.ticking.speed();
        let due = span.mul_f64(thread.begun() as f64 / self.share as f64);
        let ahead = due.saturating_sub(plan.begin.elapsed());
        let rush = RUSH * speed;
        let to_boundary = self.pattern.next_boundary(now) - now;
        let just_crossed = self.pattern.key_at(now - rush) != self.pattern.key_at(now);
        if ahead < AHEAD || to_boundary <= rush || just_crossed {
            return;
        }
        let to_rush = Duration::from_nanos((to_boundary - rush) / speed);
        std::thread::sleep(ahead.min(to_rush).min(Duration::from_millis(500)));
        thread.alive();
    }

    /// How long the run lasts, where its lines are to be spread over that time.
    #[must_use]
    pub fn span(&self, until: Until) -> Option<Duration> {
        let planned = self.share > 0 && !matches!(until, Until::Lines(_));
        planned.then(|| {
            let first = self.pattern.next_boundary(self.clock.now());
            let period = self.pattern.next_boundary(first).saturating_sub(first);
            Duration::from_nanos(period / self.ticking.speed() * self.load.rollovers.max(1))
        })
    }
}

/// When a thread began, and over which time it spreads its lines.
struct Plan {
    begin: Instant,
    span: Option<Duration>,
}
