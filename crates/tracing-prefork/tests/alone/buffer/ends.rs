//! How a buffered process ends, and who writes its lines then.

use crate::common::{
    Hand, NOW, TODAY, again, all_names, alone, builder, child, daily, eventually, in_child, log, read,
};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::waitpid;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tracing_prefork::{Appender, Buffering};

/// So long that the flusher writes nothing by itself.
const NEVER: Duration = Duration::from_secs(3600);

/// The flusher writes the first line at once, and then naps.
fn build(directory: &Path) -> Appender {
    let logs = builder().buffered(Buffering::default().max_delay(NEVER)).build(directory).expect("builds");
    log(&logs, "first");
    eventually("the first line", || read(directory, TODAY).ends_with("first\n"));
    logs
}

fn rings(directory: &Path) -> usize {
    all_names(directory).iter().filter(|name| name.ends_with(".ring")).count()
}

#[test]
fn an_end_of_the_process_writes_the_ring() {
    const VARIABLE: &str = "TEST_ENDS_IN";
    alone(|directory| {
        if let Some(directory) = std::env::var_os(VARIABLE) {
            let logs = build(Path::new(&directory));
            log(&logs, "last");
            std::mem::forget(logs);
            std::process::exit(7);
        }
        let status = again(&[]).env(VARIABLE, directory).output().expect("starts").status;
        assert_eq!(status.code(), Some(7));
        assert_eq!((&*read(directory, TODAY), rings(directory)), ("first\nlast\n", 0));
    });
}

#[test]
fn the_next_process_writes_what_a_killed_one_has_left() {
    alone(|directory| {
        for (round, end) in [Signal::SIGKILL, Signal::SIGABRT, Signal::SIGTERM].into_iter().enumerate() {
            let killed = child(|| {
                let logs = build(directory);
                (0..1000).for_each(|number| log(&logs, &format!("{round} {number}")));
                raise(end).expect("raised");
            });
            waitpid(killed, None).expect("waits");
            assert_eq!(rings(directory), 1);
            drop(builder().buffered(Buffering::default()).build(directory).expect("builds"));
            let text = read(directory, TODAY);
            for number in 0..1000 {
                let line = format!("{round} {number}");
                assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line}");
            }
            assert_eq!(rings(directory), 0);
        }
    });
}

#[test]
fn an_unbuffered_process_recovers_too() {
    alone(|directory| {
        let killed = child(|| {
            let logs = build(directory);
            log(&logs, "left behind");
            raise(Signal::SIGKILL).expect("raised");
        });
        waitpid(killed, None).expect("waits");
        let logs = builder().build(directory).expect("builds");
        assert_eq!(read(directory, TODAY), "first\nleft behind\n");
        assert_eq!(logs.recover().expect("nothing to do"), 0);
    });
}

#[test]
fn nobody_takes_the_ring_of_a_process_that_lives() {
    alone(|directory| {
        let (reader, writer) = nix::unistd::pipe().expect("a pipe");
        let stopped = child(|| {
            let logs = build(directory);
            log(&logs, "in memory");
            nix::unistd::write(&writer, b"x").expect("told");
            raise(Signal::SIGSTOP).expect("raised");
            logs.flush().expect("flushes");
        });
        drop(writer);
        nix::unistd::read(&reader, &mut [0]).expect("told");
        // Also after its descriptors are closed, and for a child of its own.
        let logs = builder().build(directory).expect("builds");
        assert_eq!((logs.recover().expect("recovers"), &*read(directory, TODAY)), (0, "first\n"));
        kill(stopped, Signal::SIGCONT).expect("goes on");
        waitpid(stopped, None).expect("waits");
        assert_eq!(read(directory, TODAY), "first\nin memory\n");
    });
}

#[test]
fn a_program_that_closes_everything_keeps_its_ring() {
    alone(|directory| {
        let logs = build(directory);
        log(&logs, "in memory");
        // SAFETY: this process has no descriptors but these.
        unsafe { nix::libc::close_range(3, u32::MAX, 0) };
        in_child(|| {
            let other = builder().build(directory).expect("builds");
            assert_eq!(other.recover().expect("recovers"), 0);
        });
        log(&logs, "and more");
        logs.flush().expect("flushes");
        assert_eq!(read(directory, TODAY), "first\nin memory\nand more\n");
    });
}

#[test]
fn a_forked_child_has_a_ring_of_its_own() {
    alone(|directory| {
        let logs = build(directory);
        log(&logs, "parent");
        for number in 0..5 {
            in_child(|| {
                log(&logs, &format!("child {number}"));
                logs.flush().expect("flushes");
            });
        }
        logs.flush().expect("flushes");
        // A child leaves its empty ring, because it ends by `_exit`.
        assert!(rings(directory) > 1);
        assert_eq!(logs.recover().expect("recovers"), 0);
        assert_eq!(rings(directory), 1);
        let text = read(directory, TODAY);
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["child 0", "child 1", "child 2", "child 3", "child 4", "first", "parent"]);
    });
}

#[test]
fn a_child_that_executes_another_program_leaves_its_ring() {
    alone(|directory| {
        let logs = build(directory);
        let executed = child(|| {
            log(&logs, "before exec");
            let _ = nix::unistd::execv(c"/bin/true", &[c"true"]);
        });
        waitpid(executed, None).expect("waits");
        // The child's first line is written at once. A process that recovers finds it, or finds it written.
        logs.recover().expect("recovers");
        logs.flush().expect("flushes");
        assert!(read(directory, TODAY).contains("before exec\n"));
        assert_eq!(rings(directory), 1);
    });
}

#[test]
fn lines_of_a_killed_worker_go_to_the_files_of_its_tag() {
    alone(|directory| {
        let tagged = |tag: &str| daily(&Hand::at(NOW)).tag(tag).buffered(Buffering::default().max_delay(NEVER));
        let killed = child(|| {
            let logs = tagged("worker-2").build(directory).expect("builds");
            (0..3).for_each(|number| log(&logs, &number.to_string()));
            raise(Signal::SIGKILL).expect("raised");
        });
        waitpid(killed, None).expect("waits");
        drop(tagged("worker-1").build(directory).expect("builds"));
        assert_eq!(read(directory, "app.worker-2.2026-11-21.log"), "0\n1\n2\n");
    });
}

#[test]
fn a_thread_local_that_logs_when_its_thread_ends_is_heard() {
    struct Last(Appender);
    impl Drop for Last {
        fn drop(&mut self) {
            let _ = writeln!(&self.0, "the thread ends");
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    alone(|directory| {
        let logs = build(directory);
        let handle = logs.clone();
        let thread = std::thread::spawn(move || LAST.with(|last| *last.borrow_mut() = Some(Last(handle))));
        thread.join().expect("ends");
        logs.flush().expect("flushes");
        assert_eq!(read(directory, TODAY), "first\nthe thread ends\n");
    });
}
