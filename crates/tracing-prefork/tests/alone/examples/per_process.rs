//! The example `per_process`, whose workers the test ends and kills.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::process::Stdio;

use super::{Output, Running, counted, example, numbers, text};
use crate::common::{eventually, names};

/// The worker that the example tells of: its number and process.
fn worker(output: &Output) -> (u32, i32) {
    let line = output.next();
    let words = line.strip_prefix("worker ").and_then(|line| line.split_once(" is process ")).expect("a worker");
    (words.0.parse().expect("a number"), words.1.parse().expect("a process"))
}

/// What a process has written. A kill may have left a piece of a line at the end.
fn written(directory: &Path, process: i32) -> String {
    let mut text = text(directory, &format!("app.{process}."), ".log");
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
}

/// Checks what a worker that has ended has written. It counts its lines when it is asked to end.
fn check(directory: &Path, number: u32, process: i32, asked: bool) {
    let text = written(directory, process);
    let mine = format!(" INFO worker{{number={number} pid={process}}}: per_process: ");
    assert!(text.lines().all(|line| line.contains(&mine)), "lines of somebody else: {text}");
    assert!(text.lines().next().is_some_and(|line| line.ends_with("the worker begins")), "{text}");
    let lines = counted(&numbers(&text, "at work line="));
    assert!(lines >= 5);
    let last = if asked { numbers(&text, "the worker ends lines=") } else { vec![lines] };
    assert_eq!(last, [lines], "{text}");
    assert_eq!(text.lines().count() as u64, lines + if asked { 2 } else { 1 }, "{text}");
}

#[test]
fn each_line_is_in_its_own_file_and_files_of_gone_workers_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let mut service = Running::start(example("per_process").arg(directory).stdout(Stdio::piped()));
    let (parent, output) = (service.pid().as_raw(), service.output());
    let mut workers: Vec<_> = (0..3).map(|_| worker(&output)).collect();
    assert_eq!(workers.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    let works = |process| numbers(&written(directory, process), "at work line=").len() >= 5;
    let has_files = |process| names(directory).iter().any(|name| name.starts_with(&format!("app.{process}.")));

    // 13 processes in all. The limit is 10 files.
    let mut gone = Vec::new();
    for turn in 0..9 {
        let (number, process) = workers[turn % 3];
        eventually("the worker logs", || works(process));
        let asked = turn % 3 != 0;
        let signal = if asked { Signal::SIGTERM } else { Signal::SIGKILL };
        kill(Pid::from_raw(process), signal).expect("the worker runs");
        workers[turn % 3] = worker(&output);
        assert_eq!(workers[turn % 3].0, number, "another one takes its place");
        check(directory, number, process, asked);
        gone.push((number, process));
    }
    workers.iter().for_each(|(_, process)| eventually("the worker logs", || works(*process)));
    assert!(workers.iter().all(|(_, process)| has_files(*process)));

    service.send(Signal::SIGTERM);
    assert!(service.ended().success());
    workers.iter().for_each(|(number, process)| check(directory, *number, *process, true));
    assert_eq!(names(directory).len(), 10);
    let have_files: Vec<_> = gone.iter().map(|(_, process)| has_files(*process)).collect();
    assert_eq!(have_files, [[false; 3], [true; 3], [true; 3]].concat(), "the oldest files have gone");

    let text = text(directory, &format!("app.{parent}."), ".log");
    assert_eq!(text.matches("a worker has ended number=").count(), 12, "{text}");
    for (_, process) in gone.iter().chain(&workers) {
        assert_eq!(text.matches(&format!("(Pid({process}), ")).count(), 1, "{text}");
    }
}
