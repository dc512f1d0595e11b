//! Runs a subject: with one thread, with two, or in two processes; takes the time and checks that
//! every line is in the file. Nothing of a measurement is left behind: each has a new directory,
//! removed before the next one, so that no subject appends to a longer file than another and the
//! disk has little time to begin writing back.

use std::{
    error::Error,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Barrier,
    thread,
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

use crate::subject::{Kind, Subject};

/// Who writes the one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    OneThread,
    TwoThreads,
    TwoProcesses,
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneThread => "1 thread",
            Self::TwoThreads => "2 threads, one file",
            Self::TwoProcesses => "2 processes, one file",
        }
    }

    fn writers(self) -> u64 {
        match self {
            Self::OneThread => 1,
            Self::TwoThreads | Self::TwoProcesses => 2,
        }
    }
}

/// From the first writer's first line to the last writer's last, on the clock that all processes
/// share (`CLOCK_MONOTONIC`).
#[derive(Debug, Clone, Copy)]
struct Span {
    start: Duration,
    end: Duration,
}

/// A process of a measurement.
#[derive(Debug, Clone)]
struct Run {
    /// One a thread.
    spans: Vec<Span>,
    /// When all lines were in the file.
    flushed: Duration,
    /// The processor time of all threads of the process until then.
    cpu: Duration,
}

impl Run {
    /// As a worker prints it.
    fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let times: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        let times: [u64; 4] = times?.try_into().map_err(|_| "a worker gave no times")?;
        let [start, end, flushed, cpu] = times.map(Duration::from_nanos);
        Ok(Self { spans: vec![Span { start, end }], flushed, cpu })
    }
}

/// Nanoseconds per line of one measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    /// By the wall clock, for those who write: with two writers that each need 800 ns a line and do not hinder each
    /// other it is 400.
    pub(crate) ns: f64,
    /// The same until all lines are in the file.
    pub(crate) flushed: f64,
    /// Of processor time, of all threads of all processes.
    pub(crate) cpu: f64,
}

/// Measures one subject once.
pub(crate) fn measure(kind: Kind, shape: Shape, parent: &Path, lines: u64) -> Result<Measured, Box<dyn Error>> {
    let directory = tempfile::Builder::new().prefix("peer-benches.").tempdir_in(parent)?;
    let writers = shape.writers();
    let each = lines / writers;
    let runs = match shape {
        Shape::OneThread | Shape::TwoThreads => vec![in_threads(kind, directory.path(), writers, each)?],
        Shape::TwoProcesses => in_processes(kind, directory.path(), writers, each)?,
    };
    if kind.writes_lines() {
        expect_lines(kind, directory.path(), writers * (kind.warm_up() + each))?;
    }
    directory.close()?;

    let spans = || runs.iter().flat_map(|run| &run.spans);
    let start = spans().map(|span| span.start).min().ok_or("no writer")?;
    let end = spans().map(|span| span.end).max().ok_or("no writer")?;
    let flushed = runs.iter().map(|run| run.flushed).max().ok_or("no writer")?;
    let a_line = |time: Duration| time.as_nanos() as f64 / (writers * each) as f64;
    let cpu = runs.iter().map(|run| run.cpu).sum();
    Ok(Measured { ns: a_line(end - start), flushed: a_line(flushed - start), cpu: a_line(cpu) })
}

/// Lines of one kind and nothing else, without a check: for a tool that counts instructions. The
/// difference between two runs of different length is free of what happens once.
pub(crate) fn repeat(kind: Kind, parent: &Path, times: u64) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir_in(parent)?;
    kind.open(directory.path())?.run(times);
    directory.close()?;
    Ok(())
}

fn in_threads(kind: Kind, directory: &Path, writers: u64, each: u64) -> Result<Run, Box<dyn Error>> {
    let subject = &*kind.open(directory)?;
    let barrier = Barrier::new(usize::try_from(writers)?);
    let write = || {
        subject.run(kind.warm_up());
        subject.flush();
        barrier.wait();
        let before = cpu()?;
        Ok::<_, nix::Error>((before, time(subject, each)?))
    };
    let timed = thread::scope(|scope| {
        let others: Vec<_> = (1..writers).map(|_| scope.spawn(write)).collect();
        let mut timed = vec![write()?];
        for other in others {
            timed.push(other.join().map_err(|_| "a writer panicked")??);
        }
        Ok::<_, Box<dyn Error>>(timed)
    })?;
    let (before, spans): (Vec<_>, _) = timed.into_iter().unzip();
    ended(subject, spans, before.into_iter().min().ok_or("no writer")?)
}

/// The flush is measured, too.
fn ended(subject: &dyn Subject, spans: Vec<Span>, before: Duration) -> Result<Run, Box<dyn Error>> {
    subject.flush();
    Ok(Run { spans, flushed: now()?, cpu: cpu()? - before })
}

/// The processor time of all threads of this process.
fn cpu() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from)
}

fn time(subject: &dyn Subject, times: u64) -> nix::Result<Span> {
    let start = now()?;
    subject.run(times);
    Ok(Span { start, end: now()? })
}

pub(crate) fn now() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from)
}

/// This program once more for each writer. All of them report that they are ready before the
/// first is told to go.
fn in_processes(kind: Kind, directory: &Path, writers: u64, each: u64) -> Result<Vec<Run>, Box<dyn Error>> {
    let mut children = Vec::new();
    for _ in 0..writers {
        let lines = each.to_string();
        children.push(Worker::start(&["--worker", kind.name(), "--lines", &lines], directory)?);
    }
    for child in &mut children {
        child.expect_ready()?;
    }
    for child in &mut children {
        child.end();
    }
    children.into_iter().map(|child| Run::parse(&child.finish()?)).collect()
}

/// This program once more. It says when it is ready, waits for what it reads, and answers by its output.
pub(crate) struct Worker {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Worker {
    pub(crate) fn start(arguments: &[&str], directory: &Path) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .arg("--dir")
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("a worker without an output")?);
        Ok(Self { child, output })
    }

    pub(crate) fn expect_ready(&mut self) -> Result<(), Box<dyn Error>> {
        let mut word = String::new();
        self.output.read_line(&mut word)?;
        if word == READY { Ok(()) } else { Err(format!("a worker said {word:?}").into()) }
    }

    /// For a worker that reads a line before it begins, and the end of its input later.
    pub(crate) fn go(&mut self) -> io::Result<()> {
        self.child.stdin.as_mut().map_or(Ok(()), |input| input.write_all(GO.as_bytes()))
    }

    /// The end of its input.
    pub(crate) fn end(&mut self) {
        drop(self.child.stdin.take());
    }

    /// What it has printed since it was ready.
    pub(crate) fn finish(mut self) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        if self.child.wait()?.success() { Ok(text) } else { Err("a worker failed".into()) }
    }
}

const READY: &str = "ready\n";
const GO: &str = "go\n";

/// The other end of [`Worker::expect_ready`].
pub(crate) fn say_ready() -> io::Result<()> {
    io::stdout().write_all(READY.as_bytes())?;
    io::stdout().flush()
}

/// The other end of [`Worker::go`].
pub(crate) fn wait_for_go() -> Result<(), Box<dyn Error>> {
    let mut word = String::new();
    io::stdin().read_line(&mut word)?;
    if word == GO { Ok(()) } else { Err(format!("told {word:?}").into()) }
}

/// What a started worker does: the other end of [`Worker`].
pub(crate) fn work(kind: Kind, directory: &Path, lines: u64) -> Result<(), Box<dyn Error>> {
    let subject = kind.open(directory)?;
    subject.run(kind.warm_up());
    subject.flush();
    say_ready()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    let before = cpu()?;
    let span = time(&*subject, lines)?;
    let run = ended(&*subject, vec![span], before)?;
    println!("{}", [span.start, span.end, run.flushed, run.cpu].map(|time| time.as_nanos().to_string()).join(" "));
    Ok(())
}

/// A measurement of lines that are not there is none.
fn expect_lines(kind: Kind, directory: &Path, wanted: u64) -> Result<(), Box<dyn Error>> {
    let mut found = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A hidden file holds no lines.
        if entry.file_type()?.is_file() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            let text = fs::read(entry.path())?;
            found += text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        }
    }
    if found == wanted {
        return Ok(());
    }
    Err(format!("{}: {found} lines in the file, {wanted} were written", kind.name()).into())
}
