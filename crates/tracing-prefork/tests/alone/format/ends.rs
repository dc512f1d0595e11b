//! Events that are logged when a thread or a process ends, and from values that do more than print themselves: fork,
//! panic, log.

use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::cell::OnceCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use tracing::field::Empty;
use tracing_prefork::Appender;
use tracing_subscriber::prelude::*;

use crate::common::{TODAY, alone, builder, child, in_child, noted};

/// The layer of an appender in `directory` has all events of this process.
fn log_by_layer(directory: &Path) -> Appender {
    let logs = builder().on_error(|_| {}).build(directory).expect("builds");
    let layer = logs.layer().without_time().with_target(false).with_level(false);
    tracing_subscriber::registry().with(layer).init();
    logs
}

/// A text that is too long to be put together on the stack.
fn long() -> String {
    "x".repeat(3000)
}

/// Logs when its thread ends.
struct Farewell(&'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        let _span = tracing::info_span!("end", thread = self.0).entered();
        tracing::info!("short");
        tracing::info!(text = long(), "long");
    }
}

thread_local! {
    static FAREWELL: OnceCell<Farewell> = const { OnceCell::new() };
}

#[test]
fn a_destructor_of_a_thread_local_logs() {
    alone(|directory| {
        let logs = log_by_layer(directory);
        // The library's own thread-locals are destroyed before the test's, or after it.
        for (name, is_first) in [("first", true), ("last", false)] {
            let ended = thread::spawn(move || {
                let make = || FAREWELL.with(|cell| cell.set(Farewell(name)).is_ok());
                assert!(!is_first || make());
                tracing::info!(text = long(), "begin");
                assert!(is_first || make());
            });
            ended.join().expect("ends");
        }
        let lines = noted(&directory.join(TODAY));
        let beginnings: Vec<_> = lines.iter().map(|line| line.split(" text=").next().unwrap_or_default()).collect();
        let of = |name: &str| ["short", "long"].map(|text| format!("end{{thread=\"{name}\"}}: {text}"));
        let expected = [&["begin".to_owned()][..], &of("first"), &["begin".to_owned()], &of("last")].concat();
        assert_eq!(beginnings, expected);
        assert_eq!(logs.stats().lines_lost, 0);
    });
}

#[test]
fn a_function_of_atexit_logs() {
    alone(|directory| {
        let logs = log_by_layer(directory);
        extern "C" fn log_at_exit() {
            let _span = tracing::info_span!("exit", code = 0).entered();
            tracing::info!("short");
            tracing::info!(text = long(), "long");
        }
        tracing::info!(text = long(), "begin");
        // `exit(3)` destroys the thread-locals of its thread before it calls these functions.
        let child = child(|| {
            // SAFETY: the function takes nothing, and does not unwind.
            unsafe {
                assert_eq!(libc::atexit(log_at_exit), 0);
                libc::exit(0)
            }
        });
        assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0));
        tracing::info!("end");
        let lines = noted(&directory.join(TODAY));
        let beginnings: Vec<_> = lines.iter().map(|line| line.split(" text=").next().unwrap_or_default()).collect();
        assert_eq!(beginnings, ["begin", "exit{code=0}: short", "exit{code=0}: long", "end"]);
        assert!(lines[2].ends_with(&format!("{}\"", long())) && logs.stats().lines_lost == 0);
    });
}

/// Forks while it is printed. The child goes on as the parent does.
struct Forks(String);

impl fmt::Display for Forks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)?;
        // SAFETY: this process has one thread.
        match unsafe { fork() }.expect("forks") {
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
                f.write_str(" by the parent")
            }
            ForkResult::Child => f.write_str(" by the child"),
        }
    }
}

#[test]
fn an_event_whose_value_forks_is_written_by_the_parent_alone() {
    alone(|directory| {
        let logs = log_by_layer(directory);
        let process = nix::unistd::getpid();
        for text in ["short".to_owned(), long()] {
            tracing::info!("{}", Forks(text));
            if nix::unistd::getpid() != process {
                tracing::info!("child");
                // SAFETY: leaves without running the parent's exit handlers.
                unsafe { libc::_exit(i32::from(logs.stats().writes != 1 || logs.stats().lines_lost != 0)) }
            }
        }
        let lines = noted(&directory.join(TODAY));
        assert_eq!(lines, ["child", "short by the parent", "child", &format!("{} by the parent", long())]);
    });
}

#[test]
fn a_span_whose_value_forks_is_there_in_both_processes() {
    alone(|directory| {
        let logs = log_by_layer(directory);
        let process = nix::unistd::getpid();
        let span = tracing::info_span!("span", value = %Forks("made".to_owned()), later = Empty);
        span.in_scope(|| tracing::info!("first"));
        if nix::unistd::getpid() == process {
            span.record("later", tracing::field::display(Forks("recorded".to_owned())));
            span.in_scope(|| tracing::info!("second"));
        }
        if nix::unistd::getpid() != process {
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(logs.stats().lines_lost != 0)) }
        }
        let expected = [
            "span{value=made by the child}: first",
            "span{value=made by the parent}: first",
            "span{value=made by the parent later=recorded by the child}: second",
            "span{value=made by the parent later=recorded by the parent}: second",
        ];
        assert_eq!(noted(&directory.join(TODAY)), expected);
    });
}

/// Prints a piece, and panics or logs.
struct Odd {
    panics: bool,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("piece")?;
        if self.panics {
            // Not by `panic!`, which tells of it.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        tracing::info!("logged inside");
        f.write_str(" by piece")
    }
}

#[test]
fn a_span_value_that_panics_leaves_nothing_behind() {
    alone(|directory| {
        let logs = log_by_layer(directory);
        let odd = || tracing::field::display(Odd { panics: true });
        let made = catch_unwind(|| tracing::info_span!("lost", value = odd()));
        made.expect_err("panics while the span is made");
        let span = tracing::info_span!("span", before = 1, later = Empty);
        let recorded = catch_unwind(AssertUnwindSafe(|| {
            span.record("later", odd());
        }));
        recorded.expect_err("panics while it is recorded");
        span.in_scope(|| tracing::info!("event"));
        span.record("later", 2);
        span.in_scope(|| tracing::info!("event"));
        tracing::info!("no span");
        // Neither does a child wait for a lock that the panic has left.
        in_child(|| span.in_scope(|| tracing::info!("child")));
        let expected =
            ["span{before=1}: event", "span{before=1 later=2}: event", "no span", "span{before=1 later=2}: child"];
        assert_eq!(noted(&directory.join(TODAY)), expected);
        assert_eq!(logs.stats().lines_lost, 0);
    });
}

#[test]
fn a_span_value_that_logs_while_it_is_recorded() {
    alone(|directory| {
        let logs = log_by_layer(directory);
        let odd = || tracing::field::display(Odd { panics: false });
        let span = tracing::info_span!("span", value = odd(), later = Empty);
        let entered = span.enter();
        // In `fmt` the event waits for the lock of the span that it is recorded in.
        span.record("later", odd());
        tracing::info!("event");
        drop(entered);
        let expected = [
            "logged inside",
            "span{value=piece by piece}: logged inside",
            "span{value=piece by piece later=piece by piece}: event",
        ];
        assert_eq!(noted(&directory.join(TODAY)), expected);
        assert_eq!(logs.stats().lines_lost, 0);
    });
}

/// A process that libc does not know of has its own events, also in spans of the parent's and of its own.
#[test]
fn in_the_child_of_a_raw_clone() {
    alone(|directory| {
        let logs = log_by_layer(directory);
        let span = tracing::info_span!("inherited", x = 1);
        let log = |who: &str| {
            tracing::info!(who, "event");
            span.in_scope(|| tracing::info!(who, text = long(), "long"));
        };
        log("parent");
        // SAFETY: without CLONE_VM this is a fork, of which libc does not know.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            log("child");
            // SAFETY: nothing of the parent's is to run.
            unsafe { libc::_exit(i32::from(logs.stats().writes != 2 || logs.stats().lines_lost != 0)) }
        }
        let child = nix::unistd::Pid::from_raw(i32::try_from(child).expect("cloned"));
        assert_eq!(waitpid(child, None).expect("waits"), WaitStatus::Exited(child, 0));
        log("parent");
        let lines = noted(&directory.join(TODAY));
        let shown: Vec<_> = lines.iter().map(|line| line.replace(&long(), "x")).collect();
        let of =
            |who: &str| [format!("event who=\"{who}\""), format!("inherited{{x=1}}: long who=\"{who}\" text=\"x\"")];
        assert_eq!(shown, [of("parent"), of("child"), of("parent")].concat());
    });
}
