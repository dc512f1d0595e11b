//! What befalls a run: processes that are stopped for a while, clocks that jump.
//!
//! Each of these runs in a process of its own, beside those that log, and sees them in the ledger.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::run::Stage;
use harness::ledger::{State, Thread, Word};
use harness::process::signal;

/// Stops one child after the other across two boundaries, while the others go on.
pub fn pause_across_two_boundaries(stage: &Stage) {
    let ground = &stage.ground;
    let (ledger, pattern, speed) = (ground.ledger, &ground.pattern, ground.ticking.speed());
    let children = stage.scenario.start.processes;
    let end = ledger.get(Word::End);
    for round in 0.. {
        let process = 1 + round % children;
        let member = ledger.member(process);
        let boundary = pattern.next_boundary(ground.clock.now());
        let over = pattern.boundary_after(boundary, 1);
        if pattern.boundary_after(boundary, 3) >= end {
            return;
        }
        member.pause(true);
        // In turn: just before the boundary, just after it, and before it in the middle of an event, which has its time
        // then.
        match round % 3 {
            0 => wait_until(stage, boundary - 300_000 * speed),
            1 => wait_until(stage, boundary + 50_000 * speed),
            _ => {
                wait_until(stage, boundary - 4_000_000 * speed);
                member.ask_to_stop(true);
                wait_until(stage, boundary - 300_000 * speed);
                member.ask_to_stop(false);
            }
        }
        if round % 3 < 2 {
            signal(member.pid(), Signal::SIGSTOP);
        }
        let resumed_after = pattern.next_boundary(pattern.next_boundary(ground.clock.now()));
        // So long that others have pruned.
        wait_until(stage, resumed_after.max(over) + 50_000_000 * speed);
        signal(member.pid(), Signal::SIGCONT);
        member.pause(false);
    }
}

/// Lets the injected clock stand one nanosecond before each boundary, on it, and one after it,
/// until every thread has logged three lines in each place.
pub fn stand_around_boundaries(stage: &Stage) {
    let ground = &stage.ground;
    let mut boundary = ground.pattern.next_boundary(ground.clock.now());
    for _ in 0..ground.load.rollovers {
        for at in [boundary - 1, boundary, boundary + 1] {
            ground.clock.set(at);
            wait_for_lines(stage, 3);
        }
        boundary = ground.pattern.next_boundary(boundary);
    }
}

/// Makes the injected clock step forth and back, by up to five periods at a time.
pub fn step_back_and_forth(stage: &Stage) {
    let ground = &stage.ground;
    let start = ground.pattern.next_boundary(ground.clock.now());
    let mut instants = vec![start];
    for _ in 0..ground.load.rollovers.max(5) {
        let last = instants.last().copied().unwrap_or(start);
        instants.push(ground.pattern.next_boundary(last));
    }
    let count = instants.len() as i64;
    let mut at = 0_i64;
    for step in (1..=5).cycle().take(4 * count as usize) {
        let direction = if step % 2 == 0 { -1 } else { 1 };
        at = (at + direction * step).rem_euclid(count);
        ground.clock.set(instants[at as usize] + step as u64 % 3);
        wait_for_lines(stage, 3);
    }
}

/// When all children have logged, puts the injected clock forward to 90 seconds before the zone's clocks are changed,
/// and ends the run eight minutes after that.
pub fn change_the_clocks_for_all(stage: &Stage) {
    let ground = &stage.ground;
    let (ledger, clock) = (ground.ledger, ground.clock);
    let change = ground.pattern.zone.next_change(clock.now());
    let nearly = change - 90_000_000_000;
    let to_come = |process: usize| match ledger.member(process).state() {
        State::Unborn => true,
        State::Waiting | State::Working => ledger.thread(process, 0).acknowledged() == 0,
        State::Done | State::Hung | State::Died | State::Killed | State::Spared => false,
    };
    // Whoever has not logged until then never will.
    while (0..ledger.members()).any(to_come) && clock.now() < nearly {
        sleep(Duration::from_millis(1));
    }
    ledger.set(Word::End, change + 480_000_000_000);
    clock.skip(nearly.saturating_sub(clock.now()));
}

/// Waits until every thread that is alive has begun and ended `lines` more lines.
fn wait_for_lines(stage: &Stage, lines: u64) {
    let ledger = stage.ground.ledger;
    let done = |process: usize, thread: usize| {
        let thread = ledger.thread(process, thread);
        thread.acknowledged() + thread.refused()
    };
    for process in 0..ledger.members() {
        let threads = if process == 0 { 1 } else { stage.scenario.start.threads };
        let from: Vec<u64> = (0..threads).map(|thread| done(process, thread)).collect();
        let alive = || matches!(ledger.member(process).state(), State::Waiting | State::Working);
        let behind = || (0..threads).any(|thread| done(process, thread) < from[thread] + lines);
        let full = || (0..threads).any(|thread| ledger.thread(process, thread).begun() >= ledger.rows() as u64);
        while alive() && behind() && !full() {
            std::thread::yield_now();
        }
    }
}

/// What can be counted of a process.
pub mod count {
    use harness::ledger::Thread;

    /// The lines that a thread was refused.
    pub fn refused(thread: &Thread) -> u64 {
        thread.refused()
    }

    /// The lines that a thread wrote.
    pub fn acknowledged(thread: &Thread) -> u64 {
        thread.acknowledged()
    }
}

/// What the first threads of all processes have done since an instant.
#[derive(Debug)]
pub struct Progress<'a> {
    stage: &'a Stage,
    what: fn(&Thread) -> u64,
    from: Vec<u64>,
}

impl<'a> Progress<'a> {
    /// Counts from now on.
    #[must_use]
    pub fn of(stage: &'a Stage, what: fn(&Thread) -> u64) -> Self {
        let ledger = stage.ground.ledger;
        let from = (0..ledger.members()).map(|process| what(&ledger.thread(process, 0))).collect();
        Self { stage, what, from }
    }

    /// Waits until every process that is alive has come so far, or until patience ends; says which of the two. One
    /// whose record is full is not waited for.
    #[must_use]
    pub fn reaches(&self, count: u64, patience: Duration) -> bool {
        let ledger = self.stage.ground.ledger;
        let behind = |process: usize| {
            let thread = ledger.thread(process, 0);
            matches!(ledger.member(process).state(), State::Waiting | State::Working)
                && (self.what)(&thread) < self.from[process] + count
                && thread.begun() < ledger.rows() as u64
        };
        let since = Instant::now();
        while (0..self.from.len()).any(behind) {
            if since.elapsed() > patience {
                return false;
            }
            sleep(Duration::from_micros(200));
        }
        true
    }
}

/// Waits until every process that is alive has done so much more of something; says whether it has.
pub fn wait_for_more(stage: &Stage, what: fn(&Thread) -> u64, more: u64, patience: Duration) -> bool {
    Progress::of(stage, what).reaches(more, patience)
}

/// Waits until the clock of the run shows `instant`.
fn wait_until(stage: &Stage, instant: u64) {
    loop {
        let left = instant.saturating_sub(stage.ground.clock.now()) / stage.ground.ticking.speed();
        match left {
            0 => return,
            1..2_000_000 => std::hint::spin_loop(),
            _ => sleep(Duration::from_nanos(left - 1_500_000)),
        }
    }
}
