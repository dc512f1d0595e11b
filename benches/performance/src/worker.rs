//! A process of a measurement. It says when it is ready, begins when its input ends, and prints its figures.

use crate::loggers::{self, Files, Open};
use clap::Args;
use nix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    logger: String,
    #[arg(long)]
    directory: PathBuf,
    #[arg(long)]
    threads: u64,
    /// Events of each thread.
    #[arg(long)]
    events: u64,
    /// Events of each thread before those that are measured.
    #[arg(long)]
    warm_up: u64,
    /// The number of the first thread, in all processes of the measurement.
    #[arg(long)]
    first_writer: u64,
    #[arg(long)]
    limit: Option<u64>,
    #[arg(long)]
    each_second: bool,
    /// So many events a second, each of them timed.
    #[arg(long)]
    rate: Option<u64>,
}

pub(crate) const READY: &str = "ready\n";

/// What a process prints in the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Nanoseconds on the clock that processes share: the first event, the return of the last, all lines in the file.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) flushed: u64,
    /// Nanoseconds of processor time, of all threads, from the first event until all lines are in the file.
    pub(crate) cpu: u64,
    /// The most memory that the process has had, in KiB.
    pub(crate) memory: u64,
    /// The median, p99, p99.9, p99.99 and the longest of the timed events, in nanoseconds.
    pub(crate) times: [u64; 5],
    /// The longest of each second, and the least of these, in nanoseconds.
    pub(crate) longest_of_a_second: u64,
}

impl Figures {
    fn print(&self) -> String {
        let [median, p99, p999, p9999, longest] = self.times;
        let Self { start, end, flushed, cpu, memory, longest_of_a_second, .. } = self;
        format!(
            "{start} {end} {flushed} {cpu} {memory} {longest_of_a_second} {median} {p99} {p999} {p9999} {longest}\n"
        )
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let numbers: Vec<u64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [start, end, flushed, cpu, memory, longest_of_a_second, times @ ..] =
            <[u64; 11]>::try_from(numbers).map_err(|numbers| format!("a process printed {} numbers", numbers.len()))?;
        Ok(Self { start, end, flushed, cpu, memory, times, longest_of_a_second })
    }
}

pub(crate) fn work(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let logger = loggers::named(&arguments.logger)?;
    let &Arguments { ref directory, limit, each_second, rate, .. } = arguments;
    // Some loggers ask for each file that is kept when they roll over. Where that is timed, few are kept.
    let kept = if rate.is_some() { 100 } else { 100_000 };
    let opened = (logger.open)(Files { directory, limit, each_second, kept })?;
    let (opened, writers) = (&*opened, arguments.first_writer..arguments.first_writer + arguments.threads);
    in_threads(writers.clone(), |writer| opened.log(writer, 0..arguments.warm_up));
    opened.settle();
    stdout().write_all(READY.as_bytes())?;
    stdout().flush()?;
    stdin().read_to_end(&mut Vec::new())?;

    let cpu = now(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    let numbers = arguments.warm_up..arguments.warm_up + arguments.events;
    let spans = in_threads(writers, |writer| match arguments.rate {
        None => {
            let start = monotonic();
            opened.log(writer, numbers.clone());
            (start, monotonic(), Times::default())
        }
        Some(rate) => timed(opened, writer, numbers.clone(), rate),
    });
    opened.flush();
    let figures = Figures {
        start: spans.iter().map(|span| span.0).min().unwrap_or_default(),
        end: spans.iter().map(|span| span.1).max().unwrap_or_default(),
        flushed: monotonic(),
        cpu: now(ClockId::CLOCK_PROCESS_CPUTIME_ID)? - cpu,
        memory: most_memory(),
        times: spans[0].2.places,
        longest_of_a_second: spans[0].2.longest_of_a_second,
    };
    stdout().write_all(figures.print().as_bytes())?;
    Ok(())
}

/// All of them begin at the same moment.
fn in_threads<T: Send>(writers: std::ops::Range<u64>, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(writers.clone().count());
    thread::scope(|scope| {
        let begin = |writer| {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(writer)
            })
        };
        let threads: Vec<_> = writers.map(begin).collect();
        threads.into_iter().map(|thread| thread.join().expect("a writer panicked")).collect()
    })
}

/// Events at their times. The thread does not sleep in between: a processor that sleeps is slow for a while.
fn timed(opened: &dyn Open, writer: u64, numbers: std::ops::Range<u64>, rate: u64) -> (u64, u64, Times) {
    let start = monotonic();
    let mut times = Vec::with_capacity((numbers.end - numbers.start) as usize);
    let mut due = start;
    for number in numbers {
        due += 1_000_000_000 / rate;
        while monotonic() < due {
            std::hint::spin_loop();
        }
        let began = monotonic();
        opened.log(writer, number..number + 1);
        times.push(monotonic() - began);
    }
    (start, monotonic(), Times::of(times, rate))
}

/// What the times of single events come to, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    /// The median, p99, p99.9, p99.99 and the longest.
    places: [u64; 5],
    /// The longest of each second, and the least of these.
    longest_of_a_second: u64,
}

impl Times {
    fn of(mut times: Vec<u64>, rate: u64) -> Self {
        let longest = times.chunks_exact(rate as usize).filter_map(|second| second.iter().copied().max());
        let longest_of_a_second = longest.min().unwrap_or_default();
        times.sort_unstable();
        let place = |share: f64| times.get((share * (times.len() as f64 - 1.0)).round() as usize).copied();
        let places = [0.5, 0.99, 0.999, 0.9999, 1.0].map(|share| place(share).unwrap_or_default());
        Self { places, longest_of_a_second }
    }
}

/// `VmHWM` of `proc_pid_status(5)`. `getrusage(2)` counts what stood in the memory before this program began.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

fn monotonic() -> u64 {
    now(ClockId::CLOCK_MONOTONIC).expect("a clock")
}

fn now(clock: ClockId) -> nix::Result<u64> {
    let time = Duration::from(clock_gettime(clock)?);
    Ok(time.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_percentiles_and_the_longest_of_a_second() {
        let times = Times::of((0..=10_000).rev().collect(), 4000);
        assert_eq!(times.places, [5000, 9900, 9990, 9999, 10_000]);
        assert_eq!(times.longest_of_a_second, 6000, "of 10000 and 6000; the last second is not a whole one");
        assert_eq!(Times::of(Vec::new(), 4000), Times::default());
    }
}
