//! How large files become, and what is kept of them: `max_file_bytes`, `max_total_bytes`, `max_age`, `files`.

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tracing_prefork::Rotation;

use crate::common;
use crate::common::sizes::{lines, three_old_files};
use crate::common::{Hand, NOW, alone, daily, eventually, log, names};

#[test]
fn processes_meet_in_one_file_and_the_overshoot_has_a_bound() {
    alone(|directory| {
        const PROCESSES: u64 = 8;
        const LINES: u64 = 4000;
        let hand = Hand::at(NOW);
        let logs = daily(&hand).max_file_bytes(200_000).build(directory).expect("builds");
        let children: Vec<_> = (0..PROCESSES)
            .map(|process| {
                // SAFETY: this process has one thread.
                match unsafe { fork() }.expect("forks") {
                    ForkResult::Parent { child } => child,
                    ForkResult::Child => {
                        (0..LINES).for_each(|number| log(&logs, &format!("{process} {number:097}")));
                        // SAFETY: nothing of the parent's is to run.
                        unsafe { nix::libc::_exit(0) }
                    }
                }
            })
            .collect();
        for child in children {
            waitpid(child, None).expect("ends");
        }
        let found = logs.files().expect("listed");
        for (index, file) in found.iter().enumerate() {
            assert_eq!(file.index as usize, index, "without a gap");
            let bound = 200_000 + PROCESSES * (16_384 + 1024 + 100);
            assert!(file.bytes <= bound, "{} bytes, at most {bound}", file.bytes);
            assert!(file.bytes >= 200_000 || index + 1 == found.len(), "{file:?}");
        }
        let all = lines(&logs);
        for process in 0..PROCESSES {
            let own: Vec<_> = all.iter().filter(|line| line.starts_with(&format!("{process} "))).collect();
            let expected: Vec<_> = (0..LINES).map(|number| format!("{process} {number:097}")).collect();
            assert!(own.into_iter().eq(&expected), "process {process}: all lines, in order");
        }
    });
}

#[test]
fn max_total_bytes_is_reckoned_each_minute_in_workers_too() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        let hand = three_old_files(&directory);
        // The parent builds, and never logs.
        let logs = hand.builder().rotation(Rotation::DAILY).max_total_bytes(4000).build(&directory).expect("builds");
        // SAFETY: one thread.
        match unsafe { fork() }.expect("forks") {
            ForkResult::Child => {
                for minute in 0..10 * 60 {
                    hand.set(NOW + minute * 60, 0);
                    log(&logs, &"x".repeat(99));
                }
                eventually("the old ones go", || names(&directory).len() == 1);
                // SAFETY: nothing of the parent's is to run.
                unsafe { nix::libc::_exit(0) }
            }
            ForkResult::Parent { child } => waitpid(child, None).expect("ends"),
        };
        assert_eq!(names(&directory), ["app.2026-11-21.log"], "the current file alone has 60 000 bytes");
    });
}

#[test]
fn the_reckoning_goes_on_after_another_process_was_at_it() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        let hand = three_old_files(&directory);
        let logs = hand.builder().rotation(Rotation::DAILY).max_total_bytes(4000).build(&directory).expect("builds");
        let lock = directory.join(common::LOCK);
        // SAFETY: one thread.
        let other = match unsafe { fork() }.expect("forks") {
            ForkResult::Child => {
                let file = fs::File::options().read(true).write(true).open(&lock).expect("opens");
                // SAFETY: a plain C struct.
                let mut flock: nix::libc::flock = unsafe { std::mem::zeroed() };
                flock.l_type = nix::libc::F_WRLCK as _;
                nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETLKW(&flock)).expect("locked");
                std::thread::sleep(Duration::from_millis(300));
                // SAFETY: nothing of the parent's is to run.
                unsafe { nix::libc::_exit(0) }
            }
            ForkResult::Parent { child } => child,
        };
        eventually("the other has the lock", || has_lock(&lock));
        hand.set(NOW + 60, 0);
        log(&logs, "is due, and another process is at it");
        waitpid(other, None).expect("ends");
        for minute in 2..10 * 60 {
            hand.set(NOW + minute * 60, 0);
            log(&logs, &"x".repeat(99));
        }
        eventually("the old ones go", || names(&directory) == ["app.2026-11-21.log"]);
    });
}

/// Whether another process has a lock on that file.
fn has_lock(path: &Path) -> bool {
    let file = fs::File::options().read(true).write(true).open(path).expect("opens");
    // SAFETY: a plain C struct.
    let mut lock: nix::libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = nix::libc::F_WRLCK as _;
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GETLK(&mut lock)).expect("asked");
    lock.l_type != nix::libc::F_UNLCK as nix::libc::c_short
}
