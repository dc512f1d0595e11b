//! Somebody looks at log files and does the jobs by hand, and logs nothing.

use std::fs;
use std::sync::{Arc, Mutex};
use tracing_prefork::{Builder, LogFile, Operation, Rotation, Zone};

use crate::common::{DAY, Hand, NOW, all_names, builder, daily, log, names, says, write_files};

fn file_names(files: &[LogFile]) -> Vec<String> {
    files.iter().map(|file| file.path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn whoever_looks_makes_no_file_and_no_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing");
    let files = daily(&Hand::at(NOW)).max_log_files(1).inspect(&missing).expect("the options can be used");
    let error = files.list().expect_err("there is no directory");
    assert_eq!(error.operation(), Operation::List);
    says(&error.to_string(), &["missing"]);
    assert!(!missing.exists());
    let files = daily(&Hand::at(NOW)).max_log_files(1).inspect(directory.path()).expect("inspects");
    assert_eq!(files.list().expect("listed"), []);
    assert_eq!((files.to_prune().expect("listed"), files.to_compress().expect("listed")), (vec![], vec![]));
    assert_eq!(all_names(directory.path()), Vec::<String>::new());
}

#[test]
fn options_that_cannot_be_used_are_refused_as_by_build() {
    let directory = tempfile::tempdir().expect("a directory");
    let error = builder().max_log_files(0).inspect(directory.path()).expect_err("refused");
    says(&error.to_string(), &["max_log_files(0)"]);
}

#[test]
fn what_would_be_pruned_is_what_is_pruned() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    for day in 0..5 {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "a line");
    }
    write_files(directory.path(), &["app.conf", "app.2026-13-45.log"]);
    logs.release().expect("released");
    log(&logs, "the current file is held");
    let files = daily(&hand).max_log_files(2).inspect(directory.path()).expect("inspects");
    assert_eq!(files.list().expect("listed"), logs.files().expect("listed"));
    let going = files.to_prune().expect("listed");
    assert_eq!(going.len(), 3);
    let before = names(directory.path());
    assert!(file_names(&going).iter().all(|name| before.contains(name)), "nothing has gone yet");
    assert_eq!(files.prune().expect("pruned"), 3);
    let after = names(directory.path());
    assert!(file_names(&going).iter().all(|name| !after.contains(name)));
    assert_eq!(after.len(), before.len() - 3);
    assert_eq!(files.to_prune().expect("listed"), []);
}

#[test]
fn a_held_file_is_not_among_those_that_would_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    log(&logs, "held by an idle process");
    hand.set(NOW + 3 * DAY, 0);
    let files = daily(&hand).max_age(std::time::Duration::from_secs(1)).inspect(directory.path()).expect("inspects");
    assert_eq!(files.to_prune().expect("listed"), []);
    assert_eq!(files.prune().expect("pruned"), 0);
}

#[test]
fn numbered_files_are_found_although_the_option_is_left_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).max_file_bytes(100_000).build(directory.path()).expect("builds");
    for _ in 0..6 {
        log(&logs, &"x".repeat(60_000));
    }
    let listed = daily(&hand).inspect(directory.path()).expect("inspects").list().expect("listed");
    assert_eq!(listed, logs.files().expect("listed"));
    assert!(listed.len() >= 3 && listed.iter().enumerate().all(|(index, file)| file.index as usize == index));
}

#[cfg(feature = "gzip")]
#[test]
fn what_would_be_compressed_is_what_is_compressed() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    for day in 0..4 {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "a line");
    }
    logs.release().expect("released");
    let gzip = || daily(&hand).compress(tracing_prefork::Compression::Gzip);
    let files = gzip().keep_uncompressed(1).inspect(directory.path()).expect("inspects");
    let wanted = file_names(&files.to_compress().expect("listed"));
    assert_eq!(wanted.len(), 2);
    assert_eq!(files.compress().expect("compressed"), 2);
    let archives: Vec<_> = files.list().expect("listed").into_iter().filter(|file| file.compressed).collect();
    assert_eq!(file_names(&archives), wanted.iter().map(|name| format!("{name}.gz")).collect::<Vec<_>>());
    // Whoever has no such option sees the archives all the same, as soon as a program has said so.
    drop(gzip().build(directory.path()).expect("builds"));
    let plain = daily(&hand).inspect(directory.path()).expect("inspects");
    assert_eq!(plain.list().expect("listed").iter().filter(|file| file.compressed).count(), 2);
}

#[test]
fn what_would_be_handed_over_is_handed_over_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    for day in 0..3 {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "a line");
    }
    logs.release().expect("released");
    let given = Arc::new(Mutex::new(Vec::new()));
    let hook = given.clone();
    let files = daily(&hand)
        .on_finished(move |path, _| hook.lock().expect("a list").push(path.to_owned()))
        .inspect(directory.path())
        .expect("inspects");
    assert!(files.list().expect("listed").iter().all(|file| !file.handed_over));
    let wanted: Vec<_> = files.to_hand_over().expect("listed").into_iter().map(|file| file.path).collect();
    assert_eq!(wanted.len(), 2);
    assert_eq!(given.lock().expect("a list").len(), 0, "nothing is handed over yet");
    assert_eq!(files.hand_over().expect("handed over"), 2);
    assert_eq!(*given.lock().expect("a list"), wanted);
    assert_eq!(files.hand_over().expect("handed over"), 0);
    assert_eq!(files.to_hand_over().expect("listed"), []);
    let done: Vec<_> = files.list().expect("listed").iter().map(|file| file.handed_over).collect();
    assert_eq!(done, [true, true, false]);
    // Late lines: the file is to be handed over again.
    fs::write(&wanted[0], "a line\nand a late one\n").expect("written");
    let again: Vec<_> = files.to_hand_over().expect("listed").into_iter().map(|file| file.path).collect();
    assert_eq!(again, wanted[..1]);
}

#[test]
fn files_wait_for_the_hook_of_the_processes_that_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).try_on_finished(|_, _| Err("the bucket is down")).build(directory.path()).expect("builds");
    for day in 0..3 {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "a line");
    }
    logs.release().expect("released");
    let files = daily(&hand).max_log_files(1).inspect(directory.path()).expect("inspects");
    assert_eq!(files.to_prune().expect("listed"), []);
    assert_eq!(files.prune().expect("pruned"), 0);
    assert_eq!(names(directory.path()).len(), 3);
    let taking = daily(&hand).on_finished(|_, _| {}).inspect(directory.path()).expect("inspects");
    assert_eq!(taking.hand_over().expect("handed over"), 2);
    assert_eq!(files.to_prune().expect("listed").len(), 2);
    assert_eq!(files.prune().expect("pruned"), 2);
}

#[test]
fn the_patterns_of_a_directory_are_discovered() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let app = daily(&hand).max_file_bytes(1000).build(directory.path()).expect("builds");
    log(&app, "a line");
    let zone: Zone = "+05:30".parse().expect("a zone");
    let other = hand
        .builder()
        .rotation(Rotation::HOURLY)
        .zone(zone)
        .filename_prefix("access")
        .date_format("%Y%m%d-%H")
        .build(directory.path())
        .expect("builds");
    log(&other, "another");
    write_files(directory.path(), &["app.conf", ".app.names", "lost"]);
    let found = Builder::discover(directory.path()).expect("read");
    let files: Vec<_> = found.into_iter().map(|pattern| pattern.inspect(directory.path()).expect("inspects")).collect();
    assert_eq!(files.iter().map(|files| files.pattern()).collect::<Vec<_>>(), ["access.DATE.log", "app.DATE.log"]);
    assert_eq!(files.iter().map(|files| files.zone().to_string()).collect::<Vec<_>>(), ["+05:30", "UTC"]);
    let listed: Vec<_> = files.iter().flat_map(|files| files.list().expect("listed")).collect();
    let expected: Vec<_> = [&other, &app].into_iter().flat_map(|logs| logs.files().expect("listed")).collect();
    assert_eq!(listed, expected);
}

#[test]
fn a_program_with_other_options_is_discovered_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    drop(daily(&hand).build(directory.path()).expect("builds"));
    let logs = daily(&hand).rotation("2 days".parse().expect("a rotation")).build(directory.path()).expect("builds");
    let found = Builder::discover(directory.path()).expect("read");
    assert_eq!(found.len(), 1);
    let files = found.into_iter().next().expect("one").inspect(directory.path()).expect("inspects");
    assert_eq!(files.period_at(hand.now()), logs.period_at(hand.now()), "the options of the process at work");
}

#[test]
fn a_directory_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing");
    let error = Builder::discover(&missing).expect_err("there is no directory");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    says(&error.to_string(), &[&missing.display().to_string()]);
}
