//! The first line of each new file: there once, however many open it at the same time.

mod common;

use common::{DAY, Hand, NOW, alone, log, names, read};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;
use tracing_prefork::{Appender, Builder, Period, Rotation};

fn since(period: Period) -> String {
    format!("# since {}", period.start.duration_since(UNIX_EPOCH).expect("after 1970").as_secs())
}

fn daily(hand: &Hand) -> Builder {
    hand.builder().rotation(Rotation::DAILY).header(since)
}

#[test]
fn each_new_file_begins_with_the_line_of_its_period() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let logs = daily(&hand).build(directory.path()).expect("builds");
    log(&logs, "a line");
    // A file that is there has its first line, whoever made it.
    drop(daily(&hand).build(directory.path()).expect("builds"));
    fs::write(directory.path().join("app.2026-11-23.log"), "").expect("written");
    for day in [1, 2] {
        hand.set(NOW + day * DAY, 0);
        log(&logs, "another");
    }
    let midnight = NOW - NOW % DAY;
    assert_eq!(read(directory.path(), "app.2026-11-21.log"), format!("# since {midnight}\na line\n"));
    assert_eq!(read(directory.path(), "app.2026-11-22.log"), format!("# since {}\nanother\n", midnight + DAY));
    assert_eq!(read(directory.path(), "app.2026-11-23.log"), "another\n");
    assert_eq!(logs.stats().lines, 3);
}

#[test]
fn a_file_has_its_mode_with_its_first_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    drop(daily(&hand).file_mode(0o640).build(directory.path()).expect("builds"));
    let mode = fs::metadata(directory.path().join("app.2026-11-21.log")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // Without one, what a file that is simply created has.
    let plain = tempfile::tempdir().expect("a directory");
    drop(daily(&hand).build(plain.path()).expect("builds"));
    fs::write(plain.path().join("simply"), "").expect("written");
    let mode = |name: &str| fs::metadata(plain.path().join(name)).expect("there").permissions().mode();
    assert_eq!(mode("app.2026-11-21.log"), mode("simply"));
}

#[test]
fn an_empty_text_is_no_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().header(|_| String::new()).build(directory.path()).expect("builds");
    log(&logs, "a line");
    assert_eq!(read(directory.path(), "app.log"), "a line\n");
}

#[test]
fn what_the_header_logs_itself_goes_to_the_file_before() {
    static LOGS: OnceLock<Appender> = OnceLock::new();
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let builder = hand.builder().rotation(Rotation::DAILY).on_error(|_| {}).header(|period| {
        if let Some(logs) = LOGS.get() {
            log(logs, "from within");
        }
        since(period)
    });
    let logs = LOGS.get_or_init(|| builder.build(directory.path()).expect("builds"));
    hand.set(NOW + DAY, 0);
    log(logs, "a line");
    let today = read(directory.path(), "app.2026-11-21.log");
    assert_eq!(today.lines().nth(1), Some("from within"), "{today}");
    let tomorrow = read(directory.path(), "app.2026-11-22.log");
    assert!(tomorrow.starts_with("# since") && tomorrow.ends_with("a line\n"), "{tomorrow}");
}

#[test]
fn of_sixteen_processes_that_open_two_hundred_files_at_once_one_writes_each_first_line() {
    let name = "of_sixteen_processes_that_open_two_hundred_files_at_once_one_writes_each_first_line";
    alone(name, &[], |directory| {
        const PROCESSES: usize = 16;
        const DAYS: u64 = 200;
        let hand = Hand::at(NOW);
        let logs = daily(&hand).build(directory).expect("builds");
        let children: Vec<_> = (0..PROCESSES)
            .map(|process| {
                // SAFETY: this process has one thread.
                match unsafe { fork() }.expect("forks") {
                    ForkResult::Parent { child } => child,
                    ForkResult::Child => {
                        // Each has a clock of its own; they run at about the same speed.
                        for day in 1..=DAYS {
                            hand.set(NOW + day * DAY, 0);
                            log(&logs, &format!("{process}"));
                        }
                        // SAFETY: nothing of the parent's is to run.
                        unsafe { nix::libc::_exit(i32::from(logs.stats().errors > 0)) }
                    }
                }
            })
            .collect();
        for child in children {
            let ended = waitpid(child, None).expect("ends");
            assert!(matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)), "{ended:?}");
        }
        let files = names(directory);
        assert_eq!(files.len() as u64, DAYS + 1);
        for name in &files[1..] {
            let text = read(directory, name);
            let headers = text.lines().filter(|line| line.starts_with('#')).count();
            assert!(text.starts_with("# since ") && headers == 1, "{name}: {text}");
            assert_eq!(text.lines().count(), 1 + PROCESSES);
        }
    });
}
