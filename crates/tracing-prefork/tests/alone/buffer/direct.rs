//! Where there is no ring to be had, or no thread, events go straight to the file: each test in a process of its own.

use crate::common::rings::{SMALL, leave_ring, log_and_flush, rings, small};
use crate::common::{
    Hand, NOW, TODAY, Told, alone, builder, eventually, in_child, limit, limited, log, noted, operations,
    refuse_system_call, reporting, says, small_disk, telling,
};
use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};
use std::time::Duration;
use tracing_prefork::{Appender, Operation};

/// Logs lines that must be in the file at once, and looks for one report.
fn goes_straight(logs: &Appender, directory: &Path, told: &Told, reason: &str) {
    let before = noted(&directory.join(TODAY));
    for number in 0..10 {
        log(logs, &format!("line {number}"));
        let lines = noted(&directory.join(TODAY));
        assert_eq!(lines.len(), before.len() + number + 1, "each line is in the file at once, and once");
        assert_eq!(lines[lines.len() - 1], format!("line {number}"));
    }
    let rings_told = operations(told).iter().filter(|operation| **operation == Operation::Ring).count();
    assert_eq!(rings_told, 1, "reported once: {:?}", told.lock().expect("unpoisoned"));
    let text = &told.lock().expect("unpoisoned")[0].1.clone();
    says(text, &[reason, "events go straight to the file, until a ring can be made"]);
    assert!(rings(directory).is_empty(), "nothing was left behind");
    assert_eq!(logs.stats().lines_lost, 0);
}

#[test]
fn without_a_directory_for_rings_until_there_is_one() {
    alone(|directory| {
        let (hand, elsewhere) = (Hand::at(NOW), directory.join("rings"));
        fs::create_dir(&elsewhere).expect("made");
        let (told, builder) = reporting(&hand);
        let logs = builder.buffered(small().ring_directory(&elsewhere)).build(directory).expect("builds");
        fs::remove_dir(&elsewhere).expect("removed");
        goes_straight(&logs, directory, &told, "No such file or directory");
        fs::create_dir(&elsewhere).expect("made");
        hand.set(NOW + 10, 0);
        log_and_flush(&logs, "through a ring");
        assert_eq!(rings(&elsewhere).len(), 1);
        assert_eq!(noted(&directory.join(TODAY)).last().expect("a line"), "through a ring");
        drop(logs);
        assert!(rings(&elsewhere).is_empty());
    });
}

#[test]
fn on_a_disk_without_room_for_a_ring_also_in_a_child() {
    alone(|directory| {
        if !small_disk(directory, "size=256k") {
            return;
        }
        let (told, builder) = telling(builder());
        let logs = builder.buffered(small().ring_bytes(1 << 20)).build(directory).expect("builds");
        goes_straight(&logs, directory, &told, "No space left on device");
        in_child(|| {
            told.lock().expect("unpoisoned").clear();
            goes_straight(&logs, directory, &told, "No space left on device");
        });
    });
}

#[test]
fn with_a_limit_on_the_size_of_files() {
    limited(|directory| {
        let (told, builder) = telling(builder());
        let logs = builder.buffered(small()).build(directory).expect("builds");
        limit(SMALL - 1);
        goes_straight(&logs, directory, &told, "File too large");
    });
}

#[test]
fn without_descriptors() {
    alone(|directory| {
        let (told, builder) = telling(builder());
        let logs = builder.buffered(small()).build(directory).expect("builds");
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("read");
        setrlimit(Resource::RLIMIT_NOFILE, 0, hard).expect("set");
        let written: Vec<_> = (0..3).map(|number| writeln!(&logs, "line {number}").is_ok()).collect();
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("set");
        assert_eq!(written, [true; 3]);
        assert_eq!(noted(&directory.join(TODAY)), ["line 0", "line 1", "line 2"]);
        assert_eq!(operations(&told), [Operation::Ring], "{:?}", told.lock().expect("unpoisoned"));
        says(&told.lock().expect("unpoisoned")[0].1, &["Too many open files", "events go straight to the file"]);
    });
}

#[test]
fn without_a_thread() {
    alone(|directory| {
        let (told, builder) = telling(builder());
        let logs = builder.buffered(small()).build(directory).expect("builds");
        for number in [libc::SYS_clone3, libc::SYS_clone] {
            refuse_system_call(number, Errno::EAGAIN);
        }
        goes_straight(&logs, directory, &told, "Resource temporarily unavailable");
    });
}

#[test]
fn in_the_child_of_a_raw_clone_also_behind_a_killed_process() {
    limited(|directory| {
        let logs = builder().buffered(small()).build(directory).expect("builds");
        log_and_flush(&logs, "parent");
        leave_ring(directory, builder, &["of the dead"]);
        // SAFETY: without CLONE_VM this is a fork, of which libc does not know; the child allocates nothing.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            let written = (0..3).all(|_| (&logs).write_all(b"child\n").is_ok());
            // SAFETY: nothing of the parent's is to run.
            unsafe { libc::_exit(i32::from(!written)) }
        }
        let child = Pid::from_raw(i32::try_from(child).expect("cloned"));
        assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0));
        log_and_flush(&logs, "parent");
        logs.recover().expect("recovered");
        let mut lines = noted(&directory.join(TODAY));
        lines.sort();
        assert_eq!(lines, ["child", "child", "child", "of the dead", "parent", "parent", "written"]);
    });
}

/// The flusher blocks all signals, and starts threads: the user's code there is to have the program's signals.
#[test]
fn a_hook_behind_a_flusher_runs_with_the_signals_of_the_program() {
    alone(|directory| {
        static BLOCKED: OnceLock<bool> = OnceLock::new();
        fs::write(directory.join("app.2026-11-20.log"), "finished\n").expect("written");
        let logs = builder().on_finished(|_, _| {
            let _ = BLOCKED.set(SigSet::thread_get_mask().expect("read").contains(Signal::SIGTERM));
        });
        let logs = logs.buffered(small()).build(directory).expect("builds");
        log(&logs, "the flusher opens the file");
        eventually("the hook is called", || BLOCKED.get().is_some());
        assert_eq!(BLOCKED.get(), Some(&false));
    });
}

/// A handler forks in the middle of a copy into the ring, and the child goes on with that copy.
#[test]
fn a_child_forked_in_the_middle_of_a_copy_leaves_the_line_alone() {
    alone(|directory| {
        static CHILD: AtomicI32 = AtomicI32::new(-1);
        static GOES: AtomicBool = AtomicBool::new(false);
        extern "C" fn fork_here(_: i32) {
            // SAFETY: the thread that is interrupted copies bytes, and holds no lock of the allocator.
            let child = unsafe { fork() };
            CHILD.store(if let Ok(ForkResult::Parent { child }) = child { child.as_raw() } else { 0 }, Relaxed);
        }
        let action = SigAction::new(SigHandler::Handler(fork_here), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler forks and stores to an atomic.
        unsafe { sigaction(Signal::SIGALRM, &action) }.expect("set");
        let logs = builder().buffered(small().ring_bytes(32 << 20)).build(directory).expect("builds");
        let line = "x".repeat(4 << 20) + "\n";
        let mut expected = Vec::new();
        for round in 0..20 {
            // A ring that is empty, so that no line is written meanwhile.
            log_and_flush(&logs, "parent");
            expected.push("parent".to_owned());
            CHILD.store(-1, Relaxed);
            GOES.store(false, Relaxed);
            let writer = nix::sys::pthread::pthread_self();
            let alarm = std::thread::spawn(move || {
                while !GOES.load(Relaxed) {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_micros(30 * round));
                let _ = nix::sys::pthread::pthread_kill(writer, Signal::SIGALRM);
            });
            GOES.store(true, Relaxed);
            (&logs).write_all(line.as_bytes()).expect("taken");
            // Until the handler has forked, this thread must not be in the allocator: glibc's fork would wait for it.
            while CHILD.load(Relaxed) == -1 {
                std::thread::yield_now();
            }
            if CHILD.load(Relaxed) == 0 {
                let flushed = writeln!(&logs, "child {round}").and_then(|()| logs.flush().map_err(Into::into));
                // SAFETY: nothing of the parent's is to run.
                unsafe { libc::_exit(i32::from(flushed.is_err())) }
            }
            alarm.join().expect("ends");
            expected.push(line.trim_end().to_owned());
            let child = Pid::from_raw(CHILD.load(Relaxed));
            assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0));
            expected.push(format!("child {round}"));
        }
        drop(logs);
        builder().build(directory).expect("builds").recover().expect("recovered");
        let mut lines = noted(&directory.join(TODAY));
        lines.sort();
        expected.sort();
        let lengths = |lines: &[String]| lines.iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(&lines), lengths(&expected), "each line once");
        assert!(lines == expected, "each line whole");
    });
}

/// A handler that logs, or forks a child that logs, while its thread puts lines into the ring.
#[test]
fn a_handler_logs_and_forks_in_the_middle_of_events() {
    alone(|directory| {
        static LOGS: OnceLock<Appender> = OnceLock::new();
        static HANDLED: AtomicI32 = AtomicI32::new(0);
        extern "C" fn handle(_: i32) {
            let (Some(logs), number) = (LOGS.get(), HANDLED.load(Relaxed)) else { return };
            let errno = Errno::last_raw();
            let mut line = *b"handler 0000\n";
            for (digit, power) in [1000, 100, 10, 1].into_iter().enumerate() {
                line[8 + digit] = b'0' + (number / power % 10) as u8;
            }
            if number % 4 != 0 {
                (&*logs).write_all(&line).expect("taken");
            // SAFETY: the thread that is interrupted holds no lock of the allocator.
            } else if let Ok(ForkResult::Child) = unsafe { fork() } {
                let written = (&*logs).write_all(&line).is_ok();
                // SAFETY: nothing of the parent's is to run.
                unsafe { libc::_exit(i32::from(!written)) }
            }
            Errno::set_raw(errno);
            HANDLED.store(number + 1, Relaxed);
        }
        let logs = LOGS.get_or_init(|| builder().buffered(small()).build(directory).expect("builds"));
        log_and_flush(logs, "main begins");
        let action = SigAction::new(SigHandler::Handler(handle), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler logs whole lines, forks, and stores to an atomic.
        unsafe { sigaction(Signal::SIGALRM, &action) }.expect("set");
        let (mut lines, mut children) = (0, 0);
        while HANDLED.load(Relaxed) < 400 {
            let handled = HANDLED.load(Relaxed);
            alarm_in(1 + handled as i64 % 41);
            while HANDLED.load(Relaxed) == handled {
                let mut line = [b' '; 40];
                write!(&mut line[..], "main {lines}").expect("room");
                line[39] = b'\n';
                (&*logs).write_all(&line).expect("taken");
                lines += 1;
            }
            while let Ok(WaitStatus::Exited(_, 0)) = waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG)) {
                children += 1;
            }
        }
        while let Ok(ended) = waitpid(None, None) {
            assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
            children += 1;
        }
        assert_eq!(children, 100);
        logs.flush().expect("flushed");
        logs.recover().expect("recovered");
        let text = noted(&directory.join(TODAY));
        let main: Vec<usize> = text.iter().filter_map(|line| line.strip_prefix("main ")?.trim().parse().ok()).collect();
        assert!(main.iter().copied().eq(0..lines), "{} of {lines} lines of the thread, in their order", main.len());
        let mut handled: Vec<&str> = text.iter().filter_map(|line| line.strip_prefix("handler ")).collect();
        handled.sort();
        assert_eq!(handled, (0..400).map(|number| format!("{number:04}")).collect::<Vec<_>>());
        assert_eq!(text.len(), lines + 400 + 1, "no line is torn");
    });
}

fn alarm_in(microseconds: i64) {
    let once = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: never, it_value: once };
    // SAFETY: a structure that is read, and none to be filled in.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) }, 0);
}
