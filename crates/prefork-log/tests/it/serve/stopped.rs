//! A receiver that is stopped, or cannot write, keeps writers waiting with a bound only.

use super::client::files;
use super::receiver::{Stage, text, wait_until};
use nix::sys::signal::Signal;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tracing_prefork::{SocketBuilder, SocketWriter};

fn small() -> SocketBuilder {
    SocketWriter::builder().ring_bytes(64 * 1024).patience(Duration::from_millis(50)).on_error(|_| {})
}

/// Writes until a line is refused. Returns how many were taken.
fn write_until_refused(mut logs: &SocketWriter) -> usize {
    let refused = (0..100_000).find_map(|number| Some((number, writeln!(logs, "line {number}").err()?)));
    let (taken, error) = refused.expect("memory is bounded");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    taken
}

#[test]
fn writers_do_not_wait_for_a_stopped_receiver_for_ever() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let logs = small().build(stage.socket()).expect("builds");
    writeln!(&logs, "first").expect("taken");
    logs.flush_all().expect("written");
    receiver.signal(Signal::SIGSTOP);
    let taken = write_until_refused(&logs);
    assert!(logs.flush_all().is_err());
    receiver.signal(Signal::SIGCONT);
    wait_until("the receiver goes on", || logs.flush_all().is_ok());
    let (written, stats) = (text(&stage.logs()), logs.stats());
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(lines.len(), taken + 1, "what was taken is there");
    assert_eq!(lines.last().copied(), Some(format!("line {}", taken - 1).as_str()));
    assert_eq!((stats.dropped, stats.resent, stats.acknowledged), (1, 0, taken as u64 + 1));
}

#[test]
fn lines_that_a_stopped_receiver_does_not_take_are_written() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let logs = small().fallback(files(&stage.logs())).build(stage.socket()).expect("builds");
    writeln!(&logs, "first").expect("taken");
    logs.flush_all().expect("written");
    receiver.signal(Signal::SIGSTOP);
    for number in 0..20_000 {
        writeln!(&logs, "line {number}").expect("taken or written");
    }
    receiver.signal(Signal::SIGCONT);
    wait_until("the receiver goes on", || logs.flush_all().is_ok());
    let (written, stats) = (text(&stage.logs()), logs.stats());
    assert_eq!(written.lines().count(), 20_001);
    assert!(stats.written_directly > 0 && stats.dropped == 0, "{stats:?}");
}

#[test]
fn on_a_full_disk_clients_keep_their_lines() {
    // Only the receiver sees this disk.
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=200k tmpfs logs && exec \"$0\" \"$@\"";
    command.args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_prefork-log")]);
    let stage = Stage::new();
    std::fs::create_dir(stage.logs()).expect("made");
    let may_mount = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs"]).arg(stage.logs()).output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: this user may not mount");
    }
    command.current_dir(stage.home.path());
    let receiver = stage.receiver_under(command, &[]);
    let logs = Path::new("/proc").join(receiver.child.id().to_string()).join(format!("root{}", stage.logs().display()));
    std::fs::write(logs.join("filler"), vec![0; 100_000]).expect("there is room");
    let writer = SocketWriter::builder().patience(Duration::from_secs(60)).build(stage.socket()).expect("builds");
    for number in 0..1500 {
        writeln!(&writer, "line {number} {}", "x".repeat(80)).expect("taken");
    }
    wait_until("the disk is full", || receiver.errors().contains("cannot write to"));
    assert!(writer.stats().acknowledged < 1500);
    std::fs::remove_file(logs.join("filler")).expect("there");
    writer.flush_all().expect("there is room");
    let whole = text(&logs).lines().filter(|line| line.len() > 85).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(whole.len(), 1500);
    assert!(whole.iter().enumerate().all(|(number, line)| line.starts_with(&format!("line {number} "))));
    assert_eq!((writer.stats().dropped, writer.stats().resent), (0, 0));
    let errors = receiver.errors();
    assert!(errors.contains("clients keep theirs"), "{errors}");
}

#[test]
fn while_nobody_listens_lines_wait_in_bounded_memory() {
    let stage = Stage::new();
    let logs = small().build(stage.socket()).expect("builds");
    let taken = write_until_refused(&logs);
    assert!(taken > 1000, "{taken}");
    let receiver = stage.receiver(&[]);
    wait_until("the receiver is found", || logs.flush_all().is_ok());
    assert_eq!(text(&stage.logs()).lines().count(), taken);
    assert_eq!(logs.stats().dropped, 1);
    receiver.end();
}

#[test]
fn a_line_that_is_longer_than_the_ring_is_refused() {
    let stage = Stage::new();
    let logs = small().build(stage.socket()).expect("builds");
    let long = "x".repeat(70_000);
    let error = writeln!(&logs, "{long}").expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    drop(logs);
    let logs = small().fallback(files(&stage.logs())).build(stage.socket()).expect("builds");
    writeln!(&logs, "short").expect("written");
    writeln!(&logs, "{long}").expect("written");
    assert_eq!(text(&stage.logs()), format!("short\n{long}\n"));
}

#[test]
fn the_drop_of_the_last_handle_waits_for_all_lines() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let logs = SocketWriter::connect(stage.socket()).expect("builds");
    for number in 0..10_000 {
        writeln!(&logs, "line {number}").expect("taken");
    }
    drop(logs);
    assert_eq!(text(&stage.logs()).lines().count(), 10_000);
    receiver.end();
}
