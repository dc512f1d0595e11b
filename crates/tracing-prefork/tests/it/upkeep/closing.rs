//! `release` and `close`: a process lets go of its files, and the last one finishes the current file.

use std::fs;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, SystemTime};
use tracing_prefork::{Appender, Operation};

use crate::common::hook::{Given, all, given, name};
use crate::common::{DAY, Hand, NOW, TODAY, a_tick, daily, log, names, operations, read, telling, write_files};

fn is_open(logs: &Appender) -> bool {
    logs.files().expect("listed").iter().any(|file| file.open)
}

#[test]
fn release_lets_go_of_both_files_until_the_next_event() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, builder) = telling(daily(&hand).latest_symlink("latest.log"));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "today");
    hand.set(NOW + DAY, 0);
    log(&logs, "tomorrow");
    assert!(is_open(&logs));
    logs.release().expect("released");
    assert!(!is_open(&logs));
    logs.release().expect("there is nothing to release");
    log(&logs, "goes on");
    assert!(is_open(&logs));
    assert_eq!(read(directory.path(), "latest.log"), "tomorrow\ngoes on\n");
    assert_eq!((names(directory.path()).len(), operations(&told)), (3, vec![]));
}

#[test]
fn a_file_that_was_removed_while_released_is_made_anew() {
    let directory = tempfile::tempdir().expect("a directory");
    let (told, builder) = telling(daily(&Hand::at(NOW)));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "before");
    logs.release().expect("released");
    fs::remove_file(logs.path()).expect("removed");
    log(&logs, "after");
    assert_eq!((read(directory.path(), TODAY).as_str(), operations(&told)), ("after\n", vec![]));
}

#[test]
fn no_line_is_lost_while_others_release_without_a_pause() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = daily(&Hand::at(NOW)).build(directory.path()).expect("builds");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|thread| {
                let logs = &logs;
                scope.spawn(move || (0..2000).for_each(|number| log(logs, &format!("{thread} {number}"))))
            })
            .collect();
        let releaser = scope.spawn(|| {
            while !done.load(Relaxed) {
                logs.release().expect("released");
            }
        });
        writers.into_iter().for_each(|writer| writer.join().expect("written"));
        done.store(true, Relaxed);
        releaser.join().expect("released");
    });
    let text = read(directory.path(), TODAY);
    for thread in 0..8 {
        let own = text.lines().filter_map(|line| line.strip_prefix(&format!("{thread} ")));
        assert!(own.eq((0..2000).map(|number| number.to_string())), "thread {thread}");
    }
}

#[test]
fn a_header_that_releases_is_refused_at_once() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    static ANSWER: OnceLock<(Operation, ErrorKind)> = OnceLock::new();
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = daily(&hand).header(|_| {
        if let Some(Err(error)) = LOGS.get().map(Appender::release) {
            ANSWER.set((error.operation(), error.io_error().kind())).expect("once");
        }
        "first".to_owned()
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    hand.set(NOW + DAY, 0);
    log(logs, "tomorrow");
    assert_eq!(ANSWER.get(), Some(&(Operation::Release, ErrorKind::Deadlock)));
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "first\ntomorrow\n");
}

#[test]
fn the_last_one_that_closes_hands_the_current_file_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (given, builder) = given(daily(&hand));
    let first = builder.build(directory.path()).expect("builds");
    let second = daily(&hand).build(directory.path()).expect("builds");
    log(&first, "of the first");
    log(&second, "of the second");
    first.close().expect("closed");
    assert_eq!(all(&given), [""; 0], "the second has it open");
    second.close().expect("closed");
    first.close().expect("closed again");
    first.close().expect("and again");
    assert_eq!(all(&given), [TODAY]);
    // What comes later in the day is handed over when the day is over.
    a_tick();
    log(&first, "late");
    hand.set(NOW + DAY, 0);
    log(&first, "tomorrow");
    hand.set(NOW + DAY + DAY / 2, 0);
    first.hand_over().expect("handed over");
    assert_eq!(all(&given), [TODAY, TODAY]);
    assert_eq!(read(directory.path(), TODAY), "of the first\nof the second\nlate\n");
}

#[test]
fn files_that_close_hands_over_may_be_pruned_after_it() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-19.log", "app.2026-11-20.log"]);
    let hand = Hand::at(NOW);
    let (given, builder) = given(daily(&hand).max_log_files(1));
    let logs = builder.build(directory.path()).expect("builds");
    // No event: it would start the thread that hands over and prunes.
    logs.close().expect("closed");
    let days = ["app.2026-11-19.log", "app.2026-11-20.log", TODAY];
    assert_eq!(
        (all(&given), names(directory.path())),
        (days.map(str::to_owned).into(), days.map(str::to_owned).into())
    );
    assert_eq!(logs.prune().expect("pruned"), 2);
    assert_eq!((names(directory.path()), is_open(&logs)), (vec![TODAY.to_owned()], false));
}

#[test]
fn close_ends_although_the_hook_logs_at_each_call() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let directory = tempfile::tempdir().expect("a directory");
    let builder = daily(&Hand::at(NOW)).on_finished(|_, _| {
        CALLS.fetch_add(1, Relaxed);
        let logs = LOGS.get().expect("built");
        log(logs, "handed over");
        logs.release().expect("released");
        a_tick();
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    log(logs, "a line");
    logs.close().expect("closed");
    assert_eq!(CALLS.load(Relaxed), 3);
}

#[test]
fn close_waits_for_a_hand_over_of_its_own_process() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["app.2026-11-20.log"]);
    let (given, notes) = (Given::default(), Given::default());
    let (begun, has_begun) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let (calls, waits) = (given.clone(), Mutex::new(may_go_on));
    let builder = daily(&Hand::at(NOW)).on_finished(move |finished, _| {
        let _ = begun.send(());
        // The first call waits for the test, and each later one finds that the test has hung up.
        let _ = waits.lock().expect("unpoisoned").recv();
        calls.lock().expect("unpoisoned").push(name(finished));
    });
    let logs = builder.build(directory.path()).expect("builds");
    // The first event has a thread hand over what was left.
    log(&logs, "today");
    has_begun.recv().expect("begun");
    std::thread::scope(|scope| {
        let close = scope.spawn(|| {
            logs.close().expect("closed");
            notes.lock().expect("unpoisoned").extend(all(&given));
        });
        // Others are waited for about five seconds.
        std::thread::sleep(Duration::from_secs(6));
        drop(go_on);
        close.join().expect("no panic");
    });
    assert_eq!(all(&notes), ["app.2026-11-20.log", TODAY]);
}

#[test]
fn a_held_current_file_is_not_handed_over_however_old_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (given, builder) = given(hand.builder());
    let (closing, holding) = (builder.build(directory.path()), hand.builder().build(directory.path()));
    let (closing, holding) = (closing.expect("builds"), holding.expect("builds"));
    log(&holding, "a line");
    let file = fs::File::options().write(true).open(holding.path()).expect("opens");
    file.set_modified(SystemTime::now() - Duration::from_secs(3 * DAY)).expect("set");
    closing.close().expect("closed");
    assert_eq!(all(&given), [""; 0]);
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
mod compressed {
    use super::is_open;
    use crate::common::compress::{KINDS, text};
    use crate::common::hook::{all, given};
    use crate::common::{DAY, Hand, NOW, TODAY, a_tick, daily, log, names, operations, read, telling, write_files};
    use std::fs;
    use std::time::Duration;
    use tracing_prefork::{Builder, Rotation};

    fn builder(hand: &Hand) -> Builder {
        daily(hand).compress(KINDS[0].0)
    }

    fn archive(name: &str) -> String {
        format!("{name}{}", KINDS[0].1)
    }

    #[test]
    fn a_program_that_starts_again_adds_to_what_close_has_left() {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let (given, builder) = given(builder(&hand));
        let (told, builder) = telling(builder);
        let logs = builder.build(directory.path()).expect("builds");
        let mut expected = String::new();
        for round in 0..3 {
            log(&logs, &format!("round {round}"));
            expected += &format!("round {round}\n");
            logs.close().expect("closed");
            assert_eq!(names(directory.path()), [archive(TODAY)]);
            assert_eq!(text(&directory.path().join(archive(TODAY))), expected);
            assert_eq!(all(&given), vec![archive(TODAY); round + 1]);
            a_tick();
        }
        log(&logs, "the rest of the day");
        hand.set(NOW + DAY, 0);
        log(&logs, "tomorrow");
        logs.close().expect("closed");
        assert_eq!(names(directory.path()), [TODAY, "app.2026-11-22.log"].map(archive));
        assert_eq!(text(&directory.path().join(archive(TODAY))), expected + "the rest of the day\n");
        assert_eq!((all(&given).len(), operations(&told)), (5, vec![]));
    }

    #[test]
    fn close_removes_links_to_the_file_the_next_event_makes_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let (told, builder) = telling(builder(&Hand::at(NOW)).latest_symlink("soft.log").latest_hard_link("hard.log"));
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "a line");
        logs.close().expect("closed");
        assert_eq!(names(directory.path()), [archive(TODAY)]);
        log(&logs, "late");
        assert_eq!(names(directory.path()), [TODAY, &archive(TODAY), "hard.log", "soft.log"]);
        for link in ["soft.log", "hard.log"] {
            assert_eq!(read(directory.path(), link), "late\n", "{link}");
        }
        assert_eq!(operations(&told), []);
    }

    #[test]
    fn close_leaves_a_link_that_leads_elsewhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = builder(&Hand::at(NOW)).latest_symlink("soft.log").build(directory.path()).expect("builds");
        log(&logs, "a line");
        fs::remove_file(directory.path().join("soft.log")).expect("removed");
        std::os::unix::fs::symlink("elsewhere", directory.path().join("soft.log")).expect("linked");
        logs.close().expect("closed");
        assert_eq!(names(directory.path()), [&archive(TODAY), "soft.log"]);
    }

    #[test]
    fn close_finishes_a_past_file_although_a_link_leads_to_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let logs = builder(&hand).latest_symlink("soft.log").build(directory.path()).expect("builds");
        log(&logs, "a line");
        hand.set(NOW + DAY, 0);
        logs.compress().expect("compressed");
        assert_eq!(names(directory.path()), [TODAY, "soft.log"]);
        logs.close().expect("closed");
        assert_eq!(names(directory.path()), [archive(TODAY)]);
    }

    #[test]
    fn close_finishes_the_one_file_that_never_rolls() {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = Hand::at(NOW).builder().compress(KINDS[0].0).build(directory.path()).expect("builds");
        log(&logs, "a line");
        logs.close().expect("closed");
        assert_eq!(names(directory.path()), [archive("app.log")]);
        log(&logs, "another");
        logs.close().expect("closed");
        assert_eq!(text(&directory.path().join(archive("app.log"))), "a line\nanother\n");
    }

    #[test]
    fn close_finishes_the_last_of_a_row_and_the_row_goes_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = builder(&Hand::at(NOW)).max_file_bytes(10).lock_writes(true).build(directory.path());
        let logs = logs.expect("builds");
        (0..3).for_each(|number| log(&logs, &format!("line {number}")));
        logs.close().expect("closed");
        let [first, second, third, fourth] = ["", ".1", ".2", ".3"].map(|number| format!("app.2026-11-21{number}.log"));
        assert_eq!(names(directory.path()), [&second, &third, &first].map(|name| archive(name)));
        log(&logs, "line 3");
        assert!(names(directory.path()).contains(&fourth));
        assert!(is_open(&logs));
    }

    #[test]
    fn files_of_the_future_are_no_business_of_close() {
        let directory = tempfile::tempdir().expect("a directory");
        write_files(directory.path(), &["app.2030-01-01.log"]);
        let logs = builder(&Hand::at(NOW)).build(directory.path()).expect("builds");
        log(&logs, "a line");
        logs.close().expect("closed");
        assert_eq!(names(directory.path()), [&archive(TODAY), "app.2030-01-01.log"]);
    }

    #[test]
    fn the_newest_finished_files_stay_plain_and_are_handed_over_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let (given, builder) = given(builder(&hand).keep_uncompressed(2));
        let logs = builder.build(directory.path()).expect("builds");
        for day in 0..5 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "a line");
            logs.compress().expect("compressed");
            logs.hand_over().expect("handed over");
            a_tick();
        }
        let days = ["21", "22", "23", "24", "25"].map(|day| format!("app.2026-11-{day}.log"));
        assert_eq!(names(directory.path()), [&*archive(&days[0]), &archive(&days[1]), &days[2], &days[3], &days[4]]);
        assert_eq!(all(&given), days[..4]);
        // The file of the day that ends is the newest one.
        logs.close().expect("closed");
        assert_eq!(names(directory.path())[..3], [&days[0], &days[1], &days[2]].map(|day| archive(day)));
        assert_eq!(all(&given), days);
        assert!(!is_open(&logs));
    }

    #[test]
    fn a_file_stays_plain_while_another_process_has_the_current_one() {
        let directory = tempfile::tempdir().expect("a directory");
        write_files(directory.path(), &["app.2026-11-20.log"]);
        let hand = Hand::at(NOW);
        let build = || builder(&hand).keep_uncompressed(1).build(directory.path()).expect("builds");
        let (worker, other) = (build(), build());
        log(&other, "holds the file");
        log(&worker, "a line");
        worker.close().expect("closed");
        assert_eq!(names(directory.path()), ["app.2026-11-20.log", TODAY]);
        other.close().expect("closed");
        assert_eq!(names(directory.path()), [&archive("app.2026-11-20.log"), TODAY]);
    }

    #[test]
    fn an_archive_is_not_born_in_the_tick_of_its_plain_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = builder(&Hand::at(NOW)).build(directory.path()).expect("builds");
        log(&logs, "a line");
        let born = |name: &str| fs::metadata(directory.path().join(name)).expect("there").created();
        let Ok(plain) = born(TODAY) else { return };
        logs.close().expect("closed");
        let apart = born(&archive(TODAY)).expect("told").duration_since(plain).expect("later");
        assert!(apart >= Duration::from_millis(10), "{apart:?}");
    }

    #[test]
    fn the_newest_of_a_row_stay_plain() {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = Hand::at(NOW).builder().rotation(Rotation::NEVER).compress(KINDS[0].0).keep_uncompressed(1);
        let logs = logs.max_file_bytes(10).lock_writes(true).build(directory.path()).expect("builds");
        (0..4).for_each(|number| log(&logs, &format!("line {number}")));
        logs.compress().expect("compressed");
        assert_eq!(
            names(directory.path()),
            ["app.1.log.gz", "app.2.log", "app.3.log", "app.log.gz"].map(|name| { name.replace(".gz", KINDS[0].1) })
        );
    }
}
