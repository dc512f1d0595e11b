//! Which file an event goes to, and what happens at boundaries. All clocks are injected.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};
use tracing_prefork::{Rotation, Zone};
use tracing_subscriber::prelude::*;

use crate::common::{DAY, Hand, NOW, at, below, log, names};

#[test]
fn each_unit_names_its_files_as_documented() {
    let directory = tempfile::tempdir().expect("a directory");
    for (rotation, name) in [
        (Rotation::NEVER, "app.log"),
        (Rotation::SECONDLY, "app.2026-11-21-08-33-01.log"),
        (Rotation::MINUTELY, "app.2026-11-21-08-33.log"),
        (Rotation::HOURLY, "app.2026-11-21-08.log"),
        (Rotation::DAILY, "app.2026-11-21.log"),
        (Rotation::WEEKLY, "app.2026-11-15.log"),
        (Rotation::MONTHLY, "app.2026-11.log"),
    ] {
        let logs = Hand::at(NOW).builder().rotation(rotation).build(directory.path()).expect("builds");
        assert_eq!(logs.path(), directory.path().join(name), "{rotation}");
    }
}

#[test]
fn a_line_goes_to_the_file_of_its_nanosecond() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let mut logs = hand.builder().rotation(Rotation::HOURLY).build(directory.path()).expect("builds");
    let end = logs.period_at(at(NOW)).end.expect("an hour ends").duration_since(UNIX_EPOCH).expect("after 1970");
    hand.set(end.as_secs() - 1, 999_999_999);
    writeln!(logs, "last of the hour").expect("writes");
    hand.set(end.as_secs(), 0);
    writeln!(logs, "first of the next").expect("writes");
    hand.set(end.as_secs() - 1, 999_999_999);
    writeln!(logs, "the clock went back").expect("writes");
    let read = |name| fs::read_to_string(directory.path().join(name)).expect("readable");
    assert_eq!(read("app.2026-11-21-08.log"), "last of the hour\nthe clock went back\n");
    assert_eq!(read("app.2026-11-21-09.log"), "first of the next\n");
}

#[test]
fn the_clock_may_jump_anywhere_and_the_file_follows() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let mut logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    for days in [0, 400, 1, 0, 3, 2, 1, 0, 5000] {
        hand.set(NOW + days * 86_400, 7);
        writeln!(logs, "{days}").expect("writes");
        let written = fs::read_to_string(logs.path()).expect("the file of now exists");
        assert!(written.ends_with(&format!("{days}\n")), "{days} is missing from {written:?}");
    }
    assert_eq!(logs.stats().writes, 9);
}

/// The log files that this process has open, without those of other tests and without hidden files: each once, though
/// two descriptors lead to it.
fn open_files(directory: &Path) -> Vec<String> {
    let descriptors = fs::read_dir("/proc/self/fd").expect("Linux").flatten();
    let files = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    let mut open: Vec<_> =
        files.filter(|file| file.starts_with(directory)).map(|file| below(directory, &file)).collect();
    open.retain(|name| !name.starts_with('.'));
    open.sort();
    open.dedup();
    open
}

#[test]
fn a_clock_slewed_to_and_fro_over_a_boundary_rolls_over_once() {
    // The boundaries of seconds, and of hours.
    for (rotation, period) in [(Rotation::SECONDLY, 1), (Rotation::HOURLY, 3600)] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let logs = hand.builder().rotation(rotation).build(directory.path()).expect("builds");
        let first = NOW / period * period;
        let mut lines = 0;
        for round in 1..=10 {
            let boundary = first + round * period;
            // From 1 us up to 50 ms before and after.
            for step in 0..2000 {
                let away = 1_000 + step % 1000 * 50_000;
                for (second, nanos) in [(boundary - 1, 1_000_000_000 - away), (boundary, away)] {
                    hand.set(second, nanos);
                    log(&logs, "x");
                    lines += 1;
                }
            }
            // The file at the build, and one at each boundary.
            assert_eq!(logs.stats().rollovers, 1 + round, "after {round} boundaries");
            assert_eq!(open_files(directory.path()).len(), 2);
        }
        assert_eq!((logs.stats().writes, logs.stats().errors), (lines, 0));
    }
}

#[test]
fn threads_on_both_sides_of_a_boundary_roll_over_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    // Each reading is up to 5 ms before or after the instant that is set.
    let readings = Arc::new(AtomicU64::new(0));
    let clock = {
        let hand = hand.clone();
        move || {
            let noise = readings.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            hand.now() + Duration::from_nanos(noise % 10_000_000) - Duration::from_millis(5)
        }
    };
    let logs = hand.builder().rotation(Rotation::SECONDLY).clock(clock).build(directory.path()).expect("builds");
    let built = logs.stats().rollovers;
    for round in 1..=20 {
        hand.set(NOW + round, 0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|_| log(&logs, "x")));
            }
        });
        assert_eq!(open_files(directory.path()).len(), 2);
    }
    // The build may have come upon the second before, which is the file of one more rollover then.
    let boundaries = names(directory.path()).len() as u64 - 1;
    assert!((20..=21).contains(&boundaries), "{boundaries}");
    assert_eq!(logs.stats().rollovers - built, boundaries);
    assert_eq!((logs.stats().writes, logs.stats().errors), (20 * 4 * 500, 0));
}

#[test]
fn files_opened_by_a_step_back_are_let_go_when_time_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    let today = "app.2026-11-21.log";
    // By one to six days: further than the five seconds for which the file before stays open.
    for (step, back) in [1, 2, 6, 3, 1, 5].into_iter().enumerate() {
        let later = NOW + step as u64 * 60;
        hand.set(later - back * DAY, 0);
        log(&logs, "set back");
        let before = below(directory.path(), &logs.path());
        assert_eq!(open_files(directory.path()), [before.as_str(), today]);
        // Today's is let go for now as well, since it is as far away.
        hand.set(later - back * DAY + 1, 0);
        log(&logs, "a second later");
        assert_eq!(open_files(directory.path()), [before.as_str()]);
        hand.set(later, 0);
        log(&logs, "put right");
        assert_eq!(open_files(directory.path()), [before.as_str(), today]);
        hand.set(later + 1, 0);
        log(&logs, "a second later");
        assert_eq!(open_files(directory.path()), [today]);
        assert_eq!(logs.stats().rollovers, 3 + 2 * step as u64);
    }
    assert_eq!((logs.stats().writes, logs.stats().errors), (24, 0));
}

#[test]
fn a_fixed_zone_shifts_names_boundaries_and_timestamps() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let build = |zone| hand.builder().rotation(Rotation::DAILY).zone(zone).build(directory.path()).expect("builds");
    let east = build(Zone::Fixed(16 * 3600));
    assert!(east.path().ends_with("app.2026-11-22.log"));
    let period = east.period_at(at(NOW));
    let start = NOW - (NOW + 16 * 3600) % 86_400;
    assert_eq!((period.start, period.end), (at(start), Some(at(start + 86_400))));
    let subscriber = tracing_subscriber::registry().with(east.layer());
    tracing::subscriber::with_default(subscriber, || tracing::info!("hello"));
    let written = fs::read_to_string(east.path()).expect("written");
    assert!(written.starts_with("2026-11-22T00:33:01.000000+16:00  INFO"), "{written}");
}

#[test]
fn the_timestamp_of_a_line_chooses_its_file_across_a_boundary() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    // Each reading moves the clock on by 0.4 s: what is read for one event is never what is read for the next.
    let clock = {
        let hand = hand.clone();
        move || UNIX_EPOCH + Duration::from_nanos(hand.0.fetch_add(400_000_000, Relaxed))
    };
    let logs = hand.builder().rotation(Rotation::SECONDLY).clock(clock).build(directory.path()).expect("builds");
    let json = tracing_subscriber::fmt::layer().json().with_timer(logs.timer()).with_writer(logs.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(json), || {
        for number in 0..50 {
            tracing::info!(number, "an event");
        }
    });
    let mut lines = 0;
    for name in names(directory.path()) {
        for line in fs::read_to_string(directory.path().join(&name)).expect("readable").lines() {
            let stamp = line.split('"').nth(3).expect("JSON with a timestamp first");
            let expected = format!("app.{}.log", stamp[..19].replace(['T', ':'], "-"));
            assert_eq!(name, expected, "{line}");
            lines += 1;
        }
    }
    assert_eq!(lines, 50);
}

#[test]
fn a_reading_for_another_writer_does_not_choose_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let mut logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    let console = tracing_subscriber::fmt::layer().with_timer(logs.timer()).with_writer(std::io::sink);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(console), || tracing::info!("console"));
    hand.set(NOW + 86_400, 0);
    writeln!(logs, "a day later, without that timer").expect("writes");
    assert!(fs::read_to_string(directory.path().join("app.2026-11-22.log")).is_ok_and(|text| !text.is_empty()));
}
