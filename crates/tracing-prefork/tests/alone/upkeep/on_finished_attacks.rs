//! Attacks on `on_finished`: hooks that do odd things, processes that end at the wrong moment, damaged records,
//! directories that cannot be read.

use nix::sys::wait::waitpid;
use nix::unistd::fork;
use std::fs::{self, File};
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use tracing_prefork::Rotation;

use crate::common;
use crate::common::hook::{RECORD, all, given, name, note};
use crate::common::on_finished_attacks::make_old;
use crate::common::{
    DAY, Hand, NOW, alone, child, daily, eventually, log, names, noted, operations, telling, threads, write_files,
};

/// Waits until no thread does any housekeeping.
fn settle(usual: usize) {
    eventually("the housekeeping is over", || threads() <= usual);
}

#[test]
fn a_file_open_in_an_idle_parent_is_handed_over_before_it_goes() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        let hand = Hand::at(NOW);
        let path = notes.clone();
        // The prefork server of the guide: the parent builds, and never logs.
        let logs = daily(&hand)
            .max_log_files(2)
            .on_finished(move |finished, _| note(&path, &name(finished)))
            .build(&directory)
            .expect("builds");
        let worker = child(|| {
            log(&logs, "the first day");
            for later in 0..3 * DAY / 600 {
                hand.set(NOW + later * 600, 0);
                log(&logs, "a line");
                settle(1);
                if later == DAY / 600 {
                    make_old(&directory.join("app.2026-11-21.log"), 60);
                }
            }
            settle(1);
        });
        waitpid(worker, None).expect("ends");
        let there = names(&directory);
        assert!(
            noted(&notes).contains(&"app.2026-11-21.log".to_owned())
                || there.contains(&"app.2026-11-21.log".to_owned()),
            "it is gone, and no hook has seen it: {:?}, {there:?}",
            noted(&notes)
        );
    });
}

#[test]
fn workers_of_a_silent_parent_hand_over_what_was_left() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        write_files(&directory, &["app.2026-11-19.log", "app.2026-11-20.log"]);
        let hand = Hand::at(NOW);
        let path = notes.clone();
        let logs = daily(&hand)
            .on_finished(move |finished, _| note(&path, &name(finished)))
            .build(&directory)
            .expect("builds");
        let worker = child(|| {
            // Fifteen hours, an event a minute.
            for minute in 0..15 * 60 {
                hand.set(NOW + minute * 60, 0);
                log(&logs, "a line");
            }
            settle(1);
        });
        waitpid(worker, None).expect("ends");
        assert_eq!(noted(&notes), ["app.2026-11-19.log", "app.2026-11-20.log"]);
    });
}

#[test]
fn the_end_of_the_worker_that_rolled_over_stops_no_hand_over() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        let hand = Hand::at(NOW);
        let path = notes.clone();
        let logs = daily(&hand)
            .on_finished(move |finished, _| note(&path, &name(finished)))
            .build(&directory)
            .expect("builds");
        let usual = threads();
        log(&logs, "the first day");
        let tomorrow = NOW - NOW % DAY + DAY;
        hand.set(tomorrow, 0);
        let short_lived = child(|| {
            log(&logs, "begins the next day's file");
            settle(1);
        });
        waitpid(short_lived, None).expect("ends");
        // The others log on, for 23 hours.
        for minute in 0..23 * 60 {
            hand.set(tomorrow + 1 + minute * 60, 0);
            log(&logs, "a line");
        }
        settle(usual);
        assert_eq!(noted(&notes), ["app.2026-11-21.log"]);
    });
}

#[test]
fn no_file_goes_unseen_when_the_worker_that_rolled_over_ends() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        let hand = Hand::at(NOW);
        let path = notes.clone();
        let logs = daily(&hand)
            .max_log_files(2)
            .on_finished(move |finished, _| note(&path, &name(finished)))
            .build(&directory)
            .expect("builds");
        let usual = threads();
        log(&logs, "the first day");
        let tomorrow = NOW - NOW % DAY + DAY;
        hand.set(tomorrow, 0);
        let short_lived = child(|| {
            log(&logs, "begins the next day's file");
            settle(1);
        });
        waitpid(short_lived, None).expect("ends");
        make_old(&directory.join("app.2026-11-21.log"), 25);
        // The others log on, for a day.
        for minute in 0..25 * 60 {
            hand.set(tomorrow + 1 + minute * 60, 0);
            log(&logs, "a line");
        }
        settle(usual);
        let there = names(&directory);
        assert!(noted(&notes).contains(&"app.2026-11-21.log".to_owned()), "gone, and no hook has seen it: {there:?}");
    });
}

#[test]
fn a_directory_once_unreadable_has_nothing_handed_over_again() {
    alone(|home| {
        use std::os::unix::fs::PermissionsExt;
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        for path in [home, &directory] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("set");
        }
        if nix::unistd::Uid::effective().is_root() {
            nix::unistd::seteuid(nix::unistd::Uid::from_raw(65534)).expect("another user");
        }
        let files: Vec<_> =
            (1..=2).flat_map(|m| (1..=28).map(move |d| format!("2026/{m:02}/app-{d:02}.log"))).collect();
        write_files(&directory, &files.iter().map(String::as_str).collect::<Vec<_>>());
        let hand = Hand::at(NOW);
        let builder = common::dated(&hand, Rotation::DAILY, "%Y/%m/app-%d.log").on_error(|_| {});
        let (given, builder) = given(builder);
        let logs = builder.build(&directory).expect("builds");
        assert_eq!(logs.hand_over().expect("handed over"), 56);
        let closed = directory.join("2026/01");
        let closed2 = directory.join("2026/02");
        for c in [&closed, &closed2] {
            fs::set_permissions(c, fs::Permissions::from_mode(0o0)).expect("closed");
        }
        logs.hand_over().expect_err("closed");
        for c in [&closed, &closed2] {
            fs::set_permissions(c, fs::Permissions::from_mode(0o755)).expect("opened");
        }
        assert_eq!(logs.hand_over().expect("handed over"), 0, "{}", all(&given).len());
    });
}

#[test]
fn a_child_that_a_hook_forks_hands_over_nothing() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        write_files(&directory, &["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"]);
        let path = notes.clone();
        let first = std::sync::atomic::AtomicBool::new(true);
        let own = std::process::id();
        let logs = daily(&Hand::at(NOW))
            .on_finished(move |finished, _| {
                note(&path, &name(finished));
                if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                    // SAFETY: one thread.
                    let _ = unsafe { fork() };
                }
            })
            .build(&directory)
            .expect("builds");
        let _ = logs.hand_over();
        if std::process::id() != own {
            // SAFETY: nothing of the parent's is to run.
            unsafe { nix::libc::_exit(0) }
        }
        let _ = waitpid(None, None);
        let mut noted = noted(&notes);
        noted.sort();
        assert_eq!(noted, ["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"]);
    });
}

#[test]
fn a_clock_ahead_for_a_moment_does_not_put_off_the_next_look() {
    alone(|home| {
        let directory = home.join("logs");
        let hand = Hand::at(NOW);
        let works = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let state = works.clone();
        fs::create_dir(&directory).expect("made");
        write_files(&directory, &["app.2026-11-20.log"]);
        let logs = daily(&hand)
            .on_error(|_| {})
            .try_on_finished(
                move |_, _| {
                    if state.load(std::sync::atomic::Ordering::Relaxed) { Ok(()) } else { Err("not yet") }
                },
            )
            .build(&directory)
            .expect("builds");
        let usual = threads();
        let step = |second: u64| {
            hand.set(second, 0);
            log(&logs, "a line");
            eventually("over", || threads() == usual);
        };
        step(NOW);
        step(NOW + 10 * DAY);
        step(NOW + 10 * DAY + 1);
        works.store(true, std::sync::atomic::Ordering::Relaxed);
        for minute in 0..14 * 60 {
            step(NOW + 10 + minute * 60);
        }
        assert!(logs.stats().files_handed_over > 0, "not for 14 hours, although something is logged each minute");
    });
}

#[test]
fn a_hook_that_no_thread_can_be_started_for_is_reported() {
    alone(|home| {
        use nix::sys::resource::{Resource, setrlimit};
        use std::os::unix::fs::PermissionsExt;
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        for path in [home, &directory] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("set");
        }
        write_files(&directory, &["app.2026-11-20.log"]);
        fs::set_permissions(directory.join("app.2026-11-20.log"), fs::Permissions::from_mode(0o666)).expect("set");
        setrlimit(Resource::RLIMIT_NPROC, 1, 1).expect("set");
        if nix::unistd::Uid::effective().is_root() {
            nix::unistd::setuid(nix::unistd::Uid::from_raw(65534)).expect("another user");
        }
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand));
        let (given, builder) = given(builder);
        let logs = builder.build(&directory).expect("builds");
        for minute in 0..15 * 60 {
            hand.set(NOW + minute * 60, 0);
            log(&logs, "a line");
        }
        let told = told.lock().expect("unpoisoned").clone();
        assert!(!all(&given).is_empty() || !told.is_empty(), "never called, in silence");
    });
}

#[test]
fn a_failing_hook_is_called_rarely_with_max_total_bytes_too() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        write_files(&directory, &["app.2026-11-20.log"]);
        let calls = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counter = calls.clone();
        let hand = Hand::at(NOW);
        let logs = daily(&hand)
            .max_total_bytes(1 << 30)
            .on_error(|_| {})
            .try_on_finished(move |_, _| {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Err("never")
            })
            .build(&directory)
            .expect("builds");
        let usual = threads();
        for minute in 0..180 {
            hand.set(NOW + minute * 60, 0);
            log(&logs, "an event each minute");
            eventually("the housekeeping is over", || threads() == usual);
        }
        let calls = calls.load(std::sync::atomic::Ordering::Relaxed);
        assert!(calls < 20, "{calls} calls in three hours");
    });
}

#[test]
fn a_round_that_fails_as_a_whole_is_tried_again_within_an_hour() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        write_files(&directory, &["app.2026-11-20.log"]);
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand));
        let (given, builder) = given(builder);
        let logs = builder.build(&directory).expect("builds");
        // Descriptors run out in the moment of the first round.
        let filling: Vec<_> = {
            use nix::sys::resource::{Resource, setrlimit};
            setrlimit(Resource::RLIMIT_NOFILE, 64, 1024).expect("set");
            std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
        };
        log(&logs, "the first event starts it");
        eventually("that is reported", || !operations(&told).is_empty());
        drop(filling);
        for minute in 1..15 * 60 {
            hand.set(NOW + minute * 60, 0);
            log(&logs, "a line");
        }
        eventually("it is handed over", || all(&given) == ["app.2026-11-20.log"]);
    });
}

#[test]
fn an_unwritable_record_is_tried_again_within_an_hour() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        write_files(&directory, &["app.2026-11-20.log"]);
        fs::create_dir(directory.join(RECORD)).expect("made");
        write_files(&directory, &[&format!("{RECORD}.bad")]);
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand));
        let (given, builder) = given(builder);
        let logs = builder.build(&directory).expect("builds");
        log(&logs, "the first event starts it");
        eventually("that is reported", || !operations(&told).is_empty());
        fs::remove_dir(directory.join(RECORD)).expect("removed");
        for minute in 1..15 * 60 {
            hand.set(NOW + minute * 60, 0);
            log(&logs, "a line");
        }
        eventually("it is handed over", || all(&given) == ["app.2026-11-20.log"]);
    });
}

#[test]
fn an_error_hook_can_start_programs_that_can_be_told_to_end() {
    alone(|_| {
        let directory = tempfile::tempdir().expect("a directory");
        write_files(directory.path(), &["app.2026-11-20.log"]);
        let (sender, receiver) = channel();
        let sender = Mutex::new(sender);
        let logs = daily(&Hand::at(NOW))
            .on_error(move |_| {
                let status = Command::new("sh").args(["-c", "kill -TERM $$; exit 7"]).status().expect("starts");
                let _ = sender.lock().expect("unpoisoned").send(status.code());
            })
            .try_on_finished(|_, _| Err("never"))
            .build(directory.path())
            .expect("builds");
        log(&logs, "the first event starts it");
        assert_eq!(receiver.recv().expect("called"), None, "killed by the signal");
    });
}

#[test]
fn on_a_full_disk_a_hook_that_moves_files_away_is_called() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        if !common::small_disk(&directory, "size=256k") {
            return;
        }
        write_files(&directory, &["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"]);
        let hand = Hand::at(NOW);
        let (_, builder) = telling(daily(&hand));
        let logs = builder
            .on_finished(|finished, _| fs::remove_file(finished).expect("removed"))
            .build(&directory)
            .expect("builds");
        // Full before the first is finished.
        let _ = fs::write(directory.join("ballast"), vec![0; 1 << 20]);
        let handed = logs.hand_over();
        assert!(handed.is_ok(), "{handed:?} {:?}", names(&directory));
    });
}
