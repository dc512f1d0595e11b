//! `prefork-log cat -f`: each line once, whatever becomes of its file.

use crate::support::{Logs, gzip, program, stamp};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Compression, Rotation};

/// `prefork-log cat -f`, with its lines as they come.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(logs: &Path, arguments: &[&str]) -> Self {
        let mut command = program();
        command.arg("cat").arg(logs).arg("-f").args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let lines = lines(child.stdout.take().expect("piped"));
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).expect("a line")
    }

    /// Ends it by a signal. Returns what it printed meanwhile.
    fn end(mut self) -> Vec<String> {
        assert_eq!(self.child.try_wait().expect("known"), None, "it goes on");
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().expect("it starts");
        assert!(kill.success());
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
        self.lines.iter().collect()
    }
}

fn lines(output: ChildStdout) -> Receiver<String> {
    let (send, receive) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            if send.send(line.expect("UTF-8")).is_err() {
                break;
            }
        }
    });
    receive
}

#[test]
fn the_last_lines_come_first_and_then_what_is_written() {
    let logs = Logs::of(&["app"]);
    let line = |number: u64| format!("{} number {number}", stamp(number));
    let before: String = (0..20).map(|number| line(number) + "\n").collect();
    logs.write("app.2026-11-21-08.log", before.as_bytes());
    let following = Following::start(logs.path(), &["-n", "2"]);
    assert_eq!([following.next(), following.next()], [line(18), line(19)]);
    // A line that is written in pieces is printed when it is whole.
    logs.append("app.2026-11-21-08.log", &line(20).as_bytes()[..10]);
    thread::sleep(Duration::from_millis(100));
    logs.append("app.2026-11-21-08.log", &line(20).as_bytes()[10..]);
    logs.append("app.2026-11-21-08.log", b"\n");
    assert_eq!(following.next(), line(20));
    // New files: the next one of the period, and that of the next period.
    logs.append("app.2026-11-21-08.1.log", format!("{}\n", line(21)).as_bytes());
    assert_eq!(following.next(), line(21));
    logs.append("app.2026-11-21-09.log", format!("{}\n", line(22)).as_bytes());
    assert_eq!(following.next(), line(22));
    // A late line.
    logs.append("app.2026-11-21-08.log", format!("{}\n", line(23)).as_bytes());
    assert_eq!(following.next(), line(23));
    assert_eq!(following.end(), Vec::<String>::new());
}

/// What was plain before is not printed again, and what was not seen is.
#[test]
fn only_what_is_new_in_an_archive_is_printed() {
    let logs = Logs::of(&["app"]);
    let line = |number: u64| format!("{} number {number}\n", stamp(number));
    for arguments in [&["-n", "1"][..], &["-n", "all"]] {
        let old = gzip(line(0).as_bytes());
        logs.write("app.2026-11-21-08.log.gz", &old);
        logs.write("app.2026-11-21-09.log", line(1).as_bytes());
        let following = Following::start(logs.path(), arguments);
        if arguments == ["-n", "all"] {
            assert_eq!(following.next() + "\n", line(0));
        }
        assert_eq!(following.next() + "\n", line(1));
        let replace = |name: &str, bytes: &[u8]| {
            let made = logs.write(".made", bytes);
            fs::rename(made, logs.path().join(name)).expect("renamed");
        };
        // A late line that was never seen in a plain file.
        replace("app.2026-11-21-08.log.gz", &[old.clone(), gzip(line(2).as_bytes())].concat());
        assert_eq!(following.next() + "\n", line(2));
        // The plain file becomes an archive, with one more line that was not seen.
        replace("app.2026-11-21-09.log.gz", &gzip((line(1) + &line(3)).as_bytes()));
        fs::remove_file(logs.path().join("app.2026-11-21-09.log")).expect("removed");
        assert_eq!(following.next() + "\n", line(3));
        // A late line makes the plain file anew, and is compressed.
        logs.append("app.2026-11-21-09.log", line(4).as_bytes());
        assert_eq!(following.next() + "\n", line(4));
        let members = [gzip((line(1) + &line(3)).as_bytes()), gzip(line(4).as_bytes())].concat();
        replace("app.2026-11-21-09.log.gz", &members);
        fs::remove_file(logs.path().join("app.2026-11-21-09.log")).expect("removed");
        logs.append("app.2026-11-21-10.log", line(5).as_bytes());
        assert_eq!(following.next() + "\n", line(5));
        assert_eq!(following.end(), Vec::<String>::new());
        for (name, _) in logs.files() {
            fs::remove_file(logs.path().join(name)).expect("removed");
        }
    }
}

#[test]
fn a_directory_without_files_is_waited_for() {
    let home = tempfile::tempdir().expect("a directory");
    let following = Following::start(home.path(), &[]);
    thread::sleep(Duration::from_millis(300));
    let logs = tracing_prefork::rolling::daily(home.path(), "app.log");
    writeln!(&logs, "hello").expect("written");
    assert_eq!(following.next(), "hello");
    assert_eq!(following.end(), Vec::<String>::new());
}

#[test]
fn following_ends_when_nobody_reads() {
    let logs = Logs::of(&["app"]);
    let mut child = program().arg("cat").arg(logs.path()).arg("-f").stdout(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

const DIRECTORY: &str = "PREFORK_LOG_TEST_DIRECTORY";
const NUMBER: &str = "PREFORK_LOG_TEST_NUMBER";
const ROLLOVERS: &str = "PREFORK_LOG_TEST_ROLLOVERS";
const PRUNES: &str = "PREFORK_LOG_TEST_PRUNES";

/// Not a test of its own: a process that writes, started by the tests below.
#[test]
#[ignore = "it is a writer for other tests"]
fn a_writer() {
    let setting = |name| std::env::var(name).expect("set");
    let number: u32 = setting(NUMBER).parse().expect("a number");
    let mut logs = Appender::builder()
        .rotation(Rotation::SECONDLY)
        .filename_prefix("app")
        .filename_suffix("log")
        .max_file_bytes(2 << 20)
        .compress(Compression::Gzip);
    if setting(PRUNES) == "yes" {
        logs = logs.max_log_files(4);
    }
    let logs = logs.build(setting(DIRECTORY)).expect("built");
    let end = Instant::now() + Duration::from_secs(rollovers());
    let mut count = 0_u32;
    while Instant::now() < end {
        writeln!(&logs, "{} w {number} {count} {}", now(), "x".repeat(count as usize % 90)).expect("written");
        count += 1;
        if count.is_multiple_of(16) {
            thread::sleep(Duration::from_micros(1500));
        }
    }
    println!("wrote {count}");
}

fn rollovers() -> u64 {
    std::env::var(ROLLOVERS).map_or(3, |number| number.parse().expect("a number"))
}

/// An RFC 3339 timestamp. Only the time of day matters here.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seconds = now.as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let days = now.as_secs() / 86_400 - 20_778;
    format!("2026-11-{:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", 21 + days % 9, now.subsec_micros())
}

/// 8 processes write while the directory is followed. Each line comes once, and those of a process in their order.
fn follow_writers(prunes: &str) {
    let home = tempfile::tempdir().expect("a directory");
    let following = Following::start(home.path(), &["-n", "all"]);
    let writer = |number: u32| {
        let this = std::env::current_exe().expect("a path");
        let mut command = Command::new(this);
        command.args(["--exact", "follow::a_writer", "--ignored", "--nocapture"]);
        command.env(DIRECTORY, home.path()).env(NUMBER, number.to_string()).env(PRUNES, prunes);
        command.stdout(Stdio::piped()).spawn().expect("it starts")
    };
    let writers: Vec<_> = (0..8).map(writer).collect();
    let mut counts = Vec::new();
    for mut writer in writers {
        let mut told = String::new();
        writer.stdout.take().expect("piped").read_to_string(&mut told).expect("UTF-8");
        assert!(writer.wait().expect("it ends").success(), "{told}");
        let count = told.split("wrote ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a count");
        counts.push(count.parse::<u32>().expect("a number"));
    }
    let total: usize = counts.iter().map(|count| *count as usize).sum();
    let mut lines: Vec<_> =
        (0..total).map_while(|_| following.lines.recv_timeout(Duration::from_secs(5)).ok()).collect();
    lines.extend(following.end());
    let mut next = HashMap::new();
    for line in &lines {
        let [_, "w", number, count, ..] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("torn: {line}") };
        let number: u32 = number.parse().expect("a number");
        let expected = next.entry(number).or_insert(0);
        assert_eq!(count, expected.to_string(), "writer {number}: {line}");
        *expected += 1;
    }
    assert_eq!(lines.len(), total);
    println!("{total} lines of 8 processes, {} rollovers: each line once", rollovers());
}

#[test]
fn each_line_of_eight_processes_is_printed_once() {
    follow_writers("no");
}

#[test]
fn each_line_is_printed_once_although_files_are_removed() {
    follow_writers("yes");
}

#[test]
fn a_cut_line_waits_for_its_rest_only_where_files_are_followed() {
    let logs = Logs::of(&["app"]);
    logs.write("app.2026-11-21-08.log", b"2026-11-21T08:00:00Z whole\n2026-11-21T08:00:01Z cu");
    assert_eq!(logs.cat(&[]), "2026-11-21T08:00:00Z whole\n2026-11-21T08:00:01Z cu\n");
    let following = Following::start(logs.path(), &["-n", "all"]);
    assert_eq!(following.next(), "2026-11-21T08:00:00Z whole");
    assert_eq!(following.end(), Vec::<String>::new());
}
