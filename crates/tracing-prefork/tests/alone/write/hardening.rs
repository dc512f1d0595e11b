//! Full disks, stuck locks and files that have lost their names, where several things happen at once.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::{ForkResult, Pid, fork};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use tracing_prefork::{Appender, Rotation};

use crate::common;
use crate::common::{DAY, Hand, NOW, alone, log, names, operations, read, small_disk, telling, try_log};

#[test]
fn making_room_writes_no_line_twice() {
    alone(|directory| {
        if !small_disk(directory, "size=64k") {
            return;
        }
        let hand = Hand::at(NOW);
        let logs = hand.builder().rotation(Rotation::DAILY).min_log_files(1).build(directory).expect("builds");
        let mut buffered = std::io::BufWriter::with_capacity(8100, logs.clone());
        let mut number = 0;
        for day in 0..5 {
            hand.set(NOW + day * DAY, 0);
            for _ in 0..700 {
                writeln!(buffered, "line {number} 0123456789012345").expect("buffered");
                number += 1;
            }
            buffered.flush().expect("there is room, or it is made");
        }
        let mut seen = std::collections::HashMap::<String, usize>::new();
        for name in names(directory) {
            for line in read(directory, &name).lines() {
                *seen.entry(line.to_owned()).or_default() += 1;
            }
        }
        let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
        assert!(
            twice.is_empty(),
            "{} lines twice: {:?}; {:?}",
            twice.len(),
            &twice[..3.min(twice.len())],
            logs.stats()
        );
    });
}

#[test]
fn room_is_made_for_a_new_file() {
    alone(|directory| {
        // The root directory, three hidden files, and two logs: the line goes into the file before, until that finds no
        // room either.
        if !small_disk(directory, "size=44k,nr_inodes=6") {
            return;
        }
        let hand = Hand::at(NOW);
        let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).max_log_files(100).min_log_files(1));
        let logs = builder.build(directory).expect("builds");
        let mut failed = Vec::new();
        for day in 0..20 {
            hand.set(NOW + day * DAY, 0);
            for _ in 0..3 {
                if let Err(error) = try_log(&logs, &"x".repeat(999)) {
                    failed.push((day, error.to_string()));
                }
            }
        }
        assert!(
            failed.is_empty(),
            "{} {:?} {:?} {:?} {:?}",
            failed.len(),
            failed[0],
            logs.stats(),
            operations(&told),
            names(directory)
        );
    });
}

/// A child that has the turn to prune for so long.
fn has_the_turn(directory: &Path, time: Duration) -> Pid {
    let path = directory.join(common::LOCK);
    // SAFETY: one thread.
    let child = match unsafe { fork() }.expect("forks") {
        ForkResult::Child => {
            let mut options = fs::OpenOptions::new();
            let file = options.create(true).truncate(false).read(true).write(true).open(&path).expect("opens");
            // SAFETY: integers.
            let mut lock: libc::flock = unsafe { std::mem::zeroed() };
            (lock.l_type, lock.l_len) = (libc::F_WRLCK as libc::c_short, 1);
            fcntl(&file, FcntlArg::F_SETLK(&lock)).expect("locked");
            fs::write(directory.join("ready"), "").expect("written");
            std::thread::sleep(time);
            std::process::exit(0);
        }
        ForkResult::Parent { child } => child,
    };
    while !directory.join("ready").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

fn keeps_one(hand: &Hand, directory: &Path) -> Appender {
    let builder = hand.builder().rotation(Rotation::DAILY).min_log_files(1).on_error(|_| {});
    builder.build(directory).expect("builds")
}

#[test]
fn a_stopped_pruner_costs_not_a_second_a_line() {
    alone(|directory| {
        if !small_disk(directory, "size=40k") {
            return;
        }
        let logs = keeps_one(&Hand::at(NOW), directory);
        let child = has_the_turn(directory, Duration::from_secs(60));
        while try_log(&logs, &"x".repeat(999)).is_ok() {}
        let began = Instant::now();
        for _ in 0..3 {
            let _ = try_log(&logs, &"x".repeat(999));
        }
        let took = began.elapsed();
        let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
        assert!(took < Duration::from_millis(1500), "{took:?}");
    });
}

/// On a busy machine a process can be kept from running for longer than a second.
#[test]
fn a_pruner_that_is_late_costs_no_line() {
    alone(|directory| {
        if !small_disk(directory, "size=40k") {
            return;
        }
        let hand = Hand::at(NOW);
        let logs = keeps_one(&hand, directory);
        log(&logs, &"x".repeat(9_999));
        hand.set(NOW + DAY, 0);
        log(&logs, "lets go of the file before");
        hand.set(NOW + DAY + 10, 0);
        let child = has_the_turn(directory, Duration::from_secs(2));
        let written = (0..40).take_while(|_| try_log(&logs, &"x".repeat(999)).is_ok()).count();
        nix::sys::wait::waitpid(child, None).expect("ends");
        assert!(written > 25 && logs.stats().files_pruned == 1, "{written} lines, {:?}", logs.stats());
    });
}
