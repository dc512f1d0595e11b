//! Four processes write one set of rolling log files. Then each line of the files is checked.
//!
//! ```text
//! cargo run --release -p demo
//! ```
//!
//! Nobody has to wait for midnight: the clock of this program begins at a given day, and a day takes half a second.

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use std::collections::HashSet;
use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, process, thread};
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

const WORKERS: usize = 4;
/// 2026-11-21T00:00:00Z, in seconds since 1970.
const START: u64 = 1_795_219_200;
const DAY: Duration = Duration::from_secs(86_400);
/// How many times as fast as the system's clock ours runs: a day takes half a second.
const SPEED: u32 = 172_800;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = match env::args_os().nth(1) {
        Some(directory) => PathBuf::from(directory),
        None => env::temp_dir().join(format!("tracing-prefork-demo-{}", process::id())),
    };
    let begin = Instant::now(); // means the same in each forked process
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START);
    let clock = move || start + begin.elapsed() * SPEED;
    let end = start + 4 * DAY - DAY / 8;

    let logs = Appender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("app")
        .filename_suffix("log")
        .max_log_files(14)
        .latest_symlink("latest.log")
        .clock(clock)
        .build(&directory)?;
    tracing_subscriber::registry().with(LevelFilter::INFO).with(logs.layer()).init();

    let workers = (1..=WORKERS).map(|number| start_worker(number, || clock() < end)).collect::<Result<Vec<_>, _>>()?;
    let mut written = 0;
    for worker in workers {
        written += worker.lines()?;
    }
    check(&logs, &directory, written)
}

/// A forked process, and the end of a socket from which the number of its lines can be read.
struct Worker {
    pid: nix::unistd::Pid,
    answer: UnixStream,
}

impl Worker {
    fn lines(mut self) -> Result<usize, Box<dyn Error>> {
        let mut text = String::new();
        self.answer.read_to_string(&mut text)?;
        waitpid(self.pid, None)?;
        Ok(text.parse()?)
    }
}

fn start_worker(number: usize, goes_on: impl Fn() -> bool) -> Result<Worker, Box<dyn Error>> {
    let (answer, mut tell) = UnixStream::pair()?;
    // SAFETY: this process has one thread, so no lock can be held by a thread that the child lacks.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Worker { pid: child, answer }),
        ForkResult::Child => {
            let lines = log(number, goes_on);
            let told = tell.write_all(lines.to_string().as_bytes());
            process::exit(i32::from(told.is_err()))
        }
    }
}

/// Logs in bursts: the pauses leave room on the disk, and on the machine.
fn log(worker: usize, goes_on: impl Fn() -> bool) -> usize {
    let mut line = 0;
    while goes_on() {
        for _ in 0..50 {
            line += 1;
            tracing::info!(worker, line, "hello");
        }
        thread::sleep(Duration::from_millis(1));
    }
    line
}

/// Reads the files back and prints what is in them.
fn check(logs: &Appender, directory: &Path, written: usize) -> Result<(), Box<dyn Error>> {
    let (mut seen, mut bad, mut misplaced) = (HashSet::new(), 0, 0);
    println!("{:<20}{:>10}   of worker 1, 2, 3, 4", "file", "lines");
    for file in logs.files()? {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut lines = [0; WORKERS];
        for line in fs::read_to_string(&file.path)?.lines() {
            match parse(line) {
                Some((day, worker, number)) if seen.insert((worker, number)) => {
                    lines[worker - 1] += 1;
                    misplaced += usize::from(name != format!("app.{day}.log"));
                }
                _ => bad += 1,
            }
        }
        println!("{name:<20}{:>10}   {lines:?}", lines.iter().sum::<usize>());
    }
    let link = fs::read_link(directory.join("latest.log"))?;
    println!("latest.log leads to {}\n", link.display());
    println!("{written} lines written by {WORKERS} processes, {} of these lines in the files:", seen.len());
    println!("{} lost, {bad} torn or doubled, {misplaced} in the wrong file", written.abs_diff(seen.len()));
    println!("the files are in {}", directory.display());
    if (seen.len(), bad, misplaced) == (written, 0, 0) { Ok(()) } else { Err("the files are wrong".into()) }
}

/// The day, the worker and the number of a line: `2026-11-21T08:33:01.123456Z  INFO demo: hello worker=1 line=2`.
fn parse(line: &str) -> Option<(&str, usize, usize)> {
    let (day, rest) = line.split_once('T')?;
    let (_, fields) = rest.split_once(" INFO demo: hello worker=")?;
    let (worker, number) = fields.split_once(" line=")?;
    let worker = worker.parse().ok().filter(|worker| (1..=WORKERS).contains(worker))?;
    Some((day, worker, number.parse().ok()?))
}
