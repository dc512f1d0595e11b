//! Lines whose time the caller knows.

use crate::common::{DAY, Hand, NOW, TODAY, at, names, read, try_log};
use tracing_prefork::{Appender, Rotation};

#[test]
fn a_line_goes_to_the_file_of_the_time_that_the_caller_gives() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    logs.write_at(at(NOW - DAY), b"yesterday's").expect("writes");
    try_log(&logs, "today's").expect("writes");
    logs.write_at(at(NOW + DAY), b"tomorrow's\n").expect("writes");
    logs.write_at(at(NOW), b"").expect("no line");
    logs.write_at(at(NOW), b"one\ntwo").expect("writes");
    let files = ["app.2026-11-20.log", TODAY, "app.2026-11-22.log"];
    assert_eq!(names(directory.path()), files);
    let found = files.map(|name| read(directory.path(), name));
    assert_eq!(found, ["yesterday's\n", "today's\none\ntwo\n", "tomorrow's\n"]);
}

#[test]
fn a_timestamp_in_the_line_does_not_choose_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    logs.write_at(at(NOW - DAY), b"2026-11-21T08:33:01Z received").expect("writes");
    assert_eq!(read(directory.path(), "app.2026-11-20.log"), "2026-11-21T08:33:01Z received\n");
}

#[test]
fn a_long_line_without_a_newline_is_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().build(directory.path()).expect("builds");
    let long = "x".repeat(1 << 20);
    logs.write_at(at(NOW), long.as_bytes()).expect("writes");
    let written = logs.write_lines_at(at(NOW), b"one\ntwo").expect("writes");
    assert_eq!(written, 7);
    assert_eq!(read(directory.path(), "app.log"), format!("{long}\none\ntwo\n"));
}

#[test]
fn a_file_is_opened_before_its_line_comes() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = || hand.builder().rotation(Rotation::DAILY).max_file_bytes(100).lock_writes(true);
    let logs = builder().build(directory.path()).expect("builds");
    let name = |logs: &Appender, time, length| {
        let path = logs.open_at(time, length).expect("opens");
        assert!(path.exists());
        path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned()
    };
    assert_eq!(name(&logs, at(NOW - DAY), 10), "app.2026-11-20.log");
    logs.write_at(at(NOW - DAY), &[b'x'; 59]).expect("writes");
    // 60 bytes are there.
    assert_eq!(name(&logs, at(NOW - DAY), 40), "app.2026-11-20.log");
    assert_eq!(name(&logs, at(NOW - DAY), 41), "app.2026-11-20.1.log");
    assert_eq!(name(&logs, at(NOW), 41), TODAY);
    // Another process has gone on.
    let other = builder().build(directory.path()).expect("builds");
    other.write_at(at(NOW), &[b'x'; 59]).expect("writes");
    assert_eq!(name(&other, at(NOW), 41), "app.2026-11-21.1.log");
    assert_eq!(name(&logs, at(NOW), 1), "app.2026-11-21.1.log");
    logs.write_at(at(NOW), b"a line").expect("writes");
    assert_eq!(read(directory.path(), "app.2026-11-21.1.log"), "a line\n");
    assert_eq!(name(&logs, at(NOW - DAY), 1), "app.2026-11-20.1.log");
}
