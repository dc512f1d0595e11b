//! The example `panic_and_exit`: who writes the last lines of a process.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use super::{counted, example, numbers, text};
use crate::common::{all_names, directory_in_memory};

/// Runs the example, in the directory, where a core dump goes with it. Returns its status and its standard output.
fn run(directory: &Path, words: &[&str]) -> (ExitStatus, String) {
    let output = example("panic_and_exit").arg(directory).args(words).current_dir(directory).output().expect("runs");
    (output.status, String::from_utf8(output.stdout).expect("UTF-8"))
}

/// The numbers of the lines in the file, and the other lines without their times, behind those of the beginning.
fn written(directory: &Path) -> (Vec<u64>, Vec<String>) {
    let text = text(directory, "app.", ".log");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let of_course = ["at work number=", " INFO panic_and_exit: the process begins"];
    let others = text.lines().filter(|line| !of_course.iter().any(|words| line.contains(words)));
    (numbers(&text, "at work number="), others.map(|line| line[27..].trim_start().to_owned()).collect())
}

fn rings(directory: &Path) -> usize {
    all_names(directory).iter().filter(|name| name.ends_with(".ring")).count()
}

/// Each way to end: the status, and how many lines without a number the process logs.
const ENDS: [(&str, i32, usize); 7] = [
    ("return", 0, 1),
    ("exit", 3 << 8, 0),
    ("panic", 101 << 8, 2),
    ("panic_abort", 6, 2),
    ("abort", 6, 0),
    ("_exit", 4 << 8, 0),
    ("kill", 9, 0),
];

/// Whether the process ends without a moment of its own, so that it leaves its lines in its ring.
fn leaves_lines(end: &str) -> bool {
    ["abort", "_exit", "kill"].contains(&end)
}

/// Ends a process in this way. Returns the status that `wait` gives, without the flag for a core dump.
fn end(directory: &Path, kind: &str, end: &str) -> i32 {
    run(directory, &[kind, end]).0.into_raw() & !0x80
}

#[test]
fn without_a_buffer_all_lines_are_there_whatever_the_end() {
    for (way, status, more) in ENDS {
        let directory = directory_in_memory();
        assert_eq!(end(directory.path(), "direct", way), status, "{way}");
        let (numbers, others) = written(directory.path());
        assert_eq!((counted(&numbers), others.len()), (100, more), "{way}: {others:?}");
    }
}

#[test]
fn with_a_buffer_the_process_or_the_next_one_writes_them() {
    for (way, status, more) in ENDS {
        let directory = directory_in_memory();
        let directory = directory.path();
        assert_eq!(end(directory, "buffered", way), status, "{way}");
        let (numbers, others) = written(directory);
        let there = counted(&numbers);
        if !leaves_lines(way) {
            assert_eq!((there, others.len()), (100, more), "{way}: {others:?}");
            assert!(run(directory, &["recover"]).1.ends_with("0 lines recovered\n"), "{way}");
            assert_eq!(rings(directory), 0, "{way}");
            continue;
        }
        assert_eq!((there, others.len(), rings(directory)), (0, 0, 1), "{way}: {others:?}");
        let (status, told) = run(directory, &["recover"]);
        assert!(status.success() && told.ends_with("100 lines recovered\n"), "{way}: {told}");
        assert!(told.contains(": 100 lines, left by a process that has ended\n"), "{way}: {told}");
        assert_eq!(counted(&written(directory).0), 100, "{way}");
        assert_eq!(rings(directory), 0, "{way}");
    }
}

#[test]
fn the_next_process_writes_what_a_killed_one_left() {
    let directory = directory_in_memory();
    let directory = directory.path();
    for round in 1..=3 {
        end(directory, "buffered", "kill");
        assert_eq!(rings(directory), 1, "that of the process before has gone: {round}");
    }
    end(directory, "buffered", "return");
    let (numbers, _) = written(directory);
    assert_eq!(rings(directory), 0);
    assert_eq!(numbers, (0..4).flat_map(|_| 0..100).collect::<Vec<u64>>());
}

#[test]
fn the_hook_logs_the_panic_and_what_is_dropped_comes_after() {
    for kind in ["direct", "buffered"] {
        let directory = directory_in_memory();
        end(directory.path(), kind, "panic");
        let (_, others) = written(directory.path());
        let [panic, dropped] = &others[..] else { panic!("{others:?}") };
        let place = panic.strip_prefix(r#"ERROR panic_and_exit: panic reason="no more work" place="#);
        assert!(place.is_some_and(|place| place.contains("examples/panic_and_exit.rs:")), "{panic}");
        assert_eq!(dropped, "INFO panic_and_exit: the last value is dropped");
    }
}
