//! Several pipes in one directory, over rollovers and kills.

use crate::common::{Running, files, pipe};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const PIPES: usize = 8;

/// The rollovers of the test: a few, or as many as the environment says.
fn rollovers() -> u64 {
    std::env::var("PREFORK_LOG_ROLLOVERS").map_or(4, |number| number.parse().expect("a number"))
}

/// A line of a writer: its length and its letters follow from its number.
fn line(writer: usize, number: u64) -> String {
    let letter = char::from(b'a' + (number % 26) as u8);
    let length = if number % 1000 == 999 { 10_000 } else { (number % 150) as usize };
    format!("{writer} {number} {} .\n", letter.to_string().repeat(length))
}

/// Writes lines for so long, in pieces that end anywhere. Returns how many.
fn feed(to: &mut impl Write, writer: usize, time: Duration) -> u64 {
    let (begin, mut number, mut bytes) = (Instant::now(), 0, Vec::new());
    while begin.elapsed() < time {
        for _ in 0..100 {
            bytes.extend_from_slice(line(writer, number).as_bytes());
            number += 1;
        }
        let piece = bytes.len() - (number as usize * 7 % 50);
        if to.write_all(&bytes[..piece]).is_err() {
            return number;
        }
        bytes.drain(..piece);
        thread::sleep(Duration::from_millis(2));
    }
    // The last line has no newline.
    let _ = to.write_all(&bytes[..bytes.len().saturating_sub(1)]);
    number
}

/// The stamp and the rest of a line, if the line is whole.
fn parts(line: &str) -> Option<(&str, usize, u64)> {
    let (stamp, rest) = line.split_once(' ')?;
    let mut words = rest.split(' ');
    let (writer, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (stamp.len() == 27 && self::line(writer, number).trim_end() == rest).then_some((stamp, writer, number))
}

/// `app.2026-11-21-08-33-01.log` for `2026-11-21T08:33:01.123456Z`.
fn name_of(stamp: &str) -> String {
    format!("app.{}.log", stamp[..19].replace(['T', ':'], "-"))
}

/// Checks each line, and returns the numbers that each writer's lines have, in the order of the files.
fn numbers(logs: &Path, fragments: &mut usize) -> BTreeMap<usize, Vec<u64>> {
    let mut numbers: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for (name, text) in files(logs) {
        assert!(text.ends_with('\n'), "{name} ends with a newline");
        for line in text.lines() {
            let Some((stamp, writer, number)) = parts(line) else {
                *fragments += 1;
                continue;
            };
            assert_eq!(name_of(stamp), name, "the file that the stamp names");
            numbers.entry(writer).or_default().push(number);
        }
    }
    numbers
}

fn options<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--prefix", "app", "--suffix", "log", "--rotate", "secondly", "--stamp"], more].concat()
}

#[test]
fn eight_pipes_lose_tear_and_misplace_nothing() {
    let logs = tempfile::tempdir().expect("a directory");
    let time = Duration::from_secs(rollovers());
    let written: Vec<_> = thread::scope(|threads| {
        let feeders: Vec<_> = (0..PIPES)
            .map(|writer| {
                let logs = logs.path();
                threads.spawn(move || {
                    let mut running = Running::start(pipe(logs, &options(&[])));
                    let written = feed(running.stdin.as_mut().expect("a pipe"), writer, time);
                    running.stdin = None;
                    let ended = running.ended();
                    assert!(ended.status.success(), "{:?}", String::from_utf8(ended.stderr));
                    written
                })
            })
            .collect();
        feeders.into_iter().map(|feeder| feeder.join().expect("it ends")).collect()
    });
    let mut fragments = 0;
    let numbers = numbers(logs.path(), &mut fragments);
    assert_eq!(fragments, 0, "torn lines");
    assert!(files(logs.path()).len() as u64 > rollovers(), "{} files", files(logs.path()).len());
    for (writer, written) in written.into_iter().enumerate() {
        // Each line once, and in order.
        assert!(
            numbers[&writer].iter().copied().eq(0..written),
            "writer {writer}: {} of {written}",
            numbers[&writer].len()
        );
    }
}

#[test]
fn a_pipe_that_is_killed_costs_the_others_nothing() {
    let logs = tempfile::tempdir().expect("a directory");
    let time = Duration::from_secs(2);
    let written = thread::scope(|threads| {
        let logs = logs.path();
        // Some pipes are killed again and again, in the middle of writes.
        for victim in 1..4 {
            threads.spawn(move || {
                let begin = Instant::now();
                while begin.elapsed() < time {
                    let mut running = Running::start(pipe(logs, &options(&["--lock-writes"])));
                    let mut stdin = running.stdin.take().expect("a pipe");
                    let feeder = thread::spawn(move || feed(&mut stdin, victim, time));
                    thread::sleep(Duration::from_millis(50));
                    running.signal(Signal::SIGKILL);
                    let _ = running.ended();
                    let _ = feeder.join();
                }
            });
        }
        let mut running = Running::start(pipe(logs, &options(&["--lock-writes"])));
        let written = feed(running.stdin.as_mut().expect("a pipe"), 0, time);
        running.stdin = None;
        assert!(running.ended().status.success());
        written
    });
    let mut fragments = 0;
    let numbers = numbers(logs.path(), &mut fragments);
    assert!(numbers[&0].iter().copied().eq(0..written), "{} of {written}", numbers[&0].len());
    assert!(fragments <= 200, "a kill leaves a fragment at most: {fragments}");
}
