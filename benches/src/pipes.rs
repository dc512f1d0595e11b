//! `pipes`: lines through a pipe into a file, by `prefork-log pipe` and by the programs that it can take the place of.
//!
//! The feeder is this program itself, and the same for all. In each round each receiver gets the same lines, in rotated
//! order. A receiver whose files do not have all lines at the end is refused.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use clap::Args;
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::resource::{UsageWho, getrusage},
    unistd::pipe2,
};

use crate::{machine, stats::Summary};

/// The bytes of a line.
const LINE: usize = 120;

/// Lines through a pipe: prefork-log, rotatelogs, cronolog, multilog and cat, those that are installed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Rounds; in each of them each receiver gets all lines.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Lines of one measurement.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    lines: u64,
    /// The program `prefork-log`, from `cargo build --release -p prefork-log`; beside this program by default.
    #[arg(long, value_name = "PATH")]
    prefork_log: Option<PathBuf>,
}

/// The feeder: writes lines to standard output.
#[derive(Debug, Args)]
pub(crate) struct Feeder {
    lines: u64,
    /// The bytes of one write(2).
    chunk: usize,
}

/// The bound: reads as `prefork-log pipe` reads, and writes nothing.
#[derive(Debug, Args)]
pub(crate) struct Reader {}

impl Feeder {
    pub(crate) fn work(&self) -> Result<(), Box<dyn Error>> {
        let mut line = b"abcdefghijklmnopqrstuvwxyz0123456789".repeat(4);
        line.truncate(LINE - 1);
        line.push(b'\n');
        let mut to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let lines = line.repeat(self.chunk / LINE + 2);
        let mut left = usize::try_from(self.lines)? * LINE;
        while left > 0 {
            // Chunks cut lines anywhere, but each one goes on where the last one ended.
            let begin = (usize::try_from(self.lines)? * LINE - left) % LINE;
            let length = self.chunk.min(left);
            to.write_all(&lines[begin..begin + length])?;
            left -= length;
        }
        Ok(())
    }
}

impl Reader {
    pub(crate) fn work(&self) -> Result<(), Box<dyn Error>> {
        let mut from = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let _ = fcntl(&from, FcntlArg::F_SETPIPE_SZ(256 << 10));
        let mut piece = vec![0; 256 << 10];
        loop {
            let length = io::Read::read(&mut from, &mut piece)?;
            match length {
                0 => return Ok(()),
                1..0x1000 => std::thread::sleep(Duration::from_micros(300)),
                _ => {}
            }
        }
    }
}

/// How the lines are fed.
#[derive(Clone, Copy, Debug)]
struct Shape {
    chunk: usize,
    feeders: u64,
}

const SHAPES: [Shape; 4] = [
    Shape { chunk: LINE, feeders: 1 },
    Shape { chunk: LINE, feeders: 8 },
    Shape { chunk: 4 << 10, feeders: 1 },
    Shape { chunk: 64 << 10, feeders: 1 },
];

/// A program that takes the lines.
struct Receiver {
    name: &'static str,
    command: Vec<String>,
    /// Whether the lines are in its files.
    writes: bool,
}

impl Receiver {
    /// All that are installed, `prefork-log` first.
    fn all(prefork_log: &Path) -> Result<Vec<Self>, Box<dyn Error>> {
        let ours = prefork_log.to_str().ok_or("the path of prefork-log is not UTF-8")?;
        let this = std::env::current_exe()?.to_str().ok_or("the path of this program is not UTF-8")?.to_owned();
        let known: [(&str, &[&str], bool); 7] = [
            ("prefork-log pipe", &[ours, "pipe", "logs", "--prefix", "app", "--rotate", "daily"], true),
            ("the same, --stamp", &[ours, "pipe", "logs", "--prefix", "app", "--rotate", "daily", "--stamp"], true),
            ("rotatelogs", &["rotatelogs", "logs/app.%Y%m%d", "86400"], true),
            ("cronolog", &["cronolog", "logs/app.%Y%m%d"], true),
            ("multilog", &["multilog", "s16777215", "n1000", "./logs"], true),
            ("cat > file", &["sh", "-c", "exec cat > logs/app"], true),
            ("nothing is written", &[&this, "pipe-reader"], false),
        ];
        let is_there = |program: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            program.contains('/') || std::env::split_paths(&path).any(|directory| directory.join(program).exists())
        };
        let there = known.into_iter().filter(|(_, command, _)| is_there(command[0]));
        Ok(there
            .map(|(name, command, writes)| {
                let command = command.iter().map(|&word| word.to_owned()).collect();
                Self { name, command, writes }
            })
            .collect())
    }

    /// The seconds until all lines are in the files, and the seconds of processor time that the receiver took.
    fn measure(&self, shape: Shape, lines: u64, dir: &Path) -> Result<(f64, f64), Box<dyn Error>> {
        let directory = tempfile::tempdir_in(dir)?;
        fs::create_dir(directory.path().join("logs"))?;
        let (from, to) = pipe2(OFlag::O_CLOEXEC)?;
        let each = lines / shape.feeders;
        let begin = Instant::now();
        let mut receiver = Command::new(&self.command[0]);
        receiver.args(&self.command[1..]).stdin(from).current_dir(directory.path());
        let mut receiver = receiver.spawn().map_err(|error| format!("{}: {error}", self.name))?;
        let mut feeders = Vec::new();
        for _ in 0..shape.feeders {
            let mut feeder = Command::new(std::env::current_exe()?);
            feeder.args(["pipe-feeder", &each.to_string(), &shape.chunk.to_string()]);
            feeders.push(feeder.stdin(Stdio::null()).stdout(to.try_clone()?).spawn()?);
        }
        drop(to);
        for feeder in &mut feeders {
            if !feeder.wait()?.success() {
                return Err(format!("{} does not read all lines", self.name).into());
            }
        }
        let before = children()?;
        // multilog and cronolog give a code of their own at the end of their input.
        receiver.wait()?;
        let (wall, processor) = (begin.elapsed().as_secs_f64(), children()? - before);
        let found = newlines(&directory.path().join("logs"))?;
        if self.writes && found != each * shape.feeders {
            return Err(format!("{}: {found} of {} lines are in the files", self.name, each * shape.feeders).into());
        }
        Ok((wall, processor))
    }
}

/// The seconds of processor time of all children that were waited for.
fn children() -> Result<f64, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// The lines in the files of a directory, but for the hidden files.
fn newlines(directory: &Path) -> Result<u64, Box<dyn Error>> {
    let mut found = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !is_hidden {
            found += fs::read(&path)?.iter().filter(|byte| **byte == b'\n').count() as u64;
        }
    }
    Ok(found)
}

/// All shapes, each with a table.
pub(crate) fn measure(arguments: &Arguments, dir: &Path) -> Result<(), Box<dyn Error>> {
    let beside = std::env::current_exe()?.with_file_name("prefork-log");
    let prefork_log = arguments.prefork_log.clone().unwrap_or(beside);
    if !prefork_log.exists() {
        return Err(format!("{} is missing: cargo build --release -p prefork-log", prefork_log.display()).into());
    }
    let receivers = Receiver::all(&fs::canonicalize(prefork_log)?)?;
    println!("{}", machine::describe(dir)?);
    println!("{} rounds of {} lines; a line is {LINE} bytes\n", arguments.rounds, arguments.lines);
    for shape in SHAPES {
        let (mut wall, mut processor) = (Vec::new(), Vec::new());
        for first in (0..receivers.len()).cycle().take(usize::try_from(arguments.rounds)?) {
            let mut round = vec![(0.0, 0.0); receivers.len()];
            for step in 0..receivers.len() {
                let at = (first + step) % receivers.len();
                round[at] = receivers[at].measure(shape, arguments.lines, dir)?;
            }
            wall.push(round.iter().map(|(wall, _)| *wall).collect::<Vec<_>>());
            processor.push(round.iter().map(|(_, processor)| *processor).collect::<Vec<_>>());
        }
        print_table(shape, arguments.lines, &receivers, &wall, &processor);
    }
    println!("M lines/s   lines / wall-clock time, median (10th to 90th percentile)");
    println!("ns/line     processor time of the receiver / lines, median");
    println!("ours        speed of prefork-log pipe / speed of this receiver in the same round, median");
    println!("ours, cpu   processor time of this receiver / that of prefork-log pipe in the same round, median");
    Ok(())
}

fn print_table(shape: Shape, lines: u64, receivers: &[Receiver], wall: &[Vec<f64>], processor: &[Vec<f64>]) {
    println!("{} feeder(s), {} bytes a write(2); load {}", shape.feeders, shape.chunk, machine::load());
    println!("{:<20}  {:>22}  {:>8}  {:>6}  {:>9}", "receiver", "M lines/s", "ns/line", "ours", "ours, cpu");
    let column = |rounds: &[Vec<f64>], of: &dyn Fn(&Vec<f64>) -> f64| Summary::of(rounds.iter().map(of));
    for (at, receiver) in receivers.iter().enumerate() {
        let speed = column(wall, &|round| lines as f64 / round[at] / 1e6);
        let cost = column(processor, &|round| round[at] / lines as f64 * 1e9);
        let (faster, cheaper) =
            (column(wall, &|round| round[at] / round[0]), column(processor, &|round| round[at] / round[0]));
        if let (Some(speed), Some(cost), Some(faster), Some(cheaper)) = (speed, cost, faster, cheaper) {
            let range = format!("{:.2} ({:.2} to {:.2})", speed.median, speed.p10, speed.p90);
            let (cost, faster, cheaper) = (cost.median, faster.median, cheaper.median);
            println!("{:<20}  {range:>22}  {cost:>8.0}  {faster:>6.2}  {cheaper:>9.2}", receiver.name);
        }
    }
    println!();
}
