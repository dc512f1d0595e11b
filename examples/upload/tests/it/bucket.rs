//! What a bucket has, after restarts and mistakes without a kill.

use crate::objects::{check, check_lines, objects, periods};
use crate::program::{Place, wait_until};
use crate::store::Store;
use std::fs;
use std::path::Path;

/// Runs the program until it has written some files, and ends it.
fn run(place: &Place, store: &Store, options: &[&str]) {
    let logged = place.logged();
    let program = place.start(&store.address, "s3://bucket", options);
    wait_until("there are lines", || place.logged() > logged + 100 && periods(&place.logs).len() > 2);
    let status = program.end();
    assert!(status.success(), "{status}: {}", place.output());
}

fn with_a_store(test: impl FnOnce(&Path, &Store)) {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(store) = Store::start(&directory.path().join("store")) else { return };
    fs::create_dir(store.bucket("bucket")).expect("a bucket");
    test(directory.path(), &store);
}

#[test]
fn a_file_that_is_there_is_not_sent_again() {
    with_a_store(|directory, store| {
        let place = Place::new(directory);
        run(&place, store, &["--compress", "zstd"]);
        let before = check(&place, &store.bucket("bucket"));
        // Without the record all files are handed over once more.
        for entry in fs::read_dir(&place.logs).expect("readable") {
            let path = entry.expect("readable").path();
            if path.extension().is_some_and(|suffix| suffix == "rollover") {
                fs::remove_file(path).expect("removed");
            }
        }
        run(&place, store, &["--compress", "zstd"]);
        let after = check(&place, &store.bucket("bucket"));
        // The last file of the first run may have got further lines.
        assert!(place.were_there() >= before.files - 1, "{} of {before:?}", place.were_there());
        assert!(after.files >= before.files && after.lines > before.lines, "{before:?}, {after:?}");
    });
}

#[test]
fn late_lines_replace_the_object_by_a_longer_one() {
    with_a_store(|directory, store| {
        let place = Place::new(directory);
        let options = ["--rotation", "daily", "--speed", "1"];
        let run = || {
            let program = place.start(&store.address, "s3://bucket", &options);
            let before = place.logged();
            wait_until("there are lines", || place.logged() > before + 20);
            assert!(program.end().success(), "{}", place.output());
            check(&place, &store.bucket("bucket"))
        };
        let (first, second) = (run(), run());
        assert!(second.lines > first.lines, "{first:?}, {second:?}");
        if first.files == second.files {
            assert_eq!(place.were_there(), 0);
        }
    });
}

#[test]
fn a_new_disk_replaces_no_object_of_the_old_one() {
    with_a_store(|directory, store| {
        let place = Place::new(directory);
        let options = ["--rotation", "monthly", "--speed", "1"];
        for life in 1..=3 {
            let before = place.workers().len();
            let program = place.start(&store.address, "s3://bucket", &options);
            wait_until("workers log", || place.workers().len() >= before + 4);
            assert!(program.end().success(), "{}", place.output());
            let there = objects(&store.bucket("bucket"));
            assert_eq!(there.len(), life, "{:?}", there.keys());
            check_lines(&place, there.values());
            fs::remove_dir_all(&place.logs).expect("removed");
        }
    });
}

#[test]
fn refused_credentials_are_named_and_lose_no_line() {
    with_a_store(|directory, store| {
        let place = Place::new(directory);
        let program = place.start_with(&store.address, "s3://bucket", "another secret", &[]);
        wait_until("it is reported", || place.output().contains("403 Forbidden"));
        assert!(!program.end().success(), "the last file is not in the bucket");
        assert!(place.output().contains("check the credentials"), "{}", place.output());
        assert!(objects(&store.bucket("bucket")).is_empty());

        run(&place, store, &[]);
        check(&place, &store.bucket("bucket"));
    });
}

#[test]
fn files_wait_while_the_store_is_away() {
    with_a_store(|directory, store| {
        let place = Place::new(directory);
        // Nobody listens at port 1. Limits that would remove all files but two.
        let options = ["--keep", "2"];
        let program = place.start("http://127.0.0.1:1", "s3://bucket", &options);
        wait_until("there are files", || periods(&place.logs).len() > 6);
        assert!(!program.end().success(), "the files are not in the bucket");
        let waited = periods(&place.logs);
        assert!(waited.len() > 6 && place.output().contains("http://127.0.0.1:1"), "{}", place.output());

        run(&place, store, &options);
        let there = objects(&store.bucket("bucket"));
        for name in &waited {
            assert!(there.keys().any(|object| object.contains(name.as_str())), "{name} is missing");
        }
        check_lines(&place, there.values());
    });
}
