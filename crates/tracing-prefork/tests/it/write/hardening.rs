//! Full disks, stuck locks and files that have lost their names, where several things happen at once.

use nix::libc;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing_prefork::{Appender, Operation};

use crate::common::lock_writes::{UNLOCKED_BYTE, WRITE_BYTE, lock_byte};
use crate::common::{Hand, NOW, read, try_log};

#[test]
fn nothing_is_acknowledged_into_a_nameless_file_for_long() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Appender::builder().filename_prefix("app.log").on_error(|_| {}).build(directory.path()).expect("builds");
    let stop = AtomicBool::new(false);
    let late = AtomicU64::new(0);
    let last = AtomicU64::new(0);
    let path = logs.path();
    let removed = std::sync::OnceLock::<Instant>::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let ok = try_log(&logs, &"x".repeat(2000)).is_ok();
                    if let Some(at) = removed.get().filter(|at| ok && at.elapsed() > Duration::from_millis(1200)) {
                        late.fetch_add(1, Relaxed);
                        last.fetch_max(at.elapsed().as_millis() as u64, Relaxed);
                    }
                }
            });
        }
        std::thread::sleep(Duration::from_millis(300));
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        removed.set(Instant::now()).expect("once");
        std::thread::sleep(Duration::from_millis(4500));
        stop.store(true, Relaxed);
    });
    assert_eq!((late.load(Relaxed), last.load(Relaxed)), (0, 0), "{:?}", logs.stats());
}

#[test]
fn a_nameless_file_is_let_go_even_while_its_path_is_obstructed() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().on_error(|_| {}).build(directory.path()).expect("builds");
    fs::rename(logs.path(), directory.path().join("app.log.1")).expect("renamed");
    fs::create_dir(logs.path()).expect("made");
    let mut refused = None;
    for second in 1..20 {
        hand.set(NOW + second, 0);
        if second == 9 {
            fs::remove_file(directory.path().join("app.log.1")).expect("removed");
        }
        if try_log(&logs, "a line").is_err() {
            refused = Some(second);
            break;
        }
    }
    assert!(matches!(refused, Some(9 | 10)), "{refused:?}");
}

#[test]
fn a_hook_that_is_told_of_a_stuck_lock_may_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let slot = std::sync::Arc::new(std::sync::OnceLock::<Appender>::new());
    let took = std::sync::Arc::new(AtomicU64::new(0));
    let (own, spent) = (slot.clone(), took.clone());
    let logs = hand
        .builder()
        .lock_writes(true)
        .on_error(move |error| {
            assert_eq!(error.operation(), Operation::Lock);
            let began = Instant::now();
            try_log(own.get().expect("built"), "from the hook").expect("writes");
            spent.store(began.elapsed().as_millis() as u64 + 1, Relaxed);
        })
        .build(directory.path())
        .expect("builds");
    slot.set(logs.clone()).expect("once");
    let file = fs::OpenOptions::new().append(true).read(true).open(logs.path()).expect("opens");
    lock_byte(&file, libc::F_WRLCK, WRITE_BYTE);
    try_log(&logs, "a line").expect("writes");
    let took = took.load(Relaxed);
    assert!((1..500).contains(&took), "the hook's line took {took} ms");
}

#[test]
fn nothing_is_acknowledged_behind_a_piece_that_is_being_cut_off() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().lock_writes(true).on_error(|_| {}).build(directory.path()).expect("builds");
    // As a process does that was stopped in the middle of it: the write lock, and the byte of those who write without.
    let file = fs::OpenOptions::new().append(true).read(true).open(logs.path()).expect("opens");
    lock_byte(&file, libc::F_WRLCK, WRITE_BYTE);
    lock_byte(&file, libc::F_WRLCK, UNLOCKED_BYTE);
    try_log(&logs, "refused").expect_err("it would be cut off");
    lock_byte(&file, libc::F_UNLCK, UNLOCKED_BYTE);
    try_log(&logs, "without the lock").expect("writes");
    lock_byte(&file, libc::F_UNLCK, WRITE_BYTE);
    try_log(&logs, "with it").expect("writes");
    assert_eq!(read(directory.path(), "app.log"), "without the lock\nwith it\n");
    assert_eq!((logs.stats().writes, logs.stats().lines_lost), (2, 1));
}
