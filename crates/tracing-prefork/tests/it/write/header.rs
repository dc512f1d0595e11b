//! How a new file gets its first line and its mode: once, however many open it at the same time.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, OnceLock, mpsc};
use tracing_prefork::{Appender, Operation, Period, Rotation};

use crate::common::header::{daily, since};
use crate::common::{DAY, Hand, NOW, at, log, names, operations, read, refused, says, telling};
use crate::interposed::REFUSED;

#[test]
fn each_new_file_begins_with_the_line_of_its_period() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    log(&logs, "a line");
    // A file that is there has its first line, whoever made it.
    drop(daily(&hand).build(directory.path()).expect("builds"));
    fs::write(directory.path().join("app.2026-11-23.log"), "").expect("written");
    for day in [1, 2] {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "another");
    }
    let midnight = NOW - NOW % DAY;
    assert_eq!(read(directory.path(), "app.2026-11-21.log"), format!("# since {midnight}\na line\n"));
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), format!("# since {}\nanother\n", midnight + DAY));
    assert_eq!(read(directory.path(), "app.2026-11-23.log"), "another\n");
    assert_eq!(logs.stats().writes, 3);
}

#[test]
fn a_file_has_its_mode_with_its_first_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    drop(daily(&hand).file_mode(0o640).build(directory.path()).expect("builds"));
    let mode = fs::metadata(directory.path().join("app.2026-11-21.log")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // Without one, what a file that is simply created has.
    let plain = tempfile::tempdir().expect("a directory");
    drop(daily(&hand).build(plain.path()).expect("builds"));
    fs::write(plain.path().join("simply"), "").expect("written");
    let mode = |name: &str| fs::metadata(plain.path().join(name)).expect("there").permissions().mode();
    assert_eq!(mode("app.2026-11-21.log"), mode("simply"));
}

#[test]
fn an_empty_text_is_no_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().header(|_| String::new()).build(directory.path()).expect("builds");
    log(&logs, "a line");
    assert_eq!(read(directory.path(), "app.log"), "a line\n");
}

#[test]
fn what_the_header_logs_itself_goes_to_the_file_before() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = hand.builder().rotation(Rotation::DAILY).on_error(|_| {}).header(|period| {
        if let Some(logs) = LOGS.get() {
            log(logs, "from within");
        }
        since(period)
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    hand.set(NOW + DAY, 0);
    log(logs, "a line");
    let today = read(directory.path(), "app.2026-11-21.log");
    assert_eq!(today.lines().nth(1), Some("from within"), "{today}");
    let tomorrow = read(directory.path(), "app.2026-11-22.log");
    assert!(tomorrow.starts_with("# since") && tomorrow.ends_with("a line\n"), "{tomorrow}");
}

#[test]
fn a_header_that_leaves_no_room_for_a_line_is_refused() {
    let of = |length: usize| Hand::at(NOW).builder().max_file_bytes(1000).header(move |_| "x".repeat(length));
    says(&refused(of(999)), &["header", "1000 bytes", "max_file_bytes(1000)"]);
    says(&refused(of(5000).lock_writes(true)), &["header", "5001 bytes", "max_file_bytes(1000)"]);
    let directory = tempfile::tempdir().expect("a directory");
    of(998).build(directory.path()).expect("there is room for a line");
}

#[test]
fn a_header_beyond_the_limit_is_left_out_and_reported() {
    for locked in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let midnight = at(NOW - NOW % DAY);
        let grows = move |period: Period| "x".repeat(if period.start > midnight { 5000 } else { 100 });
        let builder = hand.builder().rotation(Rotation::DAILY).max_file_bytes(1000).lock_writes(locked).header(grows);
        let (told, builder) = telling(builder);
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "a line");
        hand.set(NOW + DAY, 0);
        (0..20).for_each(|number| log(&logs, &format!("{number:099}")));
        let files = names(directory.path());
        assert!(files.len() <= 5, "{files:?}");
        assert_eq!(logs.stats().writes, 21);
        assert_eq!(operations(&told), [Operation::UserCode], "one report a minute");
        says(&told.lock().expect("unpoisoned")[0].1, &["app.2026-11-22.log", "header", "5001 bytes"]);
        assert!(!read(directory.path(), "app.2026-11-22.log").contains('x'));
    }
}

#[test]
fn a_line_too_long_to_follow_a_header_has_a_file_to_itself() {
    for locked in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let build = || hand.builder().max_file_bytes(1000).lock_writes(locked).header(|_| "h".repeat(899));
        let logs = build().build(directory.path()).expect("builds");
        let other = build().build(directory.path()).expect("builds");
        for number in 0..10 {
            log(&logs, &format!("{number:0199}"));
            log(&other, &format!("{number:0199}"));
        }
        let files = names(directory.path());
        assert!(files.len() <= 21, "one file an event at most: {}", files.len());
        let lines: usize = files.iter().map(|name| read(directory.path(), name).lines().count() - 1).sum();
        assert_eq!(lines, 20);
    }
}

#[test]
fn a_directory_removed_as_a_file_is_created_costs_no_report() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    hand.set(NOW + DAY, 0);
    REFUSED.set(2);
    log(&logs, "a line");
    assert!(read(directory.path(), "app.2026-11-22.log").ends_with("a line\n"));
    assert_eq!((REFUSED.get(), logs.stats().errors), (0, 0));
    // To a directory to which nothing may be added nothing is added.
    hand.set(NOW + 2 * DAY, 0);
    REFUSED.set(u32::MAX);
    log(&logs, "another line");
    assert!(read(directory.path(), "app.2026-11-22.log").ends_with("a line\nanother line\n"));
    REFUSED.set(0);
    assert_eq!(logs.stats().errors, 1);
}

#[test]
fn reopen_waits_a_second_for_a_thread_that_opens_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let (hand, (begun, is_begun), (end, is_ended)) = (Hand::at(NOW), mpsc::channel(), mpsc::channel::<()>());
    let (is_ended, clock) = (Mutex::new(is_ended), hand.clone());
    let builder = hand.builder().rotation(Rotation::DAILY).header(move |_| {
        if clock.now() > at(NOW) {
            begun.send(()).expect("received");
            let _ = is_ended.lock().expect("unpoisoned").recv();
        }
        String::new()
    });
    let logs = builder.build(directory.path()).expect("builds");
    hand.set(NOW + DAY, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| log(&logs, "the first of the day"));
        is_begun.recv().expect("begins");
        let error = logs.reopen().expect_err("the other thread is at it");
        assert_eq!((error.operation(), error.io_error().kind()), (Operation::Rollover, ErrorKind::TimedOut));
        says(&error.to_string(), &["app.2026-11-22.log: another thread has been opening a file"]);
        drop(end);
    });
    logs.reopen().expect("nobody is at it");
}
