//! `busy-disk`: how long each single line takes while another process writes large files and waits until they are on
//! the disk. The subjects take turns, each in a window of its own.

use std::{
    error::Error,
    fs::File,
    hint::{black_box, spin_loop},
    io::{Read, Write, stdin},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use clap::Args;

use crate::{
    load::{Worker, now, say_ready},
    machine,
    percentiles::{self, Line},
    subject::{self, Kind, Subject},
    window::{Tail, waited},
};

/// The time of each line beside a process that writes files and calls fsync(2), without a pause.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Rounds; in each of them every subject is measured once, in rotated order.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Seconds of a window.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Lines a second.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: u64,
    /// Bytes of each of the other process's files.
    #[arg(long, default_value_t = 400_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    bytes: u64,
    /// Draws the table into this file (SVG).
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
enum Row {
    /// What the machine itself does to a thread: no line can do better.
    Nothing,
    Of(Kind),
    BufferedInMemory,
}

const ROWS: [Row; 6] = [
    Row::Nothing,
    Row::Of(Kind::Prefork),
    Row::Of(Kind::PreforkBuffered),
    Row::BufferedInMemory,
    Row::Of(Kind::TracingAppender),
    Row::Of(Kind::NonBlocking),
];

impl Row {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Of(kind) => kind.name(),
            Self::BufferedInMemory => "prefork-buffered, /dev/shm",
        }
    }

    fn open(self, directory: &Path) -> Result<Box<dyn Subject>, Box<dyn Error>> {
        match self {
            Self::Nothing => Ok(Box::new(Nothing)),
            Self::Of(kind) => kind.open(directory),
            Self::BufferedInMemory => subject::buffered_in_memory(directory),
        }
    }
}

/// The clock is read twice, and nothing is written in between.
struct Nothing;

impl Subject for Nothing {
    fn run(&self, times: u64) {
        black_box(times);
    }
}

/// Lines before the first that counts.
const WARM_UP: u64 = 200;

/// All rounds, a line for each window, then the table.
pub(crate) fn measure(arguments: &Arguments, parent: &Path) -> Result<(), Box<dyn Error>> {
    println!("{}", machine::describe(parent)?);
    println!(
        "{} rounds of {} s; {} lines a second; the other process writes files of {} bytes\n",
        arguments.rounds, arguments.seconds, arguments.rate, arguments.bytes
    );
    let place = tempfile::Builder::new().prefix("peer-benches.").tempdir_in(parent)?;
    let mut filler = Worker::start(&["disk-filler", "--bytes", &arguments.bytes.to_string()], place.path())?;
    filler.expect_ready()?;
    let mut times = [const { Vec::new() }; ROWS.len()];
    for first in (0..ROWS.len()).cycle().take(usize::try_from(arguments.rounds)?) {
        for at in (0..ROWS.len()).map(|step| (first + step) % ROWS.len()) {
            let directory = tempfile::Builder::new().prefix("logs.").tempdir_in(place.path())?;
            let (mut window, share) = arguments.window(&*ROWS[at].open(directory.path())?)?;
            times[at].extend_from_slice(&window);
            let tail = Tail::of(&mut window, share).ok_or("no line")?;
            println!("{}; load {}", row(ROWS[at].name(), tail).trim_end(), machine::load());
            directory.close()?;
        }
    }
    filler.end();
    print!("\n{} files were written meanwhile\n\nlatency, busy disk\n", filler.finish()?.trim());
    println!("{}", cells("", ["median us", "p99", "p99.9", "p99.99", "max"].map(str::to_owned)));
    let mut lines = Vec::new();
    for (name, times) in ROWS.map(Row::name).into_iter().zip(&mut times) {
        let tail = Tail::of(times, 0).ok_or("no line")?;
        println!("{}", row(name, tail));
        lines.push(Line { name, values: tail.ns.map(|ns| ns as f64 / 1e3) });
    }
    place.close()?;
    if let Some(path) = &arguments.chart {
        // What no line can be better than comes last.
        lines.rotate_left(1);
        let title = "Time of a line beside a process that keeps the disk busy (less is better)";
        percentiles::draw(path, title, &lines)?;
    }
    println!("\nus          time of a line, of all windows together");
    Ok(())
}

impl Arguments {
    /// The time of each line of a window, and for how many thousandths of it the thread waited for a processor.
    fn window(&self, subject: &dyn Subject) -> Result<(Vec<u32>, u64), Box<dyn Error>> {
        subject.run(WARM_UP);
        let interval = Duration::from_nanos(1_000_000_000 / self.rate);
        let mut times = vec![0; (self.seconds * self.rate as f64) as usize];
        let (start, waited_before) = (now()?, waited());
        let mut due = start;
        for time in &mut times {
            due += interval;
            // A processor that sleeps is slow for a while.
            while now()? < due {
                spin_loop();
            }
            let began = now()?;
            subject.run(1);
            *time = (now()? - began).as_nanos().try_into().unwrap_or(u32::MAX);
        }
        let share = (waited() - waited_before).as_secs_f64() / (now()? - start).as_secs_f64();
        subject.flush();
        Ok((times, (share * 1000.0) as u64))
    }
}

fn row(name: &str, tail: Tail) -> String {
    let mut text = cells(name, tail.ns.map(|ns| format!("{:.2}", ns as f64 / 1e3)));
    if tail.waited > 0 {
        text += &format!("; {:.1} % waiting for a processor", tail.waited as f64 / 10.0);
    }
    text
}

fn cells(name: &str, [median, p99, p999, p9999, max]: [String; 5]) -> String {
    format!("  {name:<32}{median:>10}{p99:>10}{p999:>10}{p9999:>10}{max:>12}")
}

/// The process that keeps the disk busy until its input ends.
#[derive(Debug, Args)]
pub(crate) struct Filler {
    #[arg(long)]
    bytes: u64,
}

impl Filler {
    pub(crate) fn work(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        say_ready()?;
        thread::spawn(move || {
            let _ = stdin().read_to_end(&mut Vec::new());
            end.store(true, Relaxed);
        });
        let (block, path) = (vec![0x5a; 1 << 20], directory.join("filler"));
        let mut files = 0;
        while !ended.load(Relaxed) {
            let mut file = File::create(&path)?;
            let mut left = self.bytes;
            while left > 0 && !ended.load(Relaxed) {
                let length = left.min(block.len() as u64);
                file.write_all(&block[..length as usize])?;
                left -= length;
            }
            file.sync_all()?;
            files += 1;
        }
        std::fs::remove_file(&path)?;
        println!("{files}");
        Ok(())
    }
}
