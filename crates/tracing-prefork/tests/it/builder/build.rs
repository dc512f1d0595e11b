//! Bad input: each is refused at build with an error that names it, and nothing is touched.

use nix::sys::stat::Mode;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use tracing_prefork::{Appender, BuildError, Builder, Rotation, Zone, rolling};

use crate::common;
use crate::common::{Hand, NOW, all_names, builder, refused, says, write_files};

#[test]
fn an_impossible_prefix_suffix_or_link_is_refused_by_name() {
    says(&refused(builder().filename_prefix("logs/app")), &["filename_prefix", "\"logs/app\"", "`/`"]);
    says(&refused(builder().filename_suffix("a/b")), &["filename_suffix", "\"a/b\""]);
    says(&refused(builder().filename_prefix("a\0b")), &["filename_prefix", "control character"]);
    says(&refused(builder().filename_prefix("a".repeat(300))), &["255 bytes"]);
    says(&refused(builder().latest_symlink("../app.log")), &["latest_symlink", "\"../app.log\""]);
    says(&refused(builder().latest_hard_link("..")), &["latest_hard_link", "\"..\""]);
    says(&refused(builder().latest_symlink("a").latest_hard_link("a")), &["latest_hard_link", "another link"]);
    says(&refused(builder().latest_symlink(common::LOCK)), &["latest_symlink", "lock file"]);
}

#[test]
fn a_link_that_would_be_taken_for_a_log_file_is_refused() {
    says(&refused(builder().latest_symlink("app.2026-11-21.log")), &["app.2026-11-21.log", "log file"]);
    says(&refused(builder().rotation(Rotation::NEVER).latest_symlink("app.log")), &["app.log", "log file"]);
}

#[test]
fn numbers_out_of_range_are_refused_with_the_number() {
    says(&refused(builder().file_mode(0o440)), &["0o440", "0o600"]);
    says(&refused(builder().file_mode(0o4660)), &["0o4660"]);
    says(&refused(builder().directory_mode(0o670)), &["directory_mode(0o670", "0o700"]);
    says(&refused(builder().directory_mode(775)), &["directory_mode(0o1407, in decimal 775)", "0o700"]);
    says(&refused(builder().directory_mode(0o10700)), &["0o10700", "0o7777"]);
    says(&refused(builder().zone(Zone::Fixed(86_400))), &["86400", "86340"]);
    says(&refused(builder().zone(Zone::Fixed(90))), &["Fixed(90)", "whole minutes"]);
}

#[test]
fn limits_that_keep_nothing_or_contradict_are_refused() {
    let refused = |builder: Builder, parts: &[&str]| {
        let directory = tempfile::tempdir().expect("a directory");
        write_files(directory.path(), &["app.2026-11-19.log", "app.2026-11-20.log"]);
        let error = builder.build(directory.path()).expect_err("refused");
        assert!(matches!(error, BuildError::Limit { .. }), "{error:?}");
        says(&error.to_string(), parts);
        assert_eq!(all_names(directory.path()), ["app.2026-11-19.log", "app.2026-11-20.log"]);
    };
    refused(builder().max_total_bytes(0), &["max_total_bytes(0)", "leave the option out"]);
    refused(builder().max_age(Duration::ZERO), &["max_age(0)", "leave the option out"]);
    refused(builder().max_age(Duration::from_millis(999)), &["max_age(999ms)", "a second at least"]);
    let many = builder().min_log_files(6).max_log_files(5);
    refused(many, &["min_log_files(6)", "max_log_files(5)", "lower the other"]);
    let large = builder().max_total_bytes(99).max_file_bytes(100);
    refused(large, &["max_total_bytes(99)", "max_file_bytes(100)", "lower the other"]);
    for allowed in [builder().min_log_files(5).max_log_files(5), builder().max_total_bytes(100).max_file_bytes(100)] {
        let directory = tempfile::tempdir().expect("a directory");
        allowed.build(directory.path()).expect("builds");
    }
}

#[test]
fn texts_that_name_nothing_are_refused_with_the_text() {
    says(&"dayly".parse::<Rotation>().expect_err("refused").to_string(), &["\"dayly\"", "daily"]);
    for text in ["", "+5:30", "+05:60", "+24:00", "05:30", "+05:3é", "+-1:00"] {
        says(&text.parse::<Zone>().expect_err("refused").to_string(), &[&format!("{text:?}"), "+05:30"]);
    }
}

#[test]
fn every_rotation_and_zone_is_read_as_it_is_written() {
    for text in ["never", "secondly", "minutely", "hourly", "daily", "weekly", "monthly"] {
        assert_eq!(text.parse::<Rotation>().expect("read").to_string(), text);
    }
    for text in ["UTC", "+05:30", "-03:00", "+00:00", "-23:59"] {
        assert_eq!(text.parse::<Zone>().expect("read").to_string(), text);
    }
    assert_eq!("z".parse::<Zone>().expect("read"), Zone::Utc);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, "").expect("written");
    let error = builder().build(file.join("logs")).expect_err("refused");
    assert!(matches!(error, BuildError::Directory { .. }), "{error:?}");
    says(&error.to_string(), &["file/logs"]);
}

#[test]
fn whatever_is_not_a_regular_file_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.2026-11-21.log");
    let target = directory.path().join("target");
    let refused = || {
        let error = builder().build(directory.path()).expect_err("refused");
        assert!(matches!(error, BuildError::Open { .. }), "{error:?}");
        error.to_string()
    };
    symlink(&target, &path).expect("a link");
    says(&refused(), &["app.2026-11-21.log", "symbolic link"]);
    assert!(!target.exists(), "the link was followed");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a directory");
    says(&refused(), &["app.2026-11-21.log", "irectory"]);
    fs::remove_dir(&path).expect("removed");
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).expect("a FIFO");
    says(&refused(), &["app.2026-11-21.log", "FIFO"]);
}

#[test]
fn a_file_that_is_there_already_is_appended_to() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("app.2026-11-21.log"), "before\n").expect("written");
    let logs = builder().build(directory.path()).expect("builds");
    std::io::Write::write_all(&mut &logs, b"after\n").expect("writes");
    assert_eq!(common::read(directory.path(), "app.2026-11-21.log"), "before\nafter\n");
}

#[test]
fn the_directory_is_made_absolute_at_build() {
    let logs = builder().build("../../target/tmp-relative").expect("builds");
    assert!(logs.path().is_absolute());
    assert!(logs.path().exists());
    fs::remove_dir_all(logs.path().parent().expect("a directory")).expect("removed");
}

#[test]
fn never_without_prefix_and_suffix_is_dated_by_its_build() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let clock = hand.clone();
    let logs = Appender::builder()
        .clock(move || common::at(clock.0.load(std::sync::atomic::Ordering::Relaxed) / 1_000_000_000))
        .build(directory.path())
        .expect("builds");
    hand.set(NOW + 40 * common::DAY, 0);
    assert_eq!(logs.path(), directory.path().join("2026-11-21"));
}

#[test]
#[should_panic(expected = "cannot start logging")]
fn the_short_way_panics_where_tracing_appender_does() {
    rolling::daily(Path::new("/dev/null/logs"), "app.log");
}
