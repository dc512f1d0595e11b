//! Standard error that nobody reads, and signals: each test in a process of its own.

mod common;

use common::{DAY, Hand, NOW, alone, log, read};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::{alarm, dup2_stderr, pipe, write};
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use tracing_prefork::{Appender, Builder, Rotation};

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
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action, or none.
    unsafe { sigaction(signal, &action) }.expect("set")
}

fn daily(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY)
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
fn a_report_to_a_full_pipe_is_not_waited_for_and_comes_when_there_is_room() {
    alone("a_report_to_a_full_pipe_is_not_waited_for_and_comes_when_there_is_room", &[], |directory| {
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
    alone("a_report_to_a_full_socket_is_not_waited_for", &[], |directory| {
        let (_reader, writer) = UnixStream::pair().expect("sockets");
        let writer = OwnedFd::from(writer);
        fill(&writer);
        report_to(&writer, directory, |logs, _| assert_eq!(logs.stats().errors, 1));
    });
}

#[test]
fn a_report_to_a_terminal_that_takes_nothing_is_not_waited_for() {
    alone("a_report_to_a_terminal_that_takes_nothing_is_not_waited_for", &[], |directory| {
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
fn a_report_to_a_pipe_or_socket_that_nobody_reads_ends_nothing_and_leaves_no_signal() {
    let name = "a_report_to_a_pipe_or_socket_that_nobody_reads_ends_nothing_and_leaves_no_signal";
    alone(name, &[], |directory| {
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
