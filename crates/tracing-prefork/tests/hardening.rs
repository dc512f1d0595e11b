//! Full disks, stuck locks and files that have lost their names, where several things happen at once.

mod common;

use common::{DAY, Hand, NOW, alone, names, operations, read, small_disk, telling};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::{ForkResult, fork};
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing_prefork::{Appender, Operation, Rotation};

fn log(mut logs: &Appender, text: &str) -> std::io::Result<()> {
    writeln!(logs, "{text}")
}

#[test]
fn making_room_writes_no_line_twice() {
    alone("making_room_writes_no_line_twice", &[], |directory| {
        if !small_disk(directory, "size=64k") {
            return;
        }
        let hand = Hand::at(NOW);
        let logs = hand.builder().rotation(Rotation::DAILY).min_log_files(1).build(directory).expect("builds");
        let mut buffered = std::io::BufWriter::with_capacity(8100, logs.clone());
        let mut number = 0;
        for day in 0..5 {
            hand.set(NOW + day * DAY, 0);
            for _ in 0..700 {
                writeln!(buffered, "line {number} 0123456789012345").expect("buffered");
                number += 1;
            }
            buffered.flush().expect("there is room, or it is made");
        }
        let mut seen = std::collections::HashMap::<String, usize>::new();
        for name in names(directory) {
            for line in read(directory, &name).lines() {
                *seen.entry(line.to_owned()).or_default() += 1;
            }
        }
        let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
        assert!(
            twice.is_empty(),
            "{} lines twice: {:?}; {:?}",
            twice.len(),
            &twice[..3.min(twice.len())],
            logs.stats()
        );
    });
}

#[test]
fn room_is_made_for_a_new_file() {
    alone("room_is_made_for_a_new_file", &[], |directory| {
        // The root directory, the lock file, and three logs: the line goes into the file before, until that finds no
        // room either.
        if !small_disk(directory, "size=40k,nr_inodes=5") {
            return;
        }
        let hand = Hand::at(NOW);
        let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).max_log_files(100).min_log_files(1));
        let logs = builder.build(directory).expect("builds");
        let mut failed = Vec::new();
        for day in 0..20 {
            hand.set(NOW + day * DAY, 0);
            for _ in 0..3 {
                if let Err(error) = log(&logs, &"x".repeat(999)) {
                    failed.push((day, error.to_string()));
                }
            }
        }
        assert!(
            failed.is_empty(),
            "{} {:?} {:?} {:?} {:?}",
            failed.len(),
            failed[0],
            logs.stats(),
            operations(&told),
            names(directory)
        );
    });
}

#[test]
fn a_stopped_pruner_costs_not_a_second_a_line() {
    alone("a_stopped_pruner_costs_not_a_second_a_line", &[], |directory| {
        if !small_disk(directory, "size=40k") {
            return;
        }
        let hand = Hand::at(NOW);
        let logs = hand
            .builder()
            .rotation(Rotation::DAILY)
            .min_log_files(1)
            .on_error(|_| {})
            .build(directory)
            .expect("builds");
        let path = directory.join(common::LOCK);
        // SAFETY: one thread.
        let child = match unsafe { fork() }.expect("forks") {
            ForkResult::Child => {
                let file = fs::OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .read(true)
                    .write(true)
                    .open(&path)
                    .expect("opens");
                // SAFETY: integers.
                let mut lock: libc::flock = unsafe { std::mem::zeroed() };
                (lock.l_type, lock.l_len) = (libc::F_WRLCK as libc::c_short, 1);
                fcntl(&file, FcntlArg::F_SETLK(&lock)).expect("locked");
                fs::write(directory.join("ready"), "").expect("w");
                std::thread::sleep(Duration::from_secs(60));
                std::process::exit(0);
            }
            ForkResult::Parent { child } => child,
        };
        while !directory.join("ready").exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        while log(&logs, &"x".repeat(999)).is_ok() {}
        let began = Instant::now();
        for _ in 0..3 {
            let _ = log(&logs, &"x".repeat(999));
        }
        let took = began.elapsed();
        let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
        assert!(took < Duration::from_millis(1500), "{took:?}");
    });
}

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
                    let ok = log(&logs, &"x".repeat(2000)).is_ok();
                    if let Some(at) = removed.get()
                        && ok
                        && at.elapsed() > Duration::from_millis(1200)
                    {
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
fn a_file_that_loses_its_name_while_the_path_is_closed_is_let_go_within_a_second() {
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
        if log(&logs, "a line").is_err() {
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
            log(own.get().expect("built"), "from the hook").expect("writes");
            spent.store(began.elapsed().as_millis() as u64 + 1, Relaxed);
        })
        .build(directory.path())
        .expect("builds");
    slot.set(logs.clone()).expect("once");
    let file = fs::OpenOptions::new().append(true).read(true).open(logs.path()).expect("opens");
    // SAFETY: integers.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_start, lock.l_len) = (libc::F_WRLCK as libc::c_short, (1 << 62) + 2, 1);
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).expect("locked");
    log(&logs, "a line").expect("writes");
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
    let set = |kind: libc::c_int, byte: i64| {
        // SAFETY: a plain C struct of integers, for which zero is a value.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        (lock.l_type, lock.l_start, lock.l_len) = (kind as libc::c_short, (1 << 62) + byte, 1);
        fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).expect("nobody has it");
    };
    set(libc::F_WRLCK, 2);
    set(libc::F_WRLCK, 1);
    log(&logs, "refused").expect_err("it would be cut off");
    set(libc::F_UNLCK, 1);
    log(&logs, "without the lock").expect("writes");
    set(libc::F_UNLCK, 2);
    log(&logs, "with it").expect("writes");
    assert_eq!(read(directory.path(), "app.log"), "without the lock\nwith it\n");
    assert_eq!((logs.stats().lines, logs.stats().lines_lost), (2, 1));
}
