//! Measures what a log line costs: the floor (`write(2)` on an `O_APPEND` descriptor), ours and
//! `tracing-appender`, in one run and interleaved round by round.
//!
//! It reports times and never judges them: a shared machine would make a judgement flaky. It does
//! refuse to report a measurement whose lines are not all in the file afterwards.

mod closed;
mod counted;
mod latency;
mod load;
mod machine;
mod pipes;
mod report;
mod short;
mod stats;
mod subject;
mod window;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use load::{Measured, Shape};
use subject::{Group, Kind};

/// Costs per line and per event, side by side: bare write(2), tracing-prefork, tracing-appender.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    mode: Option<Mode>,
    /// Rounds; in each of them every subject is measured once, in rotated order.
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Lines of one measurement, shared out among its threads or processes.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2..))]
    lines: u64,
    /// Where the files go (and are removed again): /dev/shm for tmpfs, for example.
    #[arg(long, global = true, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Measure only these: names of subjects or of groups (`lines`, `formats-json`); comma-separated.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Do N lines or events of one KIND and exit, for a tool that counts instructions.
    #[arg(long, num_args = 2, value_names = ["N", "KIND"])]
    callgrind_loop: Option<Vec<String>>,
    /// One of the processes of a measurement: started by this program itself.
    #[arg(long, hide = true, value_name = "KIND")]
    worker: Option<Kind>,
}

#[derive(Debug, Subcommand)]
enum Mode {
    Latency(latency::Arguments),
    Pipes(pipes::Arguments),
    /// One of the processes of `pipes`: started by this program itself.
    #[command(hide = true)]
    PipeFeeder(pipes::Feeder),
    /// Another one.
    #[command(hide = true)]
    PipeReader(pipes::Reader),
    /// One of the processes of `latency`: started by this program itself.
    #[command(hide = true)]
    LatencyWriter(window::Writer),
    /// Another one.
    #[command(hide = true)]
    LatencyHousekeeper(window::Housekeeper),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peer-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let dir = &*arguments.dir;
    match &arguments.mode {
        Some(Mode::Latency(latency)) => return latency::measure(latency, dir),
        Some(Mode::Pipes(pipes)) => return pipes::measure(pipes, dir),
        Some(Mode::PipeFeeder(feeder)) => return feeder.work(),
        Some(Mode::PipeReader(reader)) => return reader.work(),
        Some(Mode::LatencyWriter(writer)) => return writer.work(dir),
        Some(Mode::LatencyHousekeeper(housekeeper)) => return housekeeper.work(dir),
        None => {}
    }
    if let Some(kind) = arguments.worker {
        return load::work(kind, &arguments.dir, arguments.lines);
    }
    if let Some([times, name]) = arguments.callgrind_loop.as_deref() {
        return load::repeat(Kind::named(name)?, &arguments.dir, times.parse()?);
    }
    measure(arguments)
}

/// All rounds of all groups, then the tables.
fn measure(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let chosen = Kind::chosen(&arguments.only)?;
    println!("{}", machine::describe(&arguments.dir)?);
    println!("{} rounds of {} lines; a line is {} bytes\n", arguments.rounds, arguments.lines, subject::LINE.len());
    for group in Group::ALL {
        let kinds: Vec<Kind> = chosen.iter().copied().filter(|kind| kind.group() == group).collect();
        for shape in group.shapes().iter().filter(|_| !kinds.is_empty()) {
            let rounds = interleave(&kinds, *shape, arguments)?;
            println!("{}", report::table(group, *shape, &kinds, &rounds));
            if group.has_file() {
                println!("{}", report::table_of_ends(group, *shape, &kinds, &rounds));
            }
        }
    }
    println!("{}", report::LEGEND);
    Ok(())
}

/// For every round the figures of each kind, in the order of `kinds`; the order in
/// which they are measured moves on by one from round to round.
fn interleave(kinds: &[Kind], shape: Shape, arguments: &Arguments) -> Result<Vec<Vec<Measured>>, Box<dyn Error>> {
    let mut rounds = Vec::new();
    for first in (0..kinds.len()).cycle().take(usize::try_from(arguments.rounds)?) {
        let mut round = vec![Measured::default(); kinds.len()];
        for step in 0..kinds.len() {
            let at = (first + step) % kinds.len();
            round[at] = load::measure(kinds[at], shape, &arguments.dir, arguments.lines)?;
        }
        rounds.push(round);
    }
    Ok(rounds)
}
