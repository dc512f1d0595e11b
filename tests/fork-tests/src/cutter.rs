//! The catalogue of kills that hurt a buffered appender: at full speed, inside a `pwrite64(2)`, and of whoever recovers
//! what others have left.
//!
//! Short by themselves. The full numbers:
//!
//! ```text
//! fork-tests run killed-at-full-speed --trials 1000
//! fork-tests run killed-in-writes --trials 200
//! fork-tests run killed-recovering --trials 200
//! ```
//!
//! The same with `--max-file-bytes 4194304 --compress gzip --on-finished`.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::killer::{self, Dice};
use crate::run::Stage;
use crate::scenario::{Built, Scenario};
use crate::tracer::{Cut, Traced, Write};
use harness::ledger::{Member, State, Word};
use harness::line::Sizes;
use harness::process::{Waiting, signal};
use harness::report::Allows;

/// The thread that writes the lines of a ring.
const FLUSHER: &str = "tracing-prefork";

/// All of them, in the order in which `list` shows them.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let at_full_speed = "buffered: one of four processes after the other is killed, which write as fast as they can";
    let in_writes = "buffered: the same, stopped and killed by ptrace(2) inside the write of its flusher";
    let recovering =
        "buffered: the same, and whoever recovers the dead process's lines is killed in each of its writes";
    vec![
        buffered("killed-at-full-speed", at_full_speed, kill_at_full_speed),
        traced("killed-in-writes", in_writes, kill_in_writes),
        traced("killed-recovering", recovering, kill_who_recovers),
    ]
}

/// Nothing is allowed to be wrong, not even a piece of a line that nobody acknowledged.
fn buffered(name: &'static str, about: &'static str, faults: fn(&Stage)) -> Scenario {
    let mut scenario = Scenario::plain(name, about).on_the_systems_clock();
    scenario.start.processes = 4;
    scenario.start.stay = true;
    scenario.start.built = Built::AfterFork;
    scenario.start.replacements = 60;
    scenario.setup.buffered = true;
    scenario.load.lines = 0;
    scenario.load.sizes = Sizes::About(120);
    scenario.faults = Some(faults);
    scenario.allows = Allows::default();
    scenario
}

fn traced(name: &'static str, about: &'static str, faults: fn(&Stage)) -> Scenario {
    let mut scenario = buffered(name, about, faults);
    scenario.needs_root = true;
    // So that the flusher has many batches to write, and the files stay small.
    scenario.load.rest = Duration::from_micros(100);
    scenario
}

fn kill_at_full_speed(stage: &Stage) {
    killer::kill(stage, |_, dice| sleep(Duration::from_micros(dice.below(8000))));
}

fn kill_in_writes(stage: &Stage) {
    killer::replace_each(stage, |process, dice| {
        let killed = kill_in_write(stage, process, dice);
        tell(stage, process, killed.map(drop));
    });
    expect_hits(stage, Word::Inside, "inside its write");
}

fn kill_who_recovers(stage: &Stage) {
    killer::replace_each(stage, |process, dice| {
        // While nobody else goes on, whoever recovers finds what the dead process has left.
        let killed = kill_in_write(stage, process, dice).and_then(|others| {
            let begun = 1 + dice.below(3);
            let mut killed = 0;
            while killed < begun && kill_recoverer(stage, dice)? {
                killed += 1;
            }
            drop(others);
            Ok(())
        });
        tell(stage, process, killed);
    });
    expect_hits(stage, Word::Recoverers, "while it recovered");
}

/// Kills a process inside a write of its flusher to a log file. All others stand still from then on, until the answer
/// is dropped.
fn kill_in_write(stage: &Stage, process: usize, dice: &mut Dice) -> io::Result<Option<Stopped>> {
    let ledger = stage.ground.ledger;
    let (member, pid) = (ledger.member(process), Pid::from_raw(ledger.member(process).pid()));
    let found = match Traced::seize(pid, FLUSHER)? {
        Some(traced) => traced.next_write(|write| write.is_to_a_log())?.map(|write| (traced, write)),
        None => None,
    };
    member.enter(State::Killed);
    let Some((traced, write)) = found else {
        signal(pid.as_raw(), Signal::SIGKILL);
        return Ok(None);
    };
    // It has the write lock of its file, so nobody stops with that.
    let others = Stopped::all_but(stage, process);
    let cut = Cut::drawn(dice);
    let there = traced.kill_in(&write, cut, dice)?;
    if cut != Cut::AtRandom || there < write.bytes {
        ledger.word(Word::Inside).fetch_add(1, Relaxed);
    }
    if (1..write.bytes).contains(&there) {
        ledger.word(Word::Partial).fetch_add(1, Relaxed);
    }
    Ok(Some(others))
}

/// A process that does nothing but recover is killed inside one of its writes to rings or log files. `false`: it came
/// to its end before.
fn kill_recoverer(stage: &Stage, dice: &mut Dice) -> io::Result<bool> {
    let traced = Traced::fork(|| match stage.build() {
        Ok(writer) => {
            writer.recover();
            0
        }
        Err(error) => {
            eprintln!("fork-tests: whoever recovers: {error}");
            1
        }
    })?;
    let mut left = dice.below(12);
    let is_wanted = |write: &Write| {
        let is_ours = write.is_in(&stage.directory);
        let is_this = is_ours && left == 0;
        left = left.saturating_sub(u64::from(is_ours));
        is_this
    };
    let Some(write) = traced.next_write(is_wanted)? else {
        // It has ended, or is at an end.
        traced.kill()?;
        return Ok(false);
    };
    let is_to_a_log = write.is_to_a_log();
    let cut = match Cut::drawn(dice) {
        // The kernel looks for signals between two pages. The few bytes of a ring's note are there, or not.
        Cut::After(_) if !is_to_a_log => Cut::Before,
        cut => cut,
    };
    let there = traced.kill_in(&write, cut, dice)?;
    let ledger = stage.ground.ledger;
    ledger.word(Word::Recoverers).fetch_add(1, Relaxed);
    if is_to_a_log && (1..write.bytes).contains(&there) {
        ledger.word(Word::Partial).fetch_add(1, Relaxed);
    }
    Ok(true)
}

fn tell(stage: &Stage, process: usize, killed: io::Result<()>) {
    if let Err(error) = killed {
        stage.ground.ledger.member(process).enter(State::Killed);
        signal(stage.ground.ledger.member(process).pid(), Signal::SIGKILL);
        eprintln!("fork-tests: process {process} could not be traced: {error}");
    }
}

/// A run whose kills all missed shows nothing.
fn expect_hits(stage: &Stage, word: Word, place: &str) {
    let (hits, kills) = (stage.ground.ledger.get(word), stage.scenario.start.replacements as u64);
    if hits < kills / 2 {
        eprintln!("fork-tests: {hits} processes were killed {place}, of {kills}");
        stage.ground.ledger.word(Word::Amiss).fetch_add(1, Relaxed);
    }
}

/// Processes that stand still until this is dropped.
#[derive(Debug)]
struct Stopped(Vec<Member>);

impl Stopped {
    fn all_but(stage: &Stage, process: usize) -> Self {
        let ledger = stage.ground.ledger;
        let others = (0..ledger.members()).filter(|other| *other != process).map(|other| ledger.member(other));
        let at_work = others.filter(|member| member.state() == State::Working);
        let stopped = Self(at_work.collect());
        stopped.0.iter().for_each(|member| {
            member.pause(true);
            signal(member.pid(), Signal::SIGSTOP);
        });
        let since = Instant::now();
        let stands = |member: &Member| {
            let waiting = Waiting::of(member.pid());
            !waiting.alive || !waiting.busy && waiting.threads.iter().all(|thread| thread.starts_with(['T', 'Z']))
        };
        while !stopped.0.iter().all(stands) && since.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_micros(50));
        }
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.iter().for_each(|member| {
            signal(member.pid(), Signal::SIGCONT);
            member.pause(false);
        });
    }
}
