//! One measurement: processes that log at the same time into a directory of their own.

use crate::lines::{self, Found};
use crate::loggers::Logger;
use crate::worker::{Figures, READY};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) processes: u64,
    /// Of each process.
    pub(crate) threads: u64,
    /// Events of all threads together.
    pub(crate) events: u64,
    pub(crate) limit: Option<u64>,
    /// Whether there is a file for each second.
    pub(crate) each_second: bool,
    /// Events a second of each thread, each of them timed. `None`: as many as go.
    pub(crate) rate: Option<u64>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Nanoseconds of wall-clock time for each event, until all lines are in the file.
    pub(crate) flushed: f64,
    /// Nanoseconds of processor time for each event, of all threads.
    pub(crate) cpu: f64,
    /// The most memory of a process, in MiB.
    pub(crate) memory: f64,
    /// The median, p99, p99.9, p99.99 and the longest, in microseconds.
    pub(crate) times: [f64; 5],
    /// The longest of each second, and the least of these, in microseconds.
    pub(crate) longest_of_a_second: f64,
    pub(crate) found: Found,
    pub(crate) files: u64,
    /// Bytes of a line.
    pub(crate) line: f64,
}

/// Events of each process before those that are measured: enough for each page of a buffer to have been touched.
pub(crate) const WARM_UP: u64 = 20_000;

pub(crate) fn measure(logger: &Logger, load: Load, parent: &Path) -> Result<Measured, Box<dyn Error>> {
    let directory = tempfile::Builder::new().prefix("performance.").tempdir_in(parent)?;
    let writers = load.processes * load.threads;
    let (each, warm_up) = (load.events / writers, WARM_UP / writers);
    // What the loggers print, and their panics.
    let mut errors = tempfile::tempfile()?;
    let mut processes = Vec::new();
    for process in 0..load.processes {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["worker", logger.name, "--directory"]).arg(directory.path());
        let first = process * load.threads;
        let numbers = [("threads", load.threads), ("events", each), ("warm-up", warm_up), ("first-writer", first)];
        for (name, value) in
            numbers.into_iter().chain(load.limit.map(|it| ("limit", it))).chain(load.rate.map(|it| ("rate", it)))
        {
            command.arg(format!("--{name}={value}"));
        }
        if load.each_second {
            command.arg("--each-second");
        }
        processes.push(Process::start(&mut command, errors.try_clone()?)?);
    }
    let are_ready = processes.iter_mut().try_for_each(Process::expect_ready);
    processes.iter_mut().for_each(Process::begin);
    let figures =
        are_ready.and_then(|()| processes.into_iter().map(Process::finish).collect::<Result<Vec<Figures>, _>>());
    let figures = figures.map_err(|error| format!("{error}{}", first_line(&mut errors, directory.path())))?;
    let found = lines::find(directory.path(), writers, warm_up + each)?;
    let size = lines::size(directory.path())?;
    directory.close()?;

    let start = figures.iter().map(|figures| figures.start).min().unwrap_or_default();
    let flushed = figures.iter().map(|figures| figures.flushed).max().unwrap_or_default();
    let events = (writers * each) as f64;
    Ok(Measured {
        flushed: (flushed - start) as f64 / events,
        cpu: figures.iter().map(|figures| figures.cpu).sum::<u64>() as f64 / events,
        memory: figures.iter().map(|figures| figures.memory).max().unwrap_or_default() as f64 / 1024.0,
        times: figures[0].times.map(|ns| ns as f64 / 1e3),
        longest_of_a_second: figures[0].longest_of_a_second as f64 / 1e3,
        found,
        files: size.files,
        line: size.bytes as f64 / (writers * (warm_up + each)) as f64,
    })
}

/// The first line that was printed, behind a colon.
fn first_line(errors: &mut File, directory: &Path) -> String {
    let mut text = String::new();
    let read = errors.seek(SeekFrom::Start(0)).and_then(|_| errors.read_to_string(&mut text));
    match (read, text.lines().find(|line| !line.trim().is_empty())) {
        (Ok(_), Some(line)) => format!(": {}", without_folders(line.trim(), directory)),
        _ => String::new(),
    }
}

/// The folder of a crate says where a machine keeps it, and the folder of the log files has another name each time.
fn without_folders(line: &str, directory: &Path) -> String {
    let line = line.replace(&format!("{}/", directory.display()), "");
    let word = |word: &str| match word.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, path)) => path.to_owned(),
        None => word.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// A process that this program has started itself.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(command: &mut Command, errors: File) -> Result<Self, Box<dyn Error>> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("a process without an output")?);
        Ok(Self { child, output })
    }

    pub(crate) fn expect_ready(&mut self) -> Result<(), Box<dyn Error>> {
        let mut word = String::new();
        self.output.read_line(&mut word)?;
        if word == READY { Ok(()) } else { Err("a process ended before its first event".into()) }
    }

    /// Ends its input.
    pub(crate) fn begin(&mut self) {
        drop(self.child.stdin.take());
    }

    fn finish(self) -> Result<Figures, Box<dyn Error>> {
        Figures::parse(&self.printed()?)
    }

    /// What it printed until its end.
    pub(crate) fn printed(mut self) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        if status.success() { Ok(text) } else { Err(format!("a process ended with {status}").into()) }
    }
}

impl Drop for Process {
    /// A measurement that has failed leaves no process behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_no_folder_of_the_machine() {
        let line = "no /logs/1/app.log at /home/a/registry/src/index-1/krate-0.1.0/src/lib.rs:1:2, source: /logs/1/b";
        let expected = "no app.log at krate-0.1.0/src/lib.rs:1:2, source: b";
        assert_eq!(without_folders(line, Path::new("/logs/1")), expected);
    }
}
