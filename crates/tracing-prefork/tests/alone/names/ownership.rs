//! Files of others with names like ours: two patterns in one directory, and what was there before.

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::fs;
use tracing_prefork::{Operation, Rotation};

use crate::common;
use crate::common::ownership::{dated, never, numbered, records, refused};
use crate::common::{Hand, NOW, all_names, alone, builder, log, operations, read, says, telling, write_files};

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
fn a_program_that_closes_all_has_its_names_within_a_second() {
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
                            let builder = if process % 2 == 0 {
                                builder().max_file_bytes(1000)
                            } else {
                                builder().max_log_files(5)
                            };
                            let (told, builder) = telling(builder);
                            let built = builder.build(&directory);
                            built.iter().for_each(|logs| log(logs, "a line"));
                            // That the options differ is told, and nothing else.
                            let others = operations(&told).into_iter().any(|told| told != Operation::Settings);
                            // SAFETY: nothing of the parent's is to run.
                            unsafe { nix::libc::_exit(i32::from(built.is_err() || others)) }
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
