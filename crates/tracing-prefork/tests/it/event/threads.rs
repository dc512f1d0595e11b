//! Threads of one process that are in different periods, so that each line is a rollover, or is late.
//!
//! The crate `slot-model` runs this protocol through every interleaving of a few lines; here are many lines, a true
//! processor, and the kernel's own barriers.

use std::cell::Cell;
use std::io::Write;
use std::time::Duration;
use tracing_prefork::{Appender, Rotation};

use crate::common::{NOW, at, read};

const PERIODS: u64 = 4;

const LINES: u64 = 20_000;

thread_local! {
    /// Each thread has a time of its own.
    static NOW_HERE: Cell<u64> = const { Cell::new(NOW) };
}

fn write_from_threads(threads: u64, lock_writes: bool) {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Appender::builder()
        .rotation(Rotation::SECONDLY)
        .lock_writes(lock_writes)
        .clock(|| at(NOW_HERE.get()) + Duration::from_nanos(1))
        .build(directory.path())
        .expect("builds");
    let lines = LINES / threads;
    let period = |thread: u64, line: u64| (line / (1 + thread % 3) + thread) % PERIODS;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let logs = &logs;
            scope.spawn(move || {
                for line in 0..lines {
                    let period = period(thread, line);
                    NOW_HERE.set(NOW + period);
                    writeln!(&mut &*logs, "{period} {thread} {line}").expect("writes");
                }
            });
        }
    });
    for wanted in 0..PERIODS {
        let text = read(
            directory.path(),
            logs.path_at(at(NOW + wanted)).file_name().expect("a name").to_str().expect("UTF-8"),
        );
        let mut found: Vec<_> = text.lines().map(str::to_owned).collect();
        let of_thread = |thread: u64| {
            (0..lines).filter(move |&line| period(thread, line) == wanted).map(move |line| (thread, line))
        };
        let mut all: Vec<_> =
            (0..threads).flat_map(of_thread).map(|(thread, line)| format!("{wanted} {thread} {line}")).collect();
        found.sort();
        all.sort();
        assert!(found == all, "period {wanted}: {} lines of {}", found.len(), all.len());
    }
    assert_eq!((logs.stats().writes, logs.stats().lines_lost), (lines * threads, 0));
}

#[test]
fn every_line_is_in_its_period_although_each_thread_rolls_over() {
    write_from_threads(4, false);
}

#[test]
fn the_same_under_the_write_lock() {
    write_from_threads(4, true);
}

#[test]
fn more_threads_than_there_are_seats() {
    write_from_threads(100, false);
}
