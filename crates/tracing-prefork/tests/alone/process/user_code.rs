//! The user's own code: `on_error`, `header`, `clock` and `on_finished` may panic, log and fork.

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::dup2_stderr;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::panic::panic_any;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use tracing_prefork::{Appender, Operation, Rotation};

use crate::common;
use crate::common::hook::{Bomb, Upload};
use crate::common::turns::old_files;
use crate::common::{DAY, Hand, NOW, alone, daily, eventually, in_child, log, operations, read, telling};

/// Where the file of the next day is to be, there is a directory.
fn obstruct(directory: &Path) {
    fs::create_dir(directory.join("app.2026-11-22.log")).expect("a directory in the way");
}

/// What `work` has this process write to standard error.
fn stderr_of(directory: &Path, work: impl FnOnce()) -> String {
    let path = directory.join("stderr");
    let before = nix::unistd::dup(std::io::stderr()).expect("duplicated");
    dup2_stderr(File::create(&path).expect("created")).expect("set");
    work();
    dup2_stderr(before).expect("set back");
    fs::read_to_string(path).expect("there")
}

#[test]
fn a_panicking_error_hook_fails_no_event_and_loses_no_report() {
    alone(|directory| {
        let logs_in = directory.join("logs");
        let hand = Hand::at(NOW);
        let builder = daily(&hand).on_error(|error| match error.operation() {
            Operation::Rollover => panic!("the hook's own fault"),
            _ => panic_any(Bomb),
        });
        let logs = builder.latest_symlink("latest").build(&logs_in).expect("builds");
        obstruct(&logs_in);
        let told = stderr_of(directory, || {
            hand.set(NOW + DAY, 0);
            log(&logs, "a line");
            assert_eq!(logs.stats().errors, 2, "the failure, and the panic");
            fs::remove_file(logs_in.join("latest")).expect("removed");
            fs::create_dir(logs_in.join("latest")).expect("a directory in the way");
            hand.set(NOW + 2 * DAY, 0);
            log(&logs, "another");
        });
        assert_eq!(read(&logs_in, "app.2026-11-21.log"), "a line\n");
        assert_eq!(read(&logs_in, "app.2026-11-23.log"), "another\n");
        let ours: Vec<_> = told.lines().filter(|line| line.starts_with("tracing-prefork: ")).collect();
        assert_eq!(ours.len(), 2, "{told}");
        assert!(ours[0].contains("on_error has panicked: the hook's own fault"), "{told}");
        assert!(ours[0].contains("cannot open") && ours[0].contains("app.2026-11-22.log"), "{told}");
        assert!(ours[1].contains("on_error has panicked") && ours[1].contains("cannot renew"), "{told}");
    });
}

#[test]
fn a_report_on_standard_error_has_the_causes_of_a_hooks_error() {
    alone(|directory| {
        let logs_in = directory.join("logs");
        let hand = Hand::at(NOW);
        let builder = daily(&hand).try_on_finished(|_, _| Err(Upload(ErrorKind::ConnectionRefused.into())));
        let told = stderr_of(directory, || {
            fs::create_dir(&logs_in).expect("made");
            old_files(&logs_in, 1);
            let logs = builder.build(&logs_in).expect("builds");
            hand.set(NOW + DAY, 0);
            log(&logs, "a line");
            eventually("the report", || logs.stats().errors == 1);
        });
        let ours: Vec<_> = told.lines().filter(|line| line.starts_with("tracing-prefork: ")).collect();
        assert_eq!(ours.len(), 1, "{told}");
        assert!(ours[0].contains("cannot hand over") && ours[0].contains(": the upload has failed; "), "{told}");
        assert!(ours[0].ends_with("; cause: connection refused"), "{told}");
    });
}

#[test]
fn a_child_that_the_header_forks_makes_the_file_with_a_header() {
    alone(|directory| {
        static LOGS: OnceLock<Appender> = OnceLock::new();
        static FORKS: AtomicBool = AtomicBool::new(false);
        let hand = Hand::at(NOW);
        let path = directory.join("app.2026-11-22.log");
        let builder = daily(&hand).header(move |_| {
            if let Some(logs) = LOGS.get().filter(|_| FORKS.swap(false, Relaxed)) {
                in_child(|| {
                    log(logs, "of the child");
                    assert_eq!(fs::read_to_string(&path).expect("made"), "# begins\nof the child\n");
                });
            }
            "# begins".to_owned()
        });
        let logs = LOGS.get_or_init(|| builder.build(directory).expect("builds"));
        FORKS.store(true, Relaxed);
        hand.set(NOW + DAY, 0);
        log(logs, "of the parent");
        assert_eq!(read(directory, "app.2026-11-22.log"), "# begins\nof the child\nof the parent\n");
        assert_eq!(logs.stats().errors, 0);
    });
}

#[test]
fn a_child_that_the_error_hook_forks_is_told_its_own_failures() {
    alone(|directory| {
        static LOGS: OnceLock<Appender> = OnceLock::new();
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let hand = Hand::at(NOW);
        let builder = daily(&hand).on_error(|_| {
            if TOLD.fetch_add(1, Relaxed) == 0 {
                in_child(|| {
                    let _ = (&mut LOGS.get().expect("built")).write_all(b"of the child\n");
                    assert!(TOLD.load(Relaxed) > 1, "the child's own failure");
                });
            }
        });
        let logs = LOGS.get_or_init(|| builder.build(directory).expect("builds"));
        obstruct(directory);
        hand.set(NOW + DAY, 0);
        log(logs, "of the parent");
        assert_eq!(logs.stats().errors, 1, "no panic of the hook");
    });
}

#[test]
fn a_clock_that_logs_on_a_full_disk_does_not_wait_for_room() {
    alone(|directory| {
        static LOGS: OnceLock<Appender> = OnceLock::new();
        static LOGGING: AtomicBool = AtomicBool::new(true);
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        if !common::small_disk(directory, "size=64k") {
            return;
        }
        for day in 15..=20 {
            fs::write(directory.join(format!("app.2026-11-{day}.log")), "x\n").expect("written");
        }
        let (hand, clock) = (Hand::at(NOW), Hand::at(NOW));
        let builder = daily(&hand).min_log_files(1).on_error(|_| {}).clock(move || {
            let asked = ASKED.fetch_add(1, Relaxed) + 1;
            if let Some(mut logs) = LOGS.get().filter(|_| !LOGGING.swap(true, Relaxed)) {
                let _ = logs.write_all(b"x\n");
                MOST.fetch_max(ASKED.load(Relaxed) - asked, Relaxed);
                LOGGING.store(false, Relaxed);
            }
            clock.now()
        });
        let mut logs = LOGS.get_or_init(|| builder.build(directory).expect("builds"));
        LOGGING.store(false, Relaxed);
        let line = format!("{}\n", "x".repeat(2999));
        for _ in 0..30 {
            let _ = logs.write_all(line.as_bytes());
        }
        assert_eq!(logs.stats().files_pruned, 6, "room was made");
        let most = MOST.load(Relaxed);
        assert!(most < 100, "the clock was asked {most} times for one line, each time that it was tried to prune");
    });
}

#[test]
fn a_clock_that_logs_ends_nothing() {
    alone(|directory| {
        static LOGS: OnceLock<Appender> = OnceLock::new();
        let hand = Hand::at(NOW);
        let clock = hand.clone();
        let (told, builder) = telling(Appender::builder().filename_prefix("app").rotation(Rotation::DAILY));
        let builder = builder.clock(move || {
            if let Some(mut logs) = LOGS.get() {
                logs.write_all(b"of the clock\n").expect("written");
            }
            clock.now()
        });
        let logs = LOGS.get_or_init(|| builder.build(directory).expect("builds"));
        log(logs, "a line");
        let text = read(directory, "app.2026-11-21");
        assert_eq!(text.lines().last(), Some("a line"), "{text}");
        assert_eq!(operations(&told), [Operation::UserCode]);
        common::says(&told.lock().expect("unpoisoned")[0].1, &["clock calls the appender"]);
    });
}

#[test]
fn a_signal_that_a_hook_blocks_stays_blocked_in_another_hook() {
    alone(|directory| {
        static LOGS: OnceLock<Appender> = OnceLock::new();
        static BLOCKED: OnceLock<bool> = OnceLock::new();
        let hand = Hand::at(NOW);
        fs::write(directory.join("app.2026-11-20.log"), "x\n").expect("written");
        let clock = hand.clone();
        let builder = daily(&hand)
            .on_error(|_| {
                let _ = BLOCKED.set(SigSet::thread_get_mask().expect("read").contains(Signal::SIGUSR2));
            })
            .on_finished(move |_, _| {
                let mut mask = SigSet::empty();
                mask.add(Signal::SIGUSR2);
                mask.thread_block().expect("blocked");
                clock.set(NOW + DAY, 0);
                log(LOGS.get().expect("built"), "cannot open its file");
            });
        let logs = LOGS.get_or_init(|| builder.build(directory).expect("builds"));
        obstruct(directory);
        log(logs, "starts the thread");
        common::eventually("the error hook is called", || BLOCKED.get().is_some());
        assert_eq!(BLOCKED.get(), Some(&true));
    });
}
