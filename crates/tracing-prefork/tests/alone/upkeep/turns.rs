//! Whose turn it is: the hidden files behind which one process at a time prunes, compresses and hands over.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, Uid};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tracing_prefork::{Appender, Builder};

use crate::common;
use crate::common::hook::{RECORD, all, given, name, note};
use crate::common::turns::{byte, hidden, old_files};
use crate::common::{
    DAY, Hand, LOCK, NOW, all_names, alone, child, daily, eventually, is_root, log, names, read, set_mode, telling,
    threads,
};

/// The lock behind which daily files of [`Hand::builder`] are handed over.
const TURN: &str = ".app.DATE.log.d10ea686.rollover.lock";

fn noted(path: &Path) -> Vec<String> {
    let mut noted: Vec<_> = fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect();
    noted.sort();
    noted
}

#[test]
fn a_lock_removed_while_held_lets_no_two_hand_over_one_file() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        let old = old_files(&directory, 10);
        let (own, there, path) = (std::process::id(), directory.clone(), notes.clone());
        let build = || {
            let (there, path) = (there.clone(), path.clone());
            let builder = daily(&Hand::at(NOW)).on_finished(move |finished, _| {
                note(&path, &name(finished));
                // In the middle of its round, the first time.
                if std::process::id() == own && noted(&path).len() == 3 {
                    fs::remove_file(there.join(TURN)).expect("removed");
                    let other = child(|| {
                        let path = path.clone();
                        let other = daily(&Hand::at(NOW)).on_finished(move |finished, _| note(&path, &name(finished)));
                        other.build(&there).expect("builds").hand_over().expect("handed over");
                    });
                    assert_eq!(waitpid(other, None).expect("ends"), WaitStatus::Exited(other, 0));
                }
            });
            builder.build(&directory).expect("builds")
        };
        build().hand_over().expect("handed over");
        let mut given = noted(&notes);
        // The file that the hook had in hand then was taken for one of a process that was killed.
        assert!(given.len() <= old.len() + 1, "{} calls for {} files: {given:?}", given.len(), old.len());
        given.dedup();
        assert_eq!(given, old);
    });
}

#[test]
fn opening_and_closing_the_lock_file_does_not_free_the_lock() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        old_files(&directory, 1);
        let (there, path) = (directory.clone(), notes.clone());
        let logs = daily(&Hand::at(NOW)).on_finished(move |finished, _| {
            note(&path, &name(finished));
            // A backup, or another copy of this library.
            let file = File::options().read(true).write(true).open(there.join(TURN)).expect("opens");
            let taken = fcntl(&file, FcntlArg::F_OFD_SETLK(&byte(libc::F_WRLCK, 1)));
            drop(file);
            assert!(taken.is_err(), "two holders in one process");
            let other = child(|| {
                let path = path.clone();
                let other = daily(&Hand::at(NOW)).on_finished(move |finished, _| note(&path, &name(finished)));
                let other = other.build(&there).expect("builds");
                let error = other.hand_over().expect_err("somebody is at it").to_string();
                common::says(&error, &["has held the lock for five seconds"]);
            });
            assert_eq!(waitpid(other, None).expect("ends"), WaitStatus::Exited(other, 0));
        });
        logs.build(&directory).expect("builds").hand_over().expect("handed over");
        assert_eq!(noted(&notes), ["app.2026-10-01.log"]);
    });
}

#[test]
fn a_killed_holder_frees_the_lock_although_its_child_lives_on() {
    alone(|home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        old_files(&directory, 1);
        let path = notes.clone();
        let holder = child(|| {
            let logs = daily(&Hand::at(NOW)).on_finished(move |_, _| {
                let idle = child(|| std::thread::sleep(std::time::Duration::from_secs(60)));
                note(&path, &idle.to_string());
                kill(Pid::this(), Signal::SIGKILL).expect("killed");
            });
            let _ = logs.build(&directory).expect("builds").hand_over();
        });
        waitpid(holder, None).expect("ends");
        let idle = Pid::from_raw(noted(&notes)[0].parse().expect("a number"));
        assert!(kill(idle, None).is_ok(), "it lives");
        let logs = daily(&Hand::at(NOW)).on_finished(|_, _| {}).build(&directory).expect("builds");
        let handed_over = logs.hand_over();
        kill(idle, Signal::SIGKILL).expect("killed");
        assert_eq!(handed_over.expect("nobody has the turn"), 1);
    });
}

const SERVICE: Uid = Uid::from_raw(65_534);

const STRANGER: Uid = Uid::from_raw(65_533);

fn give(path: &Path, user: Uid) {
    nix::unistd::chown(path, Some(user), None).expect("given away");
}

#[test]
fn a_strangers_record_is_neither_believed_nor_written_to() {
    alone(|home| {
        if !is_root() {
            return;
        }
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        set_mode(home, 0o777);
        set_mode(&directory, 0o1777);
        let old = old_files(&directory, 1);
        set_mode(&directory.join(&old[0]), 0o666);
        let record = directory.join(RECORD);
        fs::write(&record, "a stranger's\n").expect("written");
        set_mode(&record, 0o666);
        give(&record, STRANGER);
        nix::unistd::setuid(SERVICE).expect("another user");
        let (given, builder) = given(daily(&Hand::at(NOW)).on_error(|_| {}));
        let error = builder.build(&directory).expect("builds").hand_over().expect_err("refused").to_string();
        common::says(&error, &["who has no business here"]);
        assert_eq!((all(&given), read(&directory, RECORD)), (Vec::new(), "a stranger's\n".to_owned()));
    });
}

#[test]
fn hidden_files_that_root_has_left_stop_no_service() {
    alone(|home| {
        if !is_root() {
            return;
        }
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        set_mode(home, 0o755);
        give(&directory, SERVICE);
        for name in old_files(&directory, 3) {
            give(&directory.join(name), SERVICE);
        }
        // As another program, or an earlier version, leaves them.
        for name in [LOCK, TURN, RECORD] {
            fs::write(directory.join(name), "").expect("written");
            set_mode(&directory.join(name), 0o600);
        }
        let service = child(|| {
            nix::unistd::setuid(SERVICE).expect("another user");
            let (told, builder) = telling(daily(&Hand::at(NOW)).max_log_files(1));
            let (given, builder) = given(builder);
            let logs = builder.build(&directory).expect("builds");
            assert_eq!(logs.hand_over().expect("handed over"), 3);
            assert_eq!(all(&given).len(), 3);
            logs.prune().expect("prunes");
            assert_eq!(names(&directory), ["app.2026-11-21.log"]);
            // The record was not readable, so what it said is lost.
            let told = told.lock().expect("unpoisoned").clone();
            assert!(told.len() == 1 && told[0].1.contains("rollover.bad now"), "{told:?}");
        });
        assert_eq!(waitpid(service, None).expect("ends"), WaitStatus::Exited(service, 0));
    });
}

#[test]
fn hidden_files_that_root_makes_belong_to_the_service() {
    alone(|home| {
        if !is_root() {
            return;
        }
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        give(&directory, SERVICE);
        old_files(&directory, 3);
        let (_, builder) = given(daily(&Hand::at(NOW)).max_log_files(2));
        let logs = builder.build(&directory).expect("builds");
        logs.hand_over().expect("handed over");
        let hidden = hidden(&directory);
        assert!(hidden.len() >= 3, "{hidden:?}");
        for name in hidden {
            assert_eq!(fs::metadata(directory.join(&name)).expect("there").uid(), SERVICE.as_raw(), "{name}");
        }
        // A log may be secret.
        assert_eq!(fs::metadata(logs.path()).expect("there").uid(), 0);
    });
}

/// A log directory that all users may write to, with a lock of root's that has this mode.
fn directory_with_lock(home: &Path, mode: u32) -> PathBuf {
    let directory = home.join("logs");
    fs::create_dir(&directory).expect("made");
    set_mode(home, 0o755);
    set_mode(&directory, 0o777);
    fs::write(directory.join(LOCK), "").expect("written");
    set_mode(&directory.join(LOCK), mode);
    directory
}

#[test]
fn a_lock_of_another_user_is_reported_with_the_remedy() {
    alone(|home| {
        if !is_root() {
            return;
        }
        let directory = directory_with_lock(home, 0o600);
        nix::unistd::setuid(SERVICE).expect("another user");
        let (told, builder) = telling(daily(&Hand::at(NOW)).max_log_files(2));
        let _logs = builder.build(&directory).expect("builds");
        let told = told.lock().expect("unpoisoned").clone();
        common::says(&told[0].1, &["belongs to user 0", "this is user 65534", "remove it"]);
    });
}

#[test]
fn a_lock_that_its_mode_closes_is_reported_with_the_remedy() {
    alone(|home| {
        if !is_root() {
            return;
        }
        let directory = directory_with_lock(home, 0o000);
        give(&directory.join(LOCK), SERVICE);
        nix::unistd::setuid(SERVICE).expect("another user");
        let (told, builder) = telling(daily(&Hand::at(NOW)).max_log_files(2));
        let logs = builder.build(&directory).expect("builds");
        let lock = directory.join(LOCK);
        let text = format!(
            "cannot prune {}: Permission denied (os error 13); the file belongs to this user, whom its mode 0000 keeps \
             out: give it the mode 0600; the file stays; the next try follows at the next rollover, or by the next \
             process",
            lock.display()
        );
        assert_eq!(told.lock().expect("unpoisoned")[0].1, text);
        set_mode(&lock, 0o600);
        logs.prune().expect("the remedy helps");
    });
}

#[test]
fn only_who_may_write_to_the_logs_may_open_the_locks() {
    alone(|home| {
        let cases = [
            (0o022, None, 0o600),
            (0o002, None, 0o660),
            (0o000, None, 0o666),
            (0o077, None, 0o600),
            (0o022, Some(0o640), 0o600),
            (0o077, Some(0o664), 0o660),
            (0o077, Some(0o660), 0o660),
        ];
        for (number, (umask, file_mode, expected)) in cases.into_iter().enumerate() {
            let directory = home.join(number.to_string());
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(umask));
            let builder = daily(&Hand::at(NOW)).max_log_files(2).on_finished(|_, _| {});
            let builder = file_mode.into_iter().fold(builder, Builder::file_mode);
            builder.build(&directory).expect("builds").hand_over().expect("handed over");
            let hidden = hidden(&directory);
            assert!(hidden.len() >= 3, "{hidden:?}");
            for name in hidden {
                let mode = fs::metadata(directory.join(&name)).expect("there").mode() & 0o777;
                assert_eq!(mode, expected, "{name}: {mode:o}, not {expected:o}, at {umask:03o} {file_mode:?}");
            }
        }
    });
}

/// A process that has the lock and does nothing, as one that was stopped.
fn stopped_holder(lock: &Path) -> Pid {
    let ready = lock.with_file_name("ready");
    let holder = child(|| {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(lock).expect("opens");
        fcntl(&file, FcntlArg::F_SETLK(&byte(libc::F_WRLCK, 0))).expect("nobody has it");
        fs::write(&ready, "").expect("written");
        std::thread::sleep(std::time::Duration::from_secs(60));
    });
    eventually("it has the lock", || ready.exists());
    fs::remove_file(ready).expect("removed");
    holder
}

/// Logs a line a day, and lets each file rest after its day.
fn log_for_days(logs: &Appender, hand: &Hand, days: u64) {
    let usual = threads();
    for day in 0..days {
        for later in [0, 6, 14] {
            hand.set(NOW + day * DAY + later, 0);
            log(logs, "a line");
            eventually("the housekeeping is over", || threads() <= usual);
        }
        let when = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * DAY);
        File::options().write(true).open(logs.path()).and_then(|file| file.set_modified(when)).expect("set");
    }
}

#[test]
fn files_go_unseen_after_a_day_where_nobody_gets_the_turn() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        let holder = stopped_holder(&directory.join(TURN));
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand).max_log_files(3));
        let (given, builder) = given(builder);
        let logs = builder.build(&directory).expect("builds");
        log_for_days(&logs, &hand, 2);
        assert_eq!(names(&directory).len(), 2);
        log_for_days(&logs, &hand, 31);
        let told = told.lock().expect("unpoisoned").clone();
        assert!(names(&directory).len() <= 4, "{:?}; {told:?}", names(&directory));
        assert!(told.iter().any(|(_, text)| text.contains(&format!("process {holder}"))), "{told:?}");
        assert_eq!(all(&given), [""; 0]);
        // The turn comes free: the hook is waited for again.
        kill(holder, Signal::SIGKILL).expect("killed");
        waitpid(holder, None).expect("ends");
        assert!(logs.hand_over().expect("handed over") >= 2);
    });
}

#[test]
fn by_hand_files_go_that_could_not_be_handed_over_for_a_day() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        let holder = stopped_holder(&directory.join(TURN));
        let hand = Hand::at(NOW);
        // A worker, and those that take its place: none of them lives for a day.
        for day in 0..3 {
            let worker = child(|| {
                let (_, builder) = given(daily(&hand).on_error(|_| {}));
                let logs = builder.build(&directory).expect("builds");
                hand.set(NOW + day * DAY, 0);
                log(&logs, "a line");
                eventually("the housekeeping is over", || threads() == 1);
                let when = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * DAY);
                File::options().write(true).open(logs.path()).and_then(|file| file.set_modified(when)).expect("set");
            });
            assert_eq!(waitpid(worker, None).expect("ends"), WaitStatus::Exited(worker, 0));
        }
        hand.set(NOW + 3 * DAY, 0);
        let (_, builder) = given(daily(&hand).max_log_files(1).on_error(|_| {}));
        let pruned = builder.build(&directory).expect("builds").stats().files_pruned;
        kill(holder, Signal::SIGKILL).expect("killed");
        // The day of the third has been over for less than a day.
        assert_eq!(pruned, 2, "{:?}", names(&directory));
    });
}

#[test]
fn files_go_unseen_after_a_day_where_no_thread_can_start() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        set_mode(home, 0o777);
        set_mode(&directory, 0o777);
        without_threads();
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand).max_log_files(3));
        let (_, builder) = given(builder);
        let logs = builder.build(&directory).expect("builds");
        log_for_days(&logs, &hand, 31);
        let told = told.lock().expect("unpoisoned").clone();
        assert!(names(&directory).len() <= 4, "{:?}; {told:?}", names(&directory));
        assert!(!told.is_empty());
    });
}

/// From now on this process can start no thread.
fn without_threads() {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NPROC, 1, 1).expect("set");
    if Uid::effective().is_root() {
        // Root has no such limit.
        nix::unistd::setuid(SERVICE).expect("another user");
    }
}

#[cfg(feature = "gzip")]
#[test]
fn files_are_compressed_by_hand_where_no_thread_can_start() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        set_mode(home, 0o777);
        set_mode(&directory, 0o777);
        let old = old_files(&directory, 1);
        set_mode(&directory.join(&old[0]), 0o666);
        without_threads();
        let builder = daily(&Hand::at(NOW)).compress(tracing_prefork::Compression::Gzip);
        assert_eq!(builder.build(&directory).expect("builds").compress().expect("in place"), 1);
        assert_eq!(names(&directory), ["app.2026-10-01.log.gz", "app.2026-11-21.log"]);
    });
}

#[test]
fn whoever_has_a_turn_for_minutes_is_reported_by_number() {
    alone(|home| {
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        let holder = stopped_holder(&directory.join(LOCK));
        let hand = Hand::at(NOW);
        let (told, builder) = telling(daily(&hand).max_log_files(3));
        let logs = builder.build(&directory).expect("builds");
        for second in 0..10 * 60 {
            hand.set(NOW + second, 0);
            log(&logs, "an event each second");
            let count = told.lock().expect("unpoisoned").len();
            assert!(count == 0 || second >= 5 * 60, "after {second} seconds");
        }
        let told = told.lock().expect("unpoisoned").clone();
        kill(holder, Signal::SIGKILL).expect("killed");
        assert!(logs.stats().errors > 0);
        common::says(&told.first().expect("a report").1, &["cannot prune", &format!("process {holder} has been")]);
    });
}

#[test]
fn where_memory_is_short_old_files_go_or_the_failure_is_counted() {
    alone(|home| {
        use nix::sys::resource::{Resource, setrlimit};
        let mut ends = [0; 2];
        for number in 0..96_u64 {
            let directory = home.join(number.to_string());
            fs::create_dir(&directory).expect("made");
            let hand = Hand::at(NOW);
            let logs = daily(&hand).max_log_files(2).on_error(|_| {}).build(&directory).expect("builds");
            old_files(&directory, 5);
            let worker = child(|| {
                let status = fs::read_to_string("/proc/self/statm").expect("read");
                let pages: u64 = status.split(' ').next().and_then(|size| size.parse().ok()).expect("a number");
                // From no room for a stack to some more than that.
                let room = (pages + 480 + number) * 4096;
                setrlimit(Resource::RLIMIT_AS, room, room).expect("set");
                for second in [0, 1, 2, 8, 22, 50] {
                    hand.set(NOW + DAY + second, 0);
                    log(&logs, "a line");
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                eventually("the housekeeping is over", || threads() == 1);
                let kept = all_names(&directory).iter().filter(|name| !name.starts_with('.')).count();
                assert!(kept <= 2 || logs.stats().errors > 0, "{number}: {kept} files, in silence");
            });
            match waitpid(worker, None).expect("ends") {
                WaitStatus::Exited(_, 0) => ends[0] += 1,
                // An allocation that fails ends a program in Rust.
                WaitStatus::Signaled(_, Signal::SIGABRT | Signal::SIGSEGV, _) => ends[1] += 1,
                other => panic!("{number}: {other:?}"),
            }
        }
        writeln!(std::io::stderr(), "{} ended well, {} by an allocation that failed", ends[0], ends[1]).expect("told");
        assert!(ends[0] > 0);
    });
}
