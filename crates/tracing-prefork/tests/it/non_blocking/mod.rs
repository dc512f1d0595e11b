//! `non_blocking`: the module of `tracing_appender` of that name. `builder/drop_in.rs` has a program for both crates.

use std::fs;
use std::io::Write;
use std::path::Path;
use tracing::Level;
use tracing_prefork::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_prefork::{Appender, Buffering};

use crate::common::{Hand, NOW, TODAY, all_names, daily, eventually, log, read};

fn appender(directory: &Path) -> Appender {
    daily(&Hand::at(NOW)).build(directory).expect("builds")
}

fn rings(directory: &Path) -> usize {
    all_names(directory).iter().filter(|name| name.ends_with(".ring")).count()
}

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("listed");
    tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok()).collect()
}

fn has_thread(name: &str) -> bool {
    threads().iter().any(|thread| thread.trim_end() == name)
}

#[test]
fn the_lines_are_in_the_file_when_the_guard_is_dropped() {
    let directory = tempfile::tempdir().expect("a directory");
    let (non_blocking, guard) = tracing_prefork::non_blocking(appender(directory.path()));
    let mut lines = String::new();
    for number in 0..5_000 {
        writeln!(non_blocking.clone(), "line {number}").expect("taken");
        lines += &format!("line {number}\n");
    }
    assert_eq!(rings(directory.path()), 1);
    drop(guard);
    assert_eq!(read(directory.path(), TODAY), lines);
    // Events after the guard are written too, and the last handle removes the ring.
    writeln!(non_blocking.clone(), "late").expect("taken");
    drop(non_blocking);
    assert_eq!(read(directory.path(), TODAY), lines + "late\n");
    assert_eq!(rings(directory.path()), 0);
}

#[test]
fn other_handles_write_under_the_write_lock_from_then_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = appender(directory.path());
    let leave_piece = || {
        let mut file = fs::OpenOptions::new().append(true).open(logs.path()).expect("opens");
        file.write_all(b"a piece").expect("written");
    };
    log(&logs, "the first one");
    leave_piece();
    log(&logs, " and what is glued to it without the lock");
    let (non_blocking, guard) = tracing_prefork::non_blocking(logs.clone());
    leave_piece();
    log(&logs, "under the lock");
    leave_piece();
    writeln!(non_blocking.clone(), "by the ring").expect("taken");
    drop(guard);
    let text = "the first one\na piece and what is glued to it without the lock\n\
                a piece\nunder the lock\na piece\nby the ring\n";
    assert_eq!(read(directory.path(), TODAY), text);
}

#[test]
fn a_rollover_keeps_the_write_lock() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    let (_non_blocking, _guard) = tracing_prefork::non_blocking(logs.clone());
    for day in 1..4 {
        hand.set(NOW + day * crate::common::DAY, 0);
        log(&logs, "begins the file");
        let mut file = fs::OpenOptions::new().append(true).open(logs.path()).expect("opens");
        file.write_all(b"a piece").expect("written");
        log(&logs, "under the lock");
        assert_eq!(fs::read_to_string(logs.path()).expect("there"), "begins the file\na piece\nunder the lock\n");
    }
}

#[test]
fn a_line_in_pieces_is_one_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut non_blocking, guard) = tracing_prefork::non_blocking(appender(directory.path()));
    non_blocking.write_all(b"one ").expect("taken");
    let mut other = non_blocking.clone();
    other.write_all(b"the other's\n").expect("taken");
    non_blocking.write_all(b"line\nits rest").expect("taken");
    non_blocking.flush().expect("taken");
    other.write_all(b"without an end").expect("taken");
    drop(other);
    drop(guard);
    assert_eq!(read(directory.path(), TODAY), "the other's\none line\nits rest\nwithout an end\n");
}

#[test]
fn the_thread_has_the_name_that_it_was_given() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = appender(directory.path());
    let builder = NonBlockingBuilder::default().thread_name("my\0 own worker");
    let (mut non_blocking, _guard) = builder.finish(logs);
    assert!(!has_thread("my own worker"), "no event, no thread");
    writeln!(non_blocking, "starts it").expect("taken");
    eventually("the thread has its name", || has_thread("my own worker"));
}

#[test]
fn an_appender_that_is_buffered_keeps_its_options() {
    let directory = tempfile::tempdir().expect("a directory");
    let buffering = Buffering::default().flush_level(Level::ERROR).ring_bytes(1 << 20);
    let logs = daily(&Hand::at(NOW)).buffered(buffering).build(directory.path()).expect("builds");
    let builder = NonBlockingBuilder::default().thread_name("nobody's name").buffered_lines_limit(1);
    let (non_blocking, _guard) = builder.finish(logs.clone());
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(non_blocking);
    tracing::subscriber::with_default(subscriber.finish(), || {
        tracing::info!("one");
        tracing::error!("both are in the file at once");
    });
    assert_eq!(read(directory.path(), TODAY).lines().count(), 2);
    assert!(!has_thread("nobody's name"), "{:?}", threads());
    let ring = all_names(directory.path()).into_iter().find(|name| name.ends_with(".ring")).expect("a ring");
    assert!(fs::metadata(directory.path().join(ring)).expect("there").len() > 1 << 20);
    // The handle and the non-blocking one have one ring.
    log(&logs, "through the same ring");
    assert_eq!(rings(directory.path()), 1);
}

#[test]
fn the_handles_are_what_those_of_tracing_appender_are() {
    fn demands<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe + Send + Sync + std::fmt::Debug>() {}
    demands::<NonBlocking>();
    demands::<NonBlockingBuilder>();
    demands::<WorkerGuard>();
    demands::<ErrorCounter>();
}
