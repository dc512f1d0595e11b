//! `prefork-log pipe --buffered`, `ls --rings` and `recover`.

use crate::common::{Running, all_lines, files, pipe, succeeds, text, wait_until};
use crate::files::{prefork_log, printed, refused};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines wait for an hour, but for the first one.
const SLOW: [&str; 5] = ["--prefix", "app.log", "--buffered", "--max-delay", "1 hour"];

fn rings(logs: &Path, more: &[&str]) -> Vec<Value> {
    let arguments: Vec<_> = ["ls", "--rings", "--json"].iter().chain(more).copied().collect();
    serde_json::from_str(&printed(&arguments, logs)).expect("JSON")
}

/// A `pipe` with a line in the file and three lines in its ring.
fn with_three(logs: &Path, more: &[&str]) -> Running {
    let options: Vec<_> = SLOW.iter().chain(more).copied().collect();
    let mut running = Running::start(pipe(logs, &options));
    running.write("first\n");
    wait_until("the first line is in the file", || files(logs).get("app.log").is_some_and(|text| text == "first\n"));
    // Now the thread that writes sleeps for an hour.
    let tasks = format!("/proc/{}/task", running.child.id());
    let stats = || fs::read_dir(&tasks).expect("listed").map(|task| task.expect("readable").path().join("stat"));
    let sleeps = |stat: PathBuf| fs::read_to_string(stat).is_ok_and(|stat| stat.contains("(tracing-prefork) S "));
    wait_until("the thread sleeps", || stats().any(sleeps));
    running.write("one\ntwo\nthree\n");
    let ring_directory = more.iter().skip_while(|option| **option != "--ring-directory").copied().collect::<Vec<_>>();
    wait_until("the lines are in the ring", || rings(logs, &ring_directory).iter().any(|ring| ring["bytes"] == 14));
    running
}

#[test]
fn the_lines_of_a_killed_pipe_are_listed_and_recovered() {
    let logs = tempfile::tempdir().expect("a directory");
    let running = with_three(logs.path(), &[]);
    let process = running.child.id();
    let ring = &rings(logs.path(), &[])[0];
    assert_eq!(
        (&ring["state"], &ring["process"], &ring["pattern"]),
        (&"in use".into(), &process.into(), &"app.log".into())
    );
    assert_eq!((&ring["tag"], &ring["reason"]), (&Value::Null, &Value::Null));
    assert_eq!(printed(&["recover"], logs.path()), "app.log: 0 lines recovered\n");

    running.signal(Signal::SIGKILL);
    assert!(!running.ended().status.success());
    let left = &rings(logs.path(), &[])[0];
    assert_eq!((&left["state"], &left["process"]), (&"left".into(), &process.into()));
    assert!(left["made"].as_str().is_some_and(|made| made.ends_with('Z')), "{left}");
    let table = printed(&["ls", "--rings"], logs.path());
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["LINES", "BYTES", "PROCESS", "TAG", "MADE", "(UTC)", "STATE", "NAME"]);
    assert_eq!(lines[1][..4], ["3", "14", &process.to_string(), "-"], "{table}");
    assert_eq!(printed(&["ls", "--rings", "--tag", "web"], logs.path()).lines().count(), 1);

    let dry = printed(&["recover", "--dry-run"], logs.path());
    assert!(dry.ends_with(&format!(".ring: 3 lines of process {process}\n")), "{dry}");
    assert_eq!(all_lines(logs.path()), ["first"], "a dry run changes nothing");
    assert_eq!(printed(&["recover"], logs.path()), "app.log: 3 lines recovered\n");
    assert_eq!(all_lines(logs.path()), ["first", "one", "two", "three"]);
    assert_eq!(printed(&["recover"], logs.path()), "app.log: 0 lines recovered\n");
    assert_eq!(rings(logs.path(), &[]), Vec::<Value>::new());
}

#[test]
fn a_buffered_pipe_ends_with_all_in_the_files() {
    let lines: Vec<_> = (0..50_000).map(|number| format!("line {number}")).collect();
    for options in [&SLOW[..], &["--prefix", "app.log", "--buffered", "--ring-bytes", "64 KiB", "--stamp"]] {
        let logs = tempfile::tempdir().expect("a directory");
        succeeds(pipe(logs.path(), options), (lines.join("\n") + "\nand no newline").as_bytes());
        let written = all_lines(logs.path());
        assert_eq!(written.len(), lines.len() + 1);
        let texts = written.iter().zip(&lines);
        assert!(texts.into_iter().all(|(written, line)| written.ends_with(line)), "each line, in its order");
        assert_eq!(rings(logs.path(), &[]), Vec::<Value>::new());
    }
}

#[test]
fn after_sigterm_a_buffered_pipe_writes_what_waits() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let logs = tempfile::tempdir().expect("a directory");
        let shm = tempfile::tempdir().expect("a directory");
        let directory = shm.path().to_str().expect("UTF-8");
        let mut running = with_three(logs.path(), &["--ring-directory", directory]);
        running.signal(signal);
        running.write("the last words");
        running.stdin = None;
        let ended = running.ended();
        assert!(ended.status.success(), "{}", text(ended.stderr));
        assert_eq!(all_lines(logs.path()), ["first", "one", "two", "three", "the last words"]);
        assert_eq!(fs::read_dir(shm.path()).expect("listed").count(), 0);
    }
}

fn ring_of(logs: &Path) -> PathBuf {
    let paths = fs::read_dir(logs).expect("listed").map(|entry| entry.expect("readable").path());
    paths.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "ring")).expect("a ring")
}

#[test]
fn a_ring_that_cannot_be_relied_on_is_told() {
    let logs = tempfile::tempdir().expect("a directory");
    let running = with_three(logs.path(), &[]);
    running.signal(Signal::SIGKILL);
    running.ended();
    let ring = ring_of(logs.path());
    fs::OpenOptions::new().write(true).open(&ring).expect("opens").set_len(100).expect("cut");
    assert_eq!(rings(logs.path(), &[])[0]["state"], "bad");
    let (code, told) = refused(&["recover", "--dry-run"], logs.path());
    assert_eq!(code, Some(1));
    let expected = format!(
        "prefork-log: {}: not to be relied on: it has 100 bytes, which is less than any ring has\n",
        ring.display()
    );
    assert_eq!(told, expected);
    assert!(ring.exists());
    let ended = prefork_log(&["recover"], logs.path());
    assert_eq!((ended.status.code(), text(ended.stderr)), (Some(1), expected));
    assert_eq!(text(ended.stdout), "app.log: 0 lines recovered\n");
    assert!(!ring.exists() && ring.with_extension("ring.bad").exists());
}

#[test]
fn rings_need_a_known_pattern_and_options_need_buffered() {
    let logs = tempfile::tempdir().expect("a directory");
    for arguments in [&["recover"][..], &["ls", "--rings"]] {
        let (code, told) = refused(arguments, logs.path());
        assert_eq!(code, Some(2));
        assert!(told.contains("no log files are known"), "{told}");
    }
    let (code, told) = refused(&["pipe", "--ring-bytes", "1 MiB"], logs.path());
    assert_eq!(code, Some(2));
    assert!(told.contains("--buffered"), "{told}");
    let settings = logs.path().join("a.toml");
    fs::write(&settings, "buffered = true").expect("written");
    let settings = settings.to_str().expect("UTF-8");
    let socket = logs.path().join("socket");
    let socket = socket.to_str().expect("UTF-8");
    let (code, told) = refused(&["serve", "--socket", socket, "--settings", settings], logs.path());
    assert_eq!(code, Some(2));
    assert!(told.contains("buffered true: serve acknowledges a line when"), "{told}");
}
