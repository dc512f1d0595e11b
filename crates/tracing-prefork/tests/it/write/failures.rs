//! Failures are counted and reported, the reports are limited, and logging goes on when the cause is gone.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use tracing_prefork::{Appender, Operation, Rotation};
use tracing_subscriber::fmt::MakeWriter;

use crate::common;
use crate::common::{DAY, Hand, NOW, names, operations, read, reporting, telling, try_log};

#[test]
fn the_file_before_takes_the_lines_until_the_next_can_be_opened() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (reports, builder) = reporting(&hand);
    let logs = builder.build(directory.path()).expect("builds");
    let obstacle = directory.path().join("app.2026-11-22.log");
    fs::create_dir(&obstacle).expect("a directory in the way");
    hand.set(NOW + DAY, 0);
    for number in 0..100 {
        try_log(&logs, &number.to_string()).expect("goes to the file before");
    }
    assert_eq!(logs.stats().errors, 1, "tried once within the second");
    // After 1, 2, 4, 8 and 8 seconds.
    for (second, errors) in [(1, 2), (2, 2), (3, 3), (6, 3), (7, 4), (14, 4), (15, 5), (22, 5), (23, 6)] {
        hand.set(NOW + DAY + second, 0);
        try_log(&logs, "goes to the file before").expect("writes");
        assert_eq!(logs.stats().errors, errors, "after {second} seconds");
    }
    fs::remove_dir(&obstacle).expect("the cause is gone");
    try_log(&logs, "goes to the file before").expect("writes");
    hand.set(NOW + DAY + 31, 0);
    try_log(&logs, "caught up").expect("writes");
    assert_eq!(read(directory.path(), "app.2026-11-21.log").lines().count(), 110);
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "caught up\n");
    let reports = reports.lock().expect("unpoisoned");
    let [(operation, text)] = &reports[..] else { panic!("one report a minute: {reports:?}") };
    assert_eq!(*operation, Operation::Rollover);
    for part in ["app.2026-11-22.log", "irectory", "file before"] {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
    assert_eq!((logs.stats().writes, logs.stats().lines_lost), (111, 0));
}

#[test]
fn the_file_before_is_the_latest_one_despite_late_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    let mut late = logs.make_writer();
    late.write_all(b"begun on the first day, ").expect("kept");
    for day in 0..3 {
        hand.set(NOW + day * DAY, 0);
        try_log(&logs, "on its day").expect("writes");
    }
    late.write_all(b"ended on the third").expect("kept");
    drop(late);
    fs::create_dir(directory.path().join("app.2026-11-24.log")).expect("a directory in the way");
    for second in 0..30 {
        hand.set(NOW + 3 * DAY + second, 0);
        try_log(&logs, "of the fourth day").expect("writes");
    }
    let expected = "on its day\n".to_owned() + &"of the fourth day\n".repeat(30);
    assert_eq!(read(directory.path(), "app.2026-11-23.log"), expected);
    let first = read(directory.path(), "app.2026-11-21.log");
    assert_eq!(first, "on its day\nbegun on the first day, ended on the third\n");
}

#[test]
fn another_late_line_does_not_take_the_place_of_the_file_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    let begin = |text: &str| {
        let mut late = logs.make_writer();
        late.write_all(text.as_bytes()).expect("kept");
        late
    };
    let first = begin("of the first day");
    hand.set(NOW + DAY, 0);
    let second = begin("of the second day");
    hand.set(NOW + 3 * DAY, 0);
    try_log(&logs, "on the fourth day").expect("writes");
    fs::create_dir(directory.path().join("app.2026-11-25.log")).expect("a directory in the way");
    hand.set(NOW + 4 * DAY, 0);
    try_log(&logs, "1").expect("writes");
    drop(first);
    try_log(&logs, "2").expect("writes");
    drop(second);
    try_log(&logs, "3").expect("writes");
    assert_eq!(read(directory.path(), "app.2026-11-24.log"), "on the fourth day\n1\n2\n3\n");
    assert_eq!(read(directory.path(), "app.2026-11-21.log"), "of the first day\n");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "of the second day\n");
}

#[test]
fn a_directory_that_was_removed_is_made_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs_directory = directory.path().join("a/b");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(&logs_directory).expect("builds");
    fs::remove_dir_all(directory.path().join("a")).expect("removed");
    hand.set(NOW + DAY, 0);
    try_log(&logs, "a line").expect("writes");
    assert_eq!(names(&logs_directory), ["app.2026-11-22.log"]);
}

/// Another program moves the directory away each time that the appender is about to do something.
#[test]
fn a_directory_that_goes_before_housekeeping_is_no_failure() {
    let above = tempfile::tempdir().expect("a directory");
    let directory = above.path().join("logs");
    let hand = Hand::at(NOW);
    let (now, moves, from, to) =
        (hand.clone(), Arc::new(AtomicBool::new(false)), directory.clone(), above.path().to_owned());
    let (armed, count) = (moves.clone(), AtomicU64::new(0));
    let clock = move || {
        if armed.load(Relaxed) {
            let _ = fs::rename(&from, to.join(format!("moved {}", count.fetch_add(1, Relaxed))));
        }
        now.now()
    };
    let builder = hand.builder().rotation(Rotation::DAILY).clock(clock).max_log_files(3).on_finished(|_, _| {});
    let (told, builder) = telling(builder);
    let logs = builder.build(&directory).expect("builds");
    moves.store(true, Relaxed);
    for day in 1..4 {
        hand.set(NOW + day * DAY, 0);
        try_log(&logs, "a line").expect("written");
    }
    moves.store(false, Relaxed);
    let amiss = |operation: &Operation| matches!(operation, Operation::Retention | Operation::OnFinished);
    assert!(!operations(&told).iter().any(amiss), "{told:?}");
}

#[test]
fn an_error_hook_that_logs_to_its_appender_does_not_recurse() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = hand.builder().rotation(Rotation::DAILY).on_error(|error| {
        if let Some(logs) = LOGS.get() {
            try_log(logs, &format!("the logger itself: {error}")).expect("writes");
        }
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    fs::create_dir(directory.path().join("app.2026-11-22.log")).expect("a directory in the way");
    hand.set(NOW + DAY, 0);
    try_log(logs, "a line").expect("writes");
    let text = read(directory.path(), "app.2026-11-21.log");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("the logger itself: cannot open"), "{text}");
}

#[test]
fn a_timestamp_far_away_is_still_a_file_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().rotation(Rotation::MONTHLY).build(directory.path()).expect("builds");
    let far = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 60);
    let past = std::time::UNIX_EPOCH - std::time::Duration::from_secs(100_000_000_000);
    assert!(logs.path_at(far).ends_with("app.9999-01.log"), "{:?}", logs.path_at(far));
    assert!(logs.path_at(past).ends_with("app.0001-01.log"), "{:?}", logs.path_at(past));
    for time in [far, past] {
        let period = logs.period_at(time);
        assert!(period.start < period.end.expect("a month ends"));
    }
}

#[test]
fn a_hook_that_panics_is_called_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let told = Arc::new(Mutex::new(Vec::new()));
    let calls = told.clone();
    let builder = hand.builder().rotation(Rotation::DAILY).latest_symlink("latest").on_error(move |error| {
        calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(error.operation());
        if error.operation() == Operation::Rollover {
            panic!("the hook's own fault");
        }
    });
    let logs = builder.build(directory.path()).expect("builds");
    fs::create_dir(directory.path().join("app.2026-11-22.log")).expect("a directory in the way");
    hand.set(NOW + DAY, 0);
    try_log(&logs, "a line").expect("writes");
    fs::remove_file(directory.path().join("latest")).expect("removed");
    fs::create_dir(directory.path().join("latest")).expect("a directory in the way");
    hand.set(NOW + 2 * DAY, 0);
    try_log(&logs, "a line").expect("writes");
    let told = told.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    assert_eq!(*told, [Operation::Rollover, Operation::Link]);
}

#[test]
fn a_lock_file_that_cannot_be_opened_is_reported_at_build() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join(common::LOCK)).expect("a directory in the way");
    let (reports, builder) = reporting(&Hand::at(NOW));
    let logs = builder.max_log_files(2).build(directory.path()).expect("builds");
    let reports = reports.lock().expect("unpoisoned");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].0, Operation::Retention);
    drop(reports);
    try_log(&logs, "a line").expect("writes");
}

#[test]
fn the_first_second_of_1970_is_like_any_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(1);
    let logs = hand.builder().rotation(Rotation::SECONDLY).build(directory.path()).expect("builds");
    hand.set(0, 0);
    try_log(&logs, "the first").expect("writes");
    assert_eq!(read(directory.path(), "app.1970-01-01-00-00-00.log"), "the first\n");
}
