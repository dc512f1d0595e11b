//! `docs/troubleshooting.md`: each command on the page runs, in a directory in which there is something to find. What
//! the page shows as printed is what is printed, but for numbers.

use crate::common::{Running, pipe, text, wait_until};
use crate::files::printed;
use crate::page::{Block, blocks_of, run};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PAGE: &str = "docs/troubleshooting.md";
const NAMES: [&str; 8] = ["--prefix", "app", "--suffix", "log", "--rotate", "daily", "--stamp", "--buffered"];

/// The days on the page, and days in the place of the first two that are past by any clock. The third one is today.
const DAYS: [(&str, &str); 2] = [("2026-11-19", "2001-09-08"), ("2026-11-20", "2001-09-09")];
const TODAY: &str = "2026-11-21";

/// A log directory at a bad hour: two old files, a process that logs, the ring of another that was killed, and a file
/// that was removed while it was open.
struct Trouble {
    home: TempDir,
    running: Running,
    _removed: File,
    today: String,
}

impl Trouble {
    fn make() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let logs = home.path().join("logs");
        let running = pipe_that_has_written(&logs, &[]);
        let lines = [("2001-09-08", "GET /hello 200\n"), ("2001-09-09", "GET / 200\n")];
        for (day, line) in lines {
            fs::write(logs.join(format!("app.{day}.log")), format!("{day}T08:33:01Z {line}")).expect("written");
        }
        leave_a_ring(&logs);
        let removed = logs.join("app.2001-09-07.log");
        let file = File::create(&removed).expect("made");
        fs::write(&removed, "2001-09-07T08:33:01Z saved\n").expect("written");
        fs::remove_file(&removed).expect("removed");
        let names = fs::read_dir(&logs).expect("listed").map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        let newest = names.iter().rfind(|name| name.starts_with("app.")).expect("the current file");
        let today = newest.trim_start_matches("app.").trim_end_matches(".log").to_owned();
        Self { home, running, _removed: file, today }
    }

    /// A command of the page, for this directory.
    fn here(&self, command: &str) -> String {
        let logs = self.home.path().join("logs");
        let command = command.replace("/var/log/app", logs.to_str().expect("UTF-8"));
        let command = command.replace("4711", &self.running.child.id().to_string()).replace(TODAY, &self.today);
        DAYS.iter().fold(command, |command, (there, here)| command.replace(there, here))
    }

    /// Runs the commands, and returns what they print.
    fn run(&self, commands: &str) -> String {
        let ended = run(&self.here(commands), self.home.path());
        let stderr = text(ended.stderr);
        assert!(ended.status.success() && stderr.is_empty(), "{commands}\n{:?}\n{stderr}", ended.status);
        text(ended.stdout)
    }
}

fn pipe_that_has_written(logs: &Path, more: &[&str]) -> Running {
    let options: Vec<_> = NAMES.iter().chain(more).copied().collect();
    let mut running = Running::start(pipe(logs, &options));
    let word = format!(" first of {}\n", running.child.id());
    running.write(word.trim_start());
    wait_until("the first line is in its file", || {
        let entries = fs::read_dir(logs).into_iter().flatten().map(|entry| entry.expect("readable").path());
        let mut files = entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "log"));
        files.any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&word)))
    });
    running
}

/// The ring of a killed process, with three lines.
fn leave_a_ring(logs: &Path) {
    let mut killed = pipe_that_has_written(logs, &["--max-delay", "1 hour"]);
    let tasks = format!("/proc/{}/task", killed.child.id());
    let stats = || fs::read_dir(&tasks).expect("listed").map(|task| task.expect("readable").path().join("stat"));
    let sleeps = |stat: PathBuf| fs::read_to_string(stat).is_ok_and(|stat| stat.contains("(tracing-prefork) S "));
    wait_until("the thread that writes sleeps", || stats().any(sleeps));
    killed.write("one\ntwo\nthree\n");
    let waiting =
        || -> Vec<Value> { serde_json::from_str(&printed(&["ls", "--rings", "--json"], logs)).expect("JSON") };
    wait_until("the lines are in the ring", || waiting().iter().any(|ring| ring["lines"] == 3));
    killed.signal(Signal::SIGKILL);
    assert!(!killed.ended().status.success());
}

/// The lines without what depends on the hour: numbers, the identities of rings, and their order.
fn without_numbers(printed: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| {
            let parts = word.split('.').map(|part| {
                let is_identity = part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
                let digits = |text: &str| text.split(|letter: char| letter.is_ascii_digit()).collect::<String>();
                if is_identity { "NUMBER".to_owned() } else { digits(part) }
            });
            parts.collect::<Vec<_>>().join(".")
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<_> = printed.lines().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn what_the_page_shows_is_printed() {
    let mut shown = 0;
    for Block { code, .. } in blocks_of(PAGE).into_iter().filter(|block| block.language == "console") {
        let trouble = Trouble::make();
        for (command, printed) in code.split("$ ").skip(1).map(|part| part.split_once('\n').expect("a command")) {
            let (here, page) = (without_numbers(&trouble.run(command)), without_numbers(printed));
            assert_eq!(here, page, "{command}");
            shown += 1;
        }
    }
    assert!(shown >= 4, "{shown} commands");
}

#[test]
fn each_command_for_those_in_trouble_runs() {
    let mut blocks = 0;
    for Block { language, code } in blocks_of(PAGE) {
        match language.as_str() {
            "sh" => {}
            "console" | "text" => continue,
            other => panic!("nobody runs blocks of {other}"),
        }
        let trouble = Trouble::make();
        trouble.run(&code);
        if let Some(find) = code.lines().find(|line| line.starts_with("find ")) {
            let found = trouble.run(find);
            let open = format!("/proc/{}/fd/", std::process::id());
            assert!(found.lines().any(|line| line.starts_with(&open)), "{find}\n{found}");
        }
        if code.contains(" saved.log") {
            let saved = fs::read_to_string(trouble.home.path().join("saved.log")).expect("saved");
            assert_eq!(saved, "2001-09-07T08:33:01Z saved\n");
        }
        blocks += 1;
    }
    assert!(blocks >= 12, "{blocks} blocks");
}

#[test]
fn logging_goes_on_after_the_commands_that_make_room() {
    let mut trouble = Trouble::make();
    let blocks = blocks_of(PAGE).into_iter().filter(|block| block.language == "sh");
    let making_room: Vec<_> =
        blocks.filter(|block| ["compress ", "truncate "].iter().any(|word| block.code.contains(word))).collect();
    assert_eq!(making_room.len(), 2, "the commands for a full disk");
    for block in making_room {
        trouble.run(&block.code);
    }
    trouble.running.write("goes on\n");
    let current = trouble.home.path().join(format!("logs/app.{}.log", trouble.today));
    wait_until("the line is in the emptied file", || {
        fs::read_to_string(&current).is_ok_and(|text| text.ends_with(" goes on\n") && text.lines().count() == 1)
    });
}
