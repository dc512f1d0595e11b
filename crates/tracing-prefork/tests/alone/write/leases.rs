//! The lease: which process may still write to a file, what holds when the kernel refuses such a lock, and who lets go
//! of it when.

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Uid, fork, setuid};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};
use tracing_prefork::{Operation, Rotation};

use crate::common::leases::daily;
use crate::common::{DAY, Hand, NOW, TODAY, alone, log, operations, read, telling};

#[cfg(feature = "gzip")]
#[test]
fn a_parent_that_never_writes_holds_up_no_compression_or_hook() {
    use tracing_prefork::Compression;
    alone(|directory| {
        let hand = Hand::at(NOW);
        let (hook, handed_over) = std::sync::mpsc::channel();
        let builder = hand.builder().rotation(Rotation::DAILY).compress(Compression::Gzip);
        let parent = builder.on_finished(move |path, _| hook.send(path.to_owned()).expect("sent"));
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
    });
}

#[test]
fn a_process_that_may_open_nothing_uses_what_build_opened() {
    alone(|directory| {
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
    alone(|directory| {
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
fn the_file_before_takes_the_lines_while_a_server_has_a_lease() {
    alone(|directory| {
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
