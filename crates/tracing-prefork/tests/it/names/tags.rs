//! Tags: a writer, or each process, has files of its own, and the jobs go over the files of all.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tracing_prefork::{Appender, Builder, Rotation};

use crate::common::{
    DAY, Hand, NOW, all_names, at, builder, daily, directory_in_memory, eventually, log, names, read, refused, says,
    telling, write_files,
};

fn tagged(hand: &Hand, tag: &str) -> Builder {
    daily(hand).tag(tag)
}

fn build(builder: Builder, directory: &Path) -> Appender {
    builder.build(directory).expect("builds")
}

/// The name of the file of a day, counted from that of `NOW`.
fn name(logs: &Appender, day: u64) -> String {
    let path = logs.path_at(at(NOW + day * DAY));
    path.strip_prefix(logs.directory()).expect("below the directory").to_str().expect("UTF-8").to_owned()
}

/// Makes a file of a process that has ended, with `bytes` bytes, last written so many seconds after `NOW`.
fn file_of_a_dead_process(directory: &Path, name: &str, bytes: usize, written: i64) {
    let file = File::create(directory.join(name)).expect("made");
    fs::write(directory.join(name), vec![b'x'; bytes]).expect("written");
    let written = at((NOW as i64 + written) as u64);
    file.set_modified(written).expect("set");
}

#[test]
fn a_tag_stands_behind_the_prefix_in_each_form_of_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let tagged = |builder: Builder| {
        let below = tempfile::tempdir_in(directory.path()).expect("a directory");
        let logs = build(builder.tag("worker-3"), below.path());
        log(&logs, "a line");
        assert_eq!(fs::read_to_string(logs.path()).expect("read"), "a line\n");
        let files = logs.files().expect("listed");
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].tag.as_deref(), Some("worker-3"));
        name(&logs, 0)
    };
    assert_eq!(tagged(daily(&hand)), "app.worker-3.2026-11-21.log");
    assert_eq!(tagged(daily(&hand).filename_suffix("")), "app.worker-3.2026-11-21");
    assert_eq!(tagged(daily(&hand).date_format("%Y/%m/%d")), "app.worker-3.2026/11/21.log");
    assert_eq!(tagged(daily(&hand).max_file_bytes(1000)), "app.worker-3.2026-11-21.log");
    let logs = build(daily(&hand).per_process(true), directory.path());
    assert_eq!(name(&logs, 0), format!("app.{}.2026-11-21.log", std::process::id()));
}

#[test]
fn numbered_files_of_tags_are_rows_of_their_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let all = ["1", "11", "2026-11-21"].map(|tag| build(tagged(&hand, tag).max_file_bytes(100_000), directory.path()));
    for logs in &all {
        for _ in 0..5 {
            log(logs, &"x".repeat(60_000));
        }
    }
    for (logs, tag) in all.iter().zip(["1", "11", "2026-11-21"]) {
        let files = logs.files().expect("listed");
        let own: Vec<_> = files.iter().filter(|file| file.tag.as_deref() == Some(tag)).collect();
        assert_eq!(own.iter().map(|file| file.index).collect::<Vec<_>>(), [0, 1, 2], "{tag}");
        assert_eq!(files.len(), 9);
    }
}

#[test]
fn what_cannot_be_a_tag_is_refused_with_a_remedy() {
    let long = "x".repeat(65);
    for (tag, reason) in [
        ("", "it is empty"),
        ("a.b", "it contains a dot"),
        ("a/b", "it contains a `/`"),
        ("a\nb", "control character"),
        (&*long, "longer than 64 bytes"),
    ] {
        says(&refused(builder().tag(tag)), &["tag", &format!("{tag:?}"), reason]);
    }
    says(&refused(builder().tag("a").per_process(true)), &["tag \"a\"", "per_process", "leave one out"]);
    says(&refused(builder().tag("a").filename_prefix("")), &["tag \"a\"", "filename_prefix"]);
    says(&refused(builder().per_process(true).filename_prefix("")), &["per_process", "filename_prefix"]);
    // `app.error.log` of another program would be one of the family.
    says(&refused(builder().rotation(Rotation::NEVER).tag("a")), &["tag \"a\"", "needs a rotation"]);
    says(&refused(builder().rotation(Rotation::NEVER).per_process(true)), &["per_process", "needs a rotation"]);
    assert!(builder().tag("x".repeat(64)).build(tempfile::tempdir().expect("a directory").path()).is_ok());
}

#[test]
fn of_three_workers_that_become_two_the_third_leaves_no_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let worker = |tag| build(tagged(&hand, tag).max_log_files(6), directory.path());
    let [first, second, third] = ["worker-1", "worker-2", "worker-3"].map(worker);
    for day in 0..4 {
        hand.set(NOW + day * DAY, 0);
        [&first, &second, &third].into_iter().for_each(|logs| log(logs, "a line"));
    }
    drop(third);
    for day in 4..9 {
        hand.set(NOW + day * DAY, 0);
        [&first, &second].into_iter().for_each(|logs| log(logs, "a line"));
        hand.set(NOW + day * DAY + 60, 0);
        [&first, &second].into_iter().for_each(|logs| log(logs, "lets go of the file before"));
    }
    let expected: Vec<_> = [&first, &second].iter().flat_map(|logs| [6, 7, 8].map(|day| name(logs, day))).collect();
    eventually("two files of each of three days are left", || {
        first.prune().expect("pruned");
        names(directory.path()) == expected
    });
    assert_eq!(first.files().expect("listed"), second.files().expect("listed"));
}

#[test]
fn of_twenty_thousand_processes_the_limits_keep_what_they_say() {
    const DAYS: u64 = 30;
    const PER_DAY: u64 = 667;
    let hand = Hand::at(NOW);
    let example = build(tagged(&hand, "1"), tempfile::tempdir().expect("a directory").path());
    let process = |day: u64, index: u64| (1000 + day * PER_DAY + index).to_string();
    let name = |day: u64, index: u64| name(&example, day).replacen(".1.", &format!(".{}.", process(day, index)), 1);
    let month = || {
        let directory = directory_in_memory();
        for day in 0..DAYS {
            for index in 0..PER_DAY {
                let written = (day * DAY + index) as i64;
                file_of_a_dead_process(directory.path(), &name(day, index), 10, written);
            }
        }
        directory
    };
    hand.set(NOW + (DAYS - 1) * DAY + 3600, 0);
    let newest = |count: usize| {
        let all = (0..DAYS).flat_map(|day| (0..PER_DAY).map(move |index| (day, index)));
        let mut names: Vec<_> = all.map(|(day, index)| name(day, index)).collect();
        names.drain(..names.len() - count);
        names
    };
    let left = |builder: Builder, directory: &Path| {
        let logs = build(builder.per_process(true), directory);
        let own = logs.path().file_name().expect("a name").to_str().expect("UTF-8").to_owned();
        let mut left = names(directory);
        left.retain(|name| *name != own);
        left
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    // Within the last day, too: the 500 are those that were written last. The file of this process is one of the 501.
    for keep in [5000, 500] {
        let directory = month();
        assert_eq!(left(daily(&hand).max_log_files(keep + 1), directory.path()), sorted(newest(keep)), "{keep}");
    }
    let directory = month();
    let kept = left(daily(&hand).max_total_bytes(10 * 1234), directory.path());
    assert_eq!(kept, sorted(newest(1234)));
    // The age counts from the end of the period, and from the last write.
    let directory = month();
    let aged = daily(&hand).max_age(Duration::from_secs(7 * DAY));
    assert_eq!(left(aged, directory.path()).len() as u64, 8 * PER_DAY);
}

#[test]
fn names_that_begin_alike_are_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let others = [
        "app.main.conf",
        "app.main.2026-13-45.log",
        "app.main.2026-11-01.log.bak",
        "app.a.b.2026-11-01.log",
        "app..2026-11-01.log",
        "app_main.main.2026-11-01.log",
        "application.main.2026-11-01.log",
        "main.2026-11-01.log",
        "app.main.2026-11-01-08.log",
        "app.main.2026-11-01.1.log",
        "app.2026-11-01.log",
    ];
    write_files(directory.path(), &others);
    let ours = ["app.main.2026-11-01.log", "app.main_master.2026-11-01.log", "app.123.2026-11-01.log"];
    write_files(directory.path(), &ours);
    write_files(directory.path(), &["app.1234.2026-11-02.log"]);
    let logs = build(tagged(&hand, "main").max_log_files(2), directory.path());
    let mut expected: Vec<_> = others.map(str::to_owned).into();
    expected.extend(["app.1234.2026-11-02.log".to_owned(), name(&logs, 0)]);
    expected.sort();
    assert_eq!(names(directory.path()), expected);
    // A pattern without tags has its own files and no others.
    let plain = build(daily(&hand).max_log_files(1), directory.path());
    expected.retain(|name| name != "app.2026-11-01.log");
    expected.push(name(&plain, 0));
    expected.sort();
    assert_eq!(names(directory.path()), expected);
}

#[test]
fn a_file_of_the_period_stays_as_long_as_somebody_has_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    for (index, pid) in (100..110).enumerate() {
        file_of_a_dead_process(directory.path(), &format!("app.{pid}.2026-11-21.log"), 1, index as i64 - 100);
    }
    // These were written last long ago.
    let alive = ["idle-1", "idle-2", "idle-3"].map(|tag| build(tagged(&hand, tag), directory.path()));
    for logs in &alive {
        log(logs, "a line");
        File::options().write(true).open(logs.path()).expect("opens").set_modified(at(NOW - DAY)).expect("set");
    }
    let logs = build(tagged(&hand, "new").max_log_files(6), directory.path());
    log(&logs, "a line");
    let dead = |pid: u64| format!("app.{pid}.2026-11-21.log");
    let mut expected: Vec<_> = alive.iter().chain([&logs]).map(|logs| name(logs, 0)).collect();
    expected.extend([dead(108), dead(109)]);
    expected.sort();
    assert_eq!(names(directory.path()), expected, "the four that are open, and the two that were written last");
    // More are open than may stay: none of these goes, and the others do.
    let logs = build(tagged(&hand, "newest").max_log_files(2), directory.path());
    expected.retain(|name| *name != dead(108) && *name != dead(109));
    expected.push(name(&logs, 0));
    expected.sort();
    assert_eq!(names(directory.path()), expected);
}

#[test]
fn each_tag_has_its_link_and_it_goes_with_its_file() {
    for hard in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let (told, builder) = telling(tagged(&hand, "b").max_log_files(4));
        let four = tagged(&hand, "a").max_log_files(4);
        let link = |builder: Builder| {
            if hard { builder.latest_hard_link("latest.log") } else { builder.latest_symlink("latest.log") }
        };
        let first = build(link(four), directory.path());
        log(&first, "of a");
        let second = build(link(builder), directory.path());
        log(&second, "of b");
        assert_eq!(read(directory.path(), "latest.a.log"), "of a\n");
        assert_eq!(read(directory.path(), "latest.b.log"), "of b\n");
        assert!(!all_names(directory.path()).contains(&"latest.log".to_owned()));
        write_files(directory.path(), &["latest.c.log", "latest.txt"]);
        drop(first);
        for day in 1..8 {
            hand.set(NOW + day * DAY, 0);
            log(&second, &format!("day {day}"));
            hand.set(NOW + day * DAY + 60, 0);
            log(&second, "lets go");
        }
        eventually("the file and the link of the first are gone", || {
            second.prune().expect("pruned");
            names(directory.path()).iter().all(|name| !name.contains(".a."))
        });
        assert_eq!(read(directory.path(), "latest.b.log"), "day 7\nlets go\n");
        assert_eq!(read(directory.path(), "latest.c.log"), "x\n", "somebody else's file");
        let notes = all_names(directory.path()).into_iter().filter(|name| name.contains(".link.")).count();
        assert!(notes <= usize::from(hard), "no note of a link that is gone");
        assert_eq!(*told.lock().expect("unpoisoned"), []);
    }
}

#[test]
fn files_of_all_tags_are_handed_over_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let given = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let workers = ["a", "b", "c"].map(|tag| {
        let given = given.clone();
        let hook = move |path: &Path, _| given.lock().expect("a list").push(path.to_owned());
        build(tagged(&hand, tag).on_finished(hook), directory.path())
    });
    workers.iter().for_each(|logs| log(logs, "a line"));
    let expected: Vec<_> = workers.iter().map(Appender::path).collect();
    hand.set(NOW + DAY, 0);
    workers.iter().for_each(|logs| logs.release().expect("released"));
    eventually("all three are handed over", || {
        log(&workers[0], "the next day");
        let _ = workers[0].hand_over();
        given.lock().expect("a list").len() == 3
    });
    assert_eq!(workers[1].hand_over().expect("handed over"), 0);
    let mut given = given.lock().expect("a list").clone();
    given.sort();
    assert_eq!(given, expected);
}

#[cfg(feature = "gzip")]
#[test]
fn files_of_all_tags_are_compressed_and_close_ends_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let gzip = |tag| build(tagged(&hand, tag).compress(tracing_prefork::Compression::Gzip), directory.path());
    let [first, second] = ["a", "b"].map(gzip);
    [&first, &second].into_iter().for_each(|logs| log(logs, "a line"));
    second.release().expect("released");
    first.close().expect("closed");
    assert_eq!(names(directory.path()), ["app.a.2026-11-21.log.gz", "app.b.2026-11-21.log"]);
    hand.set(NOW + DAY, 0);
    assert_eq!(first.compress().expect("compressed"), 1);
    let left = names(directory.path());
    assert_eq!(left, ["app.a.2026-11-21.log.gz", "app.b.2026-11-21.log.gz"]);
    let tags: Vec<_> = first.files().expect("listed").into_iter().map(|file| (file.tag, file.compressed)).collect();
    assert_eq!(tags, [(Some("a".to_owned()), true), (Some("b".to_owned()), true)]);
}

#[test]
fn another_program_may_not_take_the_names_of_a_family() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let family = build(tagged(&hand, "a"), directory.path());
    log(&family, "a line");
    for other in [daily(&hand).filename_prefix("app.a"), daily(&hand).filename_prefix("app.worker-9")] {
        let error = other.build(directory.path()).expect_err("refused").to_string();
        says(&error, &["overlap", "a tag"]);
    }
    // Both ways round.
    let directory = tempfile::tempdir().expect("a directory");
    let plain = build(daily(&hand).filename_prefix("app.worker-9"), directory.path());
    log(&plain, "a line");
    let error = tagged(&hand, "a").build(directory.path()).expect_err("refused").to_string();
    says(&error, &["overlap", "app.worker-9"]);
}

#[test]
fn a_family_is_discovered_as_one_pattern() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let workers = ["a", "b", "c"].map(|tag| build(tagged(&hand, tag), directory.path()));
    workers.iter().for_each(|logs| log(logs, "a line"));
    let found = Builder::discover(directory.path()).expect("read");
    let files: Vec<_> = found.into_iter().map(|pattern| pattern.inspect(directory.path()).expect("inspects")).collect();
    assert_eq!(files.iter().map(|files| files.pattern()).collect::<Vec<_>>(), ["app.TAG.DATE.log"]);
    assert_eq!(files[0].list().expect("listed"), workers[0].files().expect("listed"));
    assert_eq!(workers[0].files().expect("listed").len(), 3);
}

#[test]
fn a_link_of_a_tag_follows_its_own_tag_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let [first, second] = ["a", "z"].map(|tag| {
        let builder = hand.builder().rotation(Rotation::SECONDLY).tag(tag).latest_symlink("now");
        build(builder, directory.path())
    });
    for second_of_day in 1..20 {
        hand.set(NOW + second_of_day, 0);
        let logs = if second_of_day % 3 == 0 { &second } else { &first };
        log(logs, "a line");
        let link = |tag: &str| fs::read_link(directory.path().join(format!("now.{tag}"))).expect("a link");
        assert!(link("a").to_str().expect("UTF-8").starts_with("app.a."));
        assert!(link("z").to_str().expect("UTF-8").starts_with("app.z."));
        let current = fs::read_link(directory.path().join(if second_of_day % 3 == 0 { "now.z" } else { "now.a" }));
        assert_eq!(Some(&*current.expect("a link")), logs.path().file_name().map(Path::new));
    }
    assert!(SystemTime::now() > at(NOW - 400 * DAY));
}
