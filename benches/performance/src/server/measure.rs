//! One measurement: a server that is a process of its own, or several, and a load.

use crate::lines::Found;
use crate::server::cases::Case;
use crate::server::serve::Figures;
use crate::server::{check, pace, wrk};
use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) processes: usize,
    pub(crate) seconds: u64,
    /// Requests a second. `None`: as many as go, by wrk.
    pub(crate) rate: Option<u32>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Microseconds: the names are those of [`pace::NAMES`]. wrk prints the first two.
    pub(crate) times: pace::Times,
    /// Microseconds of processor time for each request, of all processes and threads of the server.
    pub(crate) cpu: f64,
    /// Requests that the server has counted.
    pub(crate) requests: u64,
    /// The share of the process that had the fewest requests.
    pub(crate) least: f64,
    /// Requests that wrk calls failed.
    pub(crate) errors: u64,
    pub(crate) found: Found,
}

pub(crate) fn measure(case: &Case, load: Load, parent: &Path) -> Result<Measured, Box<dyn Error>> {
    let directory = tempfile::Builder::new().prefix("performance.").tempdir_in(parent)?;
    let server = Server::start(case, load.processes, directory.path())?;
    let (rate, times, errors) = match load.rate {
        None => {
            let report = wrk::load(server.port, load.seconds)?;
            (report.rate, [report.median, report.p99, f64::NAN, f64::NAN], report.errors)
        }
        Some(rate) => (f64::from(rate), pace::load(server.port, rate, Duration::from_secs(load.seconds))?, 0),
    };
    let figures = server.finish(load.processes)?;
    let counts: Vec<u64> = figures.iter().map(|figures| figures.requests).collect();
    let found = if case.logs() { check::find(directory.path(), &counts)? } else { Found::default() };
    directory.close()?;
    let requests: u64 = counts.iter().sum();
    Ok(Measured {
        rate,
        times,
        cpu: figures.iter().map(|figures| figures.cpu).sum::<u64>() as f64 / 1e3 / requests as f64,
        requests,
        least: counts.iter().min().copied().unwrap_or_default() as f64 / requests as f64,
        errors,
        found,
    })
}

struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(case: &Case, processes: usize, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", case.name, "--directory"]).arg(directory).arg(format!("--processes={processes}"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("a server without an output")?);
        let mut server = Self { child, output, port: 0 };
        let mut line = String::new();
        server.output.read_line(&mut line)?;
        server.port = line.trim().parse().map_err(|_| format!("the server with `{}` does not start", case.name))?;
        Ok(server)
    }

    /// The figures of its processes, in the order of their numbers.
    fn finish(mut self, processes: usize) -> Result<Vec<Figures>, Box<dyn Error>> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        let mut figures = text.lines().map(Figures::parse).collect::<Result<Vec<_>, _>>()?;
        figures.sort_by_key(|figures| figures.process);
        if !status.success() || !figures.iter().map(|figures| figures.process).eq(0..processes) {
            return Err(format!("a server ended with {status} and printed: {text}").into());
        }
        Ok(figures)
    }
}

impl Drop for Server {
    /// A measurement that has failed leaves no process behind: the children of a fork end with their input.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
