//! Buffering in one process that goes on.

use crate::common::{DAY, Hand, NOW, TODAY, all_names, at, daily, eventually, log, names, read, telling};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing::Level;
use tracing_prefork::{Appender, Buffering, Builder, Rotation, WhenFull};
use tracing_subscriber::prelude::*;

fn buffered(builder: Builder) -> Builder {
    builder.buffered(Buffering::default())
}

/// So long that no test waits for it.
const NEVER: Duration = Duration::from_secs(3600);

fn rings(directory: &std::path::Path) -> usize {
    all_names(directory).iter().filter(|name| name.ends_with(".ring")).count()
}

#[test]
fn a_line_is_in_its_file_soon_and_at_once_after_flush() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = buffered(daily(&Hand::at(NOW))).build(directory.path()).expect("builds");
    log(&logs, "soon");
    eventually("the line is in its file", || read(directory.path(), TODAY) == "soon\n");
    for number in 0..1000 {
        log(&logs, &number.to_string());
    }
    logs.flush().expect("flushes");
    assert_eq!(read(directory.path(), TODAY).lines().count(), 1001);
    assert_eq!(rings(directory.path()), 1);
    drop(logs);
    assert_eq!(rings(directory.path()), 0);
}

#[test]
fn lines_go_to_the_files_of_their_seconds() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = buffered(daily(&hand)).build(directory.path()).expect("builds");
    for day in [0, 1, 0, 2, 2, 1] {
        let time = at(NOW + day * DAY);
        logs.write_at(time, format!("day {day}\n").as_bytes()).expect("taken");
    }
    hand.set(NOW + 3 * DAY, 0);
    log(&logs, "day 3");
    logs.flush().expect("flushes");
    let day = |number: u64| read(directory.path(), &format!("app.2026-11-{}.log", 21 + number));
    assert_eq!(
        [day(0), day(1), day(2), day(3)],
        ["day 0\nday 0\n", "day 1\nday 1\n", "day 2\nday 2\n", "day 3\n"].map(str::to_owned)
    );
}

/// The flusher does not run after a thread that logs without a pause, line by line.
#[test]
fn lines_of_a_busy_thread_are_written_many_at_a_time() {
    const LINES: u64 = 50_000;
    let directory = tempfile::tempdir().expect("a directory");
    let logs = buffered(daily(&Hand::at(NOW))).build(directory.path()).expect("builds");
    for _ in 0..LINES {
        log(&logs, "busy");
        let logged = Instant::now();
        while logged.elapsed() < Duration::from_micros(2) {
            std::hint::spin_loop();
        }
    }
    logs.flush().expect("flushes");
    assert_eq!(read(directory.path(), TODAY).lines().count() as u64, LINES);
    let writes = logs.stats().writes;
    assert!(writes * 50 <= LINES, "{writes} writes");
}

#[test]
fn the_lines_of_each_thread_stay_in_order_round_and_round() {
    const LINES: usize = 20_000;
    let directory = tempfile::tempdir().expect("a directory");
    // The ring is gone through many times, and full most of the time.
    let buffering = Buffering::default().ring_bytes(1);
    let logs = daily(&Hand::at(NOW)).buffered(buffering).build(directory.path()).expect("builds");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let logs = &logs;
            scope.spawn(move || {
                for number in 0..LINES {
                    let padding = "x".repeat(number % 300);
                    log(logs, &format!("{thread} {number} {padding}"));
                }
            });
        }
    });
    logs.flush().expect("flushes");
    let text = read(directory.path(), TODAY);
    let mut next = [0; 4];
    for line in text.lines() {
        let mut words = line.split(' ').map(|word| word.parse::<usize>());
        let (Some(Ok(thread)), Some(Ok(number))) = (words.next(), words.next()) else { panic!("{line:?}") };
        assert_eq!(number, next[thread], "{line:?}");
        next[thread] += 1;
    }
    assert_eq!(next, [LINES; 4]);
}

#[test]
fn a_line_too_long_for_the_ring_comes_behind_those_before_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let buffering = Buffering::default().ring_bytes(1).max_delay(NEVER);
    let logs = daily(&Hand::at(NOW)).buffered(buffering).build(directory.path()).expect("builds");
    let long = "y".repeat(200_000);
    for text in ["first", &long, "last"] {
        log(&logs, text);
    }
    logs.flush().expect("flushes");
    assert_eq!(read(directory.path(), TODAY), format!("first\n{long}\nlast\n"));
}

#[test]
fn an_urgent_event_is_in_the_file_when_it_returns() {
    let directory = tempfile::tempdir().expect("a directory");
    let buffering = Buffering::default().max_delay(NEVER).flush_level(Level::WARN);
    let logs = daily(&Hand::at(NOW)).buffered(buffering).build(directory.path()).expect("builds");
    // The flusher naps from the first line on.
    log(&logs, "first");
    eventually("the first line", || !read(directory.path(), TODAY).is_empty());
    let fmt = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(logs.timer()).with_writer(logs.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(fmt), || {
        tracing::info!("calm");
        assert!(!read(directory.path(), TODAY).contains("calm"));
        tracing::warn!("urgent");
        let text = read(directory.path(), TODAY);
        assert!(text.contains("calm") && text.ends_with("urgent\n"), "{text:?}");
    });
}

#[test]
fn files_have_no_more_than_max_file_bytes_and_every_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let builder = daily(&Hand::at(NOW)).max_file_bytes(20_000);
    let logs = buffered(builder).build(directory.path()).expect("builds");
    for number in 0..5000 {
        log(&logs, &format!("line {number}"));
    }
    logs.flush().expect("flushes");
    let texts: Vec<_> = names(directory.path()).iter().map(|name| read(directory.path(), name)).collect();
    assert!(texts.iter().all(|text| text.len() <= 20_000), "{:?}", names(directory.path()));
    assert_eq!(texts.iter().map(|text| text.lines().count()).sum::<usize>(), 5000);
    assert!(texts.len() <= 4, "files are filled: {:?}", names(directory.path()));
}

#[test]
fn what_when_full_drops_is_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let buffering = Buffering::default().ring_bytes(1).when_full(WhenFull::Drop).max_delay(NEVER);
    let (told, builder) = telling(daily(&Hand::at(NOW)));
    let logs = builder.buffered(buffering).build(directory.path()).expect("builds");
    for number in 0..100_000 {
        log(&logs, &number.to_string());
    }
    logs.flush().expect("flushes");
    let (there, stats) = (read(directory.path(), TODAY).lines().count() as u64, logs.stats());
    assert_eq!((there + stats.lines_dropped, stats.lines_lost), (100_000, 0));
    let told = told.lock().expect("unpoisoned");
    assert_eq!(told.is_empty(), stats.lines_dropped == 0, "{told:?}");
}

#[test]
fn close_ends_the_ring_and_an_event_after_it_makes_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = buffered(daily(&Hand::at(NOW))).build(directory.path()).expect("builds");
    for round in 1..=3 {
        log(&logs, "line");
        logs.close().expect("closes");
        assert_eq!((rings(directory.path()), read(directory.path(), TODAY).lines().count()), (0, round));
    }
}

#[test]
fn threads_log_on_while_another_one_closes() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = buffered(daily(&Hand::at(NOW))).build(directory.path()).expect("builds");
    let over = AtomicBool::new(false);
    let lines: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut lines = 0;
                    while !over.load(Relaxed) {
                        log(&logs, "line");
                        lines += 1;
                    }
                    lines
                })
            })
            .collect();
        for _ in 0..20 {
            logs.close().expect("closes");
        }
        over.store(true, Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("ends")).sum()
    });
    drop(logs);
    assert_eq!(read(directory.path(), TODAY).lines().count(), lines);
}

#[test]
fn pieces_and_buffers_go_through_the_ring() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut logs = buffered(daily(&Hand::at(NOW))).build(directory.path()).expect("builds");
    write!(logs, "in pieces ").expect("kept");
    writeln!(logs, "whole").expect("taken");
    let mut writer = std::io::BufWriter::new(logs.clone());
    writeln!(writer, "one\ntwo").expect("kept");
    writer.flush().expect("flushes");
    assert_eq!(read(directory.path(), TODAY), "in pieces whole\none\ntwo\n");
}

#[test]
fn rings_may_stand_in_a_directory_of_their_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let rings_directory = tempfile::tempdir().expect("a directory");
    let buffering = Buffering::default().ring_directory(rings_directory.path());
    let builder = Appender::builder().rotation(Rotation::NEVER).filename_prefix("app.log").buffered(buffering);
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "line");
    assert_eq!((rings(directory.path()), rings(rings_directory.path())), (0, 1));
    drop(logs);
    assert_eq!(rings(rings_directory.path()), 0);
}
