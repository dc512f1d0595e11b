//! Whose turn it is: the hidden files behind which one process at a time prunes, compresses and hands over.

mod common;

use common::{DAY, Hand, NOW, all_names, dated, eventually, files, log, names, write_files};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::File;
use std::path::Path;
use tracing_prefork::{Appender, Rotation};

/// Has a byte of a file locked, as another process has it, until it is dropped.
fn hold(path: &Path) -> File {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path).expect("opens");
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_len) = (libc::F_WRLCK as libc::c_short, 1);
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).expect("nobody has it");
    file
}

fn hidden(directory: &Path) -> Vec<String> {
    all_names(directory).into_iter().filter(|name| name.starts_with('.')).collect()
}

#[test]
fn appenders_that_only_the_date_format_or_the_rotation_tells_apart_do_not_wait_for_each_other() {
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
                let logs = dated(&Hand::at(at), rotation.clone(), format).max_log_files(1).build(directory.path());
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
fn the_same_names_written_in_another_way_have_the_same_hidden_files() {
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
            let builder = dated(hand, Rotation::DAILY, "%Y/%m-%d").max_log_files(1).on_rollover(|_, _| {});
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
