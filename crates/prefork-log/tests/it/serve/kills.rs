//! Receivers that are killed and started again lose nothing.

use super::client::{Job, check_lines, counts, wait_for};
use super::lines::Found;
use super::receiver::{Stage, read, wait_until};
use nix::sys::signal::Signal;
use std::collections::HashMap;
use std::env;
use std::fs::{self, DirEntry};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The lines of all processes, and the kills. With `PREFORK_LOG_LINES=1000000` the test has its full size.
fn size() -> (u64, u64) {
    let lines = env::var("PREFORK_LOG_LINES").ok().and_then(|lines| lines.parse().ok());
    lines.map_or((64_000, 5), |lines| (lines, 20))
}

/// What the receiver does with the files, and whether the clients write them, too.
#[derive(Clone, Copy, Debug, Default)]
struct Setting {
    falls_back: bool,
    /// 0 for no limit.
    max_file_bytes: u64,
    lock_writes: bool,
    compress: bool,
}

impl Setting {
    fn options(self) -> Vec<String> {
        let mut options = Vec::new();
        if self.max_file_bytes > 0 {
            options.extend(["--max-file-bytes".to_owned(), self.max_file_bytes.to_string()]);
        }
        // The clients write beside the receiver. Nothing is to be glued to a fragment that it leaves.
        if self.lock_writes || self.falls_back {
            options.push("--lock-writes".to_owned());
        }
        if self.compress {
            options.extend(["--compress", "gzip", "--background-priority", "false"].map(str::to_owned));
        }
        options
    }

    fn clients(self, lines: u64) -> Vec<Job> {
        let Self { falls_back, max_file_bytes, .. } = self;
        (1..=16).map(|process| Job { falls_back, max_file_bytes, ..Job::plain(process, lines / 16) }).collect()
    }
}

/// The bytes of text that are in the log files.
#[derive(Default)]
struct Progress {
    /// Those of archives, by name and size.
    archives: HashMap<(String, u64), u64>,
}

impl Progress {
    fn bytes(&mut self, logs: &Path) -> u64 {
        let entries = fs::read_dir(logs).into_iter().flatten().map(|entry| entry.expect("readable"));
        entries.filter_map(|entry| self.of(&entry)).sum()
    }

    /// `None`: the file has just become an archive.
    fn of(&mut self, entry: &DirEntry) -> Option<u64> {
        let (name, size) = (entry.file_name().into_string().expect("UTF-8"), entry.metadata().ok()?.len());
        if !name.ends_with(".gz") {
            return (!name.starts_with('.')).then_some(size);
        }
        if let Some(known) = self.archives.get(&(name.clone(), size)) {
            return Some(*known);
        }
        let text = read(&entry.path()).ok()?.len() as u64;
        self.archives.insert((name, size), text);
        Some(text)
    }
}

/// Ends the receiver again and again while the clients send. Returns what was found, and what the clients counted.
fn end_again_and_again(signal: Signal, setting: Setting) -> (Found, u64, u64) {
    let (stage, (lines, kills), options) = (Stage::new(), size(), setting.options());
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let jobs = setting.clients(lines);
    let mut receiver = stage.receiver(&options);
    let running: Vec<_> = jobs.iter().map(|job| job.start(&stage)).collect();
    let (began, mut progress) = (Instant::now(), Progress::default());
    for number in 1..=kills {
        // As often while the clients send. A line has 110 bytes at least.
        let due = lines * 110 * number / (kills + 1);
        wait_until("lines come", || progress.bytes(&stage.logs()) >= due);
        receiver.signal(signal);
        receiver.child.wait().expect("a child");
        std::thread::sleep(Duration::from_millis(5 * (number % 4)));
        receiver = stage.receiver(&options);
    }
    let killed = began.elapsed();
    wait_for(running);
    receiver.end();
    if setting.compress {
        compress(&stage);
    }
    let found = check_lines(&stage, &jobs);
    let counts = counts(&stage);
    eprintln!(
        "{signal}, {kills} times in {:.1} s of {:.1} s, {setting:?}: {found:?}, clients: {counts:?}",
        killed.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    assert_eq!((found.lost, found.torn, found.misplaced, found.late), (0, 0, 0, 0));
    assert_eq!(found.lines, lines + found.double);
    assert_eq!(counts["dropped"], 0);
    assert_eq!(counts["acknowledged"] + counts["written directly"], lines);
    assert!(found.double <= counts["resent"], "each line that is there twice was counted");
    let ends_at_once = signal == Signal::SIGKILL;
    assert!(counts["reconnects"] > 0 || !ends_at_once, "the kills came while the clients sent");
    (found, counts["resent"], counts["written directly"])
}

/// A receiver that was killed can leave a plain file beside its archive. The next one that compresses clears it away.
fn compress(stage: &Stage) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prefork-log"));
    command.args(["compress", "--background-priority", "false", "--prefix", "app", "--suffix", "log"]);
    command.arg(stage.logs()).stdout(Stdio::null());
    assert!(command.status().expect("it starts").success());
}

/// Kills the receiver again and again. Nobody else writes the files, so no line is there twice.
fn kill_again_and_again(setting: Setting) {
    let (found, resent, _) = end_again_and_again(Signal::SIGKILL, setting);
    assert!(resent > 0, "lines were under way");
    assert_eq!(found.double, 0, "the journal says what was written");
}

#[test]
fn a_receiver_that_is_killed_and_started_again_loses_nothing() {
    kill_again_and_again(Setting::default());
}

#[test]
fn nor_does_one_with_several_files_a_second() {
    kill_again_and_again(Setting { max_file_bytes: 100_000, ..Setting::default() });
}

#[test]
fn nor_does_one_with_several_files_of_an_exact_size() {
    kill_again_and_again(Setting { max_file_bytes: 100_000, lock_writes: true, ..Setting::default() });
}

#[test]
fn nor_does_one_that_compresses() {
    kill_again_and_again(Setting { compress: true, ..Setting::default() });
}

#[test]
fn nor_does_one_that_compresses_several_files_a_second() {
    kill_again_and_again(Setting { compress: true, max_file_bytes: 100_000, ..Setting::default() });
}

#[test]
fn while_a_killed_receiver_is_not_there_the_clients_write() {
    let setting = Setting { falls_back: true, ..Setting::default() };
    let (_, _, written_directly) = end_again_and_again(Signal::SIGKILL, setting);
    assert!(written_directly > 0);
}

#[test]
fn clients_write_several_files_a_second_as_the_receiver_does() {
    let setting = Setting { falls_back: true, max_file_bytes: 100_000, ..Setting::default() };
    let (_, _, written_directly) = end_again_and_again(Signal::SIGKILL, setting);
    assert!(written_directly > 0);
}

#[test]
fn a_receiver_that_is_told_to_end_doubles_nothing() {
    let (found, ..) = end_again_and_again(Signal::SIGTERM, Setting::default());
    assert_eq!(found.double, 0, "what was written was acknowledged");
}
