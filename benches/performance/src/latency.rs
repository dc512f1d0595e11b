//! How long a call takes: on a quiet disk, while files roll over, and beside a process that keeps the disk busy.

use crate::busy_disk::BusyDisk;
use crate::chart::number;
use crate::load::Load;
use crate::loggers::{self, IN_MEMORY, Logger, NOTHING};
use crate::page::{PEER, cell, left_out, losses, row_of};
use crate::percentiles::{self, Line, PERCENTILES};
use crate::rounds::{Row, interleave};
use std::error::Error;
use std::fmt::Write;
use std::path::Path;

/// Events a second.
const RATE: u64 = 20_000;

/// What all these sections have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) rounds: usize,
    /// Seconds of a measurement.
    pub(crate) seconds: u64,
    /// Bytes of each file that keeps the disk busy.
    pub(crate) busy_bytes: u64,
    /// Where the log files go.
    pub(crate) parent: &'a Path,
    pub(crate) pictures: &'a Path,
}

impl Plan<'_> {
    fn load(&self) -> Load {
        let events = RATE * self.seconds;
        Load { processes: 1, threads: 1, events, limit: None, each_second: false, rate: Some(RATE) }
    }

    /// A chart of the rows with these names, and the table of all rows.
    fn chart_and_table(
        &self,
        title: &str,
        file: &str,
        rows: &[Row],
        names: &[&'static str],
    ) -> Result<String, Box<dyn Error>> {
        let line = |name: &&'static str| {
            let values: Option<Vec<f64>> = (0..5).map(|at| time(row_of(rows, name)?, at)).collect();
            Some(Line { name, values: values?.try_into().ok()? })
        };
        let lines: Vec<Line<'_>> = names.iter().filter_map(line).collect();
        percentiles::draw(&self.pictures.join(file), &format!("{title} (less is better)"), &lines)?;
        let mut text = format!("![{title}](pictures/{file})\n\n| name | {} |\n", PERCENTILES.join(" | "));
        text += &format!("|{}\n", "---|".repeat(PERCENTILES.len() + 1));
        for row in rows {
            let cells: Vec<String> = (0..5).map(|at| cell(time(row, at))).collect();
            let _ = writeln!(text, "| `{}` | {} |", row.logger.name, cells.join(" | "));
        }
        Ok(text)
    }
}

/// One of the percentiles, in microseconds.
pub(crate) fn time(row: &Row, at: usize) -> Option<f64> {
    row.median(|measured| measured.times[at])
}

fn with_notes(text: String, notes: &str) -> String {
    if notes.is_empty() { text } else { format!("{text}\n{notes}") }
}

pub(crate) fn quiet(plan: Plan<'_>) -> Result<(String, Vec<Row>), Box<dyn Error>> {
    let all: Vec<&'static Logger> = loggers::ALL.iter().collect();
    let rows = interleave(&all, |_| plan.load(), plan.rounds, plan.parent)?;
    let mut text = format!(
        "\n## How long a call takes\n\n\
         One thread, {RATE} events a second for {} seconds, each event timed, on a disk that nobody else keeps busy. \
         Microseconds; less is better.\n\n",
        plan.seconds,
    );
    let shown = ["prefork", "prefork-buffered", PEER, "tracing-appender-queue", "spdlog-rs", "flexi_logger"];
    text += &plan.chart_and_table("How long a call takes", "latency.svg", &rows, &shown)?;
    Ok((with_notes(text, &left_out(&rows, "events one by one")), rows))
}

/// Who has a size that ends a file gets what it has just written in a second as its limit.
pub(crate) fn beside_rollovers(plan: Plan<'_>, quiet: &[Row]) -> Result<String, Box<dyn Error>> {
    let (some, none): (Vec<&Logger>, Vec<&Logger>) =
        loggers::ALL.iter().partition(|logger| logger.has_seconds || logger.has_limit);
    let by_size: Vec<&Logger> = some.iter().copied().filter(|logger| !logger.has_seconds).collect();
    let load = |logger: &Logger| {
        let line = row_of(quiet, logger.name).and_then(|row| row.median(|measured| measured.line));
        let limit = line.filter(|_| !logger.has_seconds).map(|line| (line * RATE as f64) as u64);
        Load { limit, each_second: logger.has_seconds, ..plan.load() }
    };
    let mut rows = interleave(&some, load, plan.rounds, plan.parent)?;
    for row in &mut rows {
        let fewest = row.rounds.iter().flatten().map(|measured| measured.files).min();
        if let Some(files) = fewest.filter(|files| *files < plan.seconds) {
            row.rounds = Err(format!("it wrote {files} files in {} seconds", plan.seconds));
        }
    }
    let files: Vec<u64> = rows.iter().flat_map(|row| row.rounds.iter().flatten()).map(|it| it.files).collect();
    let mut text = format!(
        "\n### Beside rollovers\n\n\
         The same, while the files roll over about once a second. These roll over at a size, which is what they have \
         written in a second before: {}. The others have a file for each second. A measurement left {} to {} files. \
         Left out, because neither a second nor a size ends a file of theirs: {}.\n\n",
        list(&by_size),
        files.iter().min().unwrap_or(&0),
        files.iter().max().unwrap_or(&0),
        list(&none),
    );
    let shown = ["prefork", "prefork-buffered", "logroller", "log4rs", "spdlog-rs", "flexi_logger"];
    let title = "How long a call takes, a rollover each second";
    text += &plan.chart_and_table(title, "latency-rollover.svg", &rows, &shown)?;
    let place = "calls beside rollovers";
    Ok(with_notes(text + &seconds(&rows, quiet), &(left_out(&rows, place) + &losses(&rows, place))))
}

/// What a rollover takes, which the percentiles do not say.
fn seconds(rows: &[Row], quiet: &[Row]) -> String {
    let mut text = format!(
        "\nThere are {RATE} calls from one rollover to the next, so none of the percentiles has it, and the longest \
         call may have waited for something else. Therefore the longest call of each second is looked for. This table \
         has the least of them: of seconds without a rollover, and of seconds with one.\n\n\
         | name | without | with |\n|---|---|---|\n"
    );
    let least = |row: &Row| row.median(|measured| measured.longest_of_a_second);
    for row in rows {
        let (without, with) = (row_of(quiet, row.logger.name).and_then(least), least(row));
        let _ = writeln!(text, "| `{}` | {} | {} |", row.logger.name, cell(without), cell(with));
    }
    text
}

/// Those beside which a busy disk is measured, in the order of the table.
const BESIDE_BUSY_DISK: [&str; 8] = [
    "write",
    "prefork",
    "prefork-buffered",
    PEER,
    "tracing-appender-queue",
    "spdlog-rs",
    "flexi_logger",
    "low_latency_log",
];

pub(crate) fn beside_busy_disk(plan: Plan<'_>) -> Result<(String, Vec<Row>), Box<dyn Error>> {
    let mut subjects = vec![NOTHING];
    for name in BESIDE_BUSY_DISK {
        subjects.push(loggers::named(name)?);
        if name == "prefork-buffered" {
            subjects.push(IN_MEMORY);
        }
    }
    let disk = BusyDisk::start(plan.busy_bytes, plan.parent)?;
    let rows = interleave(&subjects, |_| plan.load(), plan.rounds, plan.parent)?;
    let files = disk.end()?;
    let mut text = format!(
        "\n### Beside a busy disk\n\n\
         The same, while another process writes files of {} MB and waits until each is on the disk (`fsync(2)`). It \
         wrote {files} files meanwhile. `{}` is the clock read twice: what the machine does to a thread. \
         `{}` has its ring in `/dev/shm`, behind which there is no file system.\n\n",
        number(plan.busy_bytes as f64 / 1e6),
        NOTHING.name,
        IN_MEMORY.name,
    );
    let shown = ["prefork", "prefork-buffered", PEER, "tracing-appender-queue", "spdlog-rs", NOTHING.name];
    let title = "How long a call takes beside a busy disk";
    text += &plan.chart_and_table(title, "busy-disk.svg", &rows, &shown)?;
    let place = "calls beside a busy disk";
    let notes = left_out(&rows, place) + &losses(&rows[1..], place);
    Ok((with_notes(text, &notes), rows))
}

fn list(loggers: &[&Logger]) -> String {
    loggers.iter().map(|logger| format!("`{}`", logger.name)).collect::<Vec<_>>().join(", ")
}
