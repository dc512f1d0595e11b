//! Log files for the commands that look at them, made by the library.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Builder, Rotation};

/// 2026-11-21 08:00 UTC.
const START: u64 = 1_795_248_000;
const DAY: u64 = 86_400;

fn day(day: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(START + day * DAY)
}

/// Daily files `app.2026-11-21.log` and so on, from a clock that stands at a day.
pub(crate) fn daily(at: u64) -> Builder {
    let builder = Appender::builder().rotation(Rotation::DAILY).filename_prefix("app").filename_suffix("log");
    builder.clock(move || day(at))
}

/// Writes a line on each of so many days.
pub(crate) fn write_days(directory: &Path, days: u64, with: impl Fn(Builder) -> Builder) {
    for day in 0..days {
        let logs = with(daily(day)).build(directory).expect("builds");
        writeln!(&logs, "a line of day {day}").expect("written");
    }
}

/// Runs `prefork-log`.
pub(crate) fn prefork_log(arguments: &[&str], directory: &Path) -> Output {
    let (command, rest) = arguments.split_first().expect("a command");
    let program = env!("CARGO_BIN_EXE_prefork-log");
    Command::new(program).arg(command).arg(directory).args(rest).output().expect("it starts")
}

/// What a command prints. It must end well.
#[track_caller]
pub(crate) fn printed(arguments: &[&str], directory: &Path) -> String {
    let ended = prefork_log(arguments, directory);
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).expect("UTF-8")
}

/// The exit code of a command that fails, and what it tells.
#[track_caller]
pub(crate) fn refused(arguments: &[&str], directory: &Path) -> (Option<i32>, String) {
    let ended = prefork_log(arguments, directory);
    assert!(!ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stdout));
    (ended.status.code(), String::from_utf8(ended.stderr).expect("UTF-8"))
}

/// The names in a directory, sorted, without hidden ones.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    let names = entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}
