//! The directories below the log directory that a `date_format` with slashes leads through.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::mpsc;
use tracing_prefork::{Builder, Error, Operation, Rotation};

use crate::common;
use crate::common::{BY_MONTH, DAY, Hand, NOW, alone, dated, eventually, log, read, tree, write_files};
use crate::interposed::IN_THE_WAY;

#[test]
fn a_directory_moved_away_as_a_file_is_made_costs_no_line() {
    alone(|_| {
        let (directory, elsewhere) = (tempfile::tempdir().expect("made"), tempfile::tempdir().expect("made"));
        let hand = Hand::at(NOW);
        let logs = dated(&hand, Rotation::DAILY, BY_MONTH).file_mode(0o640).build(directory.path()).expect("builds");
        hand.set(NOW + 20 * DAY, 0);
        let (december, moved) = (directory.path().join("2026/12"), elsewhere.path().join("12"));
        IN_THE_WAY.set(Some(Box::new(move |comes| {
            if comes {
                write_files(&december, &["app-10.log"]);
            } else {
                assert!(std::process::Command::new("mv").arg(&december).arg(&moved).status().expect("runs").success());
            }
        })));
        log(&logs, "a line");
        assert_eq!(read(elsewhere.path(), "12/app-10.log"), "x\n");
        assert_eq!(read(directory.path(), "2026/12/app-11.log"), "a line\n");
        assert_eq!(logs.stats().errors, 0);
    });
}

/// Closes a directory to everybody, and becomes somebody to whom that means something.
fn close_to_us(directory: &Path, closed: &str) {
    fs::create_dir(directory.join(closed)).expect("made");
    fs::set_permissions(directory.join(closed), fs::Permissions::from_mode(0o000)).expect("closed");
    let nobody = nix::unistd::Uid::from_raw(65_534);
    if nix::unistd::Uid::effective().is_root() {
        for name in std::iter::once(String::new()).chain(tree(directory)) {
            nix::unistd::chown(&directory.join(name), Some(nobody), None).expect("given away");
        }
        nix::unistd::setuid(nobody).expect("no longer root");
    }
}

/// So that whoever owns it can remove it.
fn open_again(directory: &Path, closed: &str) {
    fs::set_permissions(directory.join(closed), fs::Permissions::from_mode(0o700)).expect("opened");
}

#[test]
fn a_foreign_directory_closed_to_us_is_passed_over_in_silence() {
    alone(|directory| {
        write_files(directory, &["2024/02/app-29.log"]);
        // As at the top of a file system.
        close_to_us(directory, "lost+found");
        let builder = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).max_log_files(1).latest_hard_link("latest");
        let logs = builder.build(directory).expect("builds");
        assert_eq!((logs.stats().files_pruned, logs.stats().errors), (1, 0));
        open_again(directory, "lost+found");
    });
}

#[test]
fn an_unreadable_directory_is_reported_and_the_others_pruned() {
    alone(|directory| {
        write_files(directory, &["2024/02/app-29.log"]);
        close_to_us(directory, "2023");
        let (sender, reports) = mpsc::channel();
        let hook = move |error: &Error| {
            sender.send((error.operation(), error.path().to_owned(), error.io_error().kind())).expect("received");
        };
        let builder = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).max_log_files(1).on_error(hook);
        let logs = builder.build(directory).expect("builds");
        assert_eq!((logs.stats().files_pruned, logs.stats().errors), (1, 1));
        let report = reports.try_recv().expect("a report");
        assert_eq!(report, (Operation::Retention, directory.join("2023"), ErrorKind::PermissionDenied));
        assert_eq!(logs.prune().expect_err("told").path(), directory.join("2023"));
        open_again(directory, "2023");
        assert_eq!(logs.prune().expect("prunes"), 0);
    });
}

/// In a child, as one of two users of a group.
fn as_user(number: u32, umask: u32, work: impl FnOnce()) -> nix::unistd::Pid {
    use nix::unistd::{ForkResult, Gid, Uid, fork, setgid, setgroups, setuid};
    let group = Gid::from_raw(GROUP);
    // SAFETY: only in tests that run alone, with one thread.
    match unsafe { fork() }.expect("forks") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(umask));
                setgroups(&[]).and_then(|()| setgid(group)).expect("the group");
                setuid(Uid::from_raw(65_000 + number)).expect("another user");
                work();
            }));
            // SAFETY: nothing of the parent's is to run.
            unsafe { nix::libc::_exit(i32::from(done.is_err())) }
        }
    }
}

const GROUP: u32 = 65_432;

/// A directory that a group shares; `None`, and a word about it, if that needs more rights than this process has.
fn shared_by_group(home: &Path, name: &str) -> Option<std::path::PathBuf> {
    if !nix::unistd::Uid::effective().is_root() {
        std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: only root can become another user\n")
            .expect("told");
        return None;
    }
    fs::set_permissions(home, fs::Permissions::from_mode(0o755)).expect("set");
    let directory = home.join(name);
    fs::create_dir(&directory).expect("made");
    nix::unistd::chown(&directory, None, Some(nix::unistd::Gid::from_raw(GROUP))).expect("given");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o2770)).expect("set");
    Some(directory)
}

fn ends_well(child: nix::unistd::Pid) {
    use nix::sys::wait::{WaitStatus, waitpid};
    assert_eq!(waitpid(child, None).expect("ends"), WaitStatus::Exited(child, 0));
}

#[test]
fn directories_have_the_mode_of_their_files_at_any_umask() {
    alone(|home| {
        for (number, (umask, file_mode, expected)) in [
            (0o077, 0o660, 0o770),
            (0o022, 0o660, 0o770),
            (0o000, 0o640, 0o750),
            (0o022, 0o666, 0o777),
            (0, 0o600, 0o700),
        ]
        .into_iter()
        .enumerate()
        {
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(umask));
            let directory = home.join(number.to_string()).join("logs");
            let builder = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).file_mode(file_mode);
            drop(builder.build(&directory).expect("builds"));
            for made in ["", "2026", "2026/11"] {
                let mode = fs::metadata(directory.join(made)).expect("there").mode() & 0o7777;
                assert_eq!(mode, expected, "{made}: {mode:o}, not {expected:o}, at {umask:03o} {file_mode:o}");
            }
        }
    });
}

#[test]
fn directories_have_a_mode_of_their_own_at_any_umask() {
    alone(|home| {
        for (number, (umask, file_mode, mode)) in
            [(0o077, None, 0o755), (0o022, Some(0o600), 0o2775), (0, Some(0o666), 0o700)].into_iter().enumerate()
        {
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(umask));
            let above = home.join(number.to_string());
            let builder = dated(&Hand::at(NOW), Rotation::DAILY, BY_MONTH).directory_mode(mode);
            let builder = file_mode.into_iter().fold(builder, Builder::file_mode);
            drop(builder.build(above.join("logs")).expect("builds"));
            for made in ["", "logs", "logs/2026", "logs/2026/11"] {
                let found = fs::metadata(above.join(made)).expect("there").mode() & 0o7777;
                assert_eq!(found, mode, "{made}: {found:o}, not {mode:o}, at {umask:03o}");
            }
        }
    });
}

#[test]
fn two_users_of_one_group_make_directories_for_each_other() {
    alone(|home| {
        for umask in [0o022, 0o077] {
            let Some(directory) = shared_by_group(home, &format!("{umask:o}")) else { return };
            let hand = Hand::at(NOW);
            for number in 0..4 {
                ends_well(as_user(number % 2, umask, || {
                    let builder = dated(&hand, Rotation::DAILY, BY_MONTH).file_mode(0o660);
                    let logs = builder.build(&directory).expect("builds");
                    log(&logs, "this month");
                    hand.set(NOW + 10 * DAY, 0);
                    log(&logs, "the next month");
                    assert_eq!(logs.stats().errors, 0);
                }));
            }
            let mode = fs::metadata(directory.join("2026/12")).expect("there").mode() & 0o7777;
            assert_eq!(mode, 0o2770, "the group of the directory goes on");
            assert_eq!(read(&directory, "2026/12/app-01.log").lines().count(), 4);
        }
    });
}

#[test]
fn two_users_may_make_the_same_directories_at_the_same_moment() {
    alone(|home| {
        let Some(directory) = shared_by_group(home, "logs") else { return };
        for round in 0..30 {
            let hand = Hand::at(NOW + round * 31 * DAY);
            let go = directory.join("go");
            let processes: Vec<_> = (0..8)
                .map(|number| {
                    as_user(number % 2, 0o077, || {
                        eventually("all are there", || go.exists());
                        let builder = dated(&hand, Rotation::DAILY, "%Y/%m/%d/app.log").file_mode(0o660);
                        let logs = builder.build(&directory).expect("builds");
                        log(&logs, "a line");
                        assert_eq!(logs.stats().errors, 0);
                    })
                })
                .collect();
            write_files(&directory, &["go"]);
            processes.into_iter().for_each(ends_well);
            fs::remove_file(&go).expect("removed");
        }
        let left: Vec<_> = common::all_names(&directory).into_iter().filter(|name| name.ends_with(".tmp")).collect();
        assert_eq!(left, [""; 0]);
    });
}
