//! Children that are forked while threads log have connections of their own.

use super::client::{Job, counts, files, join};
use super::lines::Found;
use super::receiver::{Stage, text};
use harness::process::{clone, fork};
use nix::sys::wait::{WaitStatus, waitpid};
use std::io::Write;
use tracing_prefork::SocketWriter;

#[test]
fn parent_and_children_send_each_line_once() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let job = Job { threads: 3, forks: 200, lines_of_child: 20, ..Job::plain(1, 20_000) };
    let found = join(&stage, &[job], vec![job.start(&stage)]);
    receiver.end();
    let counts = counts(&stage);
    assert_eq!(found, Found { lines: 64_000, ..Found::default() }, "{counts:?}");
    assert_eq!((counts["resent"], counts["dropped"], counts["reconnects"]), (0, 0, 0));
    assert_eq!(counts["acknowledged"], 64_000);
}

#[test]
fn children_write_while_nobody_listens() {
    let stage = Stage::new();
    let job = Job { threads: 3, forks: 50, lines_of_child: 20, falls_back: true, ..Job::plain(1, 5_000) };
    let found = join(&stage, &[job], vec![job.start(&stage)]);
    assert_eq!(found, Found { lines: 16_000, ..Found::default() });
    assert_eq!(counts(&stage)["written directly"], 16_000);
}

#[test]
fn the_child_of_a_raw_clone_sends_without_allocating() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    for falls_back in [false, true] {
        let builder = SocketWriter::builder();
        let builder = if falls_back { builder.fallback(files(&stage.logs())) } else { builder };
        let logs = builder.build(stage.socket()).expect("builds");
        (&logs).write_all(b"parent\n").expect("taken");
        let child = clone(|| {
            let taken = (0..10).all(|_| (&logs).write_all(b"child\n").is_ok());
            i32::from(!taken || logs.flush_all().is_err())
        });
        let child = child.expect("a child");
        assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        (&logs).write_all(b"parent\n").expect("taken");
        logs.flush_all().expect("written");
    }
    receiver.end();
    let written = text(&stage.logs());
    assert_eq!(written.lines().filter(|line| *line == "child").count(), 20);
    assert_eq!(written.lines().filter(|line| *line == "parent").count(), 4);
}

#[test]
fn a_child_that_logs_nothing_leaves_its_parents_connection() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let logs = SocketWriter::connect(stage.socket()).expect("builds");
    (&logs).write_all(b"before\n").expect("taken");
    let child = fork(|| {
        drop(logs.clone());
        // SAFETY: the child drops its own copy of the last handle, and leaves.
        drop(unsafe { std::ptr::read(&logs) });
        0
    });
    waitpid(child.expect("a child"), None).expect("a child");
    (&logs).write_all(b"after\n").expect("taken");
    logs.flush_all().expect("written");
    assert_eq!(logs.stats().reconnects, 0);
    receiver.end();
    assert_eq!(text(&stage.logs()), "before\nafter\n");
}

#[test]
fn lines_of_1_mib_come_whole() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let job = Job { threads: 2, long: true, ..Job::plain(1, 4_000) };
    let found = join(&stage, &[job], vec![job.start(&stage)]);
    receiver.end();
    assert_eq!(found, Found { lines: 8_000, ..Found::default() });
}
