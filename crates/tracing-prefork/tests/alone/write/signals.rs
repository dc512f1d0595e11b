//! Standard error that nobody reads, and signals: each test in a process of its own.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, alarm, dup2_stderr, fork, pipe, write};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing_prefork::Appender;
use tracing_subscriber::fmt::MakeWriter;

use crate::common::{DAY, Hand, NOW, alone, daily, log, read};

/// Whoever waits for ever is ended.
fn within_ten_seconds(work: impl FnOnce()) {
    let before = set_action(Signal::SIGALRM, SigHandler::SigDfl);
    alarm::set(10);
    work();
    alarm::cancel();
    // SAFETY: the action from before.
    unsafe { sigaction(Signal::SIGALRM, &before) }.expect("set");
}

fn set_action(signal: Signal, handler: SigHandler) -> SigAction {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the default action, or none.
    unsafe { sigaction(signal, &action) }.expect("set")
}

/// Has an appender fail to open a file and report that to standard error, which is `stderr` meanwhile.
fn report_to(stderr: &impl AsFd, directory: &Path, look: impl FnOnce(&Appender, &Hand)) {
    let before = nix::unistd::dup(std::io::stderr()).expect("duplicated");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory).expect("builds");
    let obstacle = directory.join("app.2026-11-22.log");
    fs::create_dir(&obstacle).expect("a directory in the way");
    dup2_stderr(stderr).expect("set");
    within_ten_seconds(|| {
        hand.set(NOW + DAY, 0);
        log(&logs, "a line");
        look(&logs, &hand);
    });
    dup2_stderr(before).expect("set back");
    fs::remove_dir(obstacle).expect("removed");
    assert_eq!(read(directory, "app.2026-11-21.log").lines().next(), Some("a line"));
}

/// Writes until it would have to wait, and leaves the descriptor as other programs have it: waiting.
fn fill(descriptor: &OwnedFd) {
    let set = |flags| fcntl(descriptor, FcntlArg::F_SETFL(flags)).expect("set");
    set(OFlag::O_NONBLOCK);
    for size in [4096, 1] {
        while write(descriptor, &vec![b'x'; size]).is_ok() {}
    }
    set(OFlag::empty());
}

fn empty(descriptor: &mut impl Read) {
    let mut bytes = vec![0; 1 << 20];
    assert!(descriptor.read(&mut bytes).expect("read") > 0);
}

#[test]
fn a_report_to_a_full_pipe_comes_later_and_nobody_waits() {
    alone(|directory| {
        let (reader, writer) = pipe().expect("a pipe");
        let mut reader = fs::File::from(reader);
        fill(&writer);
        report_to(&writer, directory, |logs, hand| {
            assert_eq!(logs.stats().errors, 1);
            empty(&mut reader);
            // The next failure brings the report, with the first counted.
            hand.set(NOW + DAY + 2, 0);
            std::thread::sleep(std::time::Duration::from_millis(1100));
            log(logs, "another line");
            assert_eq!(logs.stats().errors, 2);
            let mut text = [0; 4096];
            let length = reader.read(&mut text).expect("a report");
            let text = String::from_utf8_lossy(&text[..length]).into_owned();
            let text = text.trim_start_matches('x');
            assert!(text.starts_with("tracing-prefork: cannot open"), "{text}");
            assert!(text.contains("; 1 more failures like this"), "{text}");
        });
    });
}

#[test]
fn a_report_to_a_full_socket_is_not_waited_for() {
    alone(|directory| {
        let (_reader, writer) = UnixStream::pair().expect("sockets");
        let writer = OwnedFd::from(writer);
        fill(&writer);
        report_to(&writer, directory, |logs, _| assert_eq!(logs.stats().errors, 1));
    });
}

#[test]
fn a_report_to_a_terminal_that_takes_nothing_is_not_waited_for() {
    alone(|directory| {
        let (mut master, mut terminal) = (-1, -1);
        let none = std::ptr::null_mut();
        // SAFETY: the two descriptors are filled in.
        let opened = unsafe { nix::libc::openpty(&mut master, &mut terminal, none, none.cast(), none.cast()) };
        assert_eq!(opened, 0, "a terminal");
        // SAFETY: both are fresh.
        let (_master, terminal) = unsafe {
            use std::os::fd::FromRawFd;
            (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(terminal))
        };
        fill(&terminal);
        report_to(&terminal, directory, |logs, _| assert_eq!(logs.stats().errors, 1));
    });
}

#[test]
fn a_report_that_nobody_reads_ends_nothing_and_leaves_no_signal() {
    alone(|directory| {
        set_action(Signal::SIGPIPE, SigHandler::SigDfl);
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        report_to(&writer, &directory.join("pipe"), |logs, _| assert_eq!(logs.stats().errors, 1));
        let (reader, writer) = UnixStream::pair().expect("sockets");
        drop(reader);
        report_to(&writer, &directory.join("socket"), |logs, _| assert_eq!(logs.stats().errors, 1));
        let blocked = SigSet::thread_get_mask().expect("read").contains(Signal::SIGPIPE);
        assert!(!blocked && !is_pending(), "the signal is as it was");

        // One that waits for the program already stays.
        let mut sigpipe = SigSet::empty();
        sigpipe.add(Signal::SIGPIPE);
        sigpipe.thread_block().expect("blocked");
        raise(Signal::SIGPIPE).expect("raised");
        report_to(&writer, &directory.join("pending"), |logs, _| assert_eq!(logs.stats().errors, 1));
        assert!(is_pending(), "the program's own signal");
        sigpipe.wait().expect("taken");
    });
}

/// Whether SIGPIPE waits for this thread.
fn is_pending() -> bool {
    // SAFETY: the set is filled in.
    unsafe {
        let mut set = std::mem::zeroed();
        assert_eq!(nix::libc::sigpending(&mut set), 0);
        nix::libc::sigismember(&set, nix::libc::SIGPIPE) == 1
    }
}

/// What the handler below does: logs, or forks a child that logs, in one of the ways to log.
static STORM: OnceLock<Appender> = OnceLock::new();

static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn log_or_fork(_: i32) {
    let (Some(logs), number) = (STORM.get(), HANDLED.fetch_add(1, Relaxed)) else { return };
    let errno = Errno::last_raw();
    let line = |who: &str| match number % 3 {
        0 => writeln!(&*logs, "{who} {number}"),
        1 => (&*logs).write_all(b"handler whole\n"),
        // Longer than what is put together on the stack: it may be refused, if the buffer is being changed.
        _ => writeln!(&*logs, "{who} {number} {:1000}", "").or(Ok(())),
    };
    if number % 2 == 0 {
        line("handler").expect("written");
    // SAFETY: this process has one thread.
    } else if let Ok(ForkResult::Child) = unsafe { fork() } {
        let written = line("child").is_ok();
        // SAFETY: nothing of the parent's is to run.
        unsafe { nix::libc::_exit(i32::from(!written)) }
    }
    Errno::set_raw(errno);
}

/// Logs for two seconds, with signals that come at any moment of it, each when the one before has been handled.
fn in_a_storm_of_signals(directory: &Path, mut log: impl FnMut(&Appender, u64)) {
    let logs = STORM.get_or_init(|| daily(&Hand::at(NOW)).build(directory).expect("builds"));
    // What a thread needs for the first time, and so do its children.
    log(logs, 0);
    set_action(Signal::SIGALRM, SigHandler::Handler(log_or_fork));
    let (mut lines, mut children, began) = (1, 0, Instant::now());
    while began.elapsed() < Duration::from_secs(2) {
        let handled = HANDLED.load(Relaxed);
        alarm_in(1 + handled % 41);
        while HANDLED.load(Relaxed) == handled {
            log(logs, lines);
            lines += 1;
        }
        while let Ok(ended) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            match ended {
                WaitStatus::StillAlive => break,
                WaitStatus::Exited(_, 0) => children += 1,
                ended => panic!("after {children} children: {ended:?}"),
            }
        }
    }
    set_action(Signal::SIGALRM, SigHandler::SigIgn);
    let text = read(directory, "app.2026-11-21.log");
    let own = text.lines().filter(|line| line.starts_with("main ")).count() as u64;
    assert_eq!(own, lines, "each line of the thread is there once");
    let whole = |line: &str| ["main ", "within", "handler ", "child "].iter().any(|begin| line.starts_with(begin));
    assert!(text.lines().all(whole), "no line is torn");
    assert!(children > 100, "{children} children");
}

fn alarm_in(microseconds: u64) {
    let once = nix::libc::timeval { tv_sec: 0, tv_usec: microseconds as i64 };
    let never = nix::libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer = nix::libc::itimerval { it_interval: never, it_value: once };
    // SAFETY: a structure that is read, and none to be filled in.
    assert_eq!(unsafe { nix::libc::setitimer(nix::libc::ITIMER_REAL, &timer, std::ptr::null_mut()) }, 0);
}

#[test]
fn a_handler_may_log_and_fork_while_a_line_is_put_together() {
    alone(|directory| {
        in_a_storm_of_signals(directory, |logs, number| {
            let mut event = logs.make_writer();
            event.write_all(b"main ").expect("taken");
            // A new buffer for the event within.
            logs.make_writer().write_all(b"within").expect("taken");
            event.write_all(&[b'x'; 700]).expect("taken");
            writeln!(event, "{number}").expect("taken");
        });
    });
}

#[test]
fn a_handler_may_log_and_fork_while_its_thread_formats_a_line() {
    alone(|directory| {
        in_a_storm_of_signals(directory, |logs, number| {
            let width = (number % 7 * 200) as usize;
            writeln!(&*logs, "main {number:width$}").expect("written");
        });
    });
}

/// The handler logs by the writer.
#[test]
fn a_handler_may_log_and_fork_while_the_layer_prints_an_event() {
    use tracing_subscriber::prelude::*;
    alone(|directory| {
        in_a_storm_of_signals(directory, |logs, number| {
            if number == 0 {
                let layer = logs.layer().without_time().with_target(false).with_level(false);
                tracing_subscriber::registry().with(layer).init();
            }
            let width = (number % 7 * 200) as usize;
            tracing::info!("main {number:width$}");
        });
    });
}

extern "C" fn log_by_layer(_: i32) {
    let (number, errno) = (HANDLED.fetch_add(1, Relaxed), Errno::last_raw());
    let width = if number % 3 == 0 { 1000 } else { 1 };
    tracing::info!(who = "parent", "handler {number:width$}");
    Errno::set_raw(errno);
}

/// A long line of the handler may be refused, if the thread's buffer is in use: it is counted. The handler does not
/// fork: glibc's fork waits for the allocator, in which the handler may have interrupted its thread.
#[test]
fn a_handler_may_log_through_the_layer() {
    use tracing_subscriber::prelude::*;
    alone(|directory| {
        let logs = daily(&Hand::at(NOW)).on_error(|_| {}).build(directory).expect("builds");
        let layer = logs.layer().without_time().with_target(false).with_level(false);
        tracing_subscriber::registry().with(layer).init();
        log_by_layer(0);
        set_action(Signal::SIGALRM, SigHandler::Handler(log_by_layer));
        let (mut events, began) = (0_u64, Instant::now());
        while began.elapsed() < Duration::from_secs(2) {
            let handled = HANDLED.load(Relaxed);
            alarm_in(1 + handled % 41);
            while HANDLED.load(Relaxed) == handled {
                let width = (events % 7 * 200) as usize;
                tracing::info!("main {events:width$}");
                events += 1;
            }
        }
        set_action(Signal::SIGALRM, SigHandler::SigIgn);
        let text = read(directory, "app.2026-11-21.log");
        let count = |begin: &str| text.lines().filter(|line| line.starts_with(begin)).count() as u64;
        let of_parent = text.lines().filter(|line| line.ends_with("who=\"parent\"")).count() as u64;
        let own = HANDLED.load(Relaxed);
        assert_eq!(count("main "), events, "each event of the thread is there once");
        assert_eq!(of_parent + logs.stats().lines_lost, own, "each event of the handler is there or counted");
        assert_eq!(count("main ") + count("handler "), text.lines().count() as u64, "no line is torn");
        assert!(own > 100, "{own} events of the handler");
    });
}
