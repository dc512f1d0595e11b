//! The example `reload`, whose filter the test changes while the example logs.

use nix::sys::signal::Signal;
use std::fs;
use std::io::Write;
use std::path::Path;

use super::{Running, counted, example, numbers, piped, text};
use crate::common::{eventually, names, read};

/// The current file as it is: the tests of filters move no file away.
fn log(directory: &Path) -> String {
    text(directory, "app.", ".log")
}

/// The numbers of the rounds that begin after this call and of which each has this line; waits for so many.
fn next(directory: &Path, line: &str, count: usize) -> String {
    let before = log(directory).len();
    eventually(line, || log(directory)[before..].lines().filter(|it| it.contains(line)).count() >= count);
    log(directory).split_off(before)
}

#[test]
fn a_line_on_standard_input_sets_the_filter() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let mut service = Running::start(piped(&mut example("reload")).arg(directory));
    let (output, errors) = (service.output(), service.errors());
    let mut input = service.0.stdin.take().expect("piped");

    let lines = next(directory, "at work", 20);
    assert!(lines.contains(" WARN ") && !lines.contains("DEBUG") && !lines.contains("TRACE"), "{lines}");

    writeln!(input, "warn").expect("written");
    assert_eq!(output.next(), "filter is warn");
    // A round that had begun may end by the old filter.
    next(directory, " WARN ", 1);
    let lines = next(directory, " WARN ", 2);
    assert!(!lines.contains("at work"), "{lines}");

    writeln!(input, "off,reload::db=loud").expect("written");
    let error = errors.next();
    assert!(error.starts_with("nothing has changed: ") && error.contains("level"), "{error}");
    let lines = next(directory, " WARN ", 2);
    assert!(!lines.contains("at work"), "{lines}");

    writeln!(input, "info,reload::db=trace").expect("written");
    assert_eq!(output.next(), "filter is reload::db=trace,info");
    let lines = next(directory, "reload::db: asked", 20);
    assert!(lines.contains("at work") && !lines.contains("DEBUG"), "{lines}");

    // The end of the input is not the end of the service.
    drop(input);
    next(directory, "at work", 20);
}

#[test]
fn signals_set_the_filter_and_open_the_files_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let mut service = Running::start(piped(&mut example("reload")).arg(directory));
    let output = service.output();
    let lines = next(directory, "at work", 20);
    assert!(!lines.contains("DEBUG"), "{lines}");

    // A second signal of the kind does not lose what the filter was before the first.
    for _ in 0..2 {
        service.send(Signal::SIGUSR1);
        assert_eq!(output.next(), "filter is trace");
    }
    next(directory, "TRACE reload::db: asked", 5);
    service.send(Signal::SIGUSR2);
    assert_eq!(output.next(), "filter is info");
    next(directory, " WARN ", 1);
    let lines = next(directory, " WARN ", 2);
    assert!(lines.contains("at work") && !lines.contains("DEBUG") && !lines.contains("TRACE"), "{lines}");
    service.send(Signal::SIGUSR2);
    assert_eq!(output.next(), "filter stays");

    let moved: Vec<_> = names(directory);
    for name in &moved {
        fs::rename(directory.join(name), directory.join(format!("moved.{name}"))).expect("renamed");
    }
    service.send(Signal::SIGHUP);
    assert_eq!(output.next(), "files opened anew");
    next(directory, "at work", 20);
    drop(service);

    let all: String = moved.iter().map(|name| read(directory, &format!("moved.{name}"))).collect();
    let all = all + &log(directory);
    assert!(counted(&numbers(&all, " INFO reload: at work number=")) >= 40);
}
