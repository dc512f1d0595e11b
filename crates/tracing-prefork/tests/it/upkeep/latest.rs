//! The link to the latest file.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tracing_prefork::{Operation, Rotation};

use crate::common;
use crate::common::latest::{knows_births, lead, leave_a_hard_link, target, temporary};
use crate::common::{DAY, Hand, NOW, Told, all_names, daily, log, names, telling};

/// A hook that panics fails no test: its panic is caught.
#[track_caller]
fn nothing_was_told(told: &Told) {
    assert_eq!(*told.lock().expect("unpoisoned"), []);
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
    assert_eq!(temporary(directory.path()), [""; 0]);
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
    assert_eq!(names(directory.path()).len(), 4);
    assert_eq!(temporary(directory.path()), [""; 0]);
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
fn a_link_that_leads_far_into_the_future_is_put_right() {
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
fn what_is_not_our_link_is_reported_and_left_as_it_is() {
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
fn a_hard_link_to_removed_files_is_renewed_and_no_foreign_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, builder) = telling(daily(&hand).latest_hard_link("latest"));
    let logs = builder.build(directory.path()).expect("builds");
    log(&logs, "a line");
    fs::remove_file(directory.path().join("app.2026-11-21.log")).expect("removed");
    hand.set(NOW + DAY, 0);
    log(&logs, "the next day");
    assert_eq!(common::read(directory.path(), "latest"), "the next day\n");
    nothing_was_told(&told);

    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("precious"), "precious\n").expect("written");
    fs::hard_link(directory.path().join("precious"), directory.path().join("latest")).expect("linked");
    let logs = daily(&hand).latest_hard_link("latest").on_error(|_| {}).build(directory.path()).expect("builds");
    assert_eq!(logs.stats().errors, 1);
    assert_eq!(common::read(directory.path(), "latest"), "precious\n");
}

#[test]
fn a_file_keeps_its_name_until_its_hard_link_is_renewed() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, builder) = telling(daily(&hand).latest_hard_link("latest").max_log_files(1));
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
    nothing_was_told(&told);
}

#[test]
fn links_lead_back_a_second_after_the_clock_is_set_back() {
    for ahead in [8 * 3600, 20 * 60, 2_303_000_000] {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW + ahead);
        let (told, builder) = telling(hand.builder().rotation(Rotation::MINUTELY));
        let builder = builder.latest_symlink("latest").latest_hard_link("latest.hard");
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "ahead");
        hand.set(NOW + ahead + 2, 0);
        log(&logs, "ahead");
        hand.set(NOW, 0);
        log(&logs, "set right");
        for (second, file) in [
            (1, "app.2026-11-21-08-33.log"),
            (60, "app.2026-11-21-08-34.log"),
            (120, "app.2026-11-21-08-35.log"),
            (180, "app.2026-11-21-08-36.log"),
        ] {
            hand.set(NOW + second, 0);
            log(&logs, "as time goes by");
            assert_eq!(lead(directory.path()), [Path::new(file), Path::new(file)], "{ahead} {second}");
        }
        nothing_was_told(&told);
    }
}

#[test]
fn links_follow_a_clock_that_was_ahead_for_a_moment() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, builder) = telling(hand.builder().rotation(Rotation::HOURLY));
    let logs =
        builder.latest_symlink("latest").latest_hard_link("latest.hard").build(directory.path()).expect("builds");
    log(&logs, "right");
    hand.set(NOW + 1800, 0);
    log(&logs, "ahead, in the next hour");
    assert_eq!(lead(directory.path())[0], Path::new("app.2026-11-21-09.log"));
    for second in [2, 3] {
        hand.set(NOW + second, 0);
        log(&logs, "set right");
    }
    assert_eq!(lead(directory.path()), [Path::new("app.2026-11-21-08.log"), Path::new("app.2026-11-21-08.log")]);
    nothing_was_told(&told);
}

#[test]
fn a_hard_link_that_a_backup_copied_is_renewed_after_a_day() {
    let ago = |seconds| SystemTime::now() - Duration::from_secs(seconds);
    let renewed = |content: &str, age, other_name: bool| {
        let directory = tempfile::tempdir().expect("a directory");
        let link = directory.path().join("latest");
        fs::write(directory.path().join("app.2026-11-20.log"), "one\ntwo\n").expect("written");
        fs::write(&link, content).expect("written");
        fs::File::options().write(true).open(&link).and_then(|file| file.set_modified(ago(age))).expect("set");
        if other_name {
            fs::hard_link(&link, directory.path().join("other")).expect("linked");
        }
        let logs = daily(&Hand::at(NOW)).latest_hard_link("latest").on_error(|_| {}).build(directory.path());
        log(&logs.expect("builds"), "today");
        let now = common::read(directory.path(), "latest");
        assert!(now == content || now == "today\n", "{now}");
        now != content
    };
    for copy in ["one\ntwo\n", "one\n", ""] {
        assert!(renewed(copy, DAY + 1, false), "{copy:?}");
        assert!(!renewed(copy, DAY - 60, false), "{copy:?}: somebody may be at work there");
        assert!(!renewed(copy, DAY + 1, true), "{copy:?}: it has another name");
    }
    assert!(!renewed("one\ntwo\nthree\n", DAY + 1, false), "it holds more than the file");
    assert!(!renewed("precious\n", DAY + 1, false));
}

#[test]
fn a_file_compressed_before_the_link_is_there_is_no_failure() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let tomorrow = directory.path().join("app.2026-11-22.log");
    let clock = {
        let (hand, tomorrow) = (hand.clone(), tomorrow.clone());
        move || {
            // Between choosing the file and linking it: another process has gone on to the day after.
            if tomorrow.exists() {
                fs::rename(&tomorrow, tomorrow.with_extension("log.gz")).expect("renamed");
                hand.set(NOW + 2 * DAY, 0);
            }
            hand.now()
        }
    };
    let (told, builder) = telling(daily(&hand).clock(clock).latest_hard_link("latest.hard"));
    let logs = builder.build(directory.path()).expect("builds");
    hand.set(NOW + DAY, 0);
    log(&logs, "the next day");
    assert!(!tomorrow.exists());
    hand.set(NOW + 2 * DAY + 1, 0);
    log(&logs, "the day after");
    assert_eq!(common::read(directory.path(), "latest.hard"), "the day after\n");
    nothing_was_told(&told);
}

#[test]
fn a_file_pruned_before_the_link_is_there_is_no_failure() {
    for ahead in [2 * 3600, 3 * DAY] {
        let directory = tempfile::tempdir().expect("a directory");
        let (hand, path) = (Hand::at(NOW), directory.path().to_owned());
        let first = directory.path().join("app.2026-11-21-08-33.log");
        let clock = {
            let (hand, first) = (hand.clone(), first.clone());
            move || {
                // Between choosing the file and linking it. Building takes no lease on it.
                if first.exists() && !path.join("pruned").exists() {
                    fs::write(path.join("pruned"), "").expect("written");
                    let other = Hand::at(NOW + ahead).builder().rotation(Rotation::MINUTELY).max_log_files(1);
                    other.build(&path).expect("builds").prune().expect("prunes");
                    assert!(!first.exists());
                }
                hand.now()
            }
        };
        let builder = hand.builder().rotation(Rotation::MINUTELY).clock(clock).latest_hard_link("latest.hard");
        let (told, builder) = telling(builder);
        let logs = builder.build(directory.path()).expect("builds");
        log(&logs, "the first line");
        assert_eq!(common::read(directory.path(), "latest.hard"), "the first line\n", "{ahead}");
        assert_eq!(fs::read_to_string(&first).ok().as_deref(), Some("the first line\n"), "{ahead}");
        nothing_was_told(&told);
    }
}

#[test]
fn temporary_names_go_without_retention_or_compression_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let (hand, started) = (Hand::at(NOW), NOW - NOW % 60);
    let builder = hand.builder().rotation(Rotation::MINUTELY).latest_symlink("latest").latest_hard_link("hard");
    let (told, builder) = telling(builder);
    let logs = builder.build(directory.path()).expect("builds");
    // As processes leave them that are killed before the rename, one long ago, and one just now.
    let leave = |link: &str, second: u64| {
        let nanos = second * 1_000_000_000;
        fs::write(directory.path().join(format!(".{link}.1a2b-{nanos:016x}.prefork.tmp")), "").expect("written");
    };
    ["latest", "hard"].into_iter().for_each(|link| (leave(link, NOW - 3600), leave(link, started + 30)).0);
    for minute in [1, 2, 60, 130] {
        hand.set(started + 60 * minute, 0);
        log(&logs, "a line");
    }
    assert_eq!(temporary(directory.path()), [""; 0]);
    nothing_was_told(&told);
}

/// What an appender with a hard link that is built a day later is told, and what the link leads to then.
fn a_day_later(directory: &Path) -> (Vec<Operation>, String) {
    let (told, builder) = telling(daily(&Hand::at(NOW + DAY)).latest_hard_link("latest"));
    log(&builder.build(directory).expect("builds"), "tomorrow");
    (common::operations(&told), common::read(directory, "latest"))
}

#[test]
fn a_later_process_renews_a_hard_link_whose_file_has_gone() {
    for moved in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        if !knows_births(directory.path()) {
            return;
        }
        leave_a_hard_link(directory.path());
        // A snapshot by `cp -al` keeps its note.
        let note = all_names(directory.path()).into_iter().find(|name| name.ends_with(".link")).expect("a note");
        fs::hard_link(directory.path().join(note), directory.path().join("snapshot")).expect("linked");
        let before = common::read(directory.path(), "snapshot");
        let file = directory.path().join("app.2026-11-21.log");
        if moved {
            fs::rename(file, directory.path().join("moved")).expect("moved");
        } else {
            fs::remove_file(file).expect("removed");
        }
        assert_eq!(a_day_later(directory.path()), (vec![], "tomorrow\n".to_owned()), "moved: {moved}");
        assert!(!moved || common::read(directory.path(), "moved") == "today\n");
        assert_eq!(common::read(directory.path(), "snapshot"), before);
    }
}

#[test]
fn a_foreign_file_stays_even_with_the_inode_of_the_last_log() {
    let directory = tempfile::tempdir().expect("a directory");
    leave_a_hard_link(directory.path());
    let link = directory.path().join("latest");
    let inode = fs::metadata(&link).expect("there").ino();
    fs::remove_file(directory.path().join("app.2026-11-21.log")).expect("removed");
    fs::remove_file(&link).expect("removed");
    // Most file systems give the inode of a removed file to the next one.
    fs::write(&link, "precious\n").expect("written");
    let is_reused = fs::metadata(&link).expect("there").ino() == inode;
    assert_eq!(
        a_day_later(directory.path()),
        (vec![Operation::Link], "precious\n".to_owned()),
        "with its inode: {is_reused}"
    );
}

#[test]
fn a_strangers_note_in_a_sticky_directory_is_not_believed() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let directory = tempfile::tempdir().expect("a directory");
    leave_a_hard_link(directory.path());
    let note = all_names(directory.path()).into_iter().find(|name| name.ends_with(".link"));
    let Some(note) = note.filter(|note| chown(directory.path().join(note), Some(54_321), None).is_ok()) else {
        return writeln!(std::io::stderr(), "SKIPPED: no note, or its owner may not be changed").expect("told");
    };
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).expect("set");
    fs::remove_file(directory.path().join("app.2026-11-21.log")).expect("removed");
    assert_eq!(a_day_later(directory.path()), (vec![Operation::Link], "today\n".to_owned()), "{note}");
}
