//! The lease: which process may still write to a file, what holds when the kernel refuses such a lock, and who lets go
//! of it when.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod common;

use common::{DAY, Hand, NOW, alone, log, names, operations, read, says, telling};
use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Uid, fork, setuid};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tracing_prefork::{Appender, Operation, Rotation};
#[cfg(feature = "gzip")]
use tracing_subscriber::fmt::MakeWriter;

const TODAY: &str = "app.2026-11-21.log";

fn daily(hand: &Hand, directory: &Path) -> Appender {
    hand.builder().rotation(Rotation::DAILY).build(directory).expect("builds")
}

/// An appender that prunes all but the newest file, by a clock that is two days ahead.
fn pruning(directory: &Path) -> Appender {
    let hand = Hand::at(NOW + 2 * DAY);
    hand.builder().rotation(Rotation::DAILY).max_log_files(1).build(directory).expect("builds")
}

/// From now on the kernel answers ENOLCK to this thread when it asks for an open file description lock. `false`, and a
/// word about it, where that cannot be arranged.
fn refuse_locks() -> bool {
    const NUMBER: u32 = 0;
    // The low half of the second argument, on a machine that stores low halves first.
    const COMMAND: u32 = 16 + 8;
    let load = |offset| libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: offset };
    let unless = |value, skip| libc::sock_filter { code: 0x15, jt: 0, jf: skip, k: value };
    let answer = |k| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k };
    let mut program = [
        load(NUMBER),
        unless(libc::SYS_fcntl as u32, 3),
        load(COMMAND),
        unless(libc::F_OFD_SETLK as u32, 1),
        answer(libc::SECCOMP_RET_ERRNO | Errno::ENOLCK as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program is there for the length of the call, which copies it.
    let set = cfg!(target_endian = "little")
        && unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
    if !set {
        writeln!(std::io::stderr(), "SKIPPED: no system call may be filtered: {}", Errno::last()).expect("told");
    }
    set
}

/// Runs `work` in a thread that gets no locks, and `beside` in this one; does nothing where that cannot be arranged.
fn without_locks(work: impl FnOnce() + Send, beside: impl FnOnce()) {
    if !thread::spawn(refuse_locks).join().expect("no panic") {
        return;
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            refuse_locks();
            work();
        });
        beside();
    });
}

#[test]
fn lines_of_a_process_that_gets_no_lease_are_there_although_another_process_prunes_its_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let (told, builder) = telling(Hand::at(NOW).builder().rotation(Rotation::DAILY));
    let (written, wait_for_line) = mpsc::channel();
    let (pruned, wait_for_pruner) = mpsc::channel();
    let writer = move || {
        let logs = builder.build(directory).expect("builds");
        log(&logs, "1");
        written.send(()).expect("sent");
        wait_for_pruner.recv().expect("received");
        (2..=21).for_each(|number| log(&logs, &number.to_string()));
        let expected: String = (2..=21).map(|number| format!("{number}\n")).collect();
        assert_eq!(read(directory, TODAY), expected);
        assert_eq!((logs.stats().lines, logs.stats().lines_lost), (21, 0));
        assert!(operations(&told).contains(&Operation::Lease), "{told:?}");
        says(&told.lock().expect("unpoisoned")[0].1, &[TODAY, "No locks available"]);
    };
    without_locks(writer, || {
        wait_for_line.recv().expect("received");
        pruning(directory);
        assert_eq!(names(directory), ["app.2026-11-23.log"], "nothing tells the pruner");
        pruned.send(()).expect("sent");
    });
}

#[test]
fn a_process_that_gets_no_lease_keeps_trying() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY));
    let logs = builder.build(directory.path()).expect("builds");
    let first = || {
        (0..10).for_each(|_| log(&logs, "without a lease"));
        assert_eq!(logs.stats().errors, 1, "tried once a second");
        assert_eq!(operations(&told), [Operation::Lease]);
    };
    without_locks(first, || ());
    hand.set(NOW + 1, 0);
    log(&logs, "with a lease");
    pruning(directory.path());
    assert_eq!(names(directory.path()), [TODAY, "app.2026-11-23.log"]);
}

#[test]
fn a_pruner_that_gets_no_lock_removes_nothing_and_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    fs::write(directory.join(TODAY), "a line\n").expect("written");
    let logs = Hand::at(NOW + 2 * DAY).builder().rotation(Rotation::DAILY).max_log_files(1);
    let (told, builder) = telling(logs);
    let pruner = move || {
        let logs = builder.build(directory).expect("builds");
        let error = logs.prune().expect_err("the kernel refuses the lock");
        says(&error.to_string(), &["cannot prune", "No locks available"]);
        assert_eq!(operations(&told), [Operation::Retention]);
        assert_eq!(names(directory), [TODAY, "app.2026-11-23.log"]);
    };
    without_locks(pruner, || ());
}

#[test]
fn the_file_that_a_parent_opened_at_build_and_never_wrote_to_is_pruned() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let idle = daily(&hand, directory.path());
    pruning(directory.path());
    assert_eq!(names(directory.path()), ["app.2026-11-23.log"]);
    // By the clock of the idle process that day is not over.
    log(&idle, "the first line");
    log(&idle, "the second line");
    assert_eq!(read(directory.path(), TODAY), "the first line\nthe second line\n");
    pruning(directory.path());
    assert_eq!(names(directory.path()), [TODAY, "app.2026-11-23.log"], "now it is in use");
}

#[cfg(feature = "gzip")]
#[test]
fn the_file_that_a_parent_opened_at_build_and_never_wrote_to_is_compressed_and_handed_over() {
    use tracing_prefork::Compression;
    alone(
        "the_file_that_a_parent_opened_at_build_and_never_wrote_to_is_compressed_and_handed_over",
        &[],
        |directory| {
            let hand = Hand::at(NOW);
            let (hook, handed_over) = mpsc::channel();
            let builder = hand.builder().rotation(Rotation::DAILY).compress(Compression::Gzip);
            let parent = builder.on_rollover(move |path, _| hook.send(path.to_owned()).expect("sent"));
            let parent = parent.build(directory).expect("builds");
            // SAFETY: the process has one thread; the child ends by `_exit`.
            match unsafe { fork() }.expect("forks") {
                ForkResult::Child => {
                    log(&parent, "a line of the child");
                    // SAFETY: leaves without running the parent's exit handlers.
                    unsafe { libc::_exit(0) }
                }
                ForkResult::Parent { child } => {
                    assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0));
                }
            }
            hand.set(NOW + 2 * DAY, 0);
            let other = daily(&hand, directory);
            log(&other, "a line of another process");
            assert_eq!(parent.compress().expect("compresses"), 1);
            assert_eq!(parent.hand_over().expect("hands over"), 1);
            assert_eq!(handed_over.try_recv().expect("called"), directory.join(format!("{TODAY}.gz")));
        },
    );
}

#[cfg(feature = "gzip")]
#[test]
fn by_hand_a_process_lets_go_of_the_ended_file_that_it_wrote_last() {
    use tracing_prefork::Compression;
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = || hand.builder().rotation(Rotation::DAILY);
    let idle = builder().compress(Compression::Gzip).build(directory.path()).expect("builds");
    let mut late = idle.make_writer();
    late.write_all(b"begun on the first day").expect("kept");
    log(&idle, "the last line before a pause");
    assert_eq!(idle.compress().expect("compresses"), 0, "the day is not over");
    hand.set(NOW + DAY, 0);
    let hook = |path: &Path, _| assert!(path.ends_with(TODAY), "{path:?}");
    let other = builder().on_rollover(hook).build(directory.path()).expect("builds");
    assert_eq!(other.hand_over().expect("hands over"), 0, "the idle process holds the file");
    assert_eq!(idle.compress().expect("compresses"), 1);
    log(&idle, "the first line after it");
    drop(late);
    assert_eq!(read(directory.path(), TODAY), "begun on the first day\n");
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), "the first line after it\n");
    assert_eq!((idle.stats().errors, idle.stats().lines_lost), (0, 0));
}

#[test]
fn a_process_that_may_open_nothing_any_more_writes_to_what_was_opened_at_build() {
    let name = "a_process_that_may_open_nothing_any_more_writes_to_what_was_opened_at_build";
    alone(name, &[], |directory| {
        if !Uid::effective().is_root() {
            writeln!(std::io::stderr(), "SKIPPED: only root can drop its rights").expect("told");
            return;
        }
        let logs_directory = directory.join("logs");
        let logs = daily(&Hand::at(NOW), &logs_directory);
        fs::set_permissions(&logs_directory, fs::Permissions::from_mode(0o700)).expect("set");
        let file = File::open(logs_directory.join(TODAY)).expect("opens");
        let lines = || {
            (&file).rewind().expect("rewound");
            std::io::read_to_string(&file).expect("readable").lines().count()
        };
        // SAFETY: the process has one thread; the child ends by `_exit`.
        match unsafe { fork() }.expect("forks") {
            ForkResult::Child => {
                setuid(Uid::from_raw(65_534)).expect("drops its rights");
                let written = (0..5).filter(|_| writeln!(&logs, "a line of the child").is_ok()).count();
                // SAFETY: leaves without running the parent's exit handlers.
                unsafe { libc::_exit(written as i32) }
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 5));
            }
        }
        assert_eq!(lines(), 5);
        setuid(Uid::from_raw(65_534)).expect("drops its rights");
        (0..5).for_each(|_| log(&logs, "a line of the parent"));
        assert_eq!(lines(), 10);
        assert_eq!(logs.stats().lines_lost, 0);
    });
}

/// Takes a lease of the other kind (`fcntl(2)`, F_SETLEASE) on a file, as Samba and NFS servers do: who opens the file
/// has to wait until it is given back. `false`, and a word about it, where there are none.
fn take_file_lease(file: &File) -> bool {
    // SAFETY: ignoring a signal installs no handler.
    unsafe { nix::sys::signal::signal(nix::sys::signal::SIGIO, nix::sys::signal::SigHandler::SigIgn) }
        .expect("ignored");
    // SAFETY: the descriptor is open.
    let taken = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) } == 0;
    if !taken {
        writeln!(std::io::stderr(), "SKIPPED: no file leases here: {}", Errno::last()).expect("told");
    }
    taken
}

/// Gives it back as soon as somebody waits for it, after a while.
fn give_back_after(file: &File, while_waited_for: Duration) {
    // SAFETY: the descriptor is open.
    let call = |command, argument: libc::c_int| unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
    // F_GETLEASE tells what the lease is to become.
    while call(libc::F_GETLEASE, 0) == libc::F_RDLCK {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(while_waited_for);
    assert_eq!(call(libc::F_SETLEASE, libc::F_UNLCK), 0);
}

#[test]
fn building_waits_until_a_file_server_has_given_its_lease_back() {
    alone("building_waits_until_a_file_server_has_given_its_lease_back", &[], |directory| {
        fs::write(directory.join(TODAY), "there already\n").expect("written");
        let file = File::open(directory.join(TODAY)).expect("opens");
        if !take_file_lease(&file) {
            return;
        }
        thread::scope(|scope| {
            scope.spawn(|| give_back_after(&file, Duration::from_millis(300)));
            log(&daily(&Hand::at(NOW), directory), "a line");
        });
        assert_eq!(read(directory, TODAY), "there already\na line\n");
    });
}

#[test]
fn while_a_file_server_keeps_its_lease_the_file_before_takes_the_lines() {
    alone("while_a_file_server_keeps_its_lease_the_file_before_takes_the_lines", &[], |directory| {
        let hand = Hand::at(NOW);
        let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY));
        let logs = builder.build(directory).expect("builds");
        log(&logs, "of today");
        let tomorrow = directory.join("app.2026-11-22.log");
        fs::write(&tomorrow, "").expect("written");
        let file = File::open(&tomorrow).expect("opens");
        if !take_file_lease(&file) {
            return;
        }
        hand.set(NOW + DAY, 0);
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| log(&logs, "of tomorrow")));
            }
        });
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!(read(directory, TODAY).lines().count(), 201);
        assert_eq!(operations(&told), [Operation::Rollover]);
        give_back_after(&file, Duration::ZERO);
        hand.set(NOW + DAY + 10, 0);
        log(&logs, "of tomorrow");
        assert_eq!(read(directory, "app.2026-11-22.log"), "of tomorrow\n");
    });
}
