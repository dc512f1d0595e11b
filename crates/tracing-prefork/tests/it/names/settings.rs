//! Appenders of one pattern with other options are told once, with both values.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;
use tracing_prefork::{Appender, Builder, Operation, Rotation, Zone};

use crate::common::settings::{SETTINGS, disagreements, somebody_disagrees};
use crate::common::{DAY, Hand, NOW, all_names, daily, log, operations, read, says, telling};

#[test]
fn each_of_two_with_other_limits_is_told_once_with_both_values() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (old_told, old) = telling(daily(&hand).max_log_files(14));
    let old = old.build(directory.path()).expect("builds");
    let (new_told, new) = telling(daily(&hand).max_log_files(30));
    let new = new.build(directory.path()).expect("builds");
    assert_eq!((disagreements(&old_told).len(), disagreements(&new_told).len()), (0, 1));
    for day in 1..9 {
        hand.set(NOW + day * DAY, 0);
        log(&old, "of the old one");
        log(&new, "of the new one");
        [&old, &new].into_iter().for_each(|logs| _ = logs.prune().expect("pruned"));
    }
    let (old_told, new_told) = (disagreements(&old_told), disagreements(&new_told));
    assert_eq!((old_told.len(), new_told.len()), (1, 1));
    says(&old_told[0], &["max_log_files is 14 here, 30 in ", "the lower limit wins", SETTINGS, "same options"]);
    says(&new_told[0], &["max_log_files is 30 here, 14 in ", "the lower limit wins"]);
    assert!(!new_told[0].contains("rotation"), "{}", new_told[0]);
}

#[test]
fn each_option_that_others_should_have_is_compared() {
    type Change = fn(Builder) -> Builder;
    let changes: &[(&str, Change)] = &[
        ("rotation is daily here, daily at 04:00", |builder| builder.rotation(Rotation::DAILY.at(4, 0))),
        ("zone is UTC here, +05:30", |builder| builder.zone(Zone::Fixed(19_800))),
        ("max_log_files is not set here, 9", |builder| builder.max_log_files(9)),
        ("max_age is not set here, 90s", |builder| builder.max_age(Duration::from_secs(90))),
        ("max_total_bytes is not set here, 5000", |builder| builder.max_total_bytes(5000)),
        ("min_log_files is not set here, 3", |builder| builder.min_log_files(3)),
        ("max_file_bytes is not set here, 777", |builder| builder.max_file_bytes(777)),
        ("on_finished is not set here, yes", |builder| builder.on_finished(|_, _| ())),
        ("lock_writes is not set here, yes", |builder| builder.lock_writes(true)),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        ("buffered is not set here, yes", |builder| builder.buffered(tracing_prefork::Buffering::default())),
        ("header is not set here, yes", |builder| builder.header(|_| "# first".to_owned())),
        ("latest_symlink is not set here, a", |builder| builder.latest_symlink("a")),
        ("latest_hard_link is not set here, b", |builder| builder.latest_hard_link("b")),
        ("keep_uncompressed is not set here, 3", |builder| builder.keep_uncompressed(3)),
        ("directory_mode is not set here, 0o750", |builder| builder.directory_mode(0o750)),
        ("file_mode is not set here, 0o640", |builder| builder.file_mode(0o640)),
        #[cfg(feature = "gzip")]
        ("compress is not set here, Gzip", |builder| builder.compress(tracing_prefork::Compression::Gzip)),
        #[cfg(not(feature = "gzip"))]
        ("try_on_finished", |builder| builder.try_on_finished(|_, _| Ok::<(), std::io::Error>(()))),
    ];
    for &(text, change) in changes {
        let directory = tempfile::tempdir().expect("a directory");
        let other = change(daily(&Hand::at(NOW))).build(directory.path()).expect("builds");
        let (told, own) = telling(daily(&Hand::at(NOW)));
        let own = own.build(directory.path()).expect("builds");
        let told = disagreements(&told);
        assert_eq!(told.len(), 1, "{text}");
        if text != "try_on_finished" {
            says(&told[0], &[text]);
        }
        // One option, and no other.
        assert_eq!(told[0].matches(" here, ").count(), 1, "{}", told[0]);
        drop((own, other));
    }
}

#[test]
fn appenders_with_the_same_options_are_told_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let build = || {
        let builder =
            daily(&hand).max_log_files(3).max_file_bytes(1000).latest_symlink("latest").header(|_| "#".into());
        // What each process has for itself, and what is spelt in another way.
        telling(builder.background_priority(false).date_format("%Y-%m-%d"))
    };
    let all: Vec<_> = (0..20).map(|_| build()).map(|(told, builder)| (told, builder.build(directory.path()))).collect();
    for day in 0..3 {
        hand.set(NOW + day * DAY, 0);
        std::thread::scope(|scope| {
            for (_, logs) in &all {
                scope.spawn(|| (0..20).for_each(|_| log(logs.as_ref().expect("built"), &"x".repeat(99))));
            }
        });
    }
    assert!(all.iter().all(|(told, _)| operations(told).is_empty()), "{:?}", all[0].0);
    assert!(fs::metadata(directory.path().join(SETTINGS)).expect("there").len() < 1000);
}

#[test]
fn options_of_an_appender_that_has_ended_disagree_with_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let limited = |limit| daily(&hand).max_log_files(limit);
    for limit in 1..200 {
        assert!(!somebody_disagrees(directory.path(), limited(limit)), "{limit}");
    }
    let running = limited(200).build(directory.path()).expect("builds");
    assert!(somebody_disagrees(directory.path(), limited(201)));
    assert!(!somebody_disagrees(directory.path(), limited(200)));
    drop(running);
    assert!(!somebody_disagrees(directory.path(), limited(201)));
    assert!(fs::metadata(directory.path().join(SETTINGS)).expect("there").len() < 20_000);
}

#[test]
fn more_sets_of_options_than_have_room_are_still_told_of() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let running: Vec<_> =
        (1..=70).map(|limit| daily(&hand).on_error(|_| ()).max_log_files(limit).build(directory.path())).collect();
    assert!(running.iter().all(Result::is_ok));
    let (told, last) = telling(daily(&hand).max_log_files(71));
    let last = last.build(directory.path()).expect("builds");
    let told = disagreements(&told);
    assert_eq!(told.len(), 1);
    says(&told[0], &["max_log_files is 71 here, ", ", and 61 other values"]);
    assert!(told[0].len() < 600, "{}", told[0]);
    assert_eq!(fs::metadata(directory.path().join(SETTINGS)).expect("there").len() / 4096, 63);
    drop((running, last));
}

#[test]
fn what_has_the_name_of_the_settings_does_no_harm() {
    let hand = Hand::at(NOW);
    let limited = |limit| daily(&hand).max_log_files(limit);
    // Text of nobody, of a later version, of a killed process: it is not in use.
    let contents: [&[u8]; 5] = [
        b"",
        &[0xff; 1 << 20],
        b"tracing-prefork settings 1\nmax_log_files 5\nend\n",
        b"tracing-prefork settings 9\nend\n",
        b"tracing-prefork settings 1\nmax_log_fi",
    ];
    for content in contents {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(SETTINGS), content).expect("written");
        let running = limited(2).build(directory.path()).expect("builds");
        assert_eq!(running.stats().errors, 0);
        assert!(somebody_disagrees(directory.path(), limited(3)));
        assert!(!somebody_disagrees(directory.path(), limited(2)));
    }
    // Another name of somebody's file: the file stays as it is.
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("precious"), "precious").expect("written");
    fs::hard_link(directory.path().join("precious"), directory.path().join(SETTINGS)).expect("linked");
    let running = limited(2).build(directory.path()).expect("builds");
    assert_eq!((read(directory.path(), "precious").as_str(), running.stats().errors), ("precious", 0));
    assert!(somebody_disagrees(directory.path(), limited(3)));
}

#[test]
fn settings_that_cannot_be_opened_are_told_of_once() {
    let hand = Hand::at(NOW);
    let directory = tempfile::tempdir().expect("a directory");
    let elsewhere = tempfile::tempdir().expect("a directory");
    type Plant = fn(&std::path::Path, &std::path::Path);
    let plants: [Plant; 3] = [
        |path, _| fs::create_dir(path).expect("made"),
        |path, elsewhere| symlink(elsewhere.join("target"), path).expect("linked"),
        |path, _| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("made"),
    ];
    for (number, plant) in plants.into_iter().enumerate() {
        let directory = directory.path().join(number.to_string());
        fs::create_dir(&directory).expect("made");
        plant(&directory.join(SETTINGS), elsewhere.path());
        hand.set(NOW, 0);
        let (told, builder) = telling(daily(&hand));
        let logs = builder.build(&directory).expect("builds");
        for day in 1..5 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "a line");
        }
        let told = disagreements(&told);
        assert_eq!((told.len(), logs.stats().errors), (1, 1), "{told:?}");
        says(&told[0], &[SETTINGS, "logging goes on"]);
    }
    assert_eq!(all_names(elsewhere.path()), [""; 0], "nothing was made through the link");
}

#[test]
fn removed_settings_are_there_again_at_the_next_rollover() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    // Without a job, so that no thread looks at the same time.
    let running = daily(&hand).min_log_files(2).build(directory.path()).expect("builds");
    fs::remove_file(directory.path().join(SETTINGS)).expect("removed");
    assert!(!somebody_disagrees(directory.path(), daily(&hand).max_log_files(3)));
    hand.set(NOW + DAY, 0);
    log(&running, "a line");
    assert!(somebody_disagrees(directory.path(), daily(&hand).max_log_files(3)));
    // The same where the whole directory is another one.
    fs::rename(directory.path(), directory.path().with_extension("old")).expect("moved");
    hand.set(NOW + DAY + 1, 0);
    log(&running, "a line");
    assert!(somebody_disagrees(directory.path(), daily(&hand).max_log_files(3)));
    fs::remove_dir_all(directory.path().with_extension("old")).expect("removed");
}

#[test]
fn a_report_may_call_the_appender_that_it_is_about() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    static OWN: std::sync::OnceLock<Appender> = std::sync::OnceLock::new();
    let own = daily(&hand).max_log_files(5).on_error(|error| {
        let logs = OWN.get().expect("built");
        log(logs, &format!("told of {}", error.operation()));
        logs.reopen().expect("reopened");
        logs.prune().expect("pruned");
    });
    let own = OWN.get_or_init(|| own.build(directory.path()).expect("builds"));
    let other = daily(&hand).on_error(|_| ()).build(directory.path()).expect("builds");
    hand.set(NOW + DAY, 0);
    log(own, "a line");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "a line\ntold of settings\n");
    assert_eq!(own.stats().errors, 1);
    assert_eq!(Operation::Settings.as_str(), "settings");
    drop(other);
}
