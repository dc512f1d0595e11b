//! `lock_writes`: each write under a lock, all of a line or nothing.

use nix::libc;
use tracing_prefork::{Operation, Rotation};

use crate::common;
use crate::common::lock_writes::{lock, locking, raw};
use crate::common::{Hand, NOW, limit, limited, operations, read, try_log};

#[test]
fn a_line_that_falls_short_is_cut_off_again() {
    limited(|directory| {
        let (told, logs) = locking(&Hand::at(NOW), directory);
        try_log(&logs, "whole").expect("writes");
        limit(50);
        try_log(&logs, &"x".repeat(100)).expect_err("the limit is in the way");
        assert_eq!(read(directory, "app.2026-11-21.log"), "whole\n");
        limit(u64::MAX);
        try_log(&logs, "the next").expect("writes");
        assert_eq!(read(directory, "app.2026-11-21.log"), "whole\nthe next\n");
        let stats = logs.stats();
        assert_eq!((stats.writes, stats.lines_lost, stats.bytes_lost), (2, 1, 101));
        assert_eq!(operations(&told), [Operation::Write]);
    });
}

#[test]
fn nothing_is_cut_off_while_somebody_writes_without_the_lock() {
    limited(|directory| {
        let hand = Hand::at(NOW);
        let (_, logs) = locking(&hand, directory);
        let other = hand.builder().rotation(Rotation::DAILY).build(directory).expect("builds");
        try_log(&other, "first").expect("writes");
        limit(50);
        try_log(&logs, &"x".repeat(100)).expect_err("the limit is in the way");
        limit(u64::MAX);
        try_log(&other, "without the lock").expect("writes");
        let piece = "x".repeat(43);
        assert_eq!(read(directory, "app.2026-11-21.log"), format!("first\n{piece}\nwithout the lock\n"));
    });
}

#[test]
fn a_stuck_lock_stops_no_child_that_can_open_nothing() {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    common::alone(|directory| {
        let (_, logs) = locking(&Hand::at(NOW), directory);
        try_log(&logs, "before").expect("writes");
        let file = raw(directory);
        lock(&file, libc::F_WRLCK);
        let today = directory.join("app.2026-11-21.log");
        std::fs::rename(&today, directory.join("moved")).expect("renamed");
        std::fs::create_dir(&today).expect("a directory in the way");
        // SAFETY: the process has one thread that runs code of ours; the child ends by `_exit`.
        match unsafe { fork() }.expect("forks") {
            ForkResult::Child => {
                let written = (0..10).filter(|number| try_log(&logs, &format!("child {number}")).is_ok()).count();
                // SAFETY: leaves without running the parent's exit handlers.
                unsafe { libc::_exit(written as i32) }
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 10), "lines were refused");
            }
        }
        assert_eq!(read(directory, "moved").lines().count(), 11);
    });
}
