//! The directories below the log directory that a `date_format` with slashes leads through.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, SystemTime};
use tracing_prefork::{Operation, Rotation};

use crate::common;
use crate::common::{
    BY_MONTH, DAY, Hand, NOW, at, dated, eventually, files, log, read, tree, write_files, written_now,
};

#[test]
fn directories_are_made_when_a_period_needs_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = dated(&hand, Rotation::DAILY, BY_MONTH).build(directory.path()).expect("builds");
    assert_eq!(tree(directory.path()), ["2026/", "2026/11/", "2026/11/app-21.log"]);
    for day in [9, 10, 41] {
        hand.set(NOW + day * DAY, 0);
        log(&logs, &format!("{day} days later"));
    }
    assert_eq!(
        files(directory.path()),
        ["2026/11/app-21.log", "2026/11/app-30.log", "2026/12/app-01.log", "2027/01/app-01.log",]
    );
    assert_eq!(read(directory.path(), "2027/01/app-01.log"), "41 days later\n");
    // Back to a month that is there, and to one that is not.
    hand.set(NOW + 9 * DAY, 0);
    log(&logs, "set back");
    assert_eq!(read(directory.path(), "2026/11/app-30.log"), "9 days later\nset back\n");
    hand.set(NOW - 365 * DAY, 0);
    log(&logs, "set back further");
    assert_eq!(read(directory.path(), "2025/11/app-21.log"), "set back further\n");
    assert_eq!(logs.stats().errors, 0);
}

#[test]
fn pruning_counts_across_directories_and_removes_empty_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(
        directory.path(),
        &[
            "2024/02/app-29.log",
            "2025/12/app-30.log",
            "2025/12/app-31.log",
            "2026/01/app-01.log",
            "2026/10/app-31.log",
            "2026/11/app-20.log",
        ],
    );
    let build = |keep| {
        let builder = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).max_log_files(keep);
        drop(builder.build(directory.path()).expect("builds"));
    };
    build(5);
    assert_eq!(
        tree(directory.path()),
        [
            "2025/",
            "2025/12/",
            "2025/12/app-31.log",
            "2026/",
            "2026/01/",
            "2026/01/app-01.log",
            "2026/10/",
            "2026/10/app-31.log",
            "2026/11/",
            "2026/11/app-20.log",
            "2026/11/app-21.log",
        ]
    );
    build(3);
    assert_eq!(
        tree(directory.path()),
        ["2026/", "2026/10/", "2026/10/app-31.log", "2026/11/", "2026/11/app-20.log", "2026/11/app-21.log",]
    );
    build(1);
    assert_eq!(tree(directory.path()), ["2026/", "2026/11/", "2026/11/app-21.log"]);
}

#[test]
fn foreign_files_stay_and_so_do_their_directories() {
    let directory = tempfile::tempdir().expect("a directory");
    let foreign = [
        "2024/02/app-30.log",
        "2024/02/app-1.log",
        "2024/02/app-01.log.gz",
        "2024/2/app-01.log",
        "2024/13/app-01.log",
        "2024/03/old/app-01.log",
        "2024/app-01.log",
        "other/03/app-01.log",
        "app-01.log",
        "archive/2024/03/app-01.log",
        "2023/01/app-01.log/notes",
    ];
    write_files(directory.path(), &foreign);
    fs::create_dir_all(directory.path().join("2022/empty")).expect("made");
    fs::create_dir_all(directory.path().join("2021/05")).expect("made");
    let elsewhere = tempfile::tempdir().expect("a directory");
    write_files(elsewhere.path(), &["05/app-01.log"]);
    symlink(elsewhere.path(), directory.path().join("2020")).expect("a link");
    let before = tree(directory.path());
    write_files(
        directory.path(),
        &["2024/02/app-29.log", "2024/03/app-01.log", "2021/05/app-02.log", "2021/06/app-02.log"],
    );
    let builder = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).max_log_files(1);
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!((logs.stats().files_pruned, logs.stats().errors), (4, 0));
    let mut after = tree(directory.path());
    after.retain(|name| !name.starts_with("2026/"));
    // The last file of 2021/05 went, so the directory did.
    let expected: Vec<_> = before.into_iter().filter(|name| !name.starts_with("2021/")).collect();
    assert_eq!(after, expected);
    assert_eq!(files(elsewhere.path()), ["05/app-01.log"]);
}

#[test]
fn pruning_removes_empty_directories_that_a_process_has_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let left = ["2023/02", "2024", "2026/10", "2027/01", "2022/empty", "2022/13", "2022/02/more", "empty"];
    let paths = left.map(|name| directory.path().join(name));
    paths.iter().for_each(|path| fs::create_dir_all(path).expect("made"));
    let changed = |seconds| {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        paths.iter().for_each(|path| File::open(path).and_then(|left| left.set_modified(time)).expect("set"));
    };
    let ours = ["2026/", "2026/11/", "2026/11/app-21.log"];
    let mut before = tree(directory.path());
    before.extend(ours[1..].iter().map(|name| (*name).to_owned()));
    before.sort();

    // A process may be about to make a file in a directory that was made a moment ago.
    changed(50);
    let logs = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).max_log_files(3).build(directory.path());
    let logs = logs.expect("builds");
    assert_eq!(tree(directory.path()), before);
    changed(70);
    assert_eq!(logs.prune().expect("prunes"), 0);
    // What names do not go through is somebody else's.
    let foreign = ["2022/", "2022/02/", "2022/02/more/", "2022/13/", "2022/empty/"];
    let kept: Vec<_> = foreign.into_iter().chain(ours).chain(["empty/"]).collect();
    assert_eq!(tree(directory.path()), kept);
    assert_eq!((logs.stats().files_pruned, logs.stats().errors), (0, 0));
}

#[test]
fn a_rollover_prunes_the_month_before_with_its_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    // 2026-11-30.
    let hand = Hand::at(NOW + 9 * DAY);
    let builder = dated(&hand, Rotation::DAILY, BY_MONTH).max_log_files(1).latest_symlink("latest");
    let logs = builder.build(directory.path()).expect("builds");
    hand.set(NOW + 10 * DAY, 0);
    log(&logs, "the next month");
    // The file of the day before is let go some seconds into the new one, and goes at the next look.
    hand.set(NOW + 10 * DAY + 6, 0);
    log(&logs, "lets go");
    hand.set(NOW + 10 * DAY + 8, 0);
    log(&logs, "looks again");
    eventually("November goes", || tree(directory.path()) == ["2026/", "2026/12/", "2026/12/app-01.log", "latest"]);
    assert_eq!(read(directory.path(), "latest"), "the next month\nlets go\nlooks again\n");
}

#[test]
fn a_file_in_a_directory_stays_while_somebody_may_write_to_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let build = |second| {
        let builder = dated(&Hand::at(second), Rotation::DAILY, BY_MONTH).max_log_files(1);
        builder.build(directory.path()).expect("builds")
    };
    let idle = build(NOW - 31 * DAY);
    log(&idle, "October");
    written_now(&idle.path());
    let logs = build(NOW);
    assert_eq!(files(directory.path()), ["2026/10/app-21.log", "2026/11/app-21.log"]);
    log(&idle, "still October here");
    drop(idle);
    assert_eq!(logs.prune().expect("prunes"), 1);
    assert_eq!(tree(directory.path()), ["2026/", "2026/11/", "2026/11/app-21.log"]);
}

#[test]
fn links_lead_through_directories_and_survive_their_move() {
    let above = tempfile::tempdir().expect("a directory");
    let directory = above.path().join("logs");
    let hand = Hand::at(NOW);
    let builder = dated(&hand, Rotation::DAILY, BY_MONTH).latest_symlink("latest").latest_hard_link("latest.log");
    let logs = builder.build(&directory).expect("builds");
    let target = || fs::read_link(directory.join("latest")).expect("a link").to_str().expect("UTF-8").to_owned();
    assert_eq!(target(), "2026/11/app-21.log");
    hand.set(NOW + 10 * DAY, 0);
    log(&logs, "December");
    assert_eq!(target(), "2026/12/app-01.log");
    let inode = |name: &str| fs::metadata(directory.join(name)).expect("there").ino();
    assert_eq!(inode("latest.log"), inode("2026/12/app-01.log"));
    // Never back: a process whose clock is behind leaves both.
    hand.set(NOW, 0);
    log(&logs, "set back");
    assert_eq!(target(), "2026/12/app-01.log");
    assert_eq!(inode("latest.log"), inode("2026/12/app-01.log"));
    assert_eq!(logs.stats().errors, 0);
    let moved = above.path().join("moved");
    fs::rename(&directory, &moved).expect("moved");
    assert_eq!(read(&moved, "latest"), "December\n");
}

#[test]
fn removed_directories_are_made_again_while_the_process_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs_below = directory.path().join("logs");
    let hand = Hand::at(NOW);
    let builder = dated(&hand, Rotation::DAILY, BY_MONTH).latest_symlink("latest");
    let logs = builder.build(&logs_below).expect("builds");
    for (day, removed) in [(1, "2026/11"), (2, "2026"), (3, "")] {
        fs::remove_dir_all(logs_below.join(removed)).expect("removed");
        hand.set(NOW + day * DAY, 0);
        log(&logs, "the next day");
        let file = format!("2026/11/app-{}.log", 21 + day);
        assert_eq!(read(&logs_below, &file), "the next day\n", "after {removed:?} was removed");
        assert_eq!(fs::read_link(logs_below.join("latest")).expect("a link"), Path::new(&file));
    }
}

#[test]
fn directories_removed_as_they_are_made_cost_no_line_or_report() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = dated(&hand, Rotation::DAILY, "%Y/%m/%d/app.log").build(directory.path()).expect("builds");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // What pruning does with a directory that it has emptied, at the worst of times: ten times a day for each.
        for depth in 1..=3 {
            let (logs, hand, over) = (&logs, &hand, &over);
            scope.spawn(move || {
                let (mut today, mut removed) = (hand.now(), 0);
                while !over.load(Relaxed) {
                    let now = hand.now();
                    if today != now {
                        (today, removed) = (now, 0);
                    }
                    if removed < 10
                        && logs.path_at(now).ancestors().nth(depth).map(fs::remove_dir).is_some_and(|it| it.is_ok())
                    {
                        removed += 1;
                    }
                    thread::yield_now();
                }
            });
        }
        for day in 1..=2000 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, &format!("day {day}"));
        }
        over.store(true, Relaxed);
    });
    assert_eq!(logs.stats().errors, 0);
    for day in 1..=2000 {
        let path = logs.path_at(at(NOW + day * DAY));
        assert_eq!(fs::read_to_string(&path).expect("there"), format!("day {day}\n"));
    }
}

#[test]
fn a_file_in_place_of_a_directory_is_reported_and_costs_no_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = dated(&hand, Rotation::DAILY, BY_MONTH).on_error(|_| {});
    let logs = builder.build(directory.path()).expect("builds");
    write_files(directory.path(), &["2026/12"]);
    hand.set(NOW + 10 * DAY, 0);
    log(&logs, "December");
    assert_eq!(read(directory.path(), "2026/11/app-21.log"), "December\n");
    assert!(logs.stats().errors > 0);
    fs::remove_file(directory.path().join("2026/12")).expect("removed");
    hand.set(NOW + 10 * DAY + 1, 0);
    log(&logs, "at its place");
    assert_eq!(read(directory.path(), "2026/12/app-01.log"), "at its place\n");
}

#[test]
fn a_date_directory_that_is_a_symbolic_link_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let link = directory.path().join("2026");
    symlink(elsewhere.path(), &link).expect("a link");
    let error = dated(&hand, Rotation::DAILY, BY_MONTH).build(directory.path()).expect_err("refused");
    common::says(&error.to_string(), &["2026", "symbolic link"]);
    assert_eq!(common::all_names(elsewhere.path()), [""; 0], "nothing was written through the link");

    // One level further down, while the process runs.
    fs::remove_file(&link).expect("removed");
    let (told, builder) = common::telling(dated(&hand, Rotation::DAILY, BY_MONTH));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "a line");
    symlink(elsewhere.path(), link.join("12")).expect("a link");
    hand.set(NOW + 11 * DAY, 0);
    log(&logs, "goes to the file before");
    assert_eq!(read(directory.path(), "2026/11/app-21.log"), "a line\ngoes to the file before\n");
    assert_eq!(common::all_names(elsewhere.path()), [""; 0]);
    common::says(&told.lock().expect("unpoisoned")[0].1, &["2026/12/app-02.log", "symbolic link"]);
    // The log directory itself may be reached through one.
    fs::remove_file(link.join("12")).expect("removed");
    let through = elsewhere.path().join("logs");
    symlink(directory.path(), &through).expect("a link");
    log(&dated(&hand, Rotation::DAILY, BY_MONTH).build(&through).expect("builds"), "through the link");
    assert_eq!(read(directory.path(), "2026/12/app-02.log"), "through the link\n");
}

#[test]
fn the_temporary_directory_of_a_killed_process_is_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let left = [".2026.1f-0000000000000001.prefork.tmp", "2026/.10.1f-0000000000000001.prefork.tmp"];
    for name in left {
        fs::create_dir_all(directory.path().join(name)).expect("made");
    }
    let builder = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).file_mode(0o600).max_log_files(2);
    drop(builder.build(directory.path()).expect("builds"));
    assert!(left.iter().all(|name| !directory.path().join(name).exists()));
}

#[test]
fn files_of_a_directory_that_has_gone_cannot_be_listed() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    fs::remove_dir_all(directory.path()).expect("removed");
    let error = logs.files().expect_err("nothing to list");
    assert_eq!((error.operation(), error.path()), (Operation::List, directory.path()));
    assert_eq!(error.io_error().kind(), std::io::ErrorKind::NotFound);
    let path = directory.path().display();
    let text = format!("cannot list the files of {path}: No such file or directory (os error 2); logging goes on");
    assert_eq!(error.to_string(), text);
}
