//! The example `reopen_on_sighup`, with a test in the place of logrotate.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::{Child, Command};

use crate::common::{eventually, read};

/// Ends the example with the test, however that ends.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn on_sighup_lines_go_to_a_new_file_and_none_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    // Beside the directory of the tests' own programs.
    let program = std::env::current_exe().expect("this program");
    let program = program.parent().and_then(|deps| deps.parent()).expect("deps").join("examples/reopen_on_sighup");
    let service = Service(Command::new(program).arg(directory.path()).spawn().expect("cargo has built the example"));
    let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    eventually("the service logs", || text("service.log").contains("number=3"));

    for turn in 1..4 {
        let moved = format!("service.log.{turn}");
        fs::rename(directory.path().join("service.log"), directory.path().join(&moved)).expect("renamed");
        kill(Pid::from_raw(service.0.id() as i32), Signal::SIGHUP).expect("sent");
        eventually("a new file", || text("service.log").contains("log file reopened"));
        eventually("it goes on", || text("service.log").contains("at work"));
    }
    drop(service);

    let all: String = (1..4).rev().map(|turn| read(directory.path(), &format!("service.log.{turn}"))).collect();
    let all = all + &read(directory.path(), "service.log");
    let mut numbers: Vec<u64> = all.lines().filter_map(|line| line.split_once("number=")?.1.parse().ok()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(all.lines().filter(|line| line.contains("reopened")).count(), 3);
}
