//! `lock_writes`: each write under a lock, all of a line or nothing.

mod common;

use common::{DAY, Hand, NOW, Told, limit, limited, operations, read, telling};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use tracing_prefork::{Appender, Operation, Rotation};

fn log(mut logs: &Appender, text: &str) -> std::io::Result<()> {
    writeln!(logs, "{text}")
}

fn locking(hand: &Hand, directory: &Path) -> (Told, Appender) {
    let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).lock_writes(true));
    (told, builder.build(directory).expect("builds"))
}

fn raw(directory: &Path) -> File {
    OpenOptions::new().append(true).read(true).open(directory.join("app.2026-11-21.log")).expect("opens")
}

#[test]
fn threads_and_appenders_write_whole_lines_across_a_rollover() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let appenders = [locking(&hand, directory.path()).1, locking(&hand, directory.path()).1];
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (logs, hand) = (&appenders[thread % 2], &hand);
            scope.spawn(move || {
                for number in 0..200 {
                    if (thread, number) == (0, 100) {
                        hand.set(NOW + DAY, 0);
                    }
                    log(logs, &format!("{thread} {number} {}", "x".repeat(number))).expect("writes");
                }
            });
        }
    });
    let text = read(directory.path(), "app.2026-11-21.log") + &read(directory.path(), "app.2026-11-22.log");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort();
    let mut expected: Vec<_> = (0..8)
        .flat_map(|thread| (0..200).map(move |number| format!("{thread} {number} {}", "x".repeat(number))))
        .collect();
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(appenders.map(|logs| logs.stats().lines), [800, 800]);
}

#[test]
fn a_line_that_falls_short_is_cut_off_again() {
    limited("a_line_that_falls_short_is_cut_off_again", |directory| {
        let (told, logs) = locking(&Hand::at(NOW), directory);
        log(&logs, "whole").expect("writes");
        limit(50);
        log(&logs, &"x".repeat(100)).expect_err("the limit is in the way");
        assert_eq!(read(directory, "app.2026-11-21.log"), "whole\n");
        limit(u64::MAX);
        log(&logs, "the next").expect("writes");
        assert_eq!(read(directory, "app.2026-11-21.log"), "whole\nthe next\n");
        let stats = logs.stats();
        assert_eq!((stats.lines, stats.lines_lost, stats.bytes_lost), (2, 1, 101));
        assert_eq!(operations(&told), [Operation::Write]);
    });
}

#[test]
fn nothing_is_cut_off_while_somebody_writes_without_the_lock() {
    limited("nothing_is_cut_off_while_somebody_writes_without_the_lock", |directory| {
        let hand = Hand::at(NOW);
        let (_, logs) = locking(&hand, directory);
        let other = hand.builder().rotation(Rotation::DAILY).build(directory).expect("builds");
        log(&other, "first").expect("writes");
        limit(50);
        log(&logs, &"x".repeat(100)).expect_err("the limit is in the way");
        limit(u64::MAX);
        log(&other, "without the lock").expect("writes");
        let piece = "x".repeat(43);
        assert_eq!(read(directory, "app.2026-11-21.log"), format!("first\n{piece}\nwithout the lock\n"));
    });
}

#[test]
fn the_piece_that_a_killed_writer_has_left_is_a_line_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_, logs) = locking(&Hand::at(NOW), directory.path());
    for number in 0..3 {
        log(&logs, &format!("line {number}")).expect("writes");
        raw(directory.path()).write_all(b"half a li").expect("written");
    }
    log(&logs, "the last").expect("writes");
    let text = read(directory.path(), "app.2026-11-21.log");
    assert_eq!(text, "line 0\nhalf a li\nline 1\nhalf a li\nline 2\nhalf a li\nthe last\n");
    assert_eq!(logs.stats().lines, 4);
}

/// Locks the whole file, or gives it free, as a process that is stopped in the middle of a write does.
fn lock(file: &File, kind: libc::c_int) {
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_whence) = (kind as libc::c_short, libc::SEEK_SET as libc::c_short);
    (lock.l_start, lock.l_len) = ((1 << 62) + 2, 1);
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).expect("not locked by anybody else");
}

#[test]
fn a_lock_that_does_not_come_free_is_reported_once_and_lines_go_on_without_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, logs) = locking(&hand, directory.path());
    let file = raw(directory.path());
    lock(&file, libc::F_WRLCK);
    for number in 0..100 {
        log(&logs, &format!("line {number}")).expect("writes");
    }
    assert_eq!(operations(&told), [Operation::Lock]);
    assert_eq!(logs.stats().errors, 1, "waited for once, not at each line");
    lock(&file, libc::F_UNLCK);
    log(&logs, "free again").expect("writes");
    lock(&file, libc::F_WRLCK);
    log(&logs, "not free again").expect("writes");
    assert_eq!(logs.stats().errors, 2, "waited for once more");
    assert_eq!(read(directory.path(), "app.2026-11-21.log").lines().count(), 102);
}

#[test]
fn while_the_lock_is_stuck_and_the_file_cannot_be_opened_lines_go_on_by_the_open_descriptor() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, logs) = locking(&hand, directory.path());
    log(&logs, "before").expect("writes");
    let file = raw(directory.path());
    lock(&file, libc::F_WRLCK);
    let today = directory.path().join("app.2026-11-21.log");
    std::fs::rename(&today, directory.path().join("moved")).expect("renamed");
    std::fs::create_dir(&today).expect("a directory in the way");
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let logs = &logs;
            scope.spawn(move || {
                (0..50).for_each(|number| log(logs, &format!("{thread} {number}")).expect("writes"));
            });
        }
    });
    // Each thread, or each line, would have waited for a second.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(read(directory.path(), "moved").lines().count(), 401);
    assert_eq!(operations(&told), [Operation::Lock]);
    let stats = logs.stats();
    assert_eq!((stats.lines, stats.lines_lost, stats.errors), (401, 0, 1));
    common::says(
        &told.lock().expect("unpoisoned")[0].1,
        &["cannot lock", "held the lock for a second", "without the lock"],
    );
}

#[test]
fn a_child_that_can_open_nothing_writes_by_the_descriptor_of_its_parent_while_the_lock_is_stuck() {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    let name = "a_child_that_can_open_nothing_writes_by_the_descriptor_of_its_parent_while_the_lock_is_stuck";
    common::alone(name, &[], |directory| {
        let (_, logs) = locking(&Hand::at(NOW), directory);
        log(&logs, "before").expect("writes");
        let file = raw(directory);
        lock(&file, libc::F_WRLCK);
        let today = directory.join("app.2026-11-21.log");
        std::fs::rename(&today, directory.join("moved")).expect("renamed");
        std::fs::create_dir(&today).expect("a directory in the way");
        // SAFETY: the process has one thread that runs code of ours; the child ends by `_exit`.
        match unsafe { fork() }.expect("forks") {
            ForkResult::Child => {
                let written = (0..10).filter(|number| log(&logs, &format!("child {number}")).is_ok()).count();
                // SAFETY: leaves without running the parent's exit handlers.
                unsafe { libc::_exit(written as i32) }
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 10), "lines were refused");
            }
        }
        assert_eq!(read(directory, "moved").lines().count(), 11);
    });
}
