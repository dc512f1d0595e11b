//! Finished files are handed over to the user's hook: each once, whichever process does it, and again only if that has
//! failed.

use std::cell::Cell;
use std::fs;
use std::io::{self};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use tracing_prefork::{Appender, Builder, Operation};

use crate::common;
use crate::common::hook::{Given, RECORD, all, given, name};
use crate::common::{DAY, Hand, NOW, a_tick, daily, eventually, log, names, operations, read, telling, write_files};

#[test]
fn the_file_before_is_handed_over_once_nobody_has_it_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (sender, receiver) = channel();
    let logs = daily(&hand)
        .on_finished(move |finished, period| {
            let thread = std::thread::current().id();
            sender.send((finished.to_owned(), fs::read_to_string(finished), period, thread)).expect("received");
        })
        .build(directory.path())
        .expect("builds");
    log(&logs, "today");
    let today = (logs.path(), logs.period_at(common::at(NOW)));
    let midnight = NOW - NOW % DAY + DAY;
    hand.set(midnight, 0);
    log(&logs, "tomorrow");
    // It is still open, for late lines.
    assert_eq!(logs.hand_over().expect("handed over"), 0);
    let second = Cell::new(midnight + 6);
    eventually("the file is handed over", || {
        hand.set(second.get(), 0);
        log(&logs, "lets go, and looks again");
        second.set(second.get() + 10);
        logs.stats().files_handed_over == 1
    });
    let (path, text, period, thread) = receiver.recv().expect("called");
    assert_eq!((path, period), today);
    assert_eq!(text.expect("read"), "today\n");
    assert_ne!(thread, std::thread::current().id());
    hand.set(second.get(), 0);
    log(&logs, "and no second time");
    assert_eq!(logs.hand_over().expect("handed over"), 0);
    assert!(receiver.try_recv().is_err());
}

#[test]
fn by_hand_a_process_hands_over_its_own_file_of_a_past_period() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (given, builder) = given(daily(&hand));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "today");
    hand.set(NOW + DAY, 0);
    log(&logs, "tomorrow");
    eventually("it is handed over", || {
        logs.hand_over().expect("handed over");
        all(&given) == ["app.2026-11-21.log"]
    });
}

#[test]
fn at_first_all_finished_files_are_handed_over_oldest_first() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(
        directory.path(),
        &["app.2026-11-20.log", "app.2026-11-03.log", "app.2026-10-31.log", "app.2026-11-22.log", "other.log"],
    );
    std::os::unix::fs::symlink("other.log", directory.path().join("app.2026-11-01.log")).expect("linked");
    let (given, builder) = given(daily(&Hand::at(NOW)));
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(all(&given), [""; 0], "building calls no hook");
    assert_eq!(logs.hand_over().expect("handed over"), 3);
    assert_eq!(all(&given), ["app.2026-10-31.log", "app.2026-11-03.log", "app.2026-11-20.log"]);
    assert_eq!(logs.stats().files_handed_over, 3);
}

#[test]
fn a_process_hands_over_what_the_one_before_it_has_left() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-20.log", "app.2026-11-21.log"]);
    let (given, builder) = given(daily(&Hand::at(NOW)));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "the first event starts it");
    eventually("the file is handed over", || logs.stats().files_handed_over == 1);
    assert_eq!(all(&given), ["app.2026-11-20.log"]);
}

#[test]
fn full_files_of_the_current_period_are_finished_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (given, builder) = given(daily(&hand).max_file_bytes(1000).lock_writes(true));
    let logs = builder.build(directory.path()).expect("builds");
    for number in 0..5 {
        hand.set(NOW + number * 7, 0);
        log(&logs, &"x".repeat(800));
    }
    logs.hand_over().expect("handed over");
    let expected = ["app.2026-11-21.log", "app.2026-11-21.1.log", "app.2026-11-21.2.log", "app.2026-11-21.3.log"];
    eventually("the last but one was let go", || {
        logs.hand_over().expect("handed over");
        all(&given).len() >= 3
    });
    assert_eq!(all(&given), expected[..all(&given).len()]);
}

#[test]
fn late_lines_have_the_file_handed_over_once_more() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW - DAY);
    log(&daily(&hand).build(directory.path()).expect("builds"), "yesterday");
    let today = Hand::at(NOW);
    let (given, builder) = given(daily(&today));
    let logs = builder.build(directory.path()).expect("builds");
    eventually("it is let go", || logs.hand_over().expect("handed over") == 1);
    a_tick();
    log(&daily(&hand).build(directory.path()).expect("builds"), "late");
    eventually("it is let go", || logs.hand_over().expect("handed over") == 1);
    assert_eq!(logs.hand_over().expect("handed over"), 0);
    assert_eq!(all(&given), ["app.2026-11-20.log"; 2]);
}

#[test]
fn a_failing_hook_is_called_again_and_holds_up_no_other_file() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"]);
    let works = Arc::new(AtomicBool::new(false));
    let given = Given::default();
    let (notes, state) = (given.clone(), works.clone());
    let hand = Hand::at(NOW);
    let (told, builder) = telling(daily(&hand));
    let logs = builder
        .try_on_finished(move |finished, _| {
            let name = name(finished);
            match (state.load(Relaxed), &*name) {
                (false, "app.2026-11-18.log") => return Err(io::Error::other("the network is down")),
                (false, "app.2026-11-19.log") => std::panic::panic_any("on purpose".to_owned()),
                _ => notes.lock().expect("unpoisoned").push(name),
            }
            Ok(())
        })
        .build(directory.path())
        .expect("builds");
    let error = logs.hand_over().expect_err("it fails");
    assert_eq!(error.operation(), Operation::OnFinished);
    assert!(error.path().ends_with("app.2026-11-18.log"), "{error}");
    common::says(&error.to_string(), &["cannot hand over", "app.2026-11-18.log", "the network is down"]);
    assert_eq!(all(&given), ["app.2026-11-20.log"]);
    // In the background it is reported, when it is time to try again.
    hand.set(NOW + 7, 0);
    log(&logs, "starts it");
    eventually("it is reported", || operations(&told) == [Operation::OnFinished]);
    works.store(true, Relaxed);
    eventually("the other two are handed over", || logs.hand_over().is_ok_and(|_| all(&given).len() == 3));
    assert_eq!(all(&given)[1..], ["app.2026-11-18.log", "app.2026-11-19.log"]);
    assert_eq!(logs.stats().files_handed_over, 3);
}

#[test]
fn retention_waits_for_the_hook() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = ["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"];
    write_files(directory.path(), &old);
    let (given, builder) = given(daily(&Hand::at(NOW)).max_log_files(2));
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(names(directory.path()).len(), 4, "nothing was handed over yet");
    assert_eq!(logs.prune().expect("prunes"), 0);
    assert_eq!(logs.hand_over().expect("handed over"), 3);
    assert_eq!(logs.prune().expect("prunes"), 2);
    assert_eq!(all(&given), old);
}

#[test]
fn a_hook_may_log_and_take_the_file_away() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-19.log", "app.2026-11-20.log"]);
    let builder = daily(&Hand::at(NOW)).max_log_files(1).on_finished(|finished, _| {
        fs::remove_file(finished).expect("removed");
        if let Some(logs) = LOGS.get() {
            log(logs, &format!("took {}", name(finished)));
        }
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    log(logs, "the first event starts it");
    eventually("both are handed over", || logs.stats().files_handed_over == 2);
    assert_eq!(names(directory.path()), ["app.2026-11-21.log"]);
    let text = read(directory.path(), "app.2026-11-21.log");
    let took: Vec<_> = text.lines().filter(|line| line.starts_with("took")).collect();
    assert_eq!(took, ["took app.2026-11-19.log", "took app.2026-11-20.log"]);
}

#[test]
fn a_slow_hook_holds_up_no_event_pruning_or_other_appender() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = ["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"];
    write_files(directory.path(), &old);
    let hand = Hand::at(NOW);
    let (go, wait) = channel::<()>();
    let (called, calls) = channel();
    let wait = Mutex::new(wait);
    let build = |builder: Builder| builder.max_log_files(2).build(directory.path()).expect("builds");
    let logs = build(daily(&hand).on_finished(move |finished, _| {
        called.send(name(finished)).expect("received");
        let _ = wait.lock().expect("unpoisoned").recv();
    }));
    log(&logs, "the first event starts it");
    assert_eq!(calls.recv().expect("called"), old[0]);
    go.send(()).expect("waits");
    assert_eq!(calls.recv().expect("called"), old[1]);
    // The first is handed over, the second is in hand.
    log(&logs, "an event");
    assert_eq!(logs.prune().expect("prunes"), 1);
    assert_eq!(names(directory.path()), [old[1], old[2], "app.2026-11-21.log"]);
    // A second appender on these files, in this process, does not begin with the same.
    let (given, builder) = given(daily(&hand));
    let other = build(builder);
    log(&other, "an event");
    assert_eq!(other.prune().expect("prunes"), 0);
    drop(go);
    assert_eq!(calls.recv().expect("called"), old[2]);
    eventually("all are handed over", || logs.stats().files_handed_over == 3);
    assert_eq!(other.hand_over().expect("handed over"), 0);
    assert_eq!(all(&given), [""; 0]);
}

#[test]
fn the_record_forgets_gone_files_and_ignores_damaged_entries() {
    let directory = tempfile::tempdir().expect("a directory");
    let record = directory.path().join(RECORD);
    let days = |month: u32| (1..=28).map(move |day| format!("app.2025-{month:02}-{day:02}.log"));
    let old: Vec<_> = (1..=12).flat_map(days).collect();
    let (given, builder) = given(daily(&Hand::at(NOW)));
    let logs = builder.build(directory.path()).expect("builds");
    for part in old.chunks(28) {
        write_files(directory.path(), &part.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(logs.hand_over().expect("handed over"), 28);
        let text = fs::read_to_string(&record).expect("a record");
        assert!(text.split_ascii_whitespace().count() <= 28 * 4 * 6 && text.ends_with('\n'), "{text}");
        assert!(part.iter().all(|name| text.matches(&format!(" {name}\n")).count() == 1), "{text}");
        for name in part {
            fs::remove_file(directory.path().join(name)).expect("removed");
        }
    }
    assert_eq!(all(&given), old);

    let [one, two] = ["app.2026-01-01.log", "app.2026-01-02.log"];
    write_files(directory.path(), &[one, two]);
    assert_eq!(logs.hand_over().expect("handed over"), 2);
    // A crash has damaged the last line, which is cut off in its middle.
    let text = fs::read_to_string(&record).expect("a record");
    let text = text.trim_end().as_bytes();
    fs::write(&record, [b"\0\xff\n\n+ 1.2 x\n", &text[..text.len() - 9]].concat()).expect("written");
    assert_eq!(logs.hand_over().expect("handed over"), 1);
    assert_eq!(all(&given).last().map(String::as_str), Some(two));
    assert_eq!(logs.hand_over().expect("handed over"), 0);
    fs::remove_file(&record).expect("removed");
    assert_eq!(logs.hand_over().expect("handed over"), 2, "an operator has them all once more");
}

#[test]
fn without_a_note_no_hook_is_called() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-20.log"]);
    // A directory that cannot be set aside, because a file has that name.
    fs::create_dir(directory.path().join(RECORD)).expect("made");
    write_files(directory.path(), &[&format!("{RECORD}.bad")]);
    let (given, builder) = given(daily(&Hand::at(NOW)));
    let logs = builder.build(directory.path()).expect("builds");
    let error = logs.hand_over().expect_err("refused");
    common::says(&error.to_string(), &["cannot hand over", "a directory"]);
    assert_eq!(all(&given), [""; 0]);
}

#[test]
fn no_link_may_have_the_name_of_the_record() {
    for name in [RECORD, ".app.DATE.log.d10ea686.rollover.lock", common::LOCK] {
        let error = common::refused(daily(&Hand::at(NOW)).latest_symlink(name));
        common::says(&error, &["latest_symlink", name, "lock file"]);
    }
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
#[test]
fn where_files_are_compressed_the_hook_is_given_the_archives() {
    use tracing_prefork::Compression;
    #[cfg(feature = "gzip")]
    let (kind, ending) = (Compression::Gzip, "gz");
    #[cfg(not(feature = "gzip"))]
    let (kind, ending) = (Compression::Zstd, "zst");
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-18.log"]);
    let hand = Hand::at(NOW);
    let (before, builder) = given(daily(&hand));
    builder.build(directory.path()).expect("builds").hand_over().expect("handed over");
    assert_eq!(all(&before), ["app.2026-11-18.log"]);

    write_files(directory.path(), &["app.2026-11-19.log", "app.2026-11-20.log"]);
    a_tick();
    let (given, builder) = given(daily(&hand).compress(kind));
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(logs.hand_over().expect("handed over"), 0, "they are plain");
    log(&logs, "the first event starts it");
    eventually("the archives are handed over", || logs.stats().files_handed_over == 2);
    // What was handed over plain is not handed over again.
    let expected = ["19", "20"].map(|day| format!("app.2026-11-{day}.log.{ending}"));
    assert_eq!(all(&given), expected);

    // Late lines come to the archive, and that is handed over again.
    let yesterday = Hand::at(NOW - DAY);
    log(&daily(&yesterday).build(directory.path()).expect("builds"), "late");
    assert_eq!(logs.hand_over().expect("handed over"), 0, "a plain file stands beside it");
    a_tick();
    eventually("it is let go", || logs.compress().expect("compresses") == 1);
    assert_eq!(logs.hand_over().expect("handed over"), 1, "{}", read(directory.path(), RECORD));
    assert_eq!(all(&given).last(), expected.last());
}
