//! Processes with files of their own, beside processes that prune as hard as they can.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use std::fs;
use std::path::Path;
use std::process;
use std::time::{Duration, Instant};
use tracing_prefork::{Appender, Builder, Rotation};

use crate::common::{alone, child, in_child, log, try_log};

/// All acknowledged lines of a process stand in its files, once, and in the order in which they were written, as long
/// as nobody may remove the files. The pruner may remove each file that nobody has open. So a writer compares what it
/// has acknowledged with what its own file has, as long as the writer has the file open.
fn write_and_check(logs: &Appender, lines: usize) {
    let mut expected = String::new();
    for number in 0..lines {
        let line = format!("{} {number}", process::id());
        try_log(logs, &line).expect("written");
        expected += &line;
        expected.push('\n');
        let found = fs::read_to_string(logs.path()).unwrap_or_else(|error| format!("{error}"));
        assert_eq!(found, expected, "line {number} of {}", process::id());
    }
}

fn prune_for_ever(builder: Builder, directory: &Path) {
    let files = builder.inspect(directory).expect("inspects");
    loop {
        files.prune().expect("pruned");
    }
}

fn beside_pruners(directory: &Path, options: impl Fn() -> Builder, test: impl FnOnce(&dyn Fn() -> Builder)) {
    // This file is open, so with `max_log_files(1)` each file goes that nobody has open.
    let keeper = options().per_process(false).tag("keeper").build(directory).expect("builds");
    log(&keeper, "a line");
    let pruners: Vec<_> = (0..2)
        .map(|_| child(|| prune_for_ever(options().per_process(false).tag("none").max_log_files(1), directory)))
        .collect();
    test(&|| options().max_log_files(1));
    for pruner in pruners {
        kill(pruner, Signal::SIGKILL).expect("killed");
        waitpid(pruner, None).expect("waits");
    }
}

fn app() -> Builder {
    Appender::builder().filename_prefix("app").filename_suffix("log")
}

#[test]
fn no_line_is_lost_between_building_and_the_first_event() {
    alone(|directory| {
        for lock in [false, true] {
            let options =
                || app().rotation(Rotation::MONTHLY).per_process(true).lock_writes(lock).latest_symlink("now.log");
            beside_pruners(directory, options, |options| {
                let until = Instant::now() + Duration::from_millis(1500);
                while Instant::now() < until {
                    in_child(|| write_and_check(&options().build(directory).expect("builds"), 3));
                }
            });
        }
    });
}

#[test]
fn no_line_is_lost_when_a_process_lets_go_and_goes_on() {
    alone(|directory| {
        let options = || app().rotation(Rotation::MONTHLY).latest_hard_link("now.log").tag("writer");
        beside_pruners(directory, options, |options| {
            let logs = options().build(directory).expect("builds");
            let until = Instant::now() + Duration::from_secs(2);
            while Instant::now() < until {
                try_log(&logs, "first").expect("written");
                let text = fs::read_to_string(logs.path()).expect("its file");
                assert!(text == "first\n", "{text:?}");
                logs.release().expect("released");
                try_log(&logs, "second").expect("written");
                let text = fs::read_to_string(logs.path()).expect("its file");
                assert!(text == "second\n" || text == "first\nsecond\n", "{text:?}");
                logs.release().expect("released");
                crate::common::eventually("the file goes", || !logs.path().exists());
            }
        });
    });
}

#[test]
fn forked_and_raw_children_keep_their_files_beside_pruners() {
    alone(|directory| {
        let options = || app().rotation(Rotation::MONTHLY).per_process(true);
        beside_pruners(directory, options, |options| {
            let logs = options().build(directory).expect("builds");
            log(&logs, "the parent");
            for round in 0..200 {
                if round % 2 == 0 {
                    in_child(|| write_and_check(&logs, 5));
                } else {
                    raw_child(|| write_and_check(&logs, 5));
                }
            }
            log(&logs, "the parent again");
            assert_eq!(fs::read_to_string(logs.path()).expect("its file"), "the parent\nthe parent again\n");
        });
    });
}

/// A child of a raw `clone(2)`, of which the C library does not know.
fn raw_child(work: impl FnOnce()) {
    use nix::libc;
    // SAFETY: as `fork`, without the C library; the child writes and ends.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: nothing of the parent's is to run.
        unsafe { libc::_exit(i32::from(done.is_err())) }
    }
    let pid = nix::unistd::Pid::from_raw(pid as i32);
    assert_eq!(waitpid(pid, None).expect("waits"), nix::sys::wait::WaitStatus::Exited(pid, 0));
}

/// Rollovers each second, bounded sizes, compression, a hook and limits, by processes of several tags. Retention keeps
/// much, so that each line can be counted at the end.
#[cfg(feature = "gzip")]
#[test]
fn lines_of_a_family_are_counted_once_each() {
    alone(|directory| {
        let options = |tag: Option<&str>| {
            let builder = app().rotation(Rotation::SECONDLY).max_file_bytes(20_000).max_log_files(10_000);
            let builder = builder.compress(tracing_prefork::Compression::Gzip).background_priority(false);
            let builder = builder.latest_symlink("now.log");
            match tag {
                Some(tag) => builder.tag(tag),
                None => builder.per_process(true),
            }
        };
        let until = Instant::now() + Duration::from_secs(4);
        let write = |name: &str, logs: &Appender| {
            let mut number = 0;
            while Instant::now() < until {
                log(logs, &format!("{name} {number:0100}"));
                number += 1;
                if number % 1000 == 0 {
                    logs.release().expect("released");
                }
                std::thread::sleep(Duration::from_micros(200));
            }
            fs::write(directory.join(format!("count-{name}")), number.to_string()).expect("written");
            if name.len() == 1 {
                // On a busy disk, another process can compress for longer than the five seconds that this waits.
                let _ = logs.close();
            }
        };
        let parent = options(None).build(directory).expect("builds");
        let mut children = Vec::new();
        for name in ["a", "b", "both-1", "both-2", "pid-1", "pid-2"] {
            children.push(child(|| match name {
                "a" | "b" => write(name, &options(Some(name)).build(directory).expect("builds")),
                "both-1" | "both-2" => write(name, &options(Some("both")).build(directory).expect("builds")),
                _ => write(name, &parent),
            }));
        }
        for child in children {
            assert_eq!(waitpid(child, None).expect("waits"), nix::sys::wait::WaitStatus::Exited(child, 0));
        }
        let mut found: std::collections::BTreeMap<String, Vec<u64>> = Default::default();
        for name in crate::common::names(directory).into_iter().filter(|name| name.starts_with("app.")) {
            let path = directory.join(&name);
            let text = if name.ends_with(".gz") {
                let output = process::Command::new("zcat").arg(&path).output().expect("runs");
                String::from_utf8(output.stdout).expect("UTF-8")
            } else {
                fs::read_to_string(&path).expect("read")
            };
            for line in text.lines() {
                let (name, number) = line.split_once(' ').expect("a line");
                found.entry(name.to_owned()).or_default().push(number.parse().expect("a number"));
            }
        }
        for name in ["a", "b", "both-1", "both-2", "pid-1", "pid-2"] {
            let count: u64 =
                fs::read_to_string(directory.join(format!("count-{name}"))).expect("read").parse().expect("a number");
            let mut numbers = found.remove(name).unwrap_or_default();
            numbers.sort_unstable();
            assert!(numbers.iter().copied().eq(0..count), "{name}: {} of {count}", numbers.len());
        }
    });
}
