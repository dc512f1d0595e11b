//! `docs/performance.md`: all measurements, and what they came to.

use crate::chart::{self, Bar, number};
use crate::latency::{self, Plan};
use crate::load::{Load, Measured, WARM_UP};
use crate::loggers::{self, Logger};
use crate::rounds::{Row, interleave};
use crate::summary::Summary;
use crate::{machine, versions};
use clap::Args;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where `performance.md` and `pictures/` go.
    #[arg(long)]
    docs: PathBuf,
    /// A page that has the sentences of "In short", too: they are written there as well.
    #[arg(long)]
    readme: Option<PathBuf>,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Events of a measurement, of all its threads together.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Seconds in which events are timed one by one.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Bytes of each file with which another process keeps the disk busy.
    #[arg(long, default_value_t = 400_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    busy_bytes: u64,
    /// Where the log files go, and are removed again.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
}

/// Processes and threads of each.
const SHAPES: [(u64, u64); 7] = [(1, 1), (1, 2), (1, 4), (2, 1), (4, 1), (16, 1), (64, 1)];

/// How many of them are one process.
const THREADS: usize = 3;

/// The most bytes of a file where eight processes share a directory.
const LIMIT: u64 = 256 << 10;

pub(crate) const PEER: &str = "tracing-appender";

pub(crate) fn write(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let all: Vec<&'static Logger> = loggers::ALL.iter().collect();
    let (docs, parent, rounds) = (&*arguments.docs, &*arguments.directory, arguments.rounds);
    fs::create_dir_all(docs.join("pictures"))?;
    let head = head(arguments)?;

    let mut shapes = Vec::new();
    for (processes, threads) in SHAPES {
        eprintln!("{processes} processes of {threads} threads; load {}", machine::load());
        let events = arguments.events;
        let load = Load { processes, threads, events, limit: None, each_second: false, rate: None };
        shapes.push(interleave(&all, |_| load, rounds, parent)?);
    }
    let throughput = throughput(&shapes, docs)?;

    eprintln!("events one by one; load {}", machine::load());
    let &Arguments { seconds, busy_bytes, .. } = arguments;
    let plan = Plan { rounds: rounds.min(3), seconds, busy_bytes, parent, pictures: &docs.join("pictures") };
    let (quiet, rows) = latency::quiet(plan)?;
    eprintln!("events one by one beside rollovers; load {}", machine::load());
    let rollovers = latency::beside_rollovers(plan, &rows)?;
    eprintln!("events one by one beside a busy disk; load {}", machine::load());
    let (busy, busy_rows) = latency::beside_busy_disk(plan)?;

    eprintln!("a directory that processes share; load {}", machine::load());
    let limited: Vec<&'static Logger> = all.iter().copied().filter(|logger| logger.has_limit).collect();
    let limit = Some(LIMIT);
    let load = Load { processes: 8, threads: 1, events: arguments.events, limit, each_second: false, rate: None };
    let sharing = sharing(&interleave(&limited, |_| load, rounds.min(3), parent)?, load);

    let summary = Summary::of(&shapes[0], &shapes[1], &shapes[4], &busy_rows)?;
    let load = machine::load();
    let end = format!("\nLoad of the machine at the end: {load}.\n\n[performance-server]: performance-server.md\n");
    let page = head + &summary.section() + &throughput + &quiet + &rollovers + &busy + &sharing + &end;
    fs::write(docs.join("performance.md"), wrapped(&page))?;
    arguments.readme.as_deref().map_or(Ok(()), |readme| summary.update(readme))
}

fn head(arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "# Performance\n\n\
         The loggers of Rust that write files, side by side: how many events a second, what an event costs, how long a \
         call takes, and what is in the files when eight processes share a directory. A server under load: \
         [performance of a server][performance-server].\n\n\
         All figures of this page are of one run of one command:\n\n\
         ```text\n\
         cargo run --release --manifest-path benches/performance/Cargo.toml -- page --docs docs --readme README.md\n\
         ```\n\n",
    );
    let machine = machine::describe(&arguments.directory)?;
    let _ = writeln!(text, "* *Machine*: {machine}.");
    text += "* *Event*: one message and two numbers. Each logger prints it in its own format, with a timestamp.\n\
             * *Rounds*: in each round each logger is measured once, in processes of its own and in a new directory. \
             The order moves on by one. A figure is the median of the rounds; a ratio is the median of the rounds' \
             ratios.\n\
             * *Check*: afterwards each event is looked for in the files.\n\
             * *Parts*: `cargo bench --manifest-path benches/performance/Cargo.toml` takes the times of the parts of \
             an event, one by one.\n\n";
    text += "| name | crate | what |\n|---|---|---|\n";
    for Logger { name, krate, about, .. } in loggers::ALL {
        let _ = writeln!(text, "| `{name}` | {krate} {} | {about} |", versions::version(krate));
    }
    Ok(text)
}

pub(crate) fn row_of<'a>(rows: &'a [Row], name: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.logger.name == name)
}

fn bars(rows: &[Row], figure: impl Fn(&Row) -> Option<f64>) -> Vec<Bar> {
    let bar = |row: &Row| {
        let value = figure(row)?;
        Some(Bar { name: row.logger.name.to_owned(), value, is_ours: row.logger.name.starts_with("prefork") })
    };
    rows.iter().filter_map(bar).collect()
}

fn millions(row: &Row) -> Option<f64> {
    row.median(|measured| 1e3 / measured.flushed)
}

fn throughput_table(shapes: &[Vec<Row>], names: &[(u64, u64)]) -> String {
    let mut text = String::from("| name |");
    for shape in names {
        let _ = write!(text, " {} |", shape_name(*shape));
    }
    text += &format!("\n|---|{}\n", "---|".repeat(names.len()));
    for at in 0..shapes[0].len() {
        let _ = write!(text, "| `{}` |", shapes[0][at].logger.name);
        for rows in shapes {
            let _ = write!(text, " {} |", cell(millions(&rows[at])));
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

fn throughput(shapes: &[Vec<Row>], docs: &Path) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "\n## How many events a second\n\n\
         Millions of events a second, of all threads and processes together, until all lines are in the one file. \
         More is better.\n\n![Events a second, one thread](pictures/throughput-thread.svg)\n\n\
         ![Events a second, four processes](pictures/throughput-processes.svg)\n\n",
    );
    text += &throughput_table(&shapes[..THREADS], &SHAPES[..THREADS]);
    text += &throughput_table(&shapes[THREADS..], &SHAPES[THREADS..]);
    for (rows, shape) in shapes.iter().zip(SHAPES) {
        text += &left_out(rows, &shape_name(shape));
        text += &losses(rows, &shape_name(shape));
    }
    let (thread, processes) = (&shapes[0], &shapes[4]);
    let pictures = docs.join("pictures");
    let unit = "millions of events a second";
    chart::bars(
        &pictures.join("throughput-thread.svg"),
        "Events a second, one thread (more is better)",
        unit,
        &bars(thread, millions),
    )?;
    let title = "Events a second, four processes, one file (more is better)";
    chart::bars(&pictures.join("throughput-processes.svg"), title, unit, &bars(processes, millions))?;

    text += "\n## What an event costs\n\n\
             Of one thread. *Time* and *processor* are nanoseconds an event until all lines are in the file; \
             *processor* counts all threads. Less is better. *Memory* is the most that the process has had, in MiB. \
             The ratio is the processor time beside that of tracing-appender.\n\n\
             ![Processor time of an event](pictures/processor.svg)\n\n\
             | name | time | processor | ratio | memory |\n|---|---|---|---|---|\n";
    let peer = row_of(thread, PEER).ok_or("no peer")?;
    for row in thread {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            row.logger.name,
            cell(row.median(|measured| measured.flushed)),
            cell(row.median(|measured| measured.cpu)),
            row.ratio(peer, |measured| measured.cpu).map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
            cell(row.median(|measured| measured.memory)),
        );
    }
    let cpu = bars(thread, |row| row.median(|measured| measured.cpu));
    let title = "Processor time of an event, all threads (less is better)";
    chart::bars(&pictures.join("processor.svg"), title, "nanoseconds an event", &cpu)?;
    Ok(text)
}

fn sharing(rows: &[Row], load: Load) -> String {
    let mut text = format!(
        "\n## Eight processes in one directory\n\n\
         Each process has a logger of its own for the same files, which go on to another file at {} KiB, and no file \
         is to be removed. {} events together. *Lost* events are in no file afterwards; *torn* lines are no whole \
         event. The worst of the rounds. Loggers without a limit on the size are left out: {}.\n\n\
         | name | lost | repeated | torn |\n|---|---|---|---|\n",
        LIMIT >> 10,
        load.events + WARM_UP,
        loggers::ALL
            .iter()
            .filter(|logger| !logger.has_limit)
            .map(|logger| format!("`{}`", logger.name))
            .collect::<Vec<_>>()
            .join(", "),
    );
    for row in rows {
        let worst = |figure: fn(&Measured) -> u64| match &row.rounds {
            Ok(rounds) => rounds.iter().map(figure).max().unwrap_or_default().to_string(),
            Err(_) => "-".to_owned(),
        };
        let (lost, repeated) = (worst(|it| it.found.lost), worst(|it| it.found.repeated));
        let _ = writeln!(text, "| `{}` | {lost} | {repeated} | {} |", row.logger.name, worst(|it| it.found.torn));
    }
    let left_out = left_out(rows, "eight processes");
    if left_out.is_empty() { text } else { text + "\n" + &left_out }
}

/// Who could not be measured, and why.
pub(crate) fn left_out(rows: &[Row], place: &str) -> String {
    let line = |row: &Row| {
        let error = row.rounds.as_ref().err()?;
        let error = error.trim_end_matches([':', '.']).replace('`', "'");
        Some(format!("* `{}` was left out ({place}): `{error}`.\n", row.logger.name))
    };
    rows.iter().filter_map(line).collect()
}

/// Whose lines were not all in the one file.
pub(crate) fn losses(rows: &[Row], place: &str) -> String {
    let line = |row: &Row| {
        let rounds = row.rounds.as_ref().ok()?;
        let lost: u64 = rounds.iter().map(|measured| measured.found.lost).sum();
        let name = row.logger.name;
        (lost > 0).then(|| format!("* `{name}` lost {lost} events in {} rounds of {place}.\n", rounds.len()))
    };
    rows.iter().filter_map(line).collect()
}

/// How many processes and threads there are.
fn shape_name((processes, threads): (u64, u64)) -> String {
    match (processes, threads) {
        (1, 1) => "1 thread".to_owned(),
        (1, _) => format!("{threads} threads"),
        _ => format!("{processes} processes"),
    }
}

/// Lines of at most 120 columns, but for rows of tables and what stands between fences.
pub(crate) fn wrapped(page: &str) -> String {
    let (mut text, mut is_code) = (String::new(), false);
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        let indent = if line.starts_with("* ") { "  " } else { "" };
        let mut rest = line.to_owned();
        while !is_code && !rest.starts_with('|') && rest.chars().count() > 120 {
            let Some((cut, _)) = rest.char_indices().take(120).filter(|(_, letter)| *letter == ' ').last() else {
                break;
            };
            text += &rest[..cut];
            text.push('\n');
            rest = format!("{indent}{}", &rest[cut + 1..]);
        }
        text += &rest;
        text.push('\n');
    }
    text
}

pub(crate) fn cell(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), number)
}
