//! How large files become, and what is kept of them: `max_file_bytes`, `max_total_bytes`, `max_age`, `files`.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use tracing_prefork::{Builder, Rotation};

use crate::common;
use crate::common::sizes::{lines, three_old_files};
use crate::common::{DAY, Hand, NOW, daily, eventually, log, names, read, write_files, written_now};

fn size(directory: &Path, name: &str) -> u64 {
    fs::metadata(directory.join(name)).expect("there").len()
}

#[test]
fn finished_files_share_the_bytes_that_the_current_one_leaves() {
    // The limits of all and of one, the bytes of each finished file, and how many of those are kept.
    let cases = [
        (100, 100, 100, 0),
        (100, 100, 1, 0),
        (199, 100, 100, 0),
        (200, 100, 100, 1),
        (200, 100, 101, 0),
        (300, 100, 101, 1),
        (303, 100, 101, 2),
    ];
    for (total, limit, bytes, kept) in cases {
        let directory = tempfile::tempdir().expect("a directory");
        for day in 17..=20 {
            fs::write(directory.path().join(format!("app.2026-11-{day}.log")), "x".repeat(bytes)).expect("written");
        }
        let builder = daily(&Hand::at(NOW)).max_total_bytes(total).max_file_bytes(limit);
        drop(builder.build(directory.path()).expect("builds"));
        let left = names(directory.path()).len() - 1;
        assert_eq!(left, kept, "max_total_bytes({total}), max_file_bytes({limit}), {bytes} bytes each");
    }
}

#[test]
fn a_full_file_is_followed_by_the_next_and_no_line_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).max_file_bytes(100_000).latest_symlink("latest").build(directory.path()).expect("builds");
    let expected: Vec<_> = (0..3000).map(|number| format!("{number:099}")).collect();
    expected.iter().for_each(|line| log(&logs, line));
    let found = logs.files().expect("listed");
    let indices: Vec<_> = found.iter().map(|file| file.index).collect();
    assert_eq!(indices, [0, 1, 2]);
    assert!(found[0].path.ends_with("app.2026-11-21.log") && found[2].path.ends_with("app.2026-11-21.2.log"));
    for file in &found[..2] {
        // One process: 16 KiB, a 16th of that for its one thread, and a line.
        assert!((100_000..=100_000 + 16_384 + 1024 + 100).contains(&file.bytes), "{file:?}");
        assert!(!file.open || file.index == 1, "{file:?}");
    }
    assert!(found[2].open);
    assert_eq!(lines(&logs), expected);
    assert_eq!(logs.path(), found[2].path);
    assert_eq!(fs::read_link(directory.path().join("latest")).expect("a link"), Path::new("app.2026-11-21.2.log"));
    assert_eq!(logs.path_at(common::at(NOW)), found[0].path);
    assert_eq!((logs.stats().writes, logs.stats().errors), (3000, 0));

    // The next day begins with its first file, and a process that is built now goes on with the last.
    hand.set(NOW + DAY, 0);
    log(&logs, "tomorrow");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "tomorrow\n");
    hand.set(NOW, 0);
    log(&daily(&hand).max_file_bytes(100_000).build(directory.path()).expect("builds"), "late");
    assert!(read(directory.path(), "app.2026-11-21.2.log").ends_with("late\n"));
}

#[test]
fn under_the_write_lock_no_file_is_larger_than_it_may_be() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let build = || daily(&hand).max_file_bytes(1000).lock_writes(true).build(directory.path()).expect("builds");
    let appenders = [build(), build()];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let logs = &appenders[thread % 2];
            scope.spawn(move || (0..200).for_each(|number| log(logs, &format!("{thread} {number:050}"))));
        }
    });
    log(&appenders[0], &"x".repeat(5000));
    let found = appenders[0].files().expect("listed");
    let mut all = lines(&appenders[0]);
    assert_eq!(all.len(), 801);
    for file in &found {
        let whole = file.bytes <= 1000 || file.bytes == 5001;
        // Full: the next line would not have had room.
        assert!(whole && (file.bytes > 1000 - 53 || file.index as usize + 2 >= found.len()), "{file:?}");
    }
    assert_eq!(all.iter().filter(|line| line.len() == 5000).count(), 1);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 801);
}

/// Somebody else fills each file in the moment in which it is made.
#[test]
fn a_line_that_finds_several_files_full_is_counted_once() {
    for locked in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().to_owned();
        let fill_next = move |_| {
            let name = |index| if index == 0 { String::new() } else { format!(".{index}") };
            let mut paths = (0..).map(|index| place.join(format!("app.2026-11-21{}.log", name(index))));
            fs::write(paths.find(|path| !path.exists()).expect("one"), "full\n".repeat(100)).expect("written");
            String::new()
        };
        let builder = daily(&Hand::at(NOW)).max_file_bytes(200).header(fill_next).lock_writes(locked);
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "here");
        assert_eq!((logs.stats().writes, logs.stats().lines_lost), (1, 0), "locked: {locked}");
        assert_eq!(lines(&logs).iter().filter(|line| *line == "here").count(), 1);
    }
}

#[test]
fn a_thread_stuck_in_a_rollover_lets_no_file_outgrow_the_bound() {
    const MAX: u64 = 32_768;
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let is_late = || std::thread::current().name() == Some("late");
    let now = hand.clone();
    let clock = move || if is_late() { common::at(NOW - DAY) } else { now.now() };
    let (begins, begun) = mpsc::channel();
    let (ends, end) = mpsc::channel::<()>();
    let end = Mutex::new(end);
    let header = move |_| {
        if is_late() {
            let _ = begins.send(());
            let _ = end.lock().map(|end| end.recv());
        }
        String::from("# of a day\n")
    };
    let builder = hand.builder().rotation(Rotation::DAILY).clock(clock).max_file_bytes(MAX).header(header);
    let logs = builder.build(directory.path()).expect("builds");
    let late = logs.clone();
    let late = std::thread::Builder::new().name("late".to_owned()).spawn(move || log(&late, "late")).expect("starts");
    begun.recv().expect("the late line has its file opened");
    let expected: Vec<_> = (0..500).map(|number| format!("{number:0999}")).collect();
    expected.iter().for_each(|line| log(&logs, line));
    ends.send(()).expect("waits");
    late.join().expect("ends");
    let mut found = logs.files().expect("listed");
    assert_eq!(read(directory.path(), "app.2026-11-20.log"), "# of a day\nlate\n");
    found.remove(0);
    let largest = found.iter().map(|file| file.bytes).max().expect("there");
    // One process with two threads: 16 KiB, and for each thread a 16th of that and a line.
    assert!(largest <= MAX + 16_384 + 2 * (1024 + 1000), "{largest}");
    let lines: Vec<_> = lines(&logs).into_iter().filter(|line| line.len() == 999).collect();
    assert!(lines == expected, "{} lines", lines.len());
}

#[test]
fn numbered_names_are_read_strictly() {
    let directory = tempfile::tempdir().expect("a directory");
    let foreign = [
        "app.2026-11-01.0.log",
        "app.2026-11-01.01.log",
        "app.2026-11-01.+1.log",
        "app.2026-11-01.1.1.log",
        "app.2026-11-01.log.1",
        "app.2026-11-01.99999999999.log",
        "app.1.2026-11-01.log",
    ];
    write_files(directory.path(), &foreign);
    write_files(directory.path(), &["app.2026-11-01.log", "app.2026-11-01.1.log", "app.2026-11-01.10.log"]);
    let logs = daily(&Hand::at(NOW)).max_file_bytes(1000).max_log_files(1).build(directory.path()).expect("builds");
    let mut expected = foreign.map(str::to_owned).to_vec();
    expected.push("app.2026-11-21.log".to_owned());
    expected.sort();
    assert_eq!(names(directory.path()), expected);
    drop(logs);
    // Without the option such names are not ours.
    write_files(directory.path(), &["app.2026-11-01.1.log"]);
    daily(&Hand::at(NOW)).max_log_files(1).build(directory.path()).expect("builds");
    assert!(directory.path().join("app.2026-11-01.1.log").exists());
}

#[test]
fn a_file_that_never_rolls_over_by_time_is_numbered_and_pruned() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().max_file_bytes(20_000).max_log_files(3).build(directory.path()).expect("builds");
    let files = || logs.files().expect("listed");
    for number in 0..3000 {
        log(&logs, &format!("{number:0100}"));
        if number % 100 == 0 {
            // A second passes, so that the file before is let go.
            hand.set(NOW + number, 0);
            logs.prune().expect("prunes");
        }
    }
    // Waits for a thread that prunes, too.
    logs.prune().expect("prunes");
    let found = files();
    assert!((3..=4).contains(&found.len()), "{found:?}");
    assert!(found[0].index > 3 && found.windows(2).all(|pair| pair[1].index == pair[0].index + 1), "{found:?}");
    let all = lines(&logs);
    let first: usize = all[0].parse().expect("a number");
    assert!(
        all.iter().map(|line| line.parse::<usize>().expect("a number")).eq(first..3000),
        "the newest lines, without a gap"
    );
    // Pruned names are not given again.
    log(&hand.builder().max_file_bytes(20_000).build(directory.path()).expect("builds"), "goes on");
    assert_eq!(files().last().map(|file| file.index), found.last().map(|file| file.index));
}

#[test]
fn max_total_bytes_and_max_age_keep_the_newest_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let name = |day: u64| format!("app.2026-11-{day:02}.log");
    let fill = || {
        for day in 1..=20 {
            fs::write(directory.path().join(name(day)), vec![b'\n'; 1000]).expect("written");
        }
    };
    let kept = |builder: Builder| {
        fill();
        let logs = builder.build(directory.path()).expect("builds");
        let days = logs.files().expect("listed").len() - 1;
        assert_eq!(names(directory.path()), (21 - days as u64..=21).map(name).collect::<Vec<_>>());
        days
    };
    let hand = Hand::at(NOW);
    assert_eq!(kept(daily(&hand).max_total_bytes(5999)), 5);
    assert_eq!(kept(daily(&hand).max_total_bytes(6000)), 6);
    assert_eq!(kept(daily(&hand).max_total_bytes(1)), 0, "the current file never goes");
    assert_eq!(kept(daily(&hand).max_total_bytes(6000).max_file_bytes(2500)), 3, "room for the current file to grow");
    // The 11th ended at midnight, nine days and eight and a half hours ago.
    assert_eq!(kept(daily(&hand).max_age(Duration::from_secs(10 * DAY))), 10);
    assert_eq!(kept(daily(&hand).max_age(Duration::from_secs(9 * DAY))), 9);
    assert_eq!(kept(daily(&hand).max_age(Duration::from_secs(1))), 0);
    assert_eq!(kept(daily(&hand).max_age(Duration::MAX)), 20);
    // Each of them counts.
    let both = || daily(&hand).max_age(Duration::from_secs(10 * DAY)).max_total_bytes(7000).max_log_files(9);
    assert_eq!(kept(both()), 7);
    assert_eq!(kept(both().max_total_bytes(100_000)), 8);
}

#[test]
fn the_file_that_grows_is_counted_again_each_minute() {
    let directory = tempfile::tempdir().expect("a directory");
    for day in 11..=20 {
        fs::write(directory.path().join(format!("app.2026-11-{day}.log")), vec![b'\n'; 1000]).expect("written");
    }
    let hand = Hand::at(NOW);
    let logs = daily(&hand).max_total_bytes(10_000).build(directory.path()).expect("builds");
    log(&logs, &"x".repeat(5499));
    assert_eq!(logs.files().expect("listed").len(), 11);
    hand.set(NOW + 61, 0);
    log(&logs, "a minute later");
    common::eventually("the oldest files go", || logs.files().expect("listed").len() == 5);
    assert_eq!(size(directory.path(), "app.2026-11-21.log"), 5515);
}

#[test]
fn a_file_of_no_bytes_is_refused() {
    common::says(&common::refused(daily(&Hand::at(NOW)).max_file_bytes(0)), &["max_file_bytes(0)"]);
}

#[test]
fn a_clock_ahead_for_a_moment_does_not_put_off_the_reckoning() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = three_old_files(directory.path());
    let logs = hand.builder().rotation(Rotation::DAILY).max_total_bytes(4000).build(directory.path()).expect("builds");
    log(&logs, "a line");
    hand.set(NOW + 10 * DAY, 0);
    log(&logs, "a line of the future");
    written_now(&logs.path());
    logs.prune().expect("prunes");
    for minute in 0..10 * 60 {
        hand.set(NOW + minute * 60, 0);
        log(&logs, &"x".repeat(99));
    }
    eventually("the old ones go", || names(directory.path()) == ["app.2026-11-21.log", "app.2026-12-01.log"]);
}

#[test]
fn stray_numbers_are_not_taken_for_files_of_ours() {
    let endings: &[&str] = if cfg!(feature = "gzip") { &["", ".gz", ".zst"] } else { &[""] };
    for number in ["4294967294", "4294967295", "18446744073709551616", "1000000000", "20261121"] {
        for ending in endings {
            let directory = tempfile::tempdir().expect("a directory");
            let stray = format!("app.2026-11-21.{number}.log{ending}");
            write_files(directory.path(), &[&stray, "app.2026-11-21.log"]);
            let builder = daily(&Hand::at(NOW)).max_file_bytes(1000).max_log_files(3).lock_writes(true);
            #[cfg(feature = "gzip")]
            let builder =
                if ending.is_empty() { builder } else { builder.compress(tracing_prefork::Compression::Gzip) };
            let logs = builder.build(directory.path()).expect("builds");
            (0..50).for_each(|line| log(&logs, &format!("{line:099}")));
            logs.prune().expect("prunes");
            let found = logs.files().expect("listed");
            assert!(found.iter().all(|file| file.bytes <= 1000 && file.index < 10), "{stray}: {found:?}");
            assert_eq!(read(directory.path(), &stray), "x\n");
        }
    }
}
