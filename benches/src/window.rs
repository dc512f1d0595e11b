//! The processes of `latency`. One logs in one thread and takes the time of each event; the window is as long as the
//! housekeeping beside it, which is its own or that of another process.

use std::{
    error::Error,
    fs,
    io::{self, Read},
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use clap::{Args, ValueEnum};
use nix::{
    sys::time::TimeSpec,
    time::{ClockId, ClockNanosleepFlags, clock_nanosleep},
};
use tracing::{Dispatch, dispatcher};
use tracing_prefork::{Appender, Compression, Rotation};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use crate::load::{now, say_ready, wait_for_go};

/// Events before the first that counts.
const WARM_UP: u64 = 200;

/// After so many events the writer looks whether its window is over.
const LOOK: usize = 128;

/// No window is longer. There is room for the times of all its events before it begins.
const LIMIT: Duration = Duration::from_secs(600);

/// How the events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pace {
    /// 10 000 events a second, and the thread sleeps in between: a busy service. Each event begins with a thread that
    /// has just been woken, on a processor that others have used meanwhile.
    Sleeping,
    /// 100 000 events a second, and the thread never sleeps: a bound. What an event costs is then the kernel's doing
    /// and not the waking up; twelve megabytes a second, which is less than a disk takes.
    Spinning,
}

impl Pace {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sleeping => "sleeping",
            Self::Spinning => "spinning",
        }
    }

    fn interval(self) -> Duration {
        match self {
            Self::Sleeping => Duration::from_micros(100),
            Self::Spinning => Duration::from_micros(10),
        }
    }

    fn wait_until(self, at: Duration) -> nix::Result<()> {
        match self {
            Self::Sleeping => {
                let at = TimeSpec::from_duration(at);
                clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &at).map(drop)
            }
            Self::Spinning => {
                while now()? < at {
                    std::hint::spin_loop();
                }
                Ok(())
            }
        }
    }
}

/// Into what closed files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// What is measured, and what does the housekeeping: today's file and yesterday's are kept.
    pub(crate) fn appender(self, directory: &Path) -> Result<Appender, Box<dyn Error>> {
        let kind = match self {
            Self::Gzip => Compression::Gzip,
            Self::Zstd => Compression::Zstd,
        };
        let files = Appender::builder().rotation(Rotation::DAILY).filename_prefix("app.log");
        Ok(files.max_log_files(2).compress(kind).build(directory)?)
    }
}

/// A process that logs, and takes the time of each event.
#[derive(Debug, Args)]
pub(crate) struct Writer {
    #[arg(long)]
    pub(crate) pace: Pace,
    #[arg(long)]
    pub(crate) packing: Packing,
    /// The housekeeping is this process's own, and the window ends with it; else it ends when the input does.
    #[arg(long)]
    pub(crate) own: bool,
    /// Files that are pruned.
    #[arg(long, default_value_t = 0)]
    pub(crate) files: u64,
}

impl Writer {
    /// The first event after the start begins the housekeeping, if it is this process's own.
    pub(crate) fn work(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        let logs = self.packing.appender(directory)?;
        let dispatch = Dispatch::new(Registry::default().with(logs.layer()));
        let mut times = vec![u32::MAX; usize::try_from(LIMIT.as_micros() / self.pace.interval().as_micros())?];
        say_ready()?;
        wait_for_go()?;
        let ended = Arc::new(AtomicBool::new(false));
        if !self.own {
            let ended = ended.clone();
            thread::spawn(move || {
                let _ = io::stdin().read_to_end(&mut Vec::new());
                ended.store(true, Relaxed);
            });
        }
        let mut progress = Progress::new(self.files)?;
        let is_over = || if self.own { progress.is_over(&logs) } else { Ok(ended.load(Relaxed)) };
        let (start, waited) = (now()?, waited());
        let events = dispatcher::with_default(&dispatch, || self.record(&mut times, is_over))?;
        let waited = (self::waited() - waited).as_secs_f64() / (now()? - start).as_secs_f64();
        let tail = Tail::of(&mut times[..events], (waited * 1000.0) as u64);
        println!("{}", tail.ok_or("the window was over at once")?.text());
        if self.own {
            println!("{}", progress.done()?.text());
        }
        Ok(())
    }

    /// Says how many events there were.
    fn record(
        &self,
        times: &mut [u32],
        mut is_over: impl FnMut() -> Result<bool, Box<dyn Error>>,
    ) -> Result<usize, Box<dyn Error>> {
        let event = |request| tracing::info!(request, method = "GET", path = "/orders/17", us = 481, "answered");
        (0..WARM_UP).for_each(event);
        let mut due = now()?;
        for (at, time) in times.iter_mut().enumerate() {
            if at % LOOK == 0 && is_over()? {
                return Ok(at);
            }
            due += self.pace.interval();
            self.pace.wait_until(due)?;
            let began = now()?;
            event(at as u64);
            *time = (now()? - began).as_nanos().try_into().unwrap_or(u32::MAX);
        }
        Err(format!("the window was not over in {LIMIT:?}").into())
    }
}

/// For how long this thread has waited for a processor that others had (`/proc/PID/schedstat`).
pub(crate) fn waited() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').nth(1).and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

/// A process that does the housekeeping for another one.
#[derive(Debug, Args)]
pub(crate) struct Housekeeper {
    #[arg(long)]
    pub(crate) packing: Packing,
    #[arg(long)]
    pub(crate) files: u64,
}

impl Housekeeper {
    /// Started before any other process: whoever makes the file of the day does the housekeeping.
    pub(crate) fn work(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        let logs = self.packing.appender(directory)?;
        say_ready()?;
        wait_for_go()?;
        let mut progress = Progress::new(self.files)?;
        tracing::subscriber::with_default(Registry::default().with(logs.layer()), || tracing::info!("one event"));
        while !progress.is_over(&logs)? {
            thread::sleep(Duration::from_millis(10));
        }
        println!("{}", progress.done()?.text());
        Ok(())
    }
}

/// How far the housekeeping of a process has come.
#[derive(Debug)]
struct Progress {
    files: u64,
    start: Duration,
    pruned: Option<Duration>,
    compressed: Option<Duration>,
}

impl Progress {
    fn new(files: u64) -> nix::Result<Self> {
        Ok(Self { files, start: now()?, pruned: None, compressed: None })
    }

    /// An error if anything has failed, or has been done that should not have been.
    fn is_over(&mut self, logs: &Appender) -> Result<bool, Box<dyn Error>> {
        let stats = logs.stats();
        if stats.errors > 0 || stats.files_pruned > self.files || stats.files_compressed > 1 {
            return Err(format!("housekeeping has gone wrong: {stats:?}").into());
        }
        let passed = now()? - self.start;
        if stats.files_pruned == self.files {
            self.pruned.get_or_insert(passed);
        }
        if stats.files_compressed == 1 {
            self.compressed.get_or_insert(passed);
        }
        Ok(self.compressed.is_some())
    }

    fn done(&self) -> Result<Done, Box<dyn Error>> {
        match (self.pruned, self.compressed) {
            (Some(pruned), Some(compressed)) => Ok(Done { files: self.files, pruned, compressed }),
            _ => Err(format!("compressed, but not pruned: {self:?}").into()),
        }
    }
}

/// What housekeeping has come to: after how long the last of so many files was pruned, and one compressed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Done {
    pub(crate) files: u64,
    pub(crate) pruned: Duration,
    pub(crate) compressed: Duration,
}

impl Done {
    fn text(&self) -> String {
        format!("{} {} {}", self.files, self.pruned.as_nanos(), self.compressed.as_nanos())
    }
}

impl FromStr for Done {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [files, pruned, compressed] = numbers(text)?;
        Ok(Self { files, pruned: Duration::from_nanos(pruned), compressed: Duration::from_nanos(compressed) })
    }
}

/// Nanoseconds of all events of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tail {
    pub(crate) events: u64,
    /// For how many thousandths of the window its thread waited for a processor.
    pub(crate) waited: u64,
    /// The median, p99, p99.9, p99.99 and the longest.
    pub(crate) ns: [u64; 5],
}

impl Tail {
    /// Which of so many events, in order.
    const PLACES: [f64; 5] = [0.5, 0.99, 0.999, 0.9999, 1.0];

    /// `None` without events.
    pub(crate) fn of(times: &mut [u32], waited: u64) -> Option<Self> {
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        let ns = Self::PLACES.map(|place| times[(place * last as f64).round() as usize].into());
        Some(Self { events: times.len() as u64, waited, ns })
    }

    fn text(&self) -> String {
        let ns = self.ns.map(|ns| ns.to_string()).join(" ");
        format!("{} {} {ns}", self.events, self.waited)
    }
}

impl FromStr for Tail {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [events, waited, ns @ ..] = numbers::<7>(text)?;
        Ok(Self { events, waited, ns })
    }
}

fn numbers<const N: usize>(text: &str) -> Result<[u64; N], Box<dyn Error>> {
    let numbers: Result<Vec<u64>, _> = text.split(' ').map(str::parse).collect();
    numbers?.try_into().map_err(|_| format!("{text:?} are not {N} numbers").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_window_is_that_of_its_events_in_order() {
        let mut times: Vec<u32> = (0..=10_000).rev().collect();
        let tail = Tail::of(&mut times, 12).expect("events");
        assert_eq!(tail, Tail { events: 10_001, waited: 12, ns: [5_000, 9_900, 9_990, 9_999, 10_000] });
        assert_eq!(tail.text().parse::<Tail>().expect("seven numbers"), tail);
        assert_eq!(Tail::of(&mut [], 0), None);
    }
}
