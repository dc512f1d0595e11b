//! The watch over the processes of a run: who died, who hangs, when all is over.

use std::collections::HashMap;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::ledger::{Ledger, State, Word};
use crate::process::{Waiting, fork, reap, signal};
use crate::report::Report;

/// A process that makes no progress for so long hangs, if all its threads sleep.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same if a thread of it is running or waits for a disk: the machine may be busy.
const BUSY_PATIENCE: Duration = Duration::from_secs(60);
/// The same for one that works at the lowest priority.
const LOWEST_PATIENCE: Duration = Duration::from_secs(400);
/// When nothing at all happens for so long, the run is over whatever is missing.
const STANDSTILL: Duration = Duration::from_secs(90);

/// Runs `faults` in a process of its own; when it ends, so does a run that waits to be stopped.
///
/// # Errors
///
/// Those of fork(2).
pub fn conduct(ledger: &Ledger, faults: impl FnOnce()) -> io::Result<()> {
    struct Stop(Ledger);
    impl Drop for Stop {
        fn drop(&mut self) {
            if self.0.get(Word::End) == 0 {
                self.0.set(Word::Stop, 1);
            }
        }
    }
    fork(|| {
        let stop = Stop(*ledger);
        while stop.0.get(Word::Go) == 0 {
            sleep(Duration::from_millis(1));
        }
        faults();
        drop(stop);
        ledger.set(Word::Conducted, 1);
        0
    })?;
    Ok(())
}

/// Waits until whoever brings the faults about has put everything in its place.
pub fn wait_for_conductor(ledger: &Ledger) {
    let since = Instant::now();
    while ledger.get(Word::Conducted) == 0 && since.elapsed() < BUSY_PATIENCE {
        note_deaths(ledger);
        sleep(Duration::from_millis(1));
    }
}

/// Notes in the ledger which children of the caller died before their end.
pub fn note_deaths(ledger: &Ledger) {
    for (pid, died_of) in reap() {
        let member =
            (0..ledger.members()).map(|process| ledger.member(process)).find(|member| member.pid() == pid.as_raw());
        match member.map(|member| (member, member.state())) {
            Some((member, State::Waiting | State::Working)) => {
                let cause = died_of.as_deref().unwrap_or("exit 0");
                eprintln!("fork-tests: process with id {pid} died: {cause}");
                member.enter(State::Died);
            }
            Some(_) => {}
            None => {
                if let Some(cause) = died_of {
                    eprintln!("fork-tests: a process outside of the load, id {pid}, died: {cause}");
                    ledger.word(Word::Errors).fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        }
    }
}

/// Watches until every process has come to its end, and kills those that hang.
pub fn watch(ledger: &Ledger) {
    let mut progress: HashMap<usize, (u64, Instant)> = HashMap::new();
    let mut last_change = Instant::now();
    loop {
        note_deaths(ledger);
        let (mut open, mut changed) = (0, false);
        for process in 0..ledger.members() {
            let member = ledger.member(process);
            let state = member.state();
            if matches!(state, State::Done | State::Hung | State::Died | State::Killed | State::Spared) {
                continue;
            }
            open += 1;
            let beats = (0..ledger.threads()).map(|thread| ledger.thread(process, thread).beat());
            let beats = beats.sum::<u64>() + state as u64;
            let seen = progress.entry(process).or_insert((beats, Instant::now()));
            if seen.0 != beats {
                *seen = (beats, Instant::now());
                changed = true;
            } else if member.paused() {
                seen.1 = Instant::now();
            } else if state == State::Working && seen.1.elapsed() > PATIENCE {
                let pid = member.pid();
                let waiting = Waiting::of(pid);
                // One that has ended since it was looked at is either done or will be found dead.
                if !waiting.alive || waiting.busy && seen.1.elapsed() < BUSY_PATIENCE {
                    continue;
                }
                eprintln!("fork-tests: process {process}, id {pid}, hangs: {waiting}");
                member.enter(State::Hung);
                signal(pid, Signal::SIGKILL);
                changed = true;
            }
        }
        if changed {
            last_change = Instant::now();
        }
        if open == 0 || last_change.elapsed() > STANDSTILL {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    ledger.set(Word::Stop, 1);
    end_the_rest(ledger);
}

/// Waits for the processes of the load to exit, and kills those that do not.
fn end_the_rest(ledger: &Ledger) {
    let since = Instant::now();
    loop {
        note_deaths(ledger);
        let members = || (0..ledger.members()).map(|process| ledger.member(process).pid());
        let left = || members().filter(|pid| *pid > 0 && kill(Pid::from_raw(*pid), None).is_ok());
        if left().next().is_none() {
            return;
        }
        if since.elapsed() > BUSY_PATIENCE {
            left().for_each(|pid| signal(pid, Signal::SIGKILL));
            return;
        }
        sleep(Duration::from_millis(5));
    }
}

/// Waits for one child as long as for a process that hangs; says what was wrong with its end.
#[must_use]
pub fn wait_for(child: Pid) -> Option<String> {
    let mut since = Instant::now();
    let begin = since;
    while since.elapsed() < BUSY_PATIENCE {
        // What runs at the lowest priority may be kept waiting by others for long.
        if Waiting::of(child.as_raw()).busy && begin.elapsed() < LOWEST_PATIENCE {
            since = Instant::now();
        }
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => sleep(Duration::from_millis(2)),
            Ok(WaitStatus::Exited(_, 0)) => return None,
            other => return Some(format!("{other:?}")),
        }
    }
    let found = Waiting::of(child.as_raw());
    signal(child.as_raw(), Signal::SIGKILL);
    Some(format!("hangs: {found}"))
}

/// Adds what the watch has seen to the report.
pub fn tell(ledger: &Ledger, report: &mut Report) {
    for process in 0..ledger.members() {
        match ledger.member(process).state() {
            State::Done => report.counts.processes += 1,
            State::Hung => report.counts.hung += 1,
            State::Killed => report.counts.killed += 1,
            State::Spared => {}
            State::Unborn | State::Waiting | State::Working | State::Died => report.counts.died += 1,
        }
    }
    report.counts.errors += ledger.get(Word::Errors);
    report.counts.trials = ledger.get(Word::Trials);
    report.counts.inside = ledger.get(Word::Inside);
    report.counts.partial = ledger.get(Word::Partial);
    report.counts.recoverers = ledger.get(Word::Recoverers);
    report.counts.most_files = ledger.get(Word::MostFiles);
    report.counts.most_on_disk = ledger.get(Word::MostBytes);
    let amiss = ledger.get(Word::Amiss);
    if amiss > 0 {
        report.counts.other += amiss;
        report.case(|| format!("{amiss} things were not as they must be while the run went on"));
    }
    let early = ledger.get(Word::Early);
    if early > 0 {
        report.other(format!("{early} files were removed too early"));
    }
    let allocations = ledger.get(Word::Allocations);
    if allocations > 0 {
        report.other(format!("raw clones called the allocator {allocations} times"));
    }
}
