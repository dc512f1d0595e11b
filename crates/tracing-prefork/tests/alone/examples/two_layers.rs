//! The example `two_layers`: each event in its places, and colours on the console alone.

use std::collections::BTreeSet;
use std::path::Path;

use super::{example, text};

/// Runs the example to its end. Returns what it wrote on the console.
fn console(directory: &Path, colours: bool) -> String {
    let mut command = example("two_layers");
    if colours {
        command.env("CLICOLOR_FORCE", "1");
    }
    let output = command.arg(directory).output().expect("runs");
    let console = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{console}");
    console
}

/// The requests of all workers: those that fail, and the others.
fn requests(fail: bool) -> impl Iterator<Item = (u64, u64)> {
    (1..=3).flat_map(|worker| (0..100).map(move |request| (worker, request))).filter(move |it| (it.1 % 10 == 9) == fail)
}

#[track_caller]
fn same(lines: impl Iterator<Item = String>, expected: impl Iterator<Item = String>) {
    let (mut lines, mut expected): (Vec<_>, Vec<_>) = (lines.collect(), expected.collect());
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
}

fn check(directory: &Path) {
    // Behind the time, which has 27 letters.
    let all = text(directory, "app.", ".log");
    let span = |(worker, request)| format!("request{{worker={worker} request={request} path=\"/hello\"}}: two_layers");
    let asked = |it: (u64, u64)| format!(" DEBUG {}::db: asked rows={}", span(it), it.1);
    let expected = requests(true)
        .map(|it| format!(" ERROR {}: failed status=500", span(it)))
        .chain(requests(false).map(|it| format!("  INFO {}: answered status=200", span(it))))
        .chain(requests(true).chain(requests(false)).map(asked))
        .chain(["  INFO two_layers: all workers have ended".to_owned()]);
    same(all.lines().map(|line| line[27..].to_owned()), expected);

    let errors = text(directory, "errors.", ".json");
    let errors = errors.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (level, fields, span) = (&line["level"], &line["fields"], &line["span"]);
        format!("{level} {fields} {} {} {}", span["worker"], span["request"], span["path"])
    });
    let failed =
        |(worker, request)| format!(r#""ERROR" {{"message":"failed","status":500}} {worker} {request} "/hello""#);
    same(errors, requests(true).map(failed));
}

#[test]
fn each_event_is_in_its_files_and_no_colour_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let console = console(directory.path(), true);
    // Also within the fields of the span.
    let in_colours = |line: &&str| line.contains("\x1b[3mpath\x1b[0m") && line.contains("failed");
    assert_eq!(console.lines().filter(in_colours).count(), 30, "{console}");
    assert_eq!(console.lines().count(), 30, "{console}");
    check(directory.path());
}

#[test]
fn a_console_that_is_no_terminal_has_no_colours() {
    let directory = tempfile::tempdir().expect("a directory");
    let console = console(directory.path(), false);
    assert!(!console.contains('\x1b'), "{console}");
    let lines: BTreeSet<_> =
        console.lines().filter(|line| line.contains("path=\"/hello\"}: two_layers: failed status=500")).collect();
    assert_eq!(lines.len(), 30, "{console}");
    check(directory.path());
}
