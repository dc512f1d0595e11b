//! `lock_writes`: each write under a lock, all of a line or nothing.

use nix::libc;
use std::io::{ErrorKind, Write};
use std::sync::mpsc;
use tracing_prefork::{Operation, Rotation};

use crate::common;
use crate::common::lock_writes::{lock, locking, raw};
use crate::common::{DAY, Hand, NOW, operations, read, try_log};

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
                    try_log(logs, &format!("{thread} {number} {}", "x".repeat(number))).expect("writes");
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
    assert_eq!(appenders.map(|logs| logs.stats().writes), [800, 800]);
}

#[test]
fn the_piece_that_a_killed_writer_has_left_is_a_line_of_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_, logs) = locking(&Hand::at(NOW), directory.path());
    for number in 0..3 {
        try_log(&logs, &format!("line {number}")).expect("writes");
        raw(directory.path()).write_all(b"half a li").expect("written");
    }
    try_log(&logs, "the last").expect("writes");
    let text = read(directory.path(), "app.2026-11-21.log");
    assert_eq!(text, "line 0\nhalf a li\nline 1\nhalf a li\nline 2\nhalf a li\nthe last\n");
    assert_eq!(logs.stats().writes, 4);
}

#[test]
fn a_stuck_lock_is_reported_once_and_lines_go_on_without_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, logs) = locking(&hand, directory.path());
    let file = raw(directory.path());
    lock(&file, libc::F_WRLCK);
    for number in 0..100 {
        try_log(&logs, &format!("line {number}")).expect("writes");
    }
    assert_eq!(operations(&told), [Operation::Lock]);
    assert_eq!(logs.stats().errors, 1, "waited for once, not at each line");
    lock(&file, libc::F_UNLCK);
    try_log(&logs, "free again").expect("writes");
    lock(&file, libc::F_WRLCK);
    try_log(&logs, "not free again").expect("writes");
    assert_eq!(logs.stats().errors, 2, "waited for once more");
    assert_eq!(read(directory.path(), "app.2026-11-21.log").lines().count(), 102);
}

#[test]
fn a_stuck_lock_and_an_obstructed_path_stop_no_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, logs) = locking(&hand, directory.path());
    try_log(&logs, "before").expect("writes");
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
                (0..50).for_each(|number| try_log(logs, &format!("{thread} {number}")).expect("writes"));
            });
        }
    });
    // Each thread, or each line, would have waited for a second.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(read(directory.path(), "moved").lines().count(), 401);
    assert_eq!(operations(&told), [Operation::Lock]);
    let stats = logs.stats();
    assert_eq!((stats.writes, stats.lines_lost, stats.errors), (401, 0, 1));
    common::says(
        &told.lock().expect("unpoisoned")[0].1,
        &["cannot lock", "held the lock for a second", "without the lock"],
    );
}

#[test]
fn a_lock_that_another_process_holds_for_a_second_has_timed_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let (told, reports) = mpsc::channel();
    let builder = Hand::at(NOW).builder().rotation(Rotation::DAILY).lock_writes(true);
    let builder = builder.on_error(move |error| _ = told.send((error.operation(), error.io_error().kind())));
    let logs = builder.build(directory.path()).expect("builds");
    let held = raw(directory.path());
    lock(&held, libc::F_WRLCK);
    try_log(&logs, "a line").expect("writes");
    assert_eq!(reports.try_iter().collect::<Vec<_>>(), [(Operation::Lock, ErrorKind::TimedOut)]);
}
