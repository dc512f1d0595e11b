//! The example `daemonize`, from a directory of its own and with a relative path.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{counted, example, numbers, text};
use crate::common::{eventually, names};

/// A daemon that ends with its test: nobody else waits for it.
struct Daemon(Pid);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

#[test]
fn a_daemon_goes_on_in_the_files_of_its_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let (logs, pid_file) = (directory.path().join("logs"), directory.path().join("daemon.pid"));
    let status = example("daemonize").args(["logs", "daemon.pid"]).current_dir(directory.path()).status();
    assert!(status.expect("runs").success(), "whoever starts a daemon gets its prompt back");

    let log = || if logs.exists() { text(&logs, "daemon.", ".log") } else { String::new() };
    eventually("the daemon works", || log().lines().filter(|line| line.contains("at work")).count() >= 20);
    let daemon = numbers(&log(), "the daemon begins pid=");
    let [pid] = daemon[..] else { panic!("{daemon:?}") };
    let daemon = Daemon(Pid::from_raw(pid as i32));
    let started = numbers(&log(), "the daemon is started pid=");
    assert!(started.len() == 1 && started[0] != pid, "before the forks it is another process: {started:?}");

    // The file that got the number of the log file has no line of the log.
    assert_eq!(fs::read_to_string(&pid_file).expect("there"), format!("{pid}\n"));
    #[cfg(target_os = "linux")]
    for (link, target) in [("cwd", "/"), ("fd/0", "/dev/null"), ("fd/1", "/dev/null"), ("fd/2", "/dev/null")] {
        assert_eq!(fs::read_link(format!("/proc/{pid}/{link}")).expect("there"), std::path::Path::new(target));
    }
    for name in names(&logs) {
        let mode = fs::metadata(logs.join(&name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o640, "{name}");
    }

    kill(daemon.0, Signal::SIGTERM).expect("it runs");
    eventually("the daemon ends", || log().contains("the daemon ends"));
    assert!(!pid_file.exists());
    let log = log();
    let lines = counted(&numbers(&log, "at work line="));
    assert_eq!(numbers(&log, "the daemon ends lines="), [lines]);
    assert_eq!(log.lines().count() as u64, lines + 3, "{log}");
    assert_eq!(names(directory.path()), ["logs"], "the daemon has made nothing else");
}

#[test]
fn an_error_of_build_is_told_to_whoever_starts_the_daemon() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("logs"), "a file").expect("written");
    let output = example("daemonize").args(["logs", "daemon.pid"]).current_dir(directory.path()).output();
    let output = output.expect("runs");
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("logs"), "{output:?}");
    assert!(!directory.path().join("daemon.pid").exists());
}
