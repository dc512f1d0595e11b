//! SIGTERM, SIGINT and SIGHUP.

use crate::common::{Running, all_lines, files, pipe, text, wait_until};
use nix::sys::signal::Signal;
use std::fs;

const ONE_HOUR: [&str; 4] = ["--prefix", "app.log", "--linger", "1 hour"];

fn started(logs: &std::path::Path, options: &[&str]) -> Running {
    let mut running = Running::start(pipe(logs, options));
    running.write("first\n");
    wait_until("the first line is in the file", || files(logs).get("app.log").is_some_and(|text| text == "first\n"));
    running
}

#[test]
fn after_sigterm_the_rest_is_read_until_the_writers_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let logs = tempfile::tempdir().expect("a directory");
        let mut running = started(logs.path(), &ONE_HOUR);
        running.signal(signal);
        running.write("the last words\nand no newline");
        running.stdin = None;
        let ended = running.ended();
        assert!(ended.status.success(), "{}", text(ended.stderr));
        assert_eq!(all_lines(logs.path()), ["first", "the last words", "and no newline"]);
    }
}

#[test]
fn writers_that_stay_are_waited_for_no_longer_than_linger() {
    let logs = tempfile::tempdir().expect("a directory");
    let mut running = started(logs.path(), &["--prefix", "app.log", "--linger", "1 second"]);
    running.write("a piece");
    running.signal(Signal::SIGTERM);
    assert!(running.ended().status.success());
    assert_eq!(all_lines(logs.path()), ["first", "a piece"]);
}

#[test]
fn sigint_after_a_signal_ends_with_what_is_in_the_pipe() {
    let logs = tempfile::tempdir().expect("a directory");
    let mut running = started(logs.path(), &ONE_HOUR);
    running.signal(Signal::SIGSTOP);
    let lines: Vec<_> = (0..15_000).map(|number| format!("line {number:09}")).collect();
    running.write(&(lines.join("\n") + "\n")); // 225 kB; the pipe holds 256 KiB
    running.signal(Signal::SIGTERM);
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGCONT);
    assert!(running.ended().status.success());
    let written = all_lines(logs.path());
    assert_eq!((written.len(), &written[1..]), (15_001, &lines[..]));
}

#[test]
fn sighup_opens_the_files_anew() {
    let logs = tempfile::tempdir().expect("a directory");
    let mut running = started(logs.path(), &ONE_HOUR);
    let (file, moved) = (logs.path().join("app.log"), logs.path().join("app.moved"));
    fs::rename(&file, &moved).expect("moved");
    running.signal(Signal::SIGHUP);
    wait_until("the file is there again", || file.exists());
    running.write("second\n");
    running.stdin = None;
    assert!(running.ended().status.success());
    assert_eq!(fs::read_to_string(moved).expect("readable"), "first\n");
    assert_eq!(fs::read_to_string(file).expect("readable"), "second\n");
}
