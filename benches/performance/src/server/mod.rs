//! `docs/performance-server.md`: a server under load, with each logger.

mod cases;
mod check;
mod measure;
mod pace;
mod serve;
mod wrk;

pub(crate) use serve::{Arguments as ServeArguments, serve};

use crate::chart::{self, Bar, number};
use crate::page::{cell, wrapped};
use crate::rounds::median;
use crate::{machine, versions};
use cases::{Case, NONE};
use clap::Args;
use measure::{Load, Measured};
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where `performance-server.md` and `pictures/` go.
    #[arg(long)]
    docs: PathBuf,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of a measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Where the log files go, and are removed again.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
}

/// Requests a second, where the times are measured: a small part of what the server can answer.
const RATE: u32 = 4_000;

/// Processes of the server that forks.
const PROCESSES: usize = 2;

/// What the rounds of a logger came to.
struct Row {
    case: &'static Case,
    rounds: Vec<Measured>,
}

impl Row {
    fn median(&self, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        median(self.rounds.iter().map(figure).collect())
    }

    /// The median of the ratios of the rounds.
    fn ratio(&self, to: &Self, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        median(self.rounds.iter().zip(&to.rounds).map(|(a, b)| figure(a) / figure(b)).collect())
    }

    /// How many times as much as the least round the most round has.
    fn spread(&self, figure: impl Fn(&Measured) -> f64) -> f64 {
        let values: Vec<f64> = self.rounds.iter().map(figure).collect();
        values.iter().copied().fold(0.0, f64::max) / values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn sum(&self, figure: impl Fn(&Measured) -> u64) -> u64 {
        self.rounds.iter().map(figure).sum()
    }
}

pub(crate) fn write(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut page = head(arguments, &wrk::version()?)?;
    fs::create_dir_all(arguments.docs.join("pictures"))?;
    let load = Load { processes: 1, seconds: arguments.seconds, rate: None };
    let full = interleave(cases::ALL.iter(), load, arguments)?;
    let load = Load { processes: PROCESSES, ..load };
    let forked = interleave(cases::ALL.iter().filter(|case| case.before_fork), load, arguments)?;
    let load = Load { processes: 1, rate: Some(RATE), ..load };
    let paced = interleave(cases::ALL.iter(), load, arguments)?;

    page += &full_load(&full, &forked)?;
    page += &fixed_rate(&paced);
    page += &files(&[("full load", &full), ("two processes", &forked), ("fixed rate", &paced)]);
    let _ = writeln!(page, "\nLoad of the machine at the end: {}.\n", machine::load());
    page += "[performance]: performance.md\n";
    fs::write(arguments.docs.join("performance-server.md"), wrapped(&page))?;
    draw(&full, &paced, &arguments.docs.join("pictures"))
}

fn interleave(
    cases: impl Iterator<Item = &'static Case>,
    load: Load,
    arguments: &Arguments,
) -> Result<Vec<Row>, Box<dyn Error>> {
    eprintln!("{load:?}; load of the machine {}", machine::load());
    let mut rows: Vec<Row> = cases.map(|case| Row { case, rounds: Vec::new() }).collect();
    for first in 0..arguments.rounds {
        for step in 0..rows.len() {
            let at = (first + step) % rows.len();
            let row = &mut rows[at];
            row.rounds.push(measure::measure(row.case, load, &arguments.directory)?);
        }
    }
    Ok(rows)
}

fn head(arguments: &Arguments, wrk: &str) -> Result<String, Box<dyn Error>> {
    let crates = ["axum", "tokio", "tower-http", "tracing-prefork", "tracing-appender"];
    let versions: Vec<String> = crates.map(|krate| format!("{krate} {}", versions::version(krate))).to_vec();
    let mut text = format!(
        "# Performance of a server\n\n\
         An axum server under load, with each logger: how many requests a second, what a request costs, how long an \
         answer takes, and what is in the files afterwards. Loggers without a server: [performance][performance].\n\n\
         All figures of this page are of one run of one command, which needs `wrk`:\n\n\
         ```text\n\
         cargo run --release --manifest-path benches/performance/Cargo.toml -- server --docs docs\n\
         ```\n\n\
         * *Machine*: {}.\n\
         * *Versions*: {}, wrk {wrk}.\n\
         * *Server*: a process of its own for each measurement, with tokio's runtime of several threads, one for each \
         processor. It has one route, which answers {} bytes and does nothing else. So the share of logging is as \
         large as it can be: a server that does some work loses a smaller share.\n\
         * *Events*: `TraceLayer` of tower-http, at `INFO`. Each request has a span of four fields and two events, \
         `started processing request` and `finished processing request`. A new file begins each day.\n\
         * *Rounds*: {}. In each round each logger is measured once, for {} seconds, in a new directory. The order \
         moves on by one. A figure is the median of the rounds; a ratio is the median of the rounds' ratios. The \
         rounds differ by what else the machine does: below each table stands by how much. Beside a large factor a \
         small difference of two loggers says nothing.\n\
         * *Check*: the server counts its requests. Afterwards both events of each request are looked for in the \
         files.\n\n",
        machine::describe(&arguments.directory)?,
        versions.join(", "),
        serve::BODY.len(),
        arguments.rounds,
        arguments.seconds,
    );
    text += "| name | what |\n|---|---|\n";
    for case in cases::ALL {
        let _ = writeln!(text, "| `{}` | {} |", case.name, case.about);
    }
    Ok(text)
}

fn full_load(full: &[Row], forked: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut text = format!(
        "\n## Full load\n\n\
         wrk with {} thread and {} connections, on the processors of the server. *Requests* are those of a second; \
         more is better. *Ratio* is the requests beside those of `{NONE}`: what logging leaves. *Processor* is the \
         microseconds of a request, of all threads of the server, until all lines are in the file; less is \
         better.\n\n\
         wrk is a closed loop: a connection sends its next request when the last answer is there. So each connection \
         always waits, and *p50* and *p99*, in microseconds, are mostly the length of the queue: the connections \
         divided by the requests a second. A server that stalls gets no requests meanwhile, so p99 hides a part of the \
         stall. How long an answer takes is a question for a [fixed rate](#fixed-rate).\n\n\
         ![Requests a second](pictures/server-requests.svg)\n\n",
        wrk::THREADS,
        wrk::CONNECTIONS,
    );
    text += &table(full)?;
    text += &spread(full, "*requests*", |measured| measured.rate);
    let left_out: Vec<String> =
        cases::ALL.iter().filter(|case| !case.before_fork).map(|case| format!("`{}`", case.name)).collect();
    let _ = write!(
        text,
        "\n## Two processes\n\n\
         The same load. The server opens its logger, and a socket for each process (`SO_REUSEPORT`). Then it forks \
         {PROCESSES} processes, which log into the same files and share the processors. {} is left out: its thread \
         stays in the parent.\n\n",
        left_out.join(", "),
    );
    text += &table(forked)?;
    text += &spread(forked, "*requests*", |measured| measured.rate);
    let least = forked.iter().flat_map(|row| &row.rounds).map(|measured| measured.least).fold(1.0, f64::min);
    let _ = writeln!(
        text,
        "\nThe kernel chooses the process of a connection, by its port. The process with fewer requests had at least \
         {:.0} % of them.",
        least * 100.0
    );
    Ok(text)
}

/// How much the rounds of one logger differ.
fn spread(rows: &[Row], what: &str, figure: fn(&Measured) -> f64) -> String {
    let widest = |figure: fn(&Measured) -> f64| number(rows.iter().map(|row| row.spread(figure)).fold(1.0, f64::max));
    format!(
        "\nThe largest and the smallest {what} of one logger are a factor of {} apart at most, the processor times of \
         a request a factor of {}.\n",
        widest(figure),
        widest(|measured| measured.cpu),
    )
}

fn table(rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut text = String::from("| name | requests | ratio | processor | p50 | p99 |\n|---|---|---|---|---|---|\n");
    let none = rows.iter().find(|row| !row.case.logs()).ok_or("no server without a logger")?;
    for row in rows {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} |",
            row.case.name,
            cell(row.median(|measured| measured.rate)),
            row.ratio(none, |measured| measured.rate).map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
            cell(row.median(|measured| measured.cpu)),
            cell(row.median(|measured| measured.times[0])),
            cell(row.median(|measured| measured.times[1])),
        );
    }
    Ok(text)
}

fn fixed_rate(rows: &[Row]) -> String {
    let mut text = format!(
        "\n## Fixed rate\n\n\
         {RATE} requests a second on {} connections, by this program itself, as wrk has no rate. Each request has its \
         time, whether the last answer is there or not, and its answer is timed from then on: a server that stalls \
         does not stop the clock. The figures have in them how late the kernel wakes the threads of the load and of \
         the server. Microseconds; less is better. *Processor* is that of a request.\n\n\
         ![p99 of the time to an answer](pictures/server-latency.svg)\n\n\
         | name | {} | processor |\n|---|---|---|---|---|---|\n",
        pace::CONNECTIONS,
        pace::NAMES.join(" | "),
    );
    for row in rows {
        let times: Vec<String> =
            (0..pace::NAMES.len()).map(|at| cell(row.median(|measured| measured.times[at]))).collect();
        let cpu = cell(row.median(|measured| measured.cpu));
        let _ = writeln!(text, "| `{}` | {} | {cpu} |", row.case.name, times.join(" | "));
    }
    text + &spread(rows, "*p99*", |measured| measured.times[1])
}

fn files(parts: &[(&str, &[Row])]) -> String {
    let mut text = String::from(
        "\n## What is in the files\n\n\
         Of all rounds together. *Lost* events are in no file, although the server has counted the request; *torn* \
         lines are no whole event.\n\n\
         | name | load | events | lost | repeated | torn |\n|---|---|---|---|---|---|\n",
    );
    for case in cases::ALL.iter().filter(|case| case.logs()) {
        for (load, rows) in parts {
            for row in rows.iter().filter(|row| row.case.name == case.name) {
                let _ = writeln!(
                    text,
                    "| `{}` | {load} | {} | {} | {} | {} |",
                    case.name,
                    row.sum(|measured| measured.requests * check::EVENTS),
                    row.sum(|measured| measured.found.lost),
                    row.sum(|measured| measured.found.repeated),
                    row.sum(|measured| measured.found.torn),
                );
            }
        }
    }
    for (load, rows) in parts {
        for row in *rows {
            let errors = row.sum(|measured| measured.errors);
            if errors > 0 {
                let _ = writeln!(text, "\nwrk calls {errors} requests of `{}` failed ({load}).", row.case.name);
            }
        }
    }
    text
}

fn draw(full: &[Row], paced: &[Row], pictures: &Path) -> Result<(), Box<dyn Error>> {
    let bars = |rows: &[Row], figure: fn(&Measured) -> f64| -> Vec<Bar> {
        let bar = |row: &Row| {
            let (name, is_ours) = (row.case.name.to_owned(), row.case.is_ours());
            Some(Bar { name, value: row.median(figure)?, is_ours })
        };
        rows.iter().filter_map(bar).collect()
    };
    chart::bars(
        &pictures.join("server-requests.svg"),
        "Requests a second of an axum server, full load (more is better)",
        "thousands of requests a second",
        &bars(full, |measured| measured.rate / 1e3),
    )?;
    let title = format!("p99 of the time to an answer, {} requests a second (less is better)", number(f64::from(RATE)));
    let latency = bars(paced, |measured| measured.times[1]);
    chart::bars(&pictures.join("server-latency.svg"), &title, "microseconds", &latency)
}
