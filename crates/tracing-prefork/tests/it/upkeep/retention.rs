//! What pruning removes and what it never touches.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tracing_prefork::{Appender, Operation, Rotation};

use crate::common;
use crate::common::{DAY, Hand, NOW, all_names, at, eventually, names, telling, write_files, written_now};

fn daily(hand: &Hand, keep: usize, directory: &Path) -> Appender {
    hand.builder().rotation(Rotation::DAILY).max_log_files(keep).build(directory).expect("builds")
}

const FOREIGN: [&str; 15] = [
    "app.conf",
    "app.log",
    "app.log.2020-01-01",
    "app.2020-01-01.log.gz",
    "app.2020-01-01.log.bak",
    "app.2020-13-45.log",
    "app.2020-02-30.log",
    "app.2020-1-1.log",
    "app.+2020-01-01.log",
    "app.02020-01-01.log",
    "app.2020-01-01-00.log",
    "app.2020-01-01 .log",
    "application.2020-01-01.log",
    "2020-01-01.log",
    "app..log",
];

#[test]
fn n_files_are_kept_the_current_one_included() {
    let directory = tempfile::tempdir().expect("a directory");
    let old: Vec<_> = (1..=9).map(|day| format!("app.2026-11-0{day}.log")).collect();
    write_files(directory.path(), &old.iter().map(String::as_str).collect::<Vec<_>>());
    daily(&Hand::at(NOW), 3, directory.path());
    assert_eq!(names(directory.path()), ["app.2026-11-08.log", "app.2026-11-09.log", "app.2026-11-21.log"]);
    daily(&Hand::at(NOW), 1, directory.path());
    assert_eq!(names(directory.path()), ["app.2026-11-21.log"]);
}

#[test]
fn a_file_of_a_year_that_no_event_is_in_is_not_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = ["app.2026-11-20.log", "app.9999-10-01.log"];
    write_files(directory.path(), &files);
    daily(&Hand::at(NOW), 2, directory.path());
    assert_eq!(names(directory.path()), ["app.2026-11-20.log", "app.2026-11-21.log", "app.9999-10-01.log"]);
}

#[test]
fn appenders_of_one_directory_keep_to_their_own_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    // As many as there are, two with the same prefix and another period each, in one process.
    let build = |number: u32, rotation, keep| {
        let builder = hand.builder().filename_prefix(format!("app{number}")).rotation(rotation).max_log_files(keep);
        let builder = if number % 2 == 0 { builder.lock_writes(true) } else { builder };
        builder.build(directory.path()).expect("builds")
    };
    let all: Vec<_> =
        (0..20).flat_map(|number| [build(number, Rotation::DAILY, 2), build(number, Rotation::HOURLY, 3)]).collect();
    for hour in 0..72 {
        hand.set(NOW + hour * 3600, 0);
        for mut logs in &all {
            writeln!(logs, "hour {hour}").expect("writes");
        }
    }
    // The last that hold a file of before let go of it.
    hand.set(NOW + 71 * 3600 + 10, 0);
    for mut logs in &all {
        writeln!(logs, "last").expect("writes");
        logs.prune().expect("prunes");
    }
    for number in 0..20 {
        let files = names(directory.path());
        let of = |length: usize| {
            let prefix = format!("app{number}.");
            files.iter().filter(|name| name.starts_with(&prefix) && name.len() == prefix.len() + length).count()
        };
        assert_eq!((of("2026-11-21.log".len()), of("2026-11-21-08.log".len())), (2, 3), "{number}: {files:?}");
    }
}

#[test]
fn files_that_are_not_of_the_pattern_are_never_touched() {
    let directory = tempfile::tempdir().expect("a directory");
    let elsewhere = directory.path().join("elsewhere");
    write_files(directory.path(), &FOREIGN);
    write_files(directory.path(), &["elsewhere", "app.2020-01-05.log"]);
    fs::create_dir(directory.path().join("app.2020-01-02.log")).expect("a directory");
    symlink(&elsewhere, directory.path().join("app.2020-01-03.log")).expect("a link");
    nix::unistd::mkfifo(&directory.path().join("app.2020-01-04.log"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let before = names(directory.path());
    daily(&Hand::at(NOW), 1, directory.path());
    let mut after = names(directory.path());
    after.retain(|name| name != "app.2026-11-21.log");
    let mut expected = before;
    expected.retain(|name| name != "app.2020-01-05.log");
    assert_eq!(after, expected);
}

#[test]
fn a_rollover_prunes_only_files_before_the_current_period() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    write_files(directory.path(), &["app.2026-11-19.log", "app.2026-11-20.log", "app.2027-01-01.log"]);
    let logs = daily(&hand, 10, directory.path());
    drop(logs);
    let mut logs = daily(&hand, 1, directory.path());
    // The one of 2027 does not count, and neither it nor the current one goes.
    assert_eq!(names(directory.path()), ["app.2026-11-21.log", "app.2027-01-01.log"]);
    hand.set(NOW + DAY, 0);
    writeln!(logs, "the next day").expect("writes");
    // The file of the day before is let go some seconds into the new day, and goes at the next look.
    hand.set(NOW + DAY + 6, 0);
    writeln!(logs, "lets go").expect("writes");
    hand.set(NOW + DAY + 8, 0);
    writeln!(logs, "looks again").expect("writes");
    eventually("the day before is pruned", || names(directory.path()) == ["app.2026-11-22.log", "app.2027-01-01.log"]);
    // Two at build, and this one.
    assert_eq!(logs.stats().files_pruned, 3);
}

fn set_modified(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("sets the time");
}

#[test]
fn files_of_the_future_do_not_count_and_go_after_a_day() {
    let future: Vec<_> = (0..15).map(|minute| format!("app.2027-11-21-08-{:02}.log", minute + 33)).collect();
    let past: Vec<_> = (0..15).map(|minute| format!("app.2026-11-21-08-{:02}.log", minute + 10)).collect();
    for bytes in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let (told, builder) = telling(hand.builder().rotation(Rotation::MINUTELY));
        for name in past.iter().chain(&future) {
            fs::write(directory.path().join(name), [b'\n'; 1000]).expect("written");
        }
        // The clock of the machine was ahead, so the time of the last write is, too.
        let next_year = SystemTime::now() + Duration::from_secs(365 * DAY);
        future.iter().for_each(|name| set_modified(&directory.path().join(name), next_year));
        let builder = if bytes { builder.max_total_bytes(10_000) } else { builder.max_log_files(11) };
        let logs = builder.build(directory.path()).expect("builds");
        let kept: Vec<_> = past[5..].iter().cloned().chain(["app.2026-11-21-08-33.log".to_owned()]).collect();
        assert_eq!(names(directory.path()), [&kept[..], &future].concat());
        assert_eq!(logs.prune().expect("prunes"), 0);
        let reports = told.lock().expect("unpoisoned").clone();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_eq!(reports[0].0, Operation::Retention);
        common::says(&reports[0].1, &["app.2027-11-21-08-33.log", "future", "a day after its last write"]);
        // The first look has noted when the day begins.
        let last = directory.path().join(&future[14]);
        assert!(fs::metadata(&last).and_then(|found| found.modified()).expect("known") <= SystemTime::now());
        let ago = |seconds| SystemTime::now() - Duration::from_secs(seconds);
        future[1..].iter().for_each(|name| set_modified(&directory.path().join(name), ago(DAY + 1)));
        set_modified(&directory.path().join(&future[0]), ago(DAY - 60));
        assert_eq!(logs.prune().expect("prunes"), 14);
        assert_eq!(names(directory.path()), [&kept[..], &future[..1]].concat());
    }
}

#[test]
fn an_age_counts_from_the_later_of_period_end_and_last_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let files = ["app.2026-11-01.log", "app.2026-11-02.log", "app.2026-11-15.log"];
    write_files(directory.path(), &files);
    for (name, days) in files.iter().zip([11, 9, 6]) {
        set_modified(&directory.path().join(name), at(NOW - days * DAY));
    }
    let builder = hand.builder().rotation(Rotation::DAILY).max_age(Duration::from_secs(10 * DAY));
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(names(directory.path()), ["app.2026-11-02.log", "app.2026-11-15.log", "app.2026-11-21.log"]);
    hand.set(NOW + DAY, 0);
    logs.prune().expect("prunes");
    assert_eq!(names(directory.path()), ["app.2026-11-15.log", "app.2026-11-21.log"]);
}

#[test]
fn a_log_from_before_the_clock_was_set_ages_from_its_discovery() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(30);
    let builder = || hand.builder().rotation(Rotation::DAILY).max_age(Duration::from_secs(10 * DAY));
    let logs = builder().build(directory.path()).expect("builds");
    writeln!(&logs, "the machine starts").expect("writes");
    // As the kernel sets it then.
    let boot = directory.path().join("app.1970-01-01.log");
    set_modified(&boot, at(30));
    hand.set(NOW, 0);
    writeln!(&logs, "the clock is set").expect("writes");
    hand.set(NOW + 6, 0);
    writeln!(&logs, "lets go").expect("writes");
    eventually("somebody prunes", || logs.prune().is_ok());
    assert!(boot.exists());
    hand.set(NOW + 9 * DAY, 0);
    assert_eq!(logs.prune().expect("prunes"), 0);
    assert!(boot.exists());
    hand.set(NOW + 11 * DAY, 0);
    logs.prune().expect("prunes");
    assert!(!boot.exists());
}

#[test]
fn a_file_stays_while_somebody_may_still_write_to_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let yesterday = Hand::at(NOW - DAY);
    let idle = daily(&yesterday, 1, directory.path());
    writeln!(&idle, "yesterday").expect("writes");
    let logs = daily(&Hand::at(NOW), 1, directory.path());
    assert_eq!(names(directory.path()), ["app.2026-11-20.log", "app.2026-11-21.log"]);
    assert_eq!(logs.prune().expect("prunes"), 0);
    writeln!(&idle, "still yesterday here").expect("writes");
    drop(idle);
    assert_eq!(logs.prune().expect("prunes"), 1);
    assert_eq!(names(directory.path()), ["app.2026-11-21.log"]);
}

#[test]
fn a_file_held_idle_goes_a_day_after_its_period_and_last_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let idle = daily(&Hand::at(NOW - 3 * DAY), 1, directory.path());
    writeln!(&idle, "the last line").expect("writes");
    written_now(&idle.path());
    let logs = daily(&Hand::at(NOW), 1, directory.path());
    // Its period is long over, but it was written to a minute ago: the clocks of the two may differ.
    let file = File::open(idle.path()).expect("opens");
    let ago = |seconds| SystemTime::now() - Duration::from_secs(seconds);
    file.set_modified(ago(60)).expect("sets the time");
    assert_eq!(logs.prune().expect("prunes"), 0);
    file.set_modified(ago(DAY + 1)).expect("sets the time");
    assert_eq!(logs.prune().expect("prunes"), 1);
    // The other way round: last written long ago, but its period has only just ended.
    let idle = daily(&Hand::at(NOW - DAY), 1, directory.path());
    writeln!(&idle, "the last line").expect("writes");
    let file = File::open(idle.path()).expect("opens");
    file.set_modified(ago(DAY + 1)).expect("sets the time");
    assert_eq!(logs.prune().expect("prunes"), 0);
}

#[test]
fn what_a_killed_process_left_behind_is_cleared_away() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = || Hand::at(NOW).builder().rotation(Rotation::DAILY).max_log_files(3).latest_symlink("latest");
    drop(builder().build(directory.path()).expect("builds"));
    let lock = all_names(directory.path()).into_iter().find(|name| name.ends_with(".lock")).expect("there");
    let nanos = |age: i64| format!("{:016x}", NOW.wrapping_add_signed(-age) * 1_000_000_000);
    let left = [
        format!(".app.2026-11-20.log.1f-{}.prefork.tmp", nanos(61)),
        format!(".latest.1f-{}.prefork.tmp", nanos(99)),
        format!(".{lock}.1f-{}.prefork.tmp", nanos(99)),
        // By a clock that was ahead.
        format!(".latest.1f-{}.prefork.tmp", nanos(-3600)),
        format!(".latest.1f-{}.prefork.tmp", nanos(-365 * 86_400)),
    ];
    let kept = [
        format!(".app.2026-11-20.log.1f-{}.prefork.tmp", nanos(5)),
        format!(".latest.1f-{}.prefork.tmp", nanos(-3500)),
        format!(".other.1f-{}.prefork.tmp", nanos(61)),
        format!(".app.conf.1f-{}.prefork.tmp", nanos(61)),
        format!(".latest.-{}.prefork.tmp", nanos(61)),
        ".latest.1f-20261121.tmp".to_owned(),
        ".latest.1f-65a2.prefork.tmp".to_owned(),
        ".latest.20261121.tmp".to_owned(),
    ];
    for name in left.iter().chain(&kept) {
        fs::write(directory.path().join(name), "").expect("written");
    }
    builder().build(directory.path()).expect("builds");
    let names = all_names(directory.path());
    assert!(left.iter().all(|name| !names.contains(name)), "{names:?}");
    assert!(kept.iter().all(|name| names.contains(name)), "{names:?}");
}
