//! A process that is killed in the middle of its write, after any number of bytes; and whoever finishes the write,
//! killed after any of its steps.

use crate::buffer::batch::{Head, OwnJournal};
use crate::buffer::live::{Live, Pushed};
use crate::ring::journal::Journal;
use crate::sys::{self, steps};
use crate::{Appender, Rotation};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

const BEFORE: &str = "before\n";

/// Lines that can be told apart, and lines that cannot.
const ALL: [&[&str]; 3] =
    [&["one\n", "two and two\n", "\n", "three\n"], &["x\n", "x\n", "x\n", "x\n"], &["same line\n", "same line\n"]];

fn logs(directory: &Path) -> Appender {
    let builder =
        Appender::builder().rotation(Rotation::NEVER).filename_prefix("app.log").lock_writes(true).on_error(|_| {});
    let logs = builder.build(directory).expect("builds");
    (&logs).write_all(BEFORE.as_bytes()).expect("writes");
    logs
}

/// Leaves a ring of a process that was killed when `cut` bytes of its write were in the file. `done`: it had noted that
/// the write was over.
fn leave_ring(logs: &Appender, lines: &[&str], cut: usize, done: bool) {
    let (log, rings) = (logs.engine(), logs.engine().upkeep.rings());
    let live = Live::create(&log.site, rings, 0).expect("a ring");
    for line in lines {
        assert_eq!(live.push(line.as_bytes(), 0), Pushed::Yes);
    }
    let Head::Lines(batch) = live.batch(usize::MAX, |_, _| true) else { panic!("no lines") };
    let journal = OwnJournal { live: &live, cells: &rings.cells, batch: &batch };
    let (path, text) = (logs.path(), live.text(&batch).to_owned());
    let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
    let (id, size) = (sys::identity_of(&path).expect("there"), file.metadata().expect("there").len());
    journal.begin(id, size, live.text(&batch)).expect("noted");
    file.write_all(&text[..cut]).expect("writes");
    if done {
        live.set_next(batch.indexes.end);
    }
}

/// The lines of the file, sorted, and whether a ring is left.
fn found(logs: &Appender) -> (Vec<String>, bool) {
    let text = fs::read_to_string(logs.path()).expect("text");
    assert!(text.ends_with('\n'), "{text:?}");
    let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
    lines.sort();
    (lines, logs.engine().upkeep.rings().all(&logs.engine().site.pattern).is_ok_and(|rings| !rings.is_empty()))
}

fn expected(parts: &[&[&str]]) -> Vec<String> {
    let mut lines: Vec<_> = parts.concat().into_iter().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn each_cut(mut check: impl FnMut(&Appender, &[&str], usize)) {
    for lines in ALL {
        for cut in 0..=lines.concat().len() {
            let directory = tempfile::tempdir().expect("a directory");
            let logs = logs(directory.path());
            leave_ring(&logs, lines, cut, false);
            check(&logs, lines, cut);
        }
    }
}

#[test]
fn a_write_that_was_cut_anywhere_is_finished() {
    each_cut(|logs, lines, cut| {
        let written = logs.recover().expect("recovers");
        assert!(written <= lines.len() as u64, "{written}");
        assert_eq!(found(logs), (expected(&[&[BEFORE], lines]), false), "{cut}");
        assert_eq!(logs.recover().expect("nothing to do"), 0);
    });
}

#[test]
fn whoever_has_the_lock_next_finishes_the_write_first() {
    for other in ["other\n", "x\n", "same line\n"] {
        each_cut(|logs, lines, cut| {
            let mut logs = logs;
            logs.write_all(other.as_bytes()).expect("writes");
            logs.recover().expect("recovers");
            assert_eq!(found(logs), (expected(&[&[BEFORE, other], lines]), false), "{other:?} {cut}");
        });
    }
}

#[test]
fn a_write_that_is_noted_as_over_is_left_alone() {
    for lines in ALL {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = logs(directory.path());
        leave_ring(&logs, lines, lines.concat().len(), true);
        assert_eq!(logs.recover().expect("recovers"), 0);
        assert_eq!(found(&logs), (expected(&[&[BEFORE], lines]), false));
    }
}

#[test]
fn whoever_finishes_a_write_may_be_killed_after_any_step() {
    each_cut(|logs, lines, cut| {
        for allowed in 0.. {
            // The work ends after so many steps, and another process goes on.
            steps::allow(allowed);
            let ended = logs.recover().is_ok();
            steps::allow(u32::MAX);
            if ended || allowed > 100 {
                assert!(ended, "it never ends");
                break;
            }
        }
        assert_eq!(found(logs), (expected(&[&[BEFORE], lines]), false), "{cut}");
    });
}

#[test]
fn a_write_by_somebody_without_the_lock_costs_no_line() {
    each_cut(|logs, lines, cut| {
        let mut file = OpenOptions::new().append(true).open(logs.path()).expect("opens");
        file.write_all(b"unlocked\n").expect("writes");
        logs.recover().expect("recovers");
        let text = fs::read_to_string(logs.path()).expect("text");
        for line in lines {
            let count = |text: &str| text.split_inclusive('\n').filter(|found| found == line).count();
            assert!(count(&text) >= count(&lines.concat()), "{cut}: {line:?} in {text:?}");
        }
    });
}

#[test]
fn a_ring_of_very_many_periods_is_recovered_at_once() {
    const LINES: i64 = 1100;
    let directory = tempfile::tempdir().expect("a directory");
    let builder = Appender::builder().rotation(Rotation::SECONDLY).filename_prefix("app").on_error(|_| {});
    let logs = builder.build(directory.path()).expect("builds");
    let live = Live::create(&logs.engine().site, logs.engine().upkeep.rings(), 1 << 20).expect("a ring");
    for second in 0..LINES {
        assert_eq!(live.push(b"line\n", second), Pushed::Yes);
    }
    drop(live);
    assert_eq!(logs.recover().expect("recovers"), LINES as u64);
    assert_eq!(logs.files().expect("listed").len() as i64, LINES + 1);
}
