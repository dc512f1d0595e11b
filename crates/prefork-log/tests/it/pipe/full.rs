//! A full disk: lines wait, or are dropped and counted, or end the program. Needs root, for a small tmpfs.

use crate::common::{Running, all_lines, ends, pipe, text};
use nix::unistd::geteuid;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::thread;

/// A tmpfs of a MiB, as long as this lives.
struct Small(tempfile::TempDir);

impl Small {
    /// `None`, with a word on standard error, if this user may not mount.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let mount =
            || Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(directory.path()).status();
        if !geteuid().is_root() || !mount().is_ok_and(|status| status.success()) {
            eprintln!("skipped: only root can mount a small file system");
            return None;
        }
        Some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Three MiB.
fn input() -> Vec<String> {
    (0..32_768).map(|number| format!("{number:08} {}", "x".repeat(86))).collect()
}

#[test]
fn lines_that_do_not_fit_are_dropped_and_counted() {
    let Some(disk) = Small::mount() else { return };
    let lines = input();
    let command = pipe(disk.path(), &["--prefix", "app.log", "--when-full", "drop"]);
    let ended = ends(command, (lines.join("\n") + "\n").as_bytes());
    let told = text(ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    let known: BTreeSet<_> = lines.iter().collect();
    let written = all_lines(disk.path()).into_iter().filter(|line| known.contains(line)).count();
    let lost = lines.len() - written;
    assert!(written > 5_000, "{written} lines are written");
    assert!(told.contains(&format!("{lost} lines ({} bytes) were not written\n", lost * 96)), "{lost}: {told}");
    assert!(told.contains("cannot write, ") && told.contains("No space left on device"), "{told}");
}

#[test]
fn lines_wait_until_there_is_room() {
    let Some(disk) = Small::mount() else { return };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 900 << 10]).expect("written");
    let lines: Vec<_> = input().into_iter().take(8_000).collect();
    let mut running = Running::start(pipe(disk.path(), &["--prefix", "app.log", "--lock-writes"]));
    let mut stderr = BufReader::new(running.child.stderr.take().expect("a pipe"));
    let feeder = thread::spawn({
        let text = lines.join("\n") + "\n";
        move || {
            running.write(&text);
            running.stdin = None;
            running
        }
    });
    let mut told = String::new();
    stderr.read_line(&mut told).expect("a report");
    assert!(told.starts_with("prefork-log: cannot write, waiting for 0 seconds: "), "{told}");
    std::fs::remove_file(&ballast).expect("removed");
    let ended = feeder.join().expect("all is read").ended();
    stderr.read_to_string(&mut told).expect("reports");
    assert!(ended.status.success(), "{told}");
    assert!(told.contains("can write again after ") && told.contains("; 0 lines (0 bytes) dropped"), "{told}");
    assert_eq!(all_lines(disk.path()), lines);
}

#[test]
fn lines_that_are_buffered_wait_until_there_is_room() {
    let Some(disk) = Small::mount() else { return };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 900 << 10]).expect("written");
    let rings = tempfile::tempdir().expect("a directory");
    let directory = rings.path().to_str().expect("UTF-8");
    // All of them are in the ring when standard input ends.
    let lines: Vec<_> = input().into_iter().take(8_000).collect();
    let options = ["--prefix", "app.log", "--buffered", "--ring-bytes", "2 MiB", "--ring-directory", directory];
    let mut running = Running::start(pipe(disk.path(), &options));
    let mut stderr = BufReader::new(running.child.stderr.take().expect("a pipe"));
    running.write(&(lines.join("\n") + "\n"));
    running.stdin = None;
    let mut told = String::new();
    while !told.contains("cannot write, waiting for 0 seconds: ") {
        assert!(stderr.read_line(&mut told).expect("a report") > 0, "{told}");
    }
    assert_eq!(std::fs::read_dir(rings.path()).expect("listed").count(), 1);
    std::fs::remove_file(&ballast).expect("removed");
    let ended = running.ended();
    stderr.read_to_string(&mut told).expect("reports");
    assert!(ended.status.success(), "{told}");
    assert_eq!(all_lines(disk.path()), lines);
    assert_eq!(std::fs::read_dir(rings.path()).expect("listed").count(), 0);
}

#[test]
fn nobody_waits_after_a_signal() {
    let Some(disk) = Small::mount() else { return };
    std::fs::write(disk.path().join("ballast"), vec![0; 2 << 20]).expect_err("full");
    let mut running = Running::start(pipe(disk.path(), &["--prefix", "app.log", "--linger", "1 hour"]));
    let mut stderr = BufReader::new(running.child.stderr.take().expect("a pipe"));
    running.write("one\ntwo\n");
    let mut told = String::new();
    stderr.read_line(&mut told).expect("a report");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    running.stdin = None;
    assert_eq!(running.ended().status.code(), Some(1));
    stderr.read_to_string(&mut told).expect("reports");
    assert!(told.ends_with("prefork-log: 2 lines (8 bytes) were not written\n"), "{told}");
}

#[test]
fn a_full_disk_ends_the_program_on_demand() {
    let Some(disk) = Small::mount() else { return };
    let command = pipe(disk.path(), &["--prefix", "app.log", "--when-full", "exit"]);
    let ended = ends(command, (input().join("\n") + "\n").as_bytes());
    let told = text(ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains(" were not written\nprefork-log: cannot write: "), "{told}");
}

#[test]
fn old_files_go_before_lines_wait() {
    let Some(disk) = Small::mount() else { return };
    let options = ["--prefix", "app", "--suffix", "log", "--max-file-bytes", "100 kB", "--min-log-files", "2"];
    let lines = input();
    let ended = ends(pipe(disk.path(), &options), (lines.join("\n") + "\n").as_bytes());
    assert!(ended.status.success(), "{}", text(ended.stderr));
    assert!(all_lines(disk.path()).contains(lines.last().expect("lines")));
}
