//! Files of others with names like ours: two patterns in one directory, and what was there before.

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::fs::{self};
use std::path::Path;
use tracing_prefork::{Appender, Builder, Operation, Rotation, Zone};

use crate::common;
use crate::common::ownership::{age, daily, dated, never, numbered, records, refused};
use crate::common::{DAY, Hand, NOW, all_names, alone, log, names, operations, read, says, telling, write_files};

#[test]
fn a_child_has_the_names_that_its_parent_has_built_with() {
    alone(|directory| {
        let (mut tells, mut told) = std::os::unix::net::UnixStream::pair().expect("made");
        // A parent that builds, forks, and ends. Neither of the two logs.
        // SAFETY: this process has one thread.
        let parent = match unsafe { fork() }.expect("forks") {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                let built = dated().build(directory).expect("builds");
                // SAFETY: as above.
                if let ForkResult::Child = unsafe { fork() }.expect("forks") {
                    drop(tells);
                    let _ = std::io::Read::read(&mut told, &mut [0]);
                    drop(built);
                }
                // SAFETY: nothing of the test's is to run.
                unsafe { nix::libc::_exit(0) }
            }
        };
        drop(told);
        waitpid(parent, None).expect("ended");
        refused(numbered(), directory, &["max_file_bytes", "%Y%m%d"]);
        std::io::Write::write_all(&mut tells, b"x").expect("told");
        common::eventually("the child has ended", || numbered().build(directory).is_ok());
    });
}

#[test]
fn a_program_that_closes_everything_has_its_names_again_within_a_second() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let built = hand.builder().rotation(Rotation::DAILY).date_format("%Y%m%d").build(directory).expect("builds");
        // What `closefrom(3)` does.
        for number in 3..5000 {
            let _ = nix::unistd::close(number);
        }
        hand.set(NOW + 1, 0);
        log(&built, "a line");
        refused(numbered(), directory, &["max_file_bytes", "%Y%m%d"]);
    });
}

#[test]
fn programs_that_only_the_rotation_or_the_zone_tells_apart_leave_files_that_both_could_have_made_alone() {
    type With = fn(Builder) -> Builder;
    const HOURS: &str = "%Y-%m-%d-%H";
    let pairs: [(With, With, u64); 3] = [
        (
            |to| to.rotation(Rotation::HOURLY).date_format(HOURS),
            |to| to.rotation(Rotation::DAILY).date_format(HOURS),
            1,
        ),
        (|to| to.rotation(Rotation::HOURLY), |to| to.rotation(Rotation::HOURLY).zone(Zone::Fixed(14 * 3600)), 1),
        (|to| to.rotation(Rotation::DAILY), |to| to.rotation(Rotation::WEEKLY), 24),
    ];
    for (one, other, hours) in pairs {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let build = |with: With| {
            let (told, builder) = telling(with(hand.builder()).max_log_files(1));
            (told, builder.build(directory.path()).expect("builds"))
        };
        let ((told, logs), (others_told, others)) = (build(one), build(other));
        let (mut alone, mut both) = (0, 0);
        for turn in 0..29 {
            hand.set(NOW + turn * hours * 3600, 0);
            log(&logs, "of the one");
            log(&others, "of the other");
            logs.prune().expect("prunes");
            others.prune().expect("prunes");
        }
        // Each name that both have is there still, with all its lines.
        for turn in 0..29 {
            let at = common::at(NOW + turn * hours * 3600);
            let is_of = |logs: &Appender, path: &Path| {
                (0..9000).any(|hour| logs.path_at(common::at(NOW - 40 * DAY + hour * 3600)) == path)
            };
            for (logs, rival) in [(&logs, &others), (&others, &logs)] {
                let path = logs.path_at(at);
                if is_of(rival, &path) {
                    both += 1;
                    assert!(path.exists(), "{path:?} of {:?}", names(directory.path()));
                } else {
                    alone += usize::from(path.exists());
                }
            }
        }
        assert!(both >= 29, "{both}");
        assert!(alone <= 2, "{alone}, of {:?}", names(directory.path()));
        for (told, parts) in [(&told, ["rotation", "app.20"]), (&others_told, ["rotation", "another program"])] {
            let told = told.lock().expect("unpoisoned");
            assert_eq!(
                told.iter().map(|(operation, _)| *operation).collect::<Vec<_>>(),
                [Operation::Names],
                "{told:?}"
            );
            says(&told[0].1, &parts);
        }
        // When the other program has ended, all names are the appender's.
        drop(others);
        hand.set(NOW + 28 * hours * 3600 + 60, 0);
        log(&logs, "which lets go of the file before");
        common::eventually("only the last file is left", || {
            logs.prune().expect("prunes");
            // Those that a zone further east has made are of the future.
            let files = logs.files().expect("listed").into_iter().filter(|file| file.period.start <= hand.now());
            files.count() == 1
        });
    }
}

#[test]
fn files_of_logrotate_are_left_alone_and_reported_once() {
    for first in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        let foreign = ["app.log.1", "app.log.2", "app.log.3", "app.log.4"];
        write_files(directory.path(), &foreign);
        age(directory.path(), &[("app.log.1", 10), ("app.log.2", 20), ("app.log.3", 30), ("app.log.4", 40)]);
        if first {
            write_files(directory.path(), &["app.log"]);
        }
        for start in 0..3 {
            // `app.log`, `app.log.1`: as the files of others are called.
            let builder = Appender::builder().filename_prefix("app.log").max_file_bytes(1000).max_log_files(2);
            let (told, builder) = telling(builder.lock_writes(true));
            let logs = builder.build(directory.path()).expect("builds");
            (0..50).for_each(|number| log(&logs, &format!("{number:099}")));
            logs.prune().expect("prunes");
            for name in foreign {
                assert_eq!(read(directory.path(), name), "x\n", "{name}");
            }
            let own = logs.files().expect("listed");
            assert!(own.iter().all(|file| file.index == 0 || file.index > 4), "{own:?}");
            if start == 0 {
                assert_eq!(operations(&told), [Operation::Names]);
                says(&told.lock().expect("unpoisoned")[0].1, &["app.log.1", "3 others", "left alone"]);
            } else {
                assert_eq!(operations(&told), []);
            }
        }
    }
}

#[test]
fn files_of_logrotate_in_a_directory_that_takes_the_place_of_the_old_one_are_left_alone() {
    /// What comes first after the link was switched.
    type First = fn(&Appender, &Hand);
    let firsts: [First; 4] = [
        |_, hand| hand.set(NOW + 1, 0),
        |_, hand| hand.set(NOW + 60, 0),
        |_, _| {},
        |logs, _| _ = logs.prune().expect("prunes"),
    ];
    for (number, first) in firsts.into_iter().enumerate() {
        let above = tempfile::tempdir().expect("a directory");
        let [release, next, current] = ["r1", "r2", "cur"].map(|name| above.path().join(name));
        fs::create_dir(&release).expect("made");
        std::os::unix::fs::symlink("r1", &current).expect("made");
        let foreign: Vec<_> = (1..8).map(|number| format!("app.log.{number}")).collect();
        for (minutes, name) in foreign.iter().enumerate() {
            write_files(&next, &[name]);
            age(&next, &[(name, 10 + minutes as u64)]);
        }
        write_files(&next, &["app.log"]);
        let hand = Hand::at(NOW);
        let clock = hand.clone();
        let builder = move || {
            let clock = clock.clone();
            let builder = Appender::builder().filename_prefix("app.log").clock(move || clock.now());
            builder.max_file_bytes(100).lock_writes(true)
        };
        let line = "x".repeat(99);
        let before = builder().build(&current).expect("builds");
        (0..4).for_each(|_| log(&before, &line));
        let half = "x".repeat(49);
        log(&before, &half);
        drop(before);
        let (told, builder) = telling(builder().max_log_files(3));
        let logs = builder.build(&current).expect("builds");
        // Now the fifth file is full. No thread prunes when the link is switched.
        log(&logs, &half);
        assert_eq!(names(&release), ["app.log.2", "app.log.3", "app.log.4"]);
        std::os::unix::fs::symlink("r2", above.path().join("new")).expect("made");
        fs::rename(above.path().join("new"), &current).expect("switched");
        first(&logs, &hand);
        (0..10).for_each(|_| log(&logs, &line));
        logs.prune().expect("prunes");
        for name in &foreign {
            assert_eq!(read(&next, name), "x\n", "{name} after {number}");
        }
        let own: Vec<_> = logs.files().expect("listed").iter().map(|file| file.index).collect();
        assert_eq!(own, [15, 16, 17], "after {number}");
        let told = told.lock().expect("unpoisoned");
        let names: Vec<_> = told.iter().filter(|(operation, _)| *operation == Operation::Names).collect();
        assert_eq!(names.len(), 1, "{told:?}");
        says(&names[0].1, &["app.log.1", "6 others", "left alone"]);
        let record = read(&next, &records(&next)[0]);
        assert_eq!(record.lines().filter(|line| line.starts_with("foreign ")).count(), 7, "{record}");
    }
}

#[test]
fn of_processes_that_build_at_once_each_knows_the_same_record() {
    alone(|directory| {
        for round in 0..20 {
            let directory = directory.join(format!("{round}"));
            let children: Vec<_> = (0..8)
                .map(|process| {
                    // SAFETY: this process has one thread.
                    match unsafe { fork() }.expect("forks") {
                        ForkResult::Parent { child } => child,
                        ForkResult::Child => {
                            // The same names, with other options.
                            let builder =
                                if process % 2 == 0 { daily().max_file_bytes(1000) } else { daily().max_log_files(5) };
                            let built = builder.build(&directory);
                            built.iter().for_each(|logs| log(logs, "a line"));
                            // SAFETY: nothing of the parent's is to run.
                            unsafe { nix::libc::_exit(i32::from(!built.is_ok_and(|logs| logs.stats().errors == 0))) }
                        }
                    }
                })
                .collect();
            for child in children {
                let ended = waitpid(child, None).expect("ends");
                assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
            }
            let records = records(&directory);
            assert_eq!(records.len(), 1);
            says(
                &read(&directory, &records[0]),
                &["prefix app\n", "suffix log\n", "rotation daily\n", "numbered yes\n"],
            );
            assert!(!all_names(&directory).iter().any(|name| name.ends_with(".tmp")));
        }
    });
}

#[test]
fn where_nothing_can_be_made_there_is_no_record_and_no_report() {
    alone(|directory| {
        use nix::unistd::{Uid, setresuid};
        if !Uid::effective().is_root() {
            std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: not root\n").expect("told");
            return;
        }
        use std::os::unix::fs::PermissionsExt;
        write_files(directory, &["app.log"]);
        fs::set_permissions(directory.join("app.log"), fs::Permissions::from_mode(0o666)).expect("set");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("set");
        let nobody = Uid::from_raw(65_534);
        setresuid(nobody, nobody, Uid::from_raw(0)).expect("set");
        let (told, builder) = telling(never().max_file_bytes(100_000));
        log(&builder.build(directory).expect("builds"), "a line");
        setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).expect("set");
        assert_eq!((operations(&told), all_names(directory)), (vec![], vec!["app.log".to_owned()]));
    });
}
