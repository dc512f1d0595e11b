//! Attacks on `on_finished`: hooks that do odd things, processes that end at the wrong moment, damaged records,
//! directories that cannot be read.

use std::cell::Cell;
use std::fs;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tracing_prefork::{Appender, Operation, Rotation};

use crate::common::hook::{RECORD, all, given, name};
use crate::common::on_finished_attacks::make_old;
use crate::common::{DAY, Hand, NOW, daily, eventually, log, names, operations, telling, write_files};

#[test]
fn a_record_that_begins_with_a_byte_order_mark_ends_no_program() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-20.log"]);
    let (_, builder) = given(daily(&Hand::at(NOW)));
    builder.build(directory.path()).expect("builds").hand_over().expect("handed over");
    // An administrator's editor.
    let record = directory.path().join(RECORD);
    let text = fs::read_to_string(&record).expect("a record");
    fs::write(&record, format!("\u{feff}{text}")).expect("written");
    let (_, builder) = given(daily(&Hand::at(NOW)).max_log_files(5));
    let logs = builder.build(directory.path()).expect("builds");
    logs.hand_over().expect("handed over");
}

#[test]
fn retention_waits_for_a_hook_a_day_at_most_without_rotation() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = Appender::builder().filename_prefix("app").filename_suffix("log").rotation(Rotation::NEVER);
    let old: Vec<_> = (0..10).map(|i| if i == 0 { "app.log".to_owned() } else { format!("app.{i}.log") }).collect();
    write_files(directory.path(), &old.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &old {
        fs::write(directory.path().join(name), "x".repeat(1000)).expect("written");
        make_old(&directory.path().join(name), 24 * 30);
    }
    let logs = builder
        .max_file_bytes(1000)
        .max_total_bytes(3000)
        .on_error(|_| {})
        .try_on_finished(|_, _| Err("never"))
        .build(directory.path())
        .expect("builds");
    logs.hand_over().expect_err("the hook fails");
    logs.prune().expect("prunes");
    assert!(names(directory.path()).len() <= 3, "all are still there after a month: {:?}", names(directory.path()));
}

#[test]
fn a_program_stopped_for_days_hands_over_before_it_prunes() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW - 3 * DAY);
    {
        let (_, builder) = given(daily(&hand).max_age(Duration::from_secs(DAY)));
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "the last of Wednesday");
        assert_eq!(logs.hand_over().expect("handed over"), 0, "the current file comes with the next start");
        make_old(&logs.path(), 72);
    }
    hand.set(NOW, 0);
    let (told, builder) = telling(daily(&hand).max_age(Duration::from_secs(DAY)));
    let (given, builder) = given(builder);
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "the first event starts it");
    let minutes = Cell::new(0);
    eventually("it is handed over, and goes", || {
        minutes.set(minutes.get() + 1);
        hand.set(NOW + minutes.get() * 60, 0);
        log(&logs, "a line");
        names(directory.path()) == ["app.2026-11-21.log"]
    });
    assert_eq!(all(&given), ["app.2026-11-18.log"], "removed unseen; told: {:?}", told.lock());
}

#[test]
fn appenders_on_two_paths_do_not_hand_over_at_the_same_time() {
    let home = tempfile::tempdir().expect("a directory");
    let (one, other) = (home.path().join("one"), home.path().join("other"));
    fs::create_dir(&one).expect("made");
    std::os::unix::fs::symlink(&one, &other).expect("linked");
    write_files(&one, &["app.2026-11-19.log", "app.2026-11-20.log"]);
    let hand = Hand::at(NOW);
    let (go, wait) = channel::<()>();
    let (called, calls) = channel();
    let wait = Mutex::new(wait);
    let slow = daily(&hand)
        .on_finished(move |finished, _| {
            called.send(name(finished)).expect("received");
            let _ = wait.lock().expect("unpoisoned").recv();
        })
        .build(&one)
        .expect("builds");
    log(&slow, "starts it");
    assert_eq!(calls.recv().expect("called"), "app.2026-11-19.log");
    let (given, builder) = given(daily(&hand));
    let logs = builder.build(&other).expect("builds");
    let handed = logs.hand_over();
    drop(go);
    eventually("done", || slow.stats().files_handed_over > 0);
    assert!(handed.is_err() && all(&given).is_empty(), "both were given the same: {:?}", all(&given));
}

#[test]
fn retention_goes_on_where_the_record_cannot_be_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = ["app.2026-10-01.log", "app.2026-10-02.log", "app.2026-10-03.log"];
    write_files(directory.path(), &old);
    old.iter().for_each(|name| make_old(&directory.path().join(name), 24 * 40));
    fs::create_dir(directory.path().join(RECORD)).expect("made");
    write_files(directory.path(), &[&format!("{RECORD}.bad")]);
    let hand = Hand::at(NOW);
    let (told, builder) = telling(daily(&hand).max_log_files(1));
    let (_, builder) = given(builder);
    let logs = builder.build(directory.path()).expect("builds");
    logs.hand_over().expect_err("refused");
    logs.prune().expect("prunes");
    assert_eq!(names(directory.path()).len(), 4, "the hook may come yet");
    hand.set(NOW + 86_000, 0);
    logs.hand_over().expect_err("refused");
    hand.set(NOW + 2 * DAY - 10_000, 0);
    logs.hand_over().expect_err("refused for a day");
    logs.prune().expect("prunes");
    assert_eq!(names(directory.path()), ["app.2026-11-21.log"], "{:?}", told.lock());
}

#[test]
fn many_appenders_with_slow_hooks_do_not_hold_up_another() {
    let home = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (go, wait) = channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let (called, calls) = channel();
    let slow: Vec<_> = (0..64)
        .map(|number| {
            let directory = home.path().join(number.to_string());
            fs::create_dir(&directory).expect("made");
            write_files(&directory, &["app.2026-11-20.log"]);
            let (wait, called) = (wait.clone(), called.clone());
            let logs = daily(&hand)
                .on_finished(move |_, _| {
                    called.send(()).expect("received");
                    let _ = wait.lock().map(|wait| wait.recv());
                })
                .build(&directory)
                .expect("builds");
            log(&logs, "starts it");
            logs
        })
        .collect();
    (0..64).for_each(|_| calls.recv().expect("called"));
    let directory = home.path().join("another");
    fs::create_dir(&directory).expect("made");
    write_files(&directory, &["app.2026-11-19.log", "app.2026-11-20.log"]);
    let logs = daily(&hand).max_log_files(1).build(&directory).expect("builds");
    let there = names(&directory);
    let pruned = logs.prune();
    drop(go);
    eventually("done", || slow.iter().all(|logs| logs.stats().files_handed_over == 1));
    assert!(there.len() == 1 && pruned.is_ok(), "{there:?} {pruned:?}");
}

#[test]
fn a_hanging_hook_is_reported_before_unseen_files_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = ["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"];
    write_files(directory.path(), &old);
    let hand = Hand::at(NOW);
    let (go, wait) = channel::<()>();
    let (called, calls) = channel();
    let wait = Mutex::new(wait);
    let (told, builder) = telling(daily(&hand).max_log_files(1));
    let logs = builder
        .on_finished(move |finished, _| {
            called.send(name(finished)).expect("received");
            let _ = wait.lock().expect("unpoisoned").recv();
        })
        .build(directory.path())
        .expect("builds");
    log(&logs, "starts it");
    calls.recv().expect("called");
    old.iter().for_each(|name| make_old(&directory.path().join(name), 50));
    let minutes = Cell::new(0);
    eventually("they go, and that is reported", || {
        minutes.set(minutes.get() + 1);
        hand.set(NOW + minutes.get() * 60, 0);
        log(&logs, "a line");
        let there = names(directory.path());
        assert!(minutes.get() >= 24 * 60 || there.len() > 3, "in less than a day: {there:?}");
        !old.iter().any(|name| there.contains(&(*name).to_owned()))
            && operations(&told).contains(&Operation::OnFinished)
    });
    drop(go);
    eventually("the hook comes back", || logs.hand_over().is_ok());
}

#[cfg(feature = "gzip")]
#[test]
fn a_file_that_cannot_be_compressed_is_handed_over_all_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    write_files(directory.path(), &["app.2026-11-18.log", "app.2026-11-18.log.gz"]);
    let (given, builder) = given(daily(&hand).compress(tracing_prefork::Compression::Gzip).on_error(|_| {}));
    let logs = builder.max_log_files(1).build(directory.path()).expect("builds");
    log(&logs, "starts it");
    let _ = logs.compress();
    let _ = logs.hand_over();
    assert_eq!(names(directory.path()).len(), 3, "it waits");
    make_old(&directory.path().join("app.2026-11-18.log"), 70);
    make_old(&directory.path().join("app.2026-11-18.log.gz"), 70);
    let _ = logs.compress();
    let _ = logs.hand_over();
    let _ = logs.prune();
    let there = names(directory.path());
    assert!(!all(&given).is_empty() || there.len() > 1, "gone, and never handed over: {there:?}");
}

#[test]
fn appenders_of_one_prefix_do_not_forget_each_others_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let hours: Vec<_> = (0..3).flat_map(|d| (0..24).map(move |h| format!("app.2026-11-1{d}-{h:02}.log"))).collect();
    write_files(directory.path(), &hours.iter().map(String::as_str).collect::<Vec<_>>());
    write_files(directory.path(), &["app.2026-11-19.log", "app.2026-11-20.log"]);
    let hand = Hand::at(NOW);
    let (given, builder) = given(hand.builder().rotation(Rotation::HOURLY));
    let hourly = builder.build(directory.path()).expect("builds");
    let daily = daily(&hand).on_finished(|_, _| {}).build(directory.path()).expect("builds");
    assert_eq!(hourly.hand_over().expect("handed over"), 72);
    assert_eq!(daily.hand_over().expect("handed over"), 2);
    assert_eq!(hourly.hand_over().expect("handed over"), 0);
    assert_eq!(all(&given).len(), 72);
}

#[test]
fn a_hook_that_changes_the_file_is_not_called_again_and_again() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-20.log"]);
    let logs = daily(&Hand::at(NOW))
        .on_finished(|finished, _| {
            std::thread::sleep(Duration::from_millis(12));
            fs::write(finished, "").expect("emptied once it is elsewhere");
        })
        .build(directory.path())
        .expect("builds");
    assert_eq!(logs.hand_over().expect("handed over"), 1);
    assert_eq!(logs.hand_over().expect("handed over"), 0);
    assert_eq!(logs.hand_over().expect("handed over"), 0);
}

#[test]
fn a_hook_may_call_the_appender_and_build_another() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-20.log"]);
    let hand = Hand::at(NOW);
    let (sender, receiver) = channel();
    let (there, clock) = (directory.path().to_owned(), hand.clone());
    let builder = daily(&hand).max_log_files(2).on_finished(move |finished, _| {
        let logs = LOGS.get().expect("set");
        let other = daily(&clock).max_log_files(2).on_finished(|_, _| panic!("handed over within")).build(&there);
        let other = other.expect("builds");
        log(&other, "another");
        sender
            .send((
                name(finished),
                logs.prune().is_ok(),
                logs.compress().is_ok(),
                logs.hand_over().is_err(),
                other.hand_over().is_err(),
            ))
            .expect("received");
        log(logs, "handed over");
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    log(logs, "starts it");
    let found = receiver.recv_timeout(Duration::from_secs(30)).expect("called");
    assert_eq!(found, ("app.2026-11-20.log".to_owned(), true, true, true, true));
    eventually("done", || logs.stats().files_handed_over == 1);
}

#[test]
fn a_hook_may_rename_and_remove_and_take_the_directory_away() {
    let directory = tempfile::tempdir().expect("a directory");
    let top = directory.path().join("logs");
    fs::create_dir(&top).expect("made");
    write_files(&top, &["app.2026-11-17.log", "app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"]);
    let hand = Hand::at(NOW);
    let there = top.clone();
    let logs = daily(&hand)
        .max_log_files(2)
        .on_finished(move |finished, _| match &*name(finished) {
            "app.2026-11-17.log" => {
                fs::rename(finished, finished.with_file_name("app.2026-11-16.log")).expect("renamed")
            }
            "app.2026-11-18.log" => {
                fs::rename(finished, finished.with_file_name("app.2026-11-20.log")).expect("renamed")
            }
            "app.2026-11-19.log" => fs::remove_dir_all(&there).expect("removed"),
            _ => {}
        })
        .build(&top)
        .expect("builds");
    let _ = logs.hand_over();
    for second in 1..20 {
        hand.set(NOW + second, 0);
        log(&logs, "a line");
    }
    assert_eq!(names(&top), ["app.2026-11-21.log"]);
    hand.set(NOW + DAY, 0);
    log(&logs, "the next day");
    hand.set(NOW + DAY + 7, 0);
    log(&logs, "lets go");
    eventually("again", || logs.hand_over().is_ok() && logs.stats().files_handed_over > 2);
}

#[test]
fn late_lines_during_the_hook_are_handed_over_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let (today, yesterday) = (Hand::at(NOW), Hand::at(NOW - DAY));
    let late = Arc::new(Mutex::new(None::<String>));
    let (state, top, clock) = (late.clone(), directory.path().to_owned(), yesterday.clone());
    let seen = Arc::new(Mutex::new(String::new()));
    let notes = seen.clone();
    let logs = daily(&today)
        .on_finished(move |finished, _| {
            *notes.lock().expect("unpoisoned") = fs::read_to_string(finished).expect("read");
            if let Some(text) = state.lock().expect("unpoisoned").take() {
                log(&daily(&clock).build(&top).expect("builds"), &text);
            }
        })
        .build(directory.path())
        .expect("builds");
    let mut missed = 0;
    for number in 0..200 {
        log(&daily(&yesterday).build(directory.path()).expect("builds"), &format!("one {number}"));
        *late.lock().expect("unpoisoned") = Some(format!("two {number}"));
        eventually("it is let go", || logs.hand_over().expect("handed over") == 1);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(3));
            logs.hand_over().expect("handed over");
        }
        missed += u32::from(!seen.lock().expect("unpoisoned").contains(&format!("two {number}\n")));
    }
    assert_eq!(missed, 0, "of 200 late lines so many were never handed over");
}

#[test]
fn odd_things_under_the_records_name_block_nothing() {
    for kind in ["fifo", "symlink", "socket"] {
        let directory = tempfile::tempdir().expect("a directory");
        write_files(directory.path(), &["app.2026-11-20.log"]);
        let record = directory.path().join(RECORD);
        match kind {
            "fifo" => nix::unistd::mkfifo(&record, nix::sys::stat::Mode::S_IRWXU).expect("made"),
            "symlink" => std::os::unix::fs::symlink("/etc/passwd", &record).expect("made"),
            _ => drop(std::os::unix::net::UnixListener::bind(&record).expect("made")),
        }
        let (told, builder) = telling(daily(&Hand::at(NOW)).max_log_files(5));
        let logs = builder.on_finished(|_, _| {}).build(directory.path()).expect("builds");
        log(&logs, "a line");
        eventually("the record is a new one", || logs.hand_over().is_ok() && logs.stats().files_handed_over == 1);
        let told = told.lock().expect("unpoisoned").clone();
        assert!(told.len() == 1 && told[0].1.contains(&format!("{RECORD}.bad now")), "{kind}: {told:?}");
        assert!(fs::symlink_metadata(&record).expect("there").is_file(), "{kind}");
    }
}

#[test]
fn unusual_names_are_handed_over_once() {
    use tracing_prefork::Appender;
    let hand = Hand::at(NOW);
    let formats = ["%Y-%m-%d", "%d %b %Y", "%Y/%m/%d", "%Y %j", "day[year][month][day]"];
    for prefix in ["日志", "a b", ".hidden", "100%", "x.gz", "-"] {
        for suffix in ["log", "gz", "ü", "rollover", "log.1"] {
            for format in formats {
                let directory = tempfile::tempdir().expect("a directory");
                let yesterday = Hand::at(NOW - DAY);
                let build = |hand: &Hand| {
                    let clock = hand.clone();
                    Appender::builder()
                        .rotation(Rotation::DAILY)
                        .filename_prefix(prefix)
                        .filename_suffix(suffix)
                        .date_format(format)
                        .clock(move || clock.now())
                };
                let Ok(logs) = build(&yesterday).build(directory.path()) else {
                    eprintln!("refused: {prefix} {suffix} {format}");
                    continue;
                };
                log(&logs, "yesterday");
                drop(logs);
                let logs =
                    build(&hand).max_log_files(2).on_finished(|_, _| {}).build(directory.path()).expect("builds");
                eventually("let go", || logs.hand_over().expect("handed over") == 1);
                assert_eq!(logs.hand_over().expect("handed over"), 0, "{prefix} {suffix} {format}");
            }
        }
    }
}
