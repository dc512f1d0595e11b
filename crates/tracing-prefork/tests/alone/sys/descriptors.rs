//! Programs that close descriptors which they do not know, take their numbers, or lower the limit on numbers. Each test
//! runs in a process of its own.

use crate::common::{DAY, Hand, NOW, TODAY, Told, alone, eventually, log, names, operations, read, telling, threads};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::statfs::{EXT4_SUPER_MAGIC, statfs};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tracing_prefork::{Appender, Operation, Rotation};

/// The open descriptors of this process that lead into `directory`, and their paths.
pub(super) fn descriptors(directory: &Path) -> Vec<(RawFd, String)> {
    let entries = fs::read_dir("/proc/self/fd").expect("listed").filter_map(|entry| entry.ok());
    let open = entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let leads_to = fs::read_link(entry.path()).ok()?;
        // Log files only: the record of the names and the settings stay open, too.
        let is_hidden = |path: &str| [".names", ".settings"].iter().any(|end| path.ends_with(end));
        let is_log = leads_to.starts_with(directory) && !leads_to.to_str().is_some_and(is_hidden);
        is_log.then(|| (number, leads_to.to_str().unwrap_or_default().to_owned()))
    });
    open.collect()
}

fn numbers(directory: &Path) -> Vec<RawFd> {
    descriptors(directory).into_iter().map(|(number, _)| number).collect()
}

/// What `closefrom(3)` does.
pub(super) fn close_from_3() {
    for number in 3..5000 {
        let _ = nix::unistd::close(number);
    }
}

/// A file of the program's own.
pub(super) fn database(directory: &Path, name: &str) -> File {
    let path = directory.join(name);
    let mut file = File::options().create_new(true).read(true).write(true).open(path).expect("made");
    file.write_all(b"the first bytes of a database").expect("written");
    file
}

/// Gives a file the number that the program is said to use for it.
fn put_at(number: RawFd, file: &File) -> OwnedFd {
    // SAFETY: the number is closed, or a descriptor that the program has no right to close, which is what is tested.
    unsafe { OwnedFd::from_raw_fd(nix::libc::dup2(file.as_raw_fd(), number)) }
}

pub(super) fn is_at(number: RawFd, file: &File) -> bool {
    let there = fs::metadata(format!("/proc/self/fd/{number}")).map(|found| (found.dev(), found.ino()));
    let own = file.metadata().map(|found| (found.dev(), found.ino())).expect("open");
    there.is_ok_and(|there| there == own)
}

fn daily(hand: &Hand, directory: &Path) -> (Told, Appender) {
    let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY));
    (told, builder.build(directory).expect("builds"))
}

pub(super) const UNCHANGED: &str = "the first bytes of a database";

#[test]
fn a_program_that_closes_all_and_opens_files_keeps_them() {
    alone(|directory| {
        for (case, step) in [("same-second", 0), ("set-back", -50_i64)] {
            let directory = directory.join(case);
            let hand = Hand::at(NOW);
            let (told, logs) = daily(&hand, &directory);
            log(&logs, "before");
            close_from_3();
            let _own: Vec<_> = (0..8).map(|number| database(&directory, &format!("database.{number}"))).collect();
            hand.set(NOW.saturating_add_signed(step), 0);
            for number in 0..5 {
                log(&logs, &number.to_string());
            }
            hand.set(NOW + DAY, 0);
            log(&logs, "rolled over");
            for number in 0..8 {
                assert_eq!(read(&directory, &format!("database.{number}")), UNCHANGED, "{case}");
            }
            assert_eq!(read(&directory, TODAY), "before\n0\n1\n2\n3\n4\n", "{case}");
            assert_eq!(read(&directory, "app.2026-11-22.log"), "rolled over\n", "{case}");
            assert_eq!(operations(&told), [Operation::Reopen], "{case}");
            let stats = logs.stats();
            assert_eq!((stats.writes, stats.lines_lost, stats.files_reopened), (7, 0, 1), "{case}: {stats:?}");
        }
    });
}

#[test]
fn reopen_opens_the_file_of_a_closed_descriptor_again() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let (told, logs) = daily(&hand, directory);
        log(&logs, "before");
        close_from_3();
        fs::rename(directory.join(TODAY), directory.join("moved")).expect("renamed");
        fs::create_dir(directory.join(TODAY)).expect("in the way");
        logs.reopen().expect_err("a directory is in the way");
        fs::remove_dir(directory.join(TODAY)).expect("removed");
        logs.reopen().expect("opens the file");
        assert_eq!(read(directory, TODAY), "", "before any line");
        log(&logs, "after");
        assert_eq!((read(directory, "moved").as_str(), read(directory, TODAY).as_str()), ("before\n", "after\n"));
        assert_eq!((logs.stats().files_reopened, operations(&told)), (1, vec![]));
    });
}

#[test]
fn appenders_never_get_the_number_that_another_one_has_lost() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let logs: Vec<_> = (0..5).map(|number| daily(&hand, &directory.join(number.to_string())).1).collect();
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
            close_from_3();
            // Twice each: the second line is the one for which a file is opened that stays open.
            for appender in order.into_iter().flat_map(|appender| [appender, appender]) {
                log(&logs[appender], &appender.to_string());
            }
        }
        for appender in 0..5 {
            let expected = format!("{appender}\n").repeat(6);
            assert_eq!(read(&directory.join(appender.to_string()), TODAY), expected);
        }
    });
}

#[test]
fn a_file_put_at_the_number_of_a_log_is_not_overwritten() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let (told, logs) = daily(&hand, directory);
        log(&logs, "before");
        let [number] = numbers(directory)[..] else { panic!("{:?}", descriptors(directory)) };
        let own = database(directory, "database");
        let at = put_at(number, &own);
        log(&logs, "after");
        let text = read(directory, "database");
        if statfs(directory).expect("asked").filesystem_type() == EXT4_SUPER_MAGIC {
            assert_eq!(text, UNCHANGED);
            assert_eq!(read(directory, TODAY), "before\nafter\n");
            assert_eq!(operations(&told), [Operation::Reopen]);
        } else {
            writeln!(std::io::stderr(), "SKIPPED in part: this file system lets files be as large as can be")
                .expect("told");
            assert!(text.starts_with(UNCHANGED), "{text}");
        }
        hand.set(NOW + 1, 0);
        log(&logs, "in the next second");
        hand.set(NOW + DAY, 0);
        log(&logs, "rolled over");
        assert!(is_at(at.as_raw_fd(), &own), "the program's descriptor leads elsewhere");
        assert!(read(directory, TODAY).ends_with("in the next second\n"));
    });
}

#[test]
fn a_file_with_a_removed_logs_inode_and_number_is_left_alone() {
    alone(|directory| {
        let hand = Hand::at(NOW);
        let (_told, logs) = daily(&hand, directory);
        log(&logs, "before");
        let inode = fs::metadata(logs.path()).expect("there").ino();
        let numbers = numbers(directory);
        // The kernel sets times of birth at its ticks.
        std::thread::sleep(Duration::from_millis(30));
        fs::remove_file(logs.path()).expect("removed");
        for number in &numbers {
            nix::unistd::close(*number).expect("closed");
        }
        // Other processes make files as well.
        let mut tries = (0..200).map(|number| database(directory, &format!("database.{number}")));
        let Some(own) = tries.find(|own| own.metadata().expect("open").ino() == inode) else {
            writeln!(std::io::stderr(), "SKIPPED: the inode was not given to the next file").expect("told");
            return;
        };
        let kept: Vec<_> = numbers
            .into_iter()
            .filter(|number| *number != own.as_raw_fd())
            .map(|number| put_at(number, &own))
            .collect();
        for day in 1..4 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "rolled over");
        }
        for number in kept.iter().map(|kept| kept.as_raw_fd()).chain([own.as_raw_fd()]) {
            let there = fs::metadata(format!("/proc/self/fd/{number}")).expect("open").ino();
            assert_eq!(there, inode, "{number} leads elsewhere: {:?}", descriptors(directory));
        }
        let path = fs::read_dir(directory).expect("listed").filter_map(|entry| entry.ok());
        let path = path.map(|entry| entry.path()).find(|path| path.metadata().is_ok_and(|found| found.ino() == inode));
        assert_eq!(fs::read_to_string(path.expect("there")).expect("read"), UNCHANGED);
        assert_eq!(read(directory, "app.2026-11-24.log"), "rolled over\n");
    });
}

/// From now on this process gets no number from `soft` on.
fn limit_numbers(soft: u64) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("read");
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("set");
}

fn logs_through_days(hand: &Hand, logs: &Appender, directory: &Path, days: std::ops::Range<u64>) {
    for day in days {
        hand.set(NOW + day * DAY, 0);
        log(logs, &format!("day {day}"));
        let open = descriptors(directory);
        assert!(open.len() <= 2, "day {day}: {open:?}");
    }
}

#[test]
fn a_lowered_descriptor_limit_misplaces_and_leaks_nothing() {
    alone(|directory| {
        // Low numbers are taken when the appender is built, and free afterwards.
        let taken: Vec<_> = (0..30).map(|_| File::open("/dev/null").expect("opens")).collect();
        let hand = Hand::at(NOW);
        let (told, logs) = daily(&hand, directory);
        logs_through_days(&hand, &logs, directory, 0..2);
        drop(taken);
        // SAFETY: one thread runs code of ours; the child ends by `_exit`.
        match unsafe { fork() }.expect("forks") {
            ForkResult::Child => {
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    limit_numbers(12);
                    logs_through_days(&hand, &logs, directory, 1..6);
                }));
                // SAFETY: leaves without running the parent's exit handlers.
                unsafe { nix::libc::_exit(i32::from(ended.is_err())) }
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0), "the child failed");
            }
        }
        limit_numbers(12);
        logs_through_days(&hand, &logs, directory, 2..8);
        // Some seconds into the day the file of the day before is let go.
        hand.set(NOW + 7 * DAY + 60, 0);
        log(&logs, "later");
        let held = logs.files().expect("listed").into_iter().filter(|file| file.open);
        assert_eq!(held.map(|file| file.path).collect::<Vec<_>>(), [logs.path()], "leases leak");
        for (day, name) in names(directory).iter().enumerate() {
            let times = if (1..6).contains(&day) { 2 } else { 1 };
            let expected = format!("day {day}\n").repeat(times) + if day == 7 { "later\n" } else { "" };
            assert_eq!(read(directory, name), expected, "{name}");
        }
        assert_eq!((names(directory).len(), operations(&told)), (8, vec![]));
        drop(logs);
        assert_eq!(descriptors(directory), []);
    });
}

#[test]
fn a_child_with_shared_descriptors_leaves_them_as_they_are() {
    alone(|directory| {
        use nix::libc;
        let hand = Hand::at(NOW);
        let (_told, logs) = daily(&hand, directory);
        logs_through_days(&hand, &logs, directory, 0..2);
        // SAFETY: one thread runs code of ours; the child allocates nothing, and ends by `_exit`.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_FILES | libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            let failed = (1..4).any(|day| {
                hand.set(NOW + day * DAY, 0);
                (&logs).write_all(b"child\n").is_err()
            });
            // SAFETY: leaves without running the parent's exit handlers.
            unsafe { libc::_exit(i32::from(failed)) }
        }
        let child = nix::unistd::Pid::from_raw(child as i32);
        assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0), "the child failed");
        for day in [1, 0, 2, 3] {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "parent");
        }
        assert_eq!(read(directory, TODAY), "day 0\nparent\n");
        assert_eq!(read(directory, "app.2026-11-22.log"), "day 1\nchild\nparent\n");
        assert_eq!(read(directory, "app.2026-11-23.log"), "child\nparent\n");
        assert_eq!(read(directory, "app.2026-11-24.log"), "child\nparent\n");
    });
}

/// Waits until the housekeeping has ended: a thread's name does not tell, as a new one gets its name when it runs.
pub(super) fn housekeeping_ends(idle: usize) {
    eventually("the housekeeping ends", || threads() == idle);
}

fn is_free(number: RawFd) -> bool {
    // SAFETY: only asks about a number.
    unsafe { nix::libc::fcntl(number, nix::libc::F_GETFD) == -1 }
}

/// Does some work while 0, 1 and 2 are closed. Says which of the three are open in the end.
pub(super) fn without_standard_numbers(work: impl FnOnce()) -> Vec<RawFd> {
    use nix::libc;
    // SAFETY: numbers of this process, in which nothing else runs; the three lead where they led before in the end.
    let kept = [0, 1, 2].map(|number| unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 500) });
    (0..3).for_each(|number| nix::unistd::close(number).expect("closed"));
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let open = (0..3).filter(|number| !is_free(*number)).collect();
    for (number, kept) in (0..3).zip(kept) {
        // SAFETY: as above.
        assert_eq!(unsafe { libc::dup2(kept, number) }, number);
    }
    if let Err(payload) = done {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        panic!("{}", text.or_else(|| payload.downcast_ref().copied()).unwrap_or_default());
    }
    open
}

#[test]
fn a_child_forked_during_an_open_finds_closed_numbers_closed() {
    alone(|directory| {
        let (idle, hand) = (threads(), Hand::at(NOW));
        let logs = hand.builder().rotation(Rotation::SECONDLY).max_log_files(2).build(directory).expect("builds");
        let ended = AtomicBool::new(false);
        let mut open_in_children = 0;
        let open = without_standard_numbers(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for second in 0.. {
                        hand.set(NOW + second, 0);
                        log(&logs, "line");
                        if ended.load(SeqCst) {
                            break;
                        }
                    }
                });
                for _ in 0..300 {
                    // SAFETY: the child asks about numbers, and ends by `_exit`.
                    match unsafe { fork() }.expect("forks") {
                        ForkResult::Child => {
                            let open = (0..3).filter(|number| !is_free(*number)).count();
                            // SAFETY: leaves without running the parent's exit handlers.
                            unsafe { nix::libc::_exit(open as i32) }
                        }
                        ForkResult::Parent { child } => {
                            let status = waitpid(child, None).expect("waits");
                            open_in_children += usize::from(status != WaitStatus::Exited(child, 0));
                        }
                    }
                }
                ended.store(true, SeqCst);
            });
            housekeeping_ends(idle);
        });
        assert_eq!((open_in_children, open), (0, vec![]));
    });
}
