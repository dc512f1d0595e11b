//! The link to the latest file.

mod common;

use common::{DAY, Hand, NOW, all_names, names};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing_prefork::{Appender, Builder, Operation, Rotation};

fn daily(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY)
}

fn target(directory: &Path) -> PathBuf {
    fs::read_link(directory.join("latest")).expect("a link")
}

fn log(mut logs: &Appender, text: &str) {
    writeln!(logs, "{text}").expect("writes");
}

#[test]
fn the_symbolic_link_is_relative_and_follows_each_rollover() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).latest_symlink("latest").build(directory.path()).expect("builds");
    assert_eq!(target(directory.path()), Path::new("app.2026-11-21.log"));
    hand.set(NOW + DAY, 0);
    log(&logs, "the next day");
    assert_eq!(target(directory.path()), Path::new("app.2026-11-22.log"));
    assert_eq!(names(directory.path()).len(), 3);
    assert_eq!(all_names(directory.path()).len(), 3, "no temporary name is left");
}

#[test]
fn the_hard_link_is_the_same_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).latest_hard_link("latest").build(directory.path()).expect("builds");
    for day in [0, 1, 5] {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "a line");
        let inode = |path: PathBuf| fs::metadata(path).expect("there").ino();
        assert_eq!(inode(directory.path().join("latest")), inode(logs.path()));
    }
    // Built again, it is found to be right.
    daily(&hand).latest_hard_link("latest").build(directory.path()).expect("builds");
    assert_eq!(all_names(directory.path()).len(), 4, "no temporary name is left");
}

#[test]
fn the_link_never_goes_back_in_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).latest_symlink("latest").build(directory.path()).expect("builds");
    hand.set(NOW + 1, 0);
    symlink("app.2026-11-22.log", directory.path().join("next")).expect("a link");
    fs::rename(directory.path().join("next"), directory.path().join("latest")).expect("renamed");
    // Another process, at the end of the day, is a rollover ahead: not taken back by one that builds now.
    hand.set(NOW - NOW % DAY + DAY - 60, 0);
    daily(&hand).latest_symlink("latest").build(directory.path()).expect("builds");
    assert_eq!(target(directory.path()), Path::new("app.2026-11-22.log"));
    // A late line, or a clock that was set back, does not move it either.
    hand.set(NOW - 2 * DAY, 0);
    log(&logs, "late");
    assert_eq!(target(directory.path()), Path::new("app.2026-11-22.log"));
}

#[test]
fn a_link_that_a_wrong_clock_led_far_into_the_future_is_put_right() {
    let directory = tempfile::tempdir().expect("a directory");
    symlink("app.2036-01-01.log", directory.path().join("latest")).expect("a link");
    daily(&Hand::at(NOW)).latest_symlink("latest").build(directory.path()).expect("builds");
    assert_eq!(target(directory.path()), Path::new("app.2026-11-21.log"));
}

#[test]
fn a_dangling_link_or_one_that_leads_elsewhere_is_renewed() {
    for old in ["app.2026-11-01.log", "/nowhere/at/all", "old-name.log"] {
        let directory = tempfile::tempdir().expect("a directory");
        symlink(old, directory.path().join("latest")).expect("a link");
        daily(&Hand::at(NOW)).latest_symlink("latest").build(directory.path()).expect("builds");
        assert_eq!(target(directory.path()), Path::new("app.2026-11-21.log"));
    }
}

#[test]
fn what_is_not_our_link_is_reported_and_left_as_it_is_while_logging_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("latest"), "precious\n").expect("written");
    let told = Arc::new(Mutex::new(Vec::new()));
    for hard in [false, true] {
        let told = told.clone();
        let builder = daily(&Hand::at(NOW)).on_error(move |error| {
            told.lock().expect("unpoisoned").push((error.operation(), error.path().to_owned()));
        });
        let builder = if hard { builder.latest_hard_link("latest") } else { builder.latest_symlink("latest") };
        log(&builder.build(directory.path()).expect("builds"), "a line");
    }
    assert_eq!(common::read(directory.path(), "latest"), "precious\n");
    assert_eq!(common::read(directory.path(), "app.2026-11-21.log"), "a line\na line\n");
    let path = directory.path().join("latest");
    assert_eq!(*told.lock().expect("unpoisoned"), [(Operation::Link, path.clone()), (Operation::Link, path)]);
}

#[test]
fn a_hard_link_whose_files_were_removed_is_renewed_and_a_foreign_one_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).latest_hard_link("latest").on_error(|error| panic!("{error}")).build(directory.path());
    let logs = logs.expect("builds");
    log(&logs, "a line");
    fs::remove_file(directory.path().join("app.2026-11-21.log")).expect("removed");
    hand.set(NOW + DAY, 0);
    log(&logs, "the next day");
    assert_eq!(common::read(directory.path(), "latest"), "the next day\n");

    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("precious"), "precious\n").expect("written");
    fs::hard_link(directory.path().join("precious"), directory.path().join("latest")).expect("linked");
    let logs = daily(&hand).latest_hard_link("latest").on_error(|_| {}).build(directory.path()).expect("builds");
    assert_eq!(logs.stats().errors, 1);
    assert_eq!(common::read(directory.path(), "latest"), "precious\n");
}

#[test]
fn a_file_that_a_hard_link_leads_to_keeps_its_name_until_the_link_is_renewed() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = daily(&hand).latest_hard_link("latest").max_log_files(1).on_error(|error| panic!("{error}"));
    let logs = builder.build(directory.path()).expect("builds");
    // As another process leaves it which was stopped before it could renew the link.
    let (old, link) = (directory.path().join("app.2026-11-19.log"), directory.path().join("latest"));
    fs::write(&old, "old\n").expect("written");
    fs::remove_file(&link).expect("removed");
    fs::hard_link(&old, &link).expect("linked");
    assert_eq!(logs.prune().expect("prunes"), 0);
    assert!(old.exists());
    hand.set(NOW + DAY, 0);
    log(&logs, "the next day");
    assert_eq!(common::read(directory.path(), "latest"), "the next day\n");
    common::eventually("the old one goes", || !old.exists());
}
