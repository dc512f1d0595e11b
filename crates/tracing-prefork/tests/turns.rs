//! Whose turn it is: the hidden files behind which one process at a time prunes, compresses and hands over.

mod common;

use common::hook::{RECORD, all, daily, given, name, note};
use common::{
    DAY, Hand, LOCK, NOW, all_names, alone, dated, eventually, files, log, names, read, telling, write_files,
};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, Uid, fork};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tracing_prefork::{Appender, Builder, Rotation};

/// Has a byte of a file locked, as another process has it, until it is dropped.
fn hold(path: &Path) -> File {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path).expect("opens");
    fcntl(&file, FcntlArg::F_OFD_SETLK(&byte(libc::F_WRLCK, 0))).expect("nobody has it");
    file
}

fn byte(kind: libc::c_int, start: i64) -> libc::flock {
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_start, lock.l_len) = (kind as libc::c_short, start, 1);
    lock
}

/// The hidden files, but for the record of names, on which nobody takes a lock.
fn hidden(directory: &Path) -> Vec<String> {
    all_names(directory).into_iter().filter(|name| name.starts_with('.') && !name.ends_with(".names")).collect()
}

#[test]
fn appenders_that_only_the_date_format_or_the_rotation_tells_apart_do_not_wait_for_each_other() {
    let formats = [
        (Rotation::DAILY, "%Y/%m/app-%d.log"),
        (Rotation::DAILY, "%Y/%m/error-%d.log"),
        (Rotation::HOURLY, "%Y-%m-%d-%H"),
        (Rotation::DAILY, "%Y-%m-%d"),
        (Rotation::DAILY, "%Y%m%d"),
    ];
    for (rotation, format) in &formats {
        for (other_rotation, other_format) in formats.iter().filter(|other| other.1 != *format) {
            let directory = tempfile::tempdir().expect("a directory");
            let build = |rotation: &Rotation, format, at| {
                let logs = dated(&Hand::at(at), rotation.clone(), format).max_log_files(1).build(directory.path());
                logs.expect("builds")
            };
            // A round of the other is under way for as long as this test takes.
            drop(build(other_rotation, other_format, NOW));
            let _held: Vec<_> =
                hidden(directory.path()).iter().map(|name| hold(&directory.path().join(name))).collect();
            drop(build(rotation, format, NOW - DAY));
            let before = files(directory.path());
            drop(build(rotation, format, NOW));
            assert_eq!(files(directory.path()).len(), before.len(), "{format} beside {other_format}: {before:?}");
        }
    }
}

#[test]
fn the_same_names_written_in_another_way_have_the_same_hidden_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    drop(dated(&hand, Rotation::DAILY, "%Y-%m-%d").max_log_files(1).build(directory.path()).expect("builds"));
    let before = hidden(directory.path());
    let clock = hand.clone();
    let other = Appender::builder().rotation(Rotation::WEEKLY).clock(move || clock.now()).max_log_files(1);
    drop(other.build(directory.path()).expect("builds"));
    drop(
        dated(&hand, Rotation::DAILY, "[year]-[month]-[day]").max_log_files(1).build(directory.path()).expect("builds"),
    );
    assert_eq!(hidden(directory.path()), before);
    assert_eq!(before.len(), 1);
}

#[test]
fn hidden_names_are_never_longer_than_a_name_may_be() {
    let directory = tempfile::tempdir().expect("a directory");
    for part in ["x".repeat(130), "日".repeat(43)] {
        let hand = Hand::at(NOW);
        let build = |hand: &Hand| {
            let builder = dated(hand, Rotation::DAILY, "%Y/%m-%d").max_log_files(1).on_rollover(|_, _| {});
            builder.filename_prefix(&*part).filename_suffix(&*part).build(directory.path()).expect("builds")
        };
        drop(build(&Hand::at(NOW - DAY)));
        let logs = build(&hand);
        eventually("it is let go, and handed over", || logs.hand_over().expect("handed over") == 1);
        assert_eq!(logs.prune().expect("prunes"), 1);
        assert_eq!(logs.stats().errors, 0);
    }
}

#[test]
fn a_round_of_pruning_that_was_refused_is_tried_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = hand.builder().rotation(Rotation::DAILY).max_log_files(2).build(directory.path()).expect("builds");
    write_files(directory.path(), &["app.2026-11-18.log", "app.2026-11-19.log", "app.2026-11-20.log"]);
    let locks = hidden(directory.path());
    let other = hold(&directory.path().join(&locks[0]));
    hand.set(NOW + DAY, 0);
    log(&logs, "rolls over, while another process prunes");
    drop(other);
    let second = std::cell::Cell::new(NOW + DAY);
    eventually("the next round comes without a rollover", || {
        second.set(second.get() + 1);
        hand.set(second.get(), 0);
        log(&logs, "an event each second");
        assert!(second.get() < NOW + DAY + DAY / 2, "not in hours: {:?}", names(directory.path()));
        names(directory.path()).len() == 2
    });
}

/// The lock behind which daily files of [`Hand::builder`] are handed over.
const TURN: &str = ".app.DATE.log.d10ea686.rollover.lock";

fn old_files(directory: &Path, count: usize) -> Vec<String> {
    let names: Vec<_> = (1..=count).map(|day| format!("app.2026-10-{day:02}.log")).collect();
    write_files(directory, &names.iter().map(String::as_str).collect::<Vec<_>>());
    names
}

/// In a child, which has a single thread as its parent has.
fn child(work: impl FnOnce()) -> Pid {
    // SAFETY: only in tests that run alone.
    match unsafe { fork() }.expect("forks") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: nothing of the parent's is to run.
            unsafe { libc::_exit(i32::from(done.is_err())) }
        }
    }
}

fn noted(path: &Path) -> Vec<String> {
    let mut noted: Vec<_> = fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect();
    noted.sort();
    noted
}

#[test]
fn a_lock_that_is_removed_while_it_is_held_has_no_file_handed_over_by_two() {
    alone("a_lock_that_is_removed_while_it_is_held_has_no_file_handed_over_by_two", &[], |home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        let old = old_files(&directory, 10);
        let (own, there, path) = (std::process::id(), directory.clone(), notes.clone());
        let build = || {
            let (there, path) = (there.clone(), path.clone());
            let builder = daily(&Hand::at(NOW)).on_rollover(move |finished, _| {
                note(&path, &name(finished));
                // In the middle of its round, the first time.
                if std::process::id() == own && noted(&path).len() == 3 {
                    fs::remove_file(there.join(TURN)).expect("removed");
                    let other = child(|| {
                        let path = path.clone();
                        let other = daily(&Hand::at(NOW)).on_rollover(move |finished, _| note(&path, &name(finished)));
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
fn a_program_that_opens_and_closes_the_lock_itself_does_not_lose_it() {
    alone("a_program_that_opens_and_closes_the_lock_itself_does_not_lose_it", &[], |home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        old_files(&directory, 1);
        let (there, path) = (directory.clone(), notes.clone());
        let logs = daily(&Hand::at(NOW)).on_rollover(move |finished, _| {
            note(&path, &name(finished));
            // A backup, or another copy of this library.
            let file = File::options().read(true).write(true).open(there.join(TURN)).expect("opens");
            let taken = fcntl(&file, FcntlArg::F_OFD_SETLK(&byte(libc::F_WRLCK, 1)));
            drop(file);
            assert!(taken.is_err(), "two holders in one process");
            let other = child(|| {
                let path = path.clone();
                let other = daily(&Hand::at(NOW)).on_rollover(move |finished, _| note(&path, &name(finished)));
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
    alone("a_killed_holder_frees_the_lock_although_its_child_lives_on", &[], |home| {
        let (directory, notes) = (home.join("logs"), home.join("notes"));
        fs::create_dir(&directory).expect("made");
        old_files(&directory, 1);
        let path = notes.clone();
        let holder = child(|| {
            let logs = daily(&Hand::at(NOW)).on_rollover(move |_, _| {
                let idle = child(|| std::thread::sleep(std::time::Duration::from_secs(60)));
                note(&path, &idle.to_string());
                kill(Pid::this(), Signal::SIGKILL).expect("killed");
            });
            let _ = logs.build(&directory).expect("builds").hand_over();
        });
        waitpid(holder, None).expect("ends");
        let idle = Pid::from_raw(noted(&notes)[0].parse().expect("a number"));
        assert!(kill(idle, None).is_ok(), "it lives");
        let logs = daily(&Hand::at(NOW)).on_rollover(|_, _| {}).build(&directory).expect("builds");
        let handed_over = logs.hand_over();
        kill(idle, Signal::SIGKILL).expect("killed");
        assert_eq!(handed_over.expect("nobody has the turn"), 1);
    });
}

#[test]
fn a_record_that_is_a_hard_link_leaves_the_other_file_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, foreign) = (directory.path().join(RECORD), directory.path().join("foreign"));
    old_files(directory.path(), 2);
    fs::write(&foreign, "precious\n").expect("written");
    fs::hard_link(&foreign, &record).expect("linked");
    let (given, builder) = given(daily(&Hand::at(NOW)));
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(logs.hand_over().expect("handed over"), 2);
    assert_eq!(read(directory.path(), "foreign"), "precious\n");
    // A snapshot by hard links, as `cp -al` makes it, costs nothing of what is known.
    let snapshot = directory.path().join("snapshot");
    fs::hard_link(&record, &snapshot).expect("linked");
    let before = fs::read_to_string(&snapshot).expect("read");
    write_files(directory.path(), &["app.2026-10-03.log"]);
    assert_eq!(logs.hand_over().expect("handed over"), 1);
    assert_eq!(fs::read_to_string(&snapshot).expect("read"), before);
    assert_eq!(all(&given), ["app.2026-10-01.log", "app.2026-10-02.log", "app.2026-10-03.log"]);
    assert_eq!(logs.stats().errors, 0);
}

#[test]
fn a_record_of_a_gigabyte_is_set_aside_and_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let record = directory.path().join(RECORD);
    File::create(&record).and_then(|file| file.set_len(1 << 30)).expect("made");
    old_files(directory.path(), 2);
    let (told, builder) = telling(daily(&Hand::at(NOW)));
    let (given, builder) = given(builder);
    let logs = builder.build(directory.path()).expect("builds");
    assert_eq!(logs.hand_over().expect("handed over"), 2);
    assert_eq!(all(&given).len(), 2);
    assert!(fs::metadata(&record).expect("there").len() < 1 << 16);
    assert_eq!(fs::metadata(directory.path().join(format!("{RECORD}.bad"))).expect("there").len(), 1 << 30);
    common::says(&told.lock().expect("unpoisoned")[0].1, &["larger than a record can be", "rollover.bad now"]);
}

fn is_root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        writeln!(std::io::stderr(), "SKIPPED: only root can become another user").expect("told");
    }
    root
}

const SERVICE: Uid = Uid::from_raw(65_534);
const STRANGER: Uid = Uid::from_raw(65_533);

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

fn give(path: &Path, user: Uid) {
    nix::unistd::chown(path, Some(user), None).expect("given away");
}

#[test]
fn a_strangers_record_in_a_sticky_directory_is_neither_believed_nor_written_to() {
    alone("a_strangers_record_in_a_sticky_directory_is_neither_believed_nor_written_to", &[], |home| {
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
fn hidden_files_that_root_has_left_in_a_services_directory_stop_nothing() {
    alone("hidden_files_that_root_has_left_in_a_services_directory_stop_nothing", &[], |home| {
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
fn hidden_files_that_root_makes_in_a_services_directory_belong_to_the_service() {
    alone("hidden_files_that_root_makes_in_a_services_directory_belong_to_the_service", &[], |home| {
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

#[test]
fn a_lock_of_another_user_that_cannot_be_replaced_is_reported_with_the_remedy() {
    alone("a_lock_of_another_user_that_cannot_be_replaced_is_reported_with_the_remedy", &[], |home| {
        if !is_root() {
            return;
        }
        let directory = home.join("logs");
        fs::create_dir(&directory).expect("made");
        set_mode(home, 0o755);
        set_mode(&directory, 0o777);
        fs::write(directory.join(LOCK), "").expect("written");
        set_mode(&directory.join(LOCK), 0o600);
        nix::unistd::setuid(SERVICE).expect("another user");
        let (told, builder) = telling(daily(&Hand::at(NOW)).max_log_files(2));
        let _logs = builder.build(&directory).expect("builds");
        let told = told.lock().expect("unpoisoned").clone();
        common::says(&told[0].1, &["belongs to user 0", "this is user 65534", "remove it"]);
    });
}

#[test]
fn only_who_may_write_to_the_logs_may_open_the_locks() {
    alone("only_who_may_write_to_the_logs_may_open_the_locks", &[], |home| {
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
            let builder = daily(&Hand::at(NOW)).max_log_files(2).on_rollover(|_, _| {});
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

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
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
fn files_that_nobody_can_take_the_turn_to_hand_over_go_after_a_day_with_a_report() {
    alone("files_that_nobody_can_take_the_turn_to_hand_over_go_after_a_day_with_a_report", &[], |home| {
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
    alone("by_hand_files_go_that_could_not_be_handed_over_for_a_day", &[], |home| {
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
fn files_that_no_thread_can_be_started_to_hand_over_go_after_a_day_with_a_report() {
    alone("files_that_no_thread_can_be_started_to_hand_over_go_after_a_day_with_a_report", &[], |home| {
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
fn by_hand_files_are_compressed_in_place_where_no_thread_can_be_started() {
    alone("by_hand_files_are_compressed_in_place_where_no_thread_can_be_started", &[], |home| {
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
fn somebody_who_has_had_a_turn_for_minutes_is_reported_by_number() {
    alone("somebody_who_has_had_a_turn_for_minutes_is_reported_by_number", &[], |home| {
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
    alone("where_memory_is_short_old_files_go_or_the_failure_is_counted", &[], |home| {
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

#[cfg(feature = "gzip")]
#[test]
fn a_panic_in_the_thread_of_the_housekeeping_is_counted_and_old_files_go_all_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let clock = hand.clone();
    let builder = hand.builder().rotation(Rotation::DAILY).max_log_files(2).on_error(|_| {});
    let builder = builder.compress(tracing_prefork::Compression::Gzip).clock(move || {
        assert_ne!(std::thread::current().name(), Some("log-retention"), "on purpose");
        clock.now()
    });
    let logs = builder.build(directory.path()).expect("builds");
    old_files(directory.path(), 5);
    let second = std::cell::Cell::new(NOW + DAY);
    eventually("old files go, and that is counted", || {
        hand.set(second.get(), 0);
        second.set(second.get() + 1);
        log(&logs, "an event each second");
        names(directory.path()).len() == 2 && logs.stats().errors > 0
    });
}
