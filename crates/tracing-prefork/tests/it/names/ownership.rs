//! Files of others with names like ours: two patterns in one directory, and what was there before.

use std::fs;
use std::path::Path;
use tracing_prefork::{Appender, Builder, Operation, Rotation, Zone};

use crate::common;
use crate::common::hook;
use crate::common::ownership::{age, dated, hours, never, numbered, records, refused};
use crate::common::settings::other_reports;
use crate::common::{DAY, Hand, NOW, all_names, builder, log, names, operations, read, says, telling, write_files};

#[test]
fn a_program_whose_names_meet_those_of_another_is_refused() {
    type Build = fn() -> Builder;
    let meeting: [(Build, Build, &str); 4] = [
        (|| never().max_file_bytes(1000), || never().filename_prefix("app.1"), "app.1.log"),
        (builder, || never().filename_prefix("app.2026-11-03"), "app.2026-11-03.log"),
        (|| never().max_file_bytes(1000), || never().filename_prefix("app.20261103").filename_suffix("log"), ".log"),
        (|| builder().max_file_bytes(1000), || builder().filename_suffix("1.log"), ".1.log"),
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
        || builder().max_file_bytes(1000),
        || never().max_file_bytes(1000),
        || builder().filename_prefix("app.1").max_file_bytes(1000),
        || builder().filename_prefix("app.2").max_file_bytes(1000),
        || builder().filename_prefix("app2"),
        || builder().filename_prefix("app.error"),
        || builder().date_format("%Y/%m/app-%d.log"),
        || builder().date_format("%Y/%m/web-%d.log"),
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
fn a_new_directory_has_the_record_of_names_within_a_second() {
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
fn changed_options_do_not_make_a_second_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let changes: [fn() -> Builder; 8] = [
        builder,
        || Hand::at(NOW).builder().rotation(Rotation::HOURLY),
        || Hand::at(NOW).builder().rotation(Rotation::WEEKLY),
        || Hand::at(NOW).builder().rotation(Rotation::DAILY.at(4, 0)),
        || builder().max_file_bytes(1000),
        || builder().max_log_files(3),
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
            // That the options differ is told, and nothing else.
            assert_eq!(other_reports(&told), []);
            logs
        })
        .collect();
    assert_eq!(running.len(), 16);
}

#[test]
fn a_file_is_handed_over_when_its_other_possible_maker_ends() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let given = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = given.clone();
    let hourly = hand.builder().rotation(Rotation::HOURLY).date_format("%Y-%m-%d-%H").on_finished(move |file, _| {
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
fn dates_that_look_like_numbers_stay_and_are_reported_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let dated = || builder().date_format("%Y%m%d");
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
fn files_stay_own_after_options_were_changed_and_changed_back() {
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
fn a_file_that_takes_new_lines_is_the_programs_own() {
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
fn a_name_part_like_a_number_or_an_archive_is_refused() {
    let refused = |builder: Builder, parts: &[&str]| says(&common::refused(builder), parts);
    for suffix in ["1", "1.log", "log.1", "2026"] {
        refused(builder().filename_suffix(suffix).max_file_bytes(1000), &["filename_suffix", suffix, "max_file_bytes"]);
        refused(never().filename_suffix(suffix).max_file_bytes(1000), &["filename_suffix", suffix, "number"]);
    }
    refused(never().filename_prefix("app.1").max_file_bytes(1000), &["filename_prefix", "app.1", "max_file_bytes"]);
    #[cfg(feature = "gzip")]
    for suffix in ["gz", "log.gz", "zst"] {
        let builder = builder().filename_suffix(suffix).compress(tracing_prefork::Compression::Gzip);
        refused(builder, &["compress", suffix]);
    }
    let directory = tempfile::tempdir().expect("a directory");
    for builder in [
        builder().filename_suffix("1"),
        builder().filename_suffix("gz"),
        builder().filename_prefix("app.1").max_file_bytes(1000),
    ] {
        let directory = tempfile::tempdir_in(directory.path()).expect("a directory");
        builder.build(directory.path()).expect("where there are no numbers or archives");
    }
}

#[test]
fn files_in_a_directory_made_again_stay_the_programs_own() {
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

#[test]
fn files_that_two_programs_could_have_made_are_left_alone() {
    type With = fn(Builder) -> Builder;
    const HOURS: &str = "%Y-%m-%d-%H";
    let pairs: [(With, With, u64); 3] = [
        (
            |to| to.rotation(Rotation::HOURLY).date_format(HOURS),
            |to| to.rotation(Rotation::DAILY).date_format(HOURS),
            1,
        ),
        (|to| to.rotation(Rotation::HOURLY), |to| to.rotation(Rotation::HOURLY).zone(Zone::Fixed(14 * 3600)), 1),
        (|to| to.rotation(Rotation::DAILY), |to| to.rotation(Rotation::WEEKLY), 24),
    ];
    for (one, other, hours) in pairs {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let build = |with: With| {
            let (told, builder) = telling(with(hand.builder()).max_log_files(1));
            (told, builder.build(directory.path()).expect("builds"))
        };
        let ((told, logs), (others_told, others)) = (build(one), build(other));
        let (mut alone, mut both) = (0, 0);
        for turn in 0..29 {
            hand.set(NOW + turn * hours * 3600, 0);
            log(&logs, "of the one");
            log(&others, "of the other");
            logs.prune().expect("prunes");
            others.prune().expect("prunes");
        }
        // Each name that both have is there still, with all its lines.
        for turn in 0..29 {
            let at = common::at(NOW + turn * hours * 3600);
            let is_of = |logs: &Appender, path: &Path| {
                (0..9000).any(|hour| logs.path_at(common::at(NOW - 40 * DAY + hour * 3600)) == path)
            };
            for (logs, rival) in [(&logs, &others), (&others, &logs)] {
                let path = logs.path_at(at);
                if is_of(rival, &path) {
                    both += 1;
                    assert!(path.exists(), "{path:?} of {:?}", names(directory.path()));
                } else {
                    alone += usize::from(path.exists());
                }
            }
        }
        assert!(both >= 29, "{both}");
        assert!(alone <= 2, "{alone}, of {:?}", names(directory.path()));
        for (told, parts) in [(&told, ["rotation", "app.20"]), (&others_told, ["rotation", "another program"])] {
            let told = other_reports(told);
            assert_eq!(
                told.iter().map(|(operation, _)| *operation).collect::<Vec<_>>(),
                [Operation::Names],
                "{told:?}"
            );
            says(&told[0].1, &parts);
        }
        // When the other program has ended, all names are the appender's.
        drop(others);
        hand.set(NOW + 28 * hours * 3600 + 60, 0);
        log(&logs, "which lets go of the file before");
        common::eventually("only the last file is left", || {
            logs.prune().expect("prunes");
            // Those that a zone further east has made are of the future.
            let files = logs.files().expect("listed").into_iter().filter(|file| file.period.start <= hand.now());
            files.count() == 1
        });
    }
}

#[test]
fn files_of_logrotate_are_left_alone_and_reported_once() {
    for first in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        let foreign = ["app.log.1", "app.log.2", "app.log.3", "app.log.4"];
        write_files(directory.path(), &foreign);
        age(directory.path(), &[("app.log.1", 10), ("app.log.2", 20), ("app.log.3", 30), ("app.log.4", 40)]);
        if first {
            write_files(directory.path(), &["app.log"]);
        }
        for start in 0..3 {
            // `app.log`, `app.log.1`: as the files of others are called.
            let builder = Appender::builder().filename_prefix("app.log").max_file_bytes(1000).max_log_files(2);
            let (told, builder) = telling(builder.lock_writes(true));
            let logs = builder.build(directory.path()).expect("builds");
            (0..50).for_each(|number| log(&logs, &format!("{number:099}")));
            logs.prune().expect("prunes");
            for name in foreign {
                assert_eq!(read(directory.path(), name), "x\n", "{name}");
            }
            let own = logs.files().expect("listed");
            assert!(own.iter().all(|file| file.index == 0 || file.index > 4), "{own:?}");
            if start == 0 {
                assert_eq!(operations(&told), [Operation::Names]);
                says(&told.lock().expect("unpoisoned")[0].1, &["app.log.1", "3 others", "left alone"]);
            } else {
                assert_eq!(operations(&told), []);
            }
        }
    }
}

#[test]
fn files_of_logrotate_in_a_replacing_directory_are_left_alone() {
    /// What comes first after the link was switched.
    type First = fn(&Appender, &Hand);
    let firsts: [First; 4] = [
        |_, hand| hand.set(NOW + 1, 0),
        |_, hand| hand.set(NOW + 60, 0),
        |_, _| {},
        |logs, _| _ = logs.prune().expect("prunes"),
    ];
    for (number, first) in firsts.into_iter().enumerate() {
        let above = tempfile::tempdir().expect("a directory");
        let [release, next, current] = ["r1", "r2", "cur"].map(|name| above.path().join(name));
        fs::create_dir(&release).expect("made");
        std::os::unix::fs::symlink("r1", &current).expect("made");
        let foreign: Vec<_> = (1..8).map(|number| format!("app.log.{number}")).collect();
        for (minutes, name) in foreign.iter().enumerate() {
            write_files(&next, &[name]);
            age(&next, &[(name, 10 + minutes as u64)]);
        }
        write_files(&next, &["app.log"]);
        let hand = Hand::at(NOW);
        let clock = hand.clone();
        let builder = move || {
            let clock = clock.clone();
            let builder = Appender::builder().filename_prefix("app.log").clock(move || clock.now());
            builder.max_file_bytes(100).lock_writes(true)
        };
        let line = "x".repeat(99);
        let before = builder().build(&current).expect("builds");
        (0..4).for_each(|_| log(&before, &line));
        let half = "x".repeat(49);
        log(&before, &half);
        drop(before);
        let (told, builder) = telling(builder().max_log_files(3));
        let logs = builder.build(&current).expect("builds");
        // Now the fifth file is full. No thread prunes when the link is switched.
        log(&logs, &half);
        assert_eq!(names(&release), ["app.log.2", "app.log.3", "app.log.4"]);
        std::os::unix::fs::symlink("r2", above.path().join("new")).expect("made");
        fs::rename(above.path().join("new"), &current).expect("switched");
        first(&logs, &hand);
        (0..10).for_each(|_| log(&logs, &line));
        logs.prune().expect("prunes");
        for name in &foreign {
            assert_eq!(read(&next, name), "x\n", "{name} after {number}");
        }
        let own: Vec<_> = logs.files().expect("listed").iter().map(|file| file.index).collect();
        assert_eq!(own, [15, 16, 17], "after {number}");
        let told = told.lock().expect("unpoisoned");
        let names: Vec<_> = told.iter().filter(|(operation, _)| *operation == Operation::Names).collect();
        assert_eq!(names.len(), 1, "{told:?}");
        says(&names[0].1, &["app.log.1", "6 others", "left alone"]);
        let record = read(&next, &records(&next)[0]);
        assert_eq!(record.lines().filter(|line| line.starts_with("foreign ")).count(), 7, "{record}");
    }
}
