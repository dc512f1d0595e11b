//! Which rings of dead processes are read, and which are not: each test in a process of its own.

use crate::common::rings::{leave_ring, log_and_flush, rings, small};
use crate::common::{
    TODAY, alone, builder, child, eventually, in_child, is_root, limited, log, noted, operations, read, says, set_mode,
    telling,
};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Uid, chown, mkfifo, setuid};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tracing_prefork::Operation;

/// Some other user.
const OTHER: u32 = 12_345;

/// The words of the head (`ring/head.rs`).
const VERSION: u64 = 1;
const BOOT: u64 = 2;
const PATTERN: u64 = 4;
const ENTRIES: u64 = 6;
const NEXT: u64 = 128;
const TURN: u64 = 136;
const NOTES: [u64; 2] = [144, 152];
/// The first word of the entries.
const FIRST: u64 = 512;

fn word(ring: &Path, index: u64) -> u64 {
    let mut bytes = [0; 8];
    File::open(ring).expect("opens").read_exact_at(&mut bytes, 8 * index).expect("read");
    u64::from_ne_bytes(bytes)
}

fn set_word(ring: &Path, index: u64, word: u64) {
    let file = OpenOptions::new().write(true).open(ring).expect("opens");
    file.write_all_at(&word.to_ne_bytes(), 8 * index).expect("written");
}

fn set_length(ring: &Path, length: u64) {
    OpenOptions::new().write(true).open(ring).expect("opens").set_len(length).expect("set");
}

fn moved(ring: &Path) -> PathBuf {
    let elsewhere = ring.with_file_name("elsewhere");
    fs::rename(ring, &elsewhere).expect("renamed");
    elsewhere
}

/// What is done to a ring, and what the report says of it.
type Damage = (fn(&Path), &'static str);

const DAMAGES: [Damage; 19] = [
    (|ring| mkfifo(&gone(ring), Mode::S_IRWXU).expect("made"), "it is a FIFO, and no regular file"),
    (|ring| fs::create_dir(gone(ring)).expect("made"), "it is a directory, and no regular file"),
    (|ring| symlink(moved(ring), ring).expect("linked"), "it is a symbolic link, and no regular file"),
    (|ring| fs::hard_link(ring, ring.with_file_name("elsewhere")).expect("linked"), "it has 2 names"),
    (|ring| set_mode(ring, 0o602), "its mode is 602: others than its owner may write to it"),
    (|ring| set_mode(ring, 0o660), "its mode is 660: others than its owner may write to it"),
    (|ring| set_length(ring, 0), "it has 0 bytes, which is less than any ring has"),
    (|ring| set_length(ring, 4095), "it has 4095 bytes, which is less than any ring has"),
    (|ring| set_length(ring, 86_015), "it has 86015 bytes, and says that it has 86016"),
    (|ring| set_length(ring, 86_017), "it has 86017 bytes, and says that it has 86016"),
    (|ring| set_word(ring, 0, 1), "it is no ring"),
    (|ring| set_word(ring, VERSION, 77), "its layout has version 77, and this program knows version 1"),
    (|ring| set_word(ring, BOOT, 3), "made it before the machine was started"),
    (|ring| set_word(ring, PATTERN, 0xabc), "made it for other file names (number 0000000000000abc)"),
    (|ring| set_word(ring, ENTRIES, 1 << 40), "it says that it has 1099511627776 entries and 65536 bytes"),
    (|ring| set_word(ring, NOTES[(word(ring, TURN) & 1) as usize], 9), "its note is neither there nor not there"),
    (|ring| set_word(ring, NEXT, u64::MAX), "its next line has no number"),
    (|ring| set_word(ring, FIRST + word(ring, NEXT), 7), "one of its entries is in no state"),
    (
        |ring| set_word(ring, FIRST + word(ring, NEXT), word(ring, FIRST + word(ring, NEXT)) ^ 1 << 60),
        "its lines are longer than the ring",
    ),
];

fn gone(ring: &Path) -> PathBuf {
    fs::remove_file(ring).expect("removed");
    ring.to_owned()
}

#[test]
fn a_ring_that_cannot_be_relied_on_is_set_aside_with_a_report() {
    limited(|directory| {
        for (number, (damage, reason)) in DAMAGES.into_iter().enumerate() {
            let directory = directory.join(number.to_string());
            fs::create_dir(&directory).expect("made");
            let bad = leave_ring(&directory, builder, &["bad 1", "bad 2"]);
            // Out of sight of the next process.
            let kept = directory.join("kept");
            fs::rename(&bad, &kept).expect("renamed");
            leave_ring(&directory, builder, &["good 1", "good 2"]);
            fs::rename(&kept, &bad).expect("renamed");
            damage(&bad);
            let (told, builder) = telling(builder());
            let logs = builder.buffered(small()).build(&directory).expect("builds");
            log_and_flush(&logs, "logging goes on");
            // 1. The lines of the good ring are there, and none of the bad one.
            let text = read(&directory, TODAY);
            let mut lines: Vec<_> = text.lines().filter(|line| *line != "written").collect();
            lines.sort();
            assert_eq!(lines, ["good 1", "good 2", "logging goes on"], "{reason}");
            // 2. The report names the ring, the reason, the new name, and what to do.
            let aside = format!("{}.bad", bad.display());
            let reports = told.lock().expect("unpoisoned").clone();
            assert_eq!(reports.len(), 1, "{reports:?}");
            assert_eq!(reports[0].0, Operation::Ring);
            let bad_name = bad.to_str().expect("UTF-8");
            says(&reports[0].1, &[bad_name, reason, &aside, "look at it by hand, and remove it"]);
            assert!(fs::symlink_metadata(&bad).is_err() && fs::symlink_metadata(&aside).is_ok(), "{reason}");
            // 3. The next one has nothing to report.
            assert_eq!(logs.recover().expect("recovered"), 0);
            drop(logs);
            assert_eq!(rings(&directory), [""; 0].map(PathBuf::from), "{reason}");
        }
    });
}

#[test]
fn a_ring_with_a_note_of_lines_that_it_has_not_is_set_aside() {
    limited(|directory| {
        let ring = leave_ring(directory, builder, &["one"]);
        let note = NOTES[(word(&ring, TURN) & 1) as usize];
        // A note is there, and it ends far behind the last line.
        set_word(&ring, note, 1);
        set_word(&ring, note + 6, word(&ring, NEXT) + 100);
        let (told, builder) = telling(builder());
        let logs = builder.build(directory).expect("builds");
        log(&logs, "logging goes on");
        says(&told.lock().expect("unpoisoned")[0].1, &["its note is of other lines than it has", ".ring.bad"]);
        assert!(!read(directory, TODAY).contains("one"));
    });
}

#[test]
fn a_ring_of_another_user_is_reported_and_left_alone() {
    if !is_root() {
        return;
    }
    limited(|directory| {
        let ring = leave_ring(directory, builder, &["theirs"]);
        chown(&ring, Some(Uid::from_raw(OTHER)), None).expect("set");
        let (told, builder) = telling(builder());
        let logs = builder.build(directory).expect("builds");
        log(&logs, "logging goes on");
        assert_eq!(operations(&told), [Operation::Ring]);
        let reason =
            "it belongs to user 12345, and is left alone: its lines come into the log when a process of that user";
        says(&told.lock().expect("unpoisoned")[0].1, &[reason, ring.to_str().expect("UTF-8")]);
        assert_eq!(rings(directory), [ring]);
        assert!(!read(directory, TODAY).contains("theirs"));
    });
}

#[test]
fn nobody_else_can_open_the_ring_of_a_process_or_truncate_it() {
    alone(|directory| {
        umask(Mode::empty());
        set_mode(directory, 0o755);
        let logs = builder().file_mode(0o666).buffered(small()).build(directory).expect("builds");
        log_and_flush(&logs, "one");
        let ring = &rings(directory)[0];
        let found = fs::metadata(ring).expect("there");
        assert_eq!(found.permissions().mode() & 0o7777, 0o600, "whatever file_mode says");
        assert_eq!(found.uid(), Uid::effective().as_raw());
        if is_root() {
            in_child(|| {
                setuid(Uid::from_raw(OTHER)).expect("set");
                let denied = |options: &OpenOptions| options.open(ring).expect_err("refused").kind();
                assert_eq!(denied(OpenOptions::new().read(true)), std::io::ErrorKind::PermissionDenied);
                assert_eq!(denied(OpenOptions::new().write(true)), std::io::ErrorKind::PermissionDenied);
                assert!(nix::unistd::truncate(ring, 0).is_err());
            });
        }
        log_and_flush(&logs, "two");
        assert_eq!(read(directory, TODAY), "one\ntwo\n");
    });
}

#[test]
fn a_ring_whose_name_is_taken_away_is_left_for_another_one() {
    alone(|directory| {
        for rename in [false, true] {
            let directory = &directory.join(rename.to_string());
            fs::create_dir(directory).expect("made");
            let (told, builder) = telling(builder());
            let logs = builder.buffered(small()).build(directory).expect("builds");
            log_and_flush(&logs, "one");
            let ring = &rings(directory)[0];
            if rename {
                fs::rename(ring, directory.join("elsewhere")).expect("renamed");
            } else {
                fs::remove_file(ring).expect("removed");
            }
            log(&logs, "two");
            eventually("a report", || !told.lock().expect("unpoisoned").is_empty());
            let text = "somebody has removed or renamed the ring of this process";
            says(&told.lock().expect("unpoisoned")[0].1, &[text, ring.to_str().expect("UTF-8")]);
            eventually("another ring", || {
                log_and_flush(&logs, "three");
                rings(directory).iter().any(|found| found != ring)
            });
            drop(logs);
            assert_eq!(directory.join("elsewhere").exists(), rename, "it is somebody's file now");
            let lines = noted(&directory.join(TODAY));
            assert_eq!(lines[..2], ["one", "two"]);
            assert!(lines[2..].iter().all(|line| line == "three"));
        }
    });
}

#[test]
fn lines_of_the_ring_after_a_removed_one_outlive_the_process() {
    limited(|directory| {
        let dead = child(|| {
            let logs = builder().on_error(|_| ()).buffered(small()).build(directory).expect("builds");
            log_and_flush(&logs, "one");
            fs::remove_file(&rings(directory)[0]).expect("removed");
            eventually("another ring", || {
                log_and_flush(&logs, "two");
                !rings(directory).is_empty()
            });
            crate::common::limit(0);
            log(&logs, "three");
            kill(nix::unistd::getpid(), Signal::SIGKILL).expect("killed");
        });
        assert_eq!(waitpid(dead, None).expect("waits"), WaitStatus::Signaled(dead, Signal::SIGKILL, false));
        let logs = builder().build(directory).expect("builds");
        log(&logs, "four");
        let lines = noted(&directory.join(TODAY));
        let others: Vec<_> = lines.iter().filter(|line| *line != "two").collect();
        assert_eq!(others, ["one", "three", "four"]);
        assert!(rings(directory).is_empty());
    });
}

#[test]
fn an_appender_without_a_ring_writes_each_line_once() {
    limited(|directory| {
        leave_ring(directory, builder, &["one", "two", "three"]);
        let logs = builder().build(directory).expect("builds");
        log(&logs, "four");
        assert_eq!(noted(&directory.join(TODAY)), ["written", "one", "two", "three", "four"]);
        assert!(rings(directory).is_empty());
        assert_eq!(logs.recover().expect("recovered"), 0);
    });
}
