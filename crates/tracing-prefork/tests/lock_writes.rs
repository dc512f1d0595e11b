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
        limit(50);
        log(&logs, &"x".repeat(100)).expect_err("the limit is in the way");
        limit(u64::MAX);
        log(&other, "without the lock").expect("writes");
        let piece = "x".repeat(49);
        assert_eq!(read(directory, "app.2026-11-21.log"), format!("{piece}\nwithout the lock\n"));
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
