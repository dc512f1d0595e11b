//! Kills processes in the middle of their work, and starts others in their place.

use std::hint::spin_loop;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::run::Stage;
use harness::ledger::{State, Word};
use harness::line::Pen;
use harness::process::{fork, reap, signal};

/// Numbers that look random and are the same in each run.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as this number says.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit.max(1)
    }
}

/// Kills one child after the other in the middle of a line.
pub fn kill_while_writing(stage: &Stage) {
    kill(stage, |process, dice| {
        sleep(Duration::from_micros(dice.below(2000)));
        let thread = stage.ground.ledger.thread(process, 0);
        let since = Instant::now();
        while !thread.in_flight() && since.elapsed() < Duration::from_millis(2) {
            spin_loop();
        }
        // Anywhere between the beginning of the call and its end.
        let wait = Duration::from_nanos(dice.below(3000));
        let since = Instant::now();
        while since.elapsed() < wait {
            spin_loop();
        }
    });
}

/// Tells one child after the other to end, by SIGTERM, while its threads are in the middle of their lines.
pub fn end_while_writing(stage: &Stage) {
    end(stage, Signal::SIGTERM, |process, dice| {
        sleep(Duration::from_micros(dice.below(2000)));
        let ledger = stage.ground.ledger;
        let writes = || (1..stage.scenario.start.threads).any(|thread| ledger.thread(process, thread).in_flight());
        let since = Instant::now();
        while !writes() && since.elapsed() < Duration::from_millis(2) {
            spin_loop();
        }
    });
}

/// Kills one child after the other where it rolls over, renews the links, or prunes: in the first moments of a period.
pub fn kill_at_boundaries(stage: &Stage) {
    let (clock, pattern, speed) = (stage.ground.clock, &stage.ground.pattern, stage.ground.ticking.speed());
    kill(stage, |_, dice| {
        let at = pattern.next_boundary(clock.now()) + dice.below(1_500_000) * speed;
        while let left @ 1.. = at.saturating_sub(clock.now()) / speed {
            if left > 2_000_000 { sleep(Duration::from_nanos(left - 1_000_000)) } else { spin_loop() }
        }
    });
}

/// Kills one child after the other at any moment of its work, evenly spread over the rollovers of the run.
pub fn kill_all_the_time(stage: &Stage) {
    kill_evenly(stage, |_, _| {});
}

/// The same, and stops another one now and then, for longer than a period: what it has open is held that long.
pub fn kill_and_stop_all_the_time(stage: &Stage) {
    const STOPPED: Duration = Duration::from_millis(1500);
    let ledger = stage.ground.ledger;
    let go_on = |process: usize| {
        signal(ledger.member(process).pid(), Signal::SIGCONT);
        ledger.member(process).pause(false);
    };
    let mut stopped: Option<(usize, Instant)> = None;
    kill_evenly(stage, |killed, dice| {
        if let Some((process, _)) = stopped.take_if(|(_, since)| since.elapsed() > STOPPED) {
            go_on(process);
        }
        let at_work = |process: &usize| {
            let begun = ledger.thread(*process, 0).acknowledged() > 0;
            *process != killed && begun && ledger.member(*process).state() == State::Working
        };
        let others: Vec<usize> = (1..ledger.members()).filter(at_work).collect();
        if stopped.is_none() && !others.is_empty() {
            let process = others[dice.below(others.len() as u64) as usize];
            ledger.member(process).pause(true);
            signal(ledger.member(process).pid(), Signal::SIGSTOP);
            stopped = Some((process, Instant::now()));
        }
    });
    stopped.into_iter().for_each(|(process, _)| go_on(process));
}

/// Kills one child after the other, evenly spread over the rollovers of the run, each after `before`.
fn kill_evenly(stage: &Stage, mut before: impl FnMut(usize, &mut Dice)) {
    let (ground, kills) = (&stage.ground, stage.scenario.start.replacements as u32);
    let now = ground.clock.now();
    let end = ground.pattern.boundary_after(now, 1 + ground.load.rollovers);
    let every = Duration::from_nanos((end - now) / ground.ticking.speed()) / kills.max(1);
    let (begin, mut count) = (Instant::now(), 0);
    kill(stage, |process, dice| {
        let within = every * count + every.mul_f64(dice.below(1000) as f64 / 1000.0);
        sleep(within.saturating_sub(begin.elapsed()));
        count += 1;
        before(process, dice);
    });
}

/// As many kills as there are replacements, each when `aim` returns.
pub(crate) fn kill(stage: &Stage, aim: impl FnMut(usize, &mut Dice)) {
    end(stage, Signal::SIGKILL, aim);
}

/// Ends as many processes as there are replacements by that signal, each when `aim` returns.
fn end(stage: &Stage, by: Signal, mut aim: impl FnMut(usize, &mut Dice)) {
    let ledger = stage.ground.ledger;
    replace_each(stage, |process, dice| {
        aim(process, dice);
        ledger.member(process).enter(State::Killed);
        signal(ledger.member(process).pid(), by);
    });
}

/// Has as many processes ended as there are replacements, and starts another one in the place of each.
pub(crate) fn replace_each(stage: &Stage, mut end: impl FnMut(usize, &mut Dice)) {
    let (ledger, start) = (stage.ground.ledger, stage.scenario.start);
    let mut dice = Dice::new(0x9e37_79b9);
    let mut alive: Vec<usize> = (1..=start.processes).collect();
    let first = 1 + start.processes + start.visitors;
    for next in first..first + start.replacements {
        let index = dice.below(alive.len() as u64) as usize;
        let process = alive[index];
        let (member, thread) = (ledger.member(process), ledger.thread(process, 0));
        let since = Instant::now();
        while (member.state() != State::Working || thread.acknowledged() == 0) && since.elapsed().as_secs() < 5 {
            sleep(Duration::from_micros(100));
        }
        end(process, &mut dice);
        ledger.word(Word::Trials).fetch_add(1, Relaxed);
        alive[index] = next;
        if let Err(error) = replace(stage, next) {
            eprintln!("fork-tests: process {next} cannot be started: {error}");
            return;
        }
        reap().for_each(drop);
    }
}

/// A new child, which builds its own appender, as under a supervisor.
pub(crate) fn replace(stage: &Stage, process: usize) -> io::Result<()> {
    fork(|| stage.child(process, None, &mut Pen::new(stage.ground.load.sizes))).map(drop)
}
