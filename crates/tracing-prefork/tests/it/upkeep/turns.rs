//! Whose turn it is: the hidden files behind which one process at a time prunes, compresses and hands over.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{self, File};
use std::path::Path;
use tracing_prefork::{Appender, Rotation};

use crate::common;
use crate::common::hook::{RECORD, all, given};
use crate::common::turns::{byte, hidden, old_files};
use crate::common::{DAY, Hand, NOW, daily, dated, eventually, files, log, names, read, telling, write_files};

/// Has a byte of a file locked, as another process has it, until it is dropped.
fn hold(path: &Path) -> File {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path).expect("opens");
    fcntl(&file, FcntlArg::F_OFD_SETLK(&byte(libc::F_WRLCK, 0))).expect("nobody has it");
    file
}

#[test]
fn appenders_of_different_names_do_not_wait_for_each_other() {
    let formats = [
        (Rotation::DAILY, "%Y/%m/app-%d.log"),
        (Rotation::DAILY, "%Y/%m/error-%d.log"),
        (Rotation::HOURLY, "%Y-%m-%d-%H"),
        (Rotation::DAILY, "%Y-%m-%d"),
        (Rotation::DAILY, "%Y%m%d"),
    ];
    for (rotation, format) in &formats {
        for (other_rotation, other_format) in formats.iter().filter(|other| other.1 != *format) {
            let directory = tempfile::tempdir().expect("a directory");
            let build = |rotation: &Rotation, format, at| {
                let logs = dated(&Hand::at(at), *rotation, format).max_log_files(1).build(directory.path());
                logs.expect("builds")
            };
            // A round of the other is under way for as long as this test takes.
            drop(build(other_rotation, other_format, NOW));
            let _held: Vec<_> =
                hidden(directory.path()).iter().map(|name| hold(&directory.path().join(name))).collect();
            drop(build(rotation, format, NOW - DAY));
            let before = files(directory.path());
            drop(build(rotation, format, NOW));
            assert_eq!(files(directory.path()).len(), before.len(), "{format} beside {other_format}: {before:?}");
        }
    }
}

#[test]
fn the_same_names_in_other_words_have_the_same_hidden_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    drop(dated(&hand, Rotation::DAILY, "%Y-%m-%d").max_log_files(1).build(directory.path()).expect("builds"));
    let before = hidden(directory.path());
    let clock = hand.clone();
    let other = Appender::builder().rotation(Rotation::WEEKLY).clock(move || clock.now()).max_log_files(1);
    drop(other.build(directory.path()).expect("builds"));
    drop(
        dated(&hand, Rotation::DAILY, "[year]-[month]-[day]").max_log_files(1).build(directory.path()).expect("builds"),
    );
    assert_eq!(hidden(directory.path()), before);
    assert_eq!(before.len(), 1);
}

#[test]
fn hidden_names_are_never_longer_than_a_name_may_be() {
    let directory = tempfile::tempdir().expect("a directory");
    for part in ["x".repeat(130), "日".repeat(43)] {
        let hand = Hand::at(NOW);
        let build = |hand: &Hand| {
            let builder = dated(hand, Rotation::DAILY, "%Y/%m-%d").max_log_files(1).on_finished(|_, _| {});
            builder.filename_prefix(&*part).filename_suffix(&*part).build(directory.path()).expect("builds")
        };
        drop(build(&Hand::at(NOW - DAY)));
        let logs = build(&hand);
        eventually("it is let go, and handed over", || logs.hand_over().expect("handed over") == 1);
        assert_eq!(logs.prune().expect("prunes"), 1);
        assert_eq!(logs.stats().errors, 0);
    }
}

#[test]
fn a_round_of_pruning_that_was_refused_is_tried_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).max_log_files(2).build(directory.path()).expect("builds");
    write_files(directory.path(), &["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"]);
    let locks = hidden(directory.path());
    let other = hold(&directory.path().join(&locks[0]));
    hand.set(NOW + DAY, 0);
    log(&logs, "rolls over, while another process prunes");
    drop(other);
    let second = std::cell::Cell::new(NOW + DAY);
    eventually("the next round comes without a rollover", || {
        second.set(second.get() + 1);
        hand.set(second.get(), 0);
        log(&logs, "an event each second");
        assert!(second.get() < NOW + DAY + DAY / 2, "not in hours: {:?}", names(directory.path()));
        names(directory.path()).len() == 2
    });
}

#[test]
fn a_record_that_is_a_hard_link_leaves_the_other_file_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, foreign) = (directory.path().join(RECORD), directory.path().join("foreign"));
    old_files(directory.path(), 2);
    fs::write(&foreign, "precious\n").expect("written");
    fs::hard_link(&foreign, &record).expect("linked");
    let (given, builder) = given(daily(&Hand::at(NOW)));
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(logs.hand_over().expect("handed over"), 2);
    assert_eq!(read(directory.path(), "foreign"), "precious\n");
    // A snapshot by hard links, as `cp -al` makes it, costs nothing of what is known.
    let snapshot = directory.path().join("snapshot");
    fs::hard_link(&record, &snapshot).expect("linked");
    let before = fs::read_to_string(&snapshot).expect("read");
    write_files(directory.path(), &["app.2026-10-03.log"]);
    assert_eq!(logs.hand_over().expect("handed over"), 1);
    assert_eq!(fs::read_to_string(&snapshot).expect("read"), before);
    assert_eq!(all(&given), ["app.2026-10-01.log", "app.2026-10-02.log", "app.2026-10-03.log"]);
    assert_eq!(logs.stats().errors, 0);
}

#[test]
fn a_record_of_a_gigabyte_is_set_aside_and_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let record = directory.path().join(RECORD);
    File::create(&record).and_then(|file| file.set_len(1 << 30)).expect("made");
    old_files(directory.path(), 2);
    let (told, builder) = telling(daily(&Hand::at(NOW)));
    let (given, builder) = given(builder);
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(logs.hand_over().expect("handed over"), 2);
    assert_eq!(all(&given).len(), 2);
    assert!(fs::metadata(&record).expect("there").len() < 1 << 16);
    assert_eq!(fs::metadata(directory.path().join(format!("{RECORD}.bad"))).expect("there").len(), 1 << 30);
    common::says(&told.lock().expect("unpoisoned")[0].1, &["larger than a record can be", "rollover.bad now"]);
}

#[cfg(feature = "gzip")]
#[test]
fn a_panic_of_the_housekeeping_is_counted_and_old_files_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let clock = hand.clone();
    let builder = hand.builder().rotation(Rotation::DAILY).max_log_files(2).on_error(|_| {});
    let builder = builder.compress(tracing_prefork::Compression::Gzip).clock(move || {
        assert_ne!(std::thread::current().name(), Some("log-retention"), "on purpose");
        clock.now()
    });
    let logs = builder.build(directory.path()).expect("builds");
    old_files(directory.path(), 5);
    let second = std::cell::Cell::new(NOW + DAY);
    eventually("old files go, and that is counted", || {
        hand.set(second.get(), 0);
        second.set(second.get() + 1);
        log(&logs, "an event each second");
        names(directory.path()).len() == 2 && logs.stats().errors > 0
    });
}

#[cfg(feature = "gzip")]
#[test]
fn a_job_that_has_waited_for_five_seconds_has_timed_out() {
    use std::io::ErrorKind;
    use tracing_prefork::{Compression, Error, Operation};
    let directory = tempfile::tempdir().expect("a directory");
    let builder = daily(&Hand::at(NOW)).max_log_files(9).compress(Compression::Gzip).on_finished(|_, _| {});
    let logs = builder.build(directory.path()).expect("builds");
    logs.prune().and(logs.compress()).and(logs.hand_over()).expect("makes the locks");
    let locks = hidden(directory.path()).into_iter().filter(|name| name.ends_with(".lock"));
    let held: Vec<_> = locks.map(|name| hold(&directory.path().join(name))).collect();
    assert_eq!(held.len(), 3);
    type Job = fn(&Appender) -> Result<usize, Error>;
    let jobs: [Job; 3] = [Appender::prune, Appender::compress, Appender::hand_over];
    let operations = [Operation::Retention, Operation::Compression, Operation::OnFinished];
    let logs = &logs;
    std::thread::scope(|scope| {
        let waiting = jobs.map(|job| scope.spawn(move || job(logs).expect_err("somebody is at it")));
        for (thread, operation) in waiting.into_iter().zip(operations) {
            let error = thread.join().expect("ends");
            assert_eq!((error.operation(), error.io_error().kind()), (operation, ErrorKind::TimedOut));
            common::says(&error.to_string(), &[".lock: ", " has held the lock for five seconds; "]);
        }
    });
}
