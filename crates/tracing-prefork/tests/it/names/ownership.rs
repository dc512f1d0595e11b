//! Files of others with names like ours: two patterns in one directory, and what was there before.

use std::fs::{self};
use tracing_prefork::{Appender, Builder, Operation, Rotation};

use crate::common;
use crate::common::hook;
use crate::common::ownership::{age, daily, dated, hours, never, numbered, records, refused};
use crate::common::{DAY, Hand, NOW, all_names, log, names, operations, read, says, telling};

#[test]
fn a_second_program_whose_names_meet_those_of_the_first_is_refused() {
    type Build = fn() -> Builder;
    let meeting: [(Build, Build, &str); 4] = [
        (|| never().max_file_bytes(1000), || never().filename_prefix("app.1"), "app.1.log"),
        (daily, || never().filename_prefix("app.2026-11-03"), "app.2026-11-03.log"),
        (|| never().max_file_bytes(1000), || never().filename_prefix("app.20261103").filename_suffix("log"), ".log"),
        (|| daily().max_file_bytes(1000), || daily().filename_suffix("1.log"), ".1.log"),
    ];
    for (one, other, example) in meeting {
        for (first, second) in [(one, other), (other, one)] {
            let directory = tempfile::tempdir().expect("a directory");
            log(&first().build(directory.path()).expect("builds"), "of the first");
            let parts = ["rotation", "prefix \"app", example, "another directory", ".names"];
            refused(second(), directory.path(), &parts);
            // The first, which has the names, goes on.
            log(&first().build(directory.path()).expect("builds"), "of the first");
            // What is used no more can be moved away, as the error says.
            let own = names(directory.path());
            let first = first().build(directory.path()).expect("builds");
            own.iter().for_each(|name| fs::remove_file(directory.path().join(name)).expect("removed"));
            refused(second(), directory.path(), &["the other is not used any more"]);
            drop(first);
            second().build(directory.path()).expect("builds where nothing is left of the first");
            assert_eq!(records(directory.path()).len(), 1, "{:?}", records(directory.path()));
        }
    }
}

#[test]
fn whether_names_meet_does_not_depend_on_the_hour_of_the_build() {
    // `app.2026-11-21.12.log` is the file of noon, or the twelfth of the day after the first. `app.2026-11-21.06.log`
    // is not a number.
    let dated = |hour: u64| {
        let builder = Hand::at(NOW / DAY * DAY + hour * 3600).builder();
        builder.rotation(Rotation::HOURLY.every(6)).date_format("%Y-%m-%d.%H")
    };
    let numbered =
        |hour: u64| Hand::at(NOW / DAY * DAY + hour * 3600).builder().rotation(Rotation::DAILY).max_file_bytes(1000);
    for hour in (0..24).step_by(3) {
        let directory = tempfile::tempdir().expect("a directory");
        let running = dated(hour).build(directory.path()).expect("builds");
        log(&running, "of six hours");
        refused(numbered(hour), directory.path(), &["rotation 6 hours", "max_file_bytes", "app.20"]);
        let directory = tempfile::tempdir().expect("a directory");
        let running = numbered(hour).build(directory.path()).expect("builds");
        log(&running, "of the day");
        refused(dated(hour), directory.path(), &["rotation 6 hours", "max_file_bytes", "app.20"]);
    }
}

#[test]
fn programs_whose_names_do_not_meet_share_a_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let builders: [fn() -> Builder; 9] = [
        || daily().max_file_bytes(1000),
        || never().max_file_bytes(1000),
        || daily().filename_prefix("app.1").max_file_bytes(1000),
        || daily().filename_prefix("app.2").max_file_bytes(1000),
        || daily().filename_prefix("app2"),
        || daily().filename_prefix("app.error"),
        || daily().date_format("%Y/%m/app-%d.log"),
        || daily().date_format("%Y/%m/web-%d.log"),
        || Hand::at(NOW).builder().rotation(Rotation::HOURLY),
    ];
    for _ in 0..2 {
        for build in builders {
            build().build(directory.path()).expect("builds");
        }
    }
    assert_eq!(records(directory.path()).len(), builders.len());
}

#[test]
fn a_program_that_has_built_and_not_logged_yet_has_its_names() {
    for (first, second) in [(dated as fn() -> Builder, numbered as fn() -> Builder), (numbered, dated)] {
        let directory = tempfile::tempdir().expect("a directory");
        let built = first().build(directory.path()).expect("builds");
        let again = first().build(directory.path()).expect("another process of the same program");
        refused(second(), directory.path(), &["max_file_bytes", "%Y%m%d"]);
        drop(built);
        refused(second(), directory.path(), &["max_file_bytes", "%Y%m%d"]);
        drop(again);
        second().build(directory.path()).expect("with other options, when the first has ended");
    }
}

#[test]
fn a_directory_that_is_made_anew_has_the_record_again_within_a_second() {
    for removed in [false, true] {
        let above = tempfile::tempdir().expect("a directory");
        let directory = above.path().join("logs");
        let hand = Hand::at(NOW);
        let (told, builder) = telling(hand.builder().max_file_bytes(1000));
        let built = builder.build(&directory).expect("builds");
        log(&built, "a line");
        if removed {
            fs::remove_dir_all(&directory).expect("removed");
        } else {
            fs::rename(&directory, above.path().join("old")).expect("moved");
        }
        hand.set(NOW + 1, 0);
        log(&built, "another line");
        assert_eq!(operations(&told), [Operation::Reopen]);
        assert_eq!(records(&directory).len(), 1, "{:?}", all_names(&directory));
        refused(dated(), &directory, &["max_file_bytes", "%Y%m%d"]);
        refused(never().filename_prefix("app.1"), &directory, &["app.1.log"]);
        // The record alone, which nobody misses until then.
        fs::remove_file(directory.join(&records(&directory)[0])).expect("removed");
        built.reopen().expect("reopens");
        refused(never().filename_prefix("app.1"), &directory, &["app.1.log"]);
    }
}

#[test]
fn options_that_were_changed_between_two_starts_are_no_second_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let changes: [fn() -> Builder; 8] = [
        daily,
        || Hand::at(NOW).builder().rotation(Rotation::HOURLY),
        || Hand::at(NOW).builder().rotation(Rotation::WEEKLY),
        || Hand::at(NOW).builder().rotation(Rotation::DAILY.at(4, 0)),
        || daily().max_file_bytes(1000),
        || daily().max_log_files(3),
        || Hand::at(NOW).builder().rotation(Rotation::MONTHLY),
        || never().max_file_bytes(1000),
    ];
    // Also while the processes before them run still, as in an upgrade without a pause, and back again.
    let running: Vec<_> = changes
        .iter()
        .chain(changes.iter().rev())
        .map(|build| {
            let (told, builder) = telling(build());
            let logs = builder.build(directory.path()).expect("builds");
            log(&logs, "a line");
            assert_eq!(operations(&told), []);
            logs
        })
        .collect();
    assert_eq!(running.len(), 16);
}

#[test]
fn a_file_that_another_program_could_have_made_is_handed_over_when_that_program_has_ended() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let given = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = given.clone();
    let hourly = hand.builder().rotation(Rotation::HOURLY).date_format("%Y-%m-%d-%H").on_rollover(move |file, _| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        notes.lock().expect("unpoisoned").push(name);
    });
    let daily = hand.builder().rotation(Rotation::DAILY).date_format("%Y-%m-%d-%H");
    let (hourly, daily) = (hourly.build(directory.path()).expect("builds"), daily.build(directory.path()));
    // Without a line of its own, the daily program has no lease on the file of the day.
    let daily = daily.expect("builds");
    log(&hourly, "a line");
    hand.set(NOW + 3600, 0);
    log(&hourly, "a line");
    hourly.hand_over().expect("handed over");
    assert_eq!(*given.lock().expect("unpoisoned"), ["app.2026-11-21-08.log"]);
    drop(daily);
    // A child of another test may have a copy of the lock until it executes its program.
    common::eventually("both are handed over", || {
        hourly.hand_over().expect("handed over");
        *given.lock().expect("unpoisoned") == ["app.2026-11-21-08.log", "app.2026-11-21-00.log"]
    });
}

#[test]
fn dates_that_would_be_taken_for_numbers_are_left_alone_and_reported_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let dated = || daily().date_format("%Y%m%d");
    let numbered = || never().max_file_bytes(1000).max_log_files(2).lock_writes(true);
    let old = dated().build(directory.path()).expect("builds");
    log(&old, "of the day");
    // As long as a process has the file open, the names are in use.
    refused(numbered(), directory.path(), &["date_format \"%Y%m%d\"", "max_file_bytes", "app.20261121.log"]);
    drop(old);
    // The same program with other options, as somebody has it start in the night.
    for start in 0..2 {
        let (told, builder) = telling(numbered());
        let logs = builder.build(directory.path()).expect("builds");
        (0..50).for_each(|number| log(&logs, &format!("{number:099}")));
        logs.prune().expect("prunes");
        let expected: &[_] = if start == 0 { &[Operation::Names] } else { &[] };
        assert_eq!(operations(&told), expected, "{told:?}");
        assert!(logs.files().expect("listed").iter().all(|file| file.index < 20));
    }
    assert_eq!(read(directory.path(), "app.20261121.log"), "of the day\n");
    // And back.
    dated().build(directory.path()).expect("builds");
}

/// Each line of 100 bytes has a file to itself.
fn numbered_days(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY).date_format("%Y%m%d").max_file_bytes(100).lock_writes(true)
}

const MIDNIGHT: u64 = NOW / DAY * DAY;

/// The first of these hours is under way, and the others follow. Says what is handed over when they are over.
fn through_hours(logs: &Appender, hand: &Hand, hours: std::ops::Range<u64>) {
    for hour in hours {
        log(logs, "a line");
        hand.set(MIDNIGHT + (hour + 1) * 3600, 0);
    }
    log(logs, "a line");
    // Until the files before are let go of.
    hand.set(MIDNIGHT + hand.now().duration_since(common::at(MIDNIGHT)).expect("later").as_secs() + 10, 0);
    log(logs, "a line");
    logs.hand_over().expect("handed over");
    logs.prune().expect("prunes");
}

#[test]
fn files_of_a_program_whose_options_were_changed_and_changed_back_stay_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(MIDNIGHT + 12 * 3600);
    let logs = hours(&hand).build(directory.path()).expect("builds");
    through_hours(&logs, &hand, 12..14);
    drop(logs);
    for start in 0..2 {
        let logs = numbered_days(&hand).max_log_files(2).build(directory.path()).expect("builds with other options");
        (0..2).for_each(|_| log(&logs, &"x".repeat(99)));
        logs.prune().expect("prunes");
        let own: Vec<_> = logs.files().expect("listed").iter().map(|file| hook::name(&file.path)).collect();
        let days = if start == 0 {
            ["app.20261121.log", "app.20261121.1.log"]
        } else {
            ["app.20261121.2.log", "app.20261121.3.log"]
        };
        assert_eq!(own, days);
        drop(logs);
        let (given, builder) = hook::given(hours(&hand).max_log_files(2));
        let (told, builder) = telling(builder);
        let logs = builder.build(directory.path()).expect("builds with the options of before");
        let hour = 14 + start;
        through_hours(&logs, &hand, hour..hour + 1);
        let (before, current, next) = (hour - 1, hour, hour + 1);
        let name = |hour: u64| format!("app.20261121.{hour}.log");
        let first = if start == 0 { vec![name(12), name(before), name(current)] } else { vec![name(current)] };
        assert_eq!((hook::all(&given), operations(&told)), (first, vec![]));
        let mut left = vec![name(current), name(next)];
        left.extend(days.map(str::to_owned));
        left.sort();
        assert_eq!(names(directory.path()), left);
    }
}

#[test]
fn a_file_that_new_lines_go_to_is_the_programs_own_whoever_has_begun_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(MIDNIGHT + 14 * 3600);
    let logs = numbered_days(&hand).build(directory.path()).expect("builds");
    (0..16).for_each(|_| log(&logs, &"x".repeat(99)));
    drop(logs);
    let (given, builder) = hook::given(hours(&hand).max_log_files(1));
    let logs = builder.build(directory.path()).expect("builds with other options");
    through_hours(&logs, &hand, 14..16);
    assert_eq!(hook::all(&given), ["app.20261121.14.log", "app.20261121.15.log"]);
    let own: Vec<_> = logs.files().expect("listed").iter().map(|file| hook::name(&file.path)).collect();
    assert_eq!(own, ["app.20261121.16.log"]);
    // The other files whose numbers could be hours.
    for number in 10..14 {
        assert_eq!(read(directory.path(), &format!("app.20261121.{number}.log")).len(), 100);
    }
}

#[test]
fn numbers_of_ours_that_were_there_before_the_record_are_ours() {
    let directory = tempfile::tempdir().expect("a directory");
    let build = || never().max_file_bytes(1000).lock_writes(true).build(directory.path()).expect("builds");
    let logs = build();
    (0..35).for_each(|number| log(&logs, &format!("{number:099}")));
    drop(logs);
    for gone in [None, Some("app.log"), Some("app.1.log")] {
        // Somebody has removed hidden files, and the oldest have been pruned.
        records(directory.path())
            .iter()
            .for_each(|name| fs::remove_file(directory.path().join(name)).expect("removed"));
        gone.into_iter().for_each(|name| fs::remove_file(directory.path().join(name)).expect("removed"));
        let logs = build();
        log(&logs, &"x".repeat(99));
        assert_eq!(logs.files().expect("listed").len(), names(directory.path()).len(), "{gone:?}");
        assert_eq!(logs.stats().errors, 0);
    }
}

#[test]
fn a_part_of_a_name_that_looks_like_a_number_or_an_archive_is_refused_where_there_are_such() {
    let refused = |builder: Builder, parts: &[&str]| says(&common::refused(builder), parts);
    for suffix in ["1", "1.log", "log.1", "2026"] {
        refused(daily().filename_suffix(suffix).max_file_bytes(1000), &["filename_suffix", suffix, "max_file_bytes"]);
        refused(never().filename_suffix(suffix).max_file_bytes(1000), &["filename_suffix", suffix, "number"]);
    }
    refused(never().filename_prefix("app.1").max_file_bytes(1000), &["filename_prefix", "app.1", "max_file_bytes"]);
    #[cfg(feature = "gzip")]
    for suffix in ["gz", "log.gz", "zst"] {
        let builder = daily().filename_suffix(suffix).compress(tracing_prefork::Compression::Gzip);
        refused(builder, &["compress", suffix]);
    }
    let directory = tempfile::tempdir().expect("a directory");
    for builder in [
        daily().filename_suffix("1"),
        daily().filename_suffix("gz"),
        daily().filename_prefix("app.1").max_file_bytes(1000),
    ] {
        let directory = tempfile::tempdir_in(directory.path()).expect("a directory");
        builder.build(directory.path()).expect("where there are no numbers or archives");
    }
}

#[test]
fn a_directory_that_is_made_again_has_the_record_again_so_that_its_files_stay_the_programs_own() {
    let above = tempfile::tempdir().expect("a directory");
    let directory = above.path().join("logs");
    let hand = Hand::at(NOW);
    let build = || hand.builder().rotation(Rotation::DAILY).max_file_bytes(20).lock_writes(true);
    let (told, builder) = telling(build());
    let logs = builder.build(&directory).expect("builds");
    log(&logs, "a line");
    let before = fs::read(directory.join(&records(&directory)[0])).expect("there");
    fs::rename(&directory, above.path().join("moved")).expect("moved");
    hand.set(NOW + 1, 0);
    (0..3).for_each(|_| log(&logs, "a line of twenty b."));
    assert_eq!(names(&directory), ["app.2026-11-21.1.log", "app.2026-11-21.2.log", "app.2026-11-21.log"]);
    assert_eq!(records(&directory).len(), 1, "{:?}", all_names(&directory));
    assert_eq!(fs::read(directory.join(&records(&directory)[0])).expect("there"), before);
    assert_eq!(operations(&told), [Operation::Reopen]);
    drop(logs);
    // A slow process has written to the first of them last.
    age(&directory, &[("app.2026-11-21.log", 1), ("app.2026-11-21.1.log", 3), ("app.2026-11-21.2.log", 2)]);
    let (told, builder) = telling(build().max_log_files(1));
    builder.build(&directory).expect("builds");
    assert_eq!(operations(&told), []);
    assert_eq!(names(&directory), ["app.2026-11-21.2.log"]);
}

#[test]
fn a_record_that_is_none_is_passed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join(".other.names"), "tracing-prefork names 1\nrotation never\nprefix app.1\n")
        .expect("written");
    fs::write(directory.path().join(".another.names"), b"\xff\xfe").expect("written");
    fs::create_dir(directory.path().join(".a.names")).expect("made");
    let logs = never().max_file_bytes(1000).build(directory.path()).expect("builds");
    assert_eq!((logs.stats().errors, records(directory.path()).len()), (0, 4));
}
