//! `latency`: how long each single event takes while a large file is compressed and many are pruned, against a quiet
//! directory. A quiet window comes right before each other one, and ratios are taken inside such a pair.

use std::{error::Error, fs, io, path::Path, thread, time::Duration};

use clap::Args;
use tempfile::TempDir;

use crate::{
    closed::{self, Closed, Sizes},
    load::Worker,
    machine,
    stats::Summary,
    window::{Done, Pace, Packing, Tail},
};

/// The time of each event while files are compressed and pruned, against a quiet directory.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Rounds; in each of them everything is measured once, in rotated order.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Bytes of the file that is compressed.
    #[arg(long, default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1..))]
    bytes: u64,
    /// Files that are pruned.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    files: u32,
    /// Bytes of each of them.
    #[arg(long, default_value_t = 10 << 20)]
    pruned_bytes: u64,
    /// Seconds of a quiet window. The others are as long as their work.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Measure only with these.
    #[arg(long, value_delimiter = ',', default_value = "gzip,zstd")]
    packing: Vec<Packing>,
    /// Measure only at these.
    #[arg(long, value_delimiter = ',', default_value = "sleeping,spinning")]
    pace: Vec<Pace>,
}

/// Who does the housekeeping, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Work {
    packing: Packing,
    /// The appender that is measured, in its own thread; else another process.
    own: bool,
}

impl Work {
    fn name(self) -> String {
        format!("{}, {}", self.packing.name(), if self.own { "own thread" } else { "other process" })
    }
}

/// A window with housekeeping, and the quiet one right before it.
#[derive(Debug)]
struct Pair {
    quiet: Tail,
    busy: Tail,
    done: Done,
}

impl Pair {
    /// The quotient of the p99.9s.
    fn ratio(&self) -> f64 {
        self.busy.ns[2] as f64 / self.quiet.ns[2] as f64
    }
}

/// All rounds, a line for each window, then the tables.
pub(crate) fn measure(arguments: &Arguments, parent: &Path) -> Result<(), Box<dyn Error>> {
    let text = closed::text();
    println!("{}", machine::describe(parent)?);
    println!(
        "{} rounds; {} bytes are compressed, {} files of {} bytes are pruned; quiet for {} s\n",
        arguments.rounds, arguments.bytes, arguments.files, arguments.pruned_bytes, arguments.seconds
    );
    let works = |packing: &Packing| [true, false].map(|own| Work { packing: *packing, own });
    let rows: Vec<Work> = arguments.packing.iter().flat_map(works).collect();
    let mut rounds: Vec<Vec<Vec<Pair>>> = arguments.pace.iter().map(|_| Vec::new()).collect();
    for first in (0..rows.len()).cycle().take(usize::try_from(arguments.rounds)?) {
        for (pace, rounds) in arguments.pace.iter().zip(&mut rounds) {
            let mut pairs = Vec::new();
            for at in (0..rows.len()).map(|step| (first + step) % rows.len()) {
                pairs.push((at, arguments.pair(*pace, rows[at], parent, &text)?));
            }
            pairs.sort_unstable_by_key(|(at, _)| *at);
            rounds.push(pairs.into_iter().map(|(_, pair)| pair).collect());
        }
    }
    for (pace, rounds) in arguments.pace.iter().zip(&rounds) {
        print!("\n{}", table(*pace, &rows, rounds));
    }
    println!("\n{LEGEND}");
    Ok(())
}

const LEGEND: &str = "\
us          time of an event: median over the windows of each one's median, p99, ...
x quiet     p99.9 / p99.9 of the quiet window right before: median over the rounds (least to most); less is better
compressed  seconds from the first event until the archive was there and the plain file gone, which is the window";

impl Arguments {
    fn pair(&self, pace: Pace, work: Work, parent: &Path, text: &[u8]) -> Result<Pair, Box<dyn Error>> {
        let quiet = self.quiet(pace, work.packing, parent)?;
        println!("{}", line(pace, "quiet", quiet, None));
        let (busy, done) = self.busy(pace, work, parent, text)?;
        let pair = Pair { quiet, busy, done };
        println!("{}; x quiet {:.2}", line(pace, &work.name(), busy, Some(done)), pair.ratio());
        Ok(pair)
    }

    fn quiet(&self, pace: Pace, packing: Packing, parent: &Path) -> Result<Tail, Box<dyn Error>> {
        let directory = new_directory(parent)?;
        let mut writer = start_writer(pace, packing, &[], directory.path())?;
        writer.go()?;
        thread::sleep(Duration::from_secs_f64(self.seconds));
        writer.end();
        let tail = writer.finish()?.trim_end().parse()?;
        directory.close()?;
        Ok(tail)
    }

    fn busy(&self, pace: Pace, work: Work, parent: &Path, text: &[u8]) -> Result<(Tail, Done), Box<dyn Error>> {
        let place = new_directory(parent)?;
        let directory = place.path().join("logs");
        fs::create_dir(&directory)?;
        let sizes = Sizes { bytes: self.bytes, files: self.files, pruned_bytes: self.pruned_bytes };
        let closed = Closed::make(&place.path().join("aside"), sizes, text)?;
        let files = self.files.to_string();
        let (tail, done) = if work.own {
            let mut writer = start_writer(pace, work.packing, &["--own", "--files", &files], &directory)?;
            closed.move_into(&directory)?;
            writer.go()?;
            let printed = writer.finish()?;
            let (tail, done) = printed.trim_end().split_once('\n').ok_or("a writer gave no figures")?;
            (tail.parse()?, done.parse()?)
        } else {
            let arguments = ["latency-housekeeper", "--packing", work.packing.name(), "--files", &files];
            let mut housekeeper = Worker::start(&arguments, &directory)?;
            housekeeper.expect_ready()?;
            let mut writer = start_writer(pace, work.packing, &[], &directory)?;
            closed.move_into(&directory)?;
            housekeeper.go()?;
            writer.go()?;
            let done = housekeeper.finish()?.trim_end().parse()?;
            writer.end();
            (writer.finish()?.trim_end().parse()?, done)
        };
        closed.expect_done(&directory, work.packing)?;
        place.close()?;
        Ok((tail, done))
    }
}

fn new_directory(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("peer-benches.").tempdir_in(parent)
}

fn start_writer(pace: Pace, packing: Packing, more: &[&str], directory: &Path) -> Result<Worker, Box<dyn Error>> {
    let mut arguments = vec!["latency-writer", "--pace", pace.name(), "--packing", packing.name()];
    arguments.extend(more);
    let mut writer = Worker::start(&arguments, directory)?;
    writer.expect_ready()?;
    Ok(writer)
}

fn line(pace: Pace, beside: &str, tail: Tail, done: Option<Done>) -> String {
    let [median, p99, p999, p9999, max] = tail.ns.map(|ns| micros(ns as f64));
    let done = done.map_or_else(String::new, |done| {
        let (pruned, compressed) = (done.pruned.as_secs_f64(), done.compressed.as_secs_f64());
        format!("; {} files pruned after {pruned:.2} s, one compressed after {compressed:.2} s", done.files)
    });
    format!(
        "{}, {beside}: {} events; us {median}, p99 {p99}, p99.9 {p999}, p99.99 {p9999}, max {max}; {} % waiting for \
         a processor{done}; load {}",
        pace.name(),
        tail.events,
        tail.waited as f64 / 10.0,
        machine::load(),
    )
}

/// A row for all quiet windows, and one for each kind of work.
fn table(pace: Pace, works: &[Work], rounds: &[Vec<Pair>]) -> String {
    let title = ["", "median us", "p99", "p99.9", "p99.99", "max", "x quiet", "pruned", "compressed"];
    let mut text = format!("latency, {}\n", pace.name()) + &row(title.map(str::to_owned));
    let quiet = medians(rounds.iter().flatten().map(|pair| pair.quiet));
    text += &row_of("quiet".to_owned(), quiet, ["-", "-", "-"].map(str::to_owned));
    for (at, work) in works.iter().enumerate() {
        let pairs = || rounds.iter().map(|round| &round[at]);
        let ratio = Summary::of(pairs().map(Pair::ratio))
            .map_or_else(String::new, |ratio| format!("{:.2} ({:.2}-{:.2})", ratio.median, ratio.min, ratio.max));
        let files: u64 = pairs().map(|pair| pair.done.files).sum();
        let pruned = format!("{files} in {:.2} s", median(pairs().map(|pair| pair.done.pruned.as_secs_f64())));
        let compressed = format!("{:.1} s", median(pairs().map(|pair| pair.done.compressed.as_secs_f64())));
        text += &row_of(work.name(), medians(pairs().map(|pair| pair.busy)), [ratio, pruned, compressed]);
    }
    text
}

/// Of each column by itself.
fn medians(tails: impl Iterator<Item = Tail> + Clone) -> [f64; 5] {
    std::array::from_fn(|place| median(tails.clone().map(|tail| tail.ns[place] as f64)))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    Summary::of(values).map_or(f64::NAN, |summary| summary.median)
}

fn micros(ns: f64) -> String {
    format!("{:.2}", ns / 1e3)
}

fn row_of(name: String, ns: [f64; 5], more: [String; 3]) -> String {
    let [median, p99, p999, p9999, max] = ns.map(micros);
    let [quiet, pruned, compressed] = more;
    row([name, median, p99, p999, p9999, max, quiet, pruned, compressed])
}

fn row(cells: [String; 9]) -> String {
    let [what, median, p99, p999, p9999, max, quiet, pruned, compressed] = cells;
    format!("  {what:<22}{median:>10}{p99:>10}{p999:>10}{p9999:>10}{max:>12}{quiet:>20}{pruned:>16}{compressed:>12}\n")
}
