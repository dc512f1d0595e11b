//! `prefork-log verify`: looks for lines that are torn or in the wrong file.

mod report;
mod scan;
mod tally;

use crate::logs::content::members;
use crate::logs::descriptors;
use crate::logs::listing::{Row, nanos};
use crate::logs::place::{Found, Place};
use crate::logs::selection::Selection;
use crate::logs::stamp::Nanos;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::SignedDuration;
use regex::bytes::Regex;
use report::{FileReport, Report};
use scan::{Rules, Scan};
use std::io::{self, IsTerminal, Read, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::SystemTime;
use tally::Tally;

/// Looks for lines that are torn, in the wrong file or out of order, plain and compressed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prefork-log verify /var/log/app
  prefork-log verify /var/log/app --multi-line
  prefork-log verify /var/log/app --line '^\\S+Z +(TRACE|DEBUG|INFO|WARN|ERROR) '
  prefork-log verify /var/log/app --json | jq .sum

Lines that are lost cannot be seen without a record of what was written. A line whose end is missing, or is the end of
another line, is seen only if the lines are JSON, or if --line or --crc32 says how a line ends.

The status is 0 if nothing is wrong, 1 if something is, and 2 if the command line is wrong or something cannot be
read.")]
pub(crate) struct Verify {
    #[command(flatten)]
    selection: Selection,
    /// What each line with a timestamp must match, without its newline; other lines are torn
    #[arg(long, value_name = "REGEX")]
    line: Option<Regex>,
    /// Each line with a timestamp ends in a blank and the CRC-32 of what stands before the blank, in eight hexadecimal
    /// digits; other lines are torn. Without checksums, a line whose end is that of another line looks whole
    #[arg(long)]
    crc32: bool,
    /// Messages may have several lines: a line without a timestamp belongs to the line before it, and is no piece
    #[arg(long)]
    multi_line: bool,
    /// Each file begins with a header of so many lines
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    header: u64,
    /// How much earlier a line may be than one before it in the file. Processes and threads write a line some time
    /// after they have read the clock
    #[arg(long, value_name = "TIME", default_value = "1s")]
    tolerance: SignedDuration,
    /// Empty lines, and lines that are the same as the line before, are faults as well
    #[arg(long)]
    strict: bool,
    /// So many faults of each file are shown
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    examples: usize,
    /// Prints JSON: all files, and the sum
    #[arg(long)]
    json: bool,
    /// So many files are read at once. All processors without it
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<NonZeroUsize>,
}

/// A place, and whether nobody is to write to it any more.
struct Task {
    place: Place,
    is_finished: bool,
}

/// What the threads have found.
#[derive(Default)]
struct Results {
    files: Vec<(usize, FileReport)>,
    unreadable: Vec<(PathBuf, String)>,
}

impl Verify {
    pub(crate) fn run(&self) -> ExitCode {
        descriptors::raise_limit();
        let report = match self.report() {
            Ok(report) => report,
            Err(text) => {
                eprintln!("prefork-log: {text}");
                return ExitCode::from(2);
            }
        };
        let directory = std::path::absolute(self.selection.names.directory()).unwrap_or_default();
        let text = match self.json {
            true => serde_json::to_string_pretty(&report).unwrap_or_default() + "\n",
            false => report.to_text(&directory, self.strict),
        };
        // Nobody may read it.
        let _ = io::stdout().write_all(text.as_bytes());
        match (report.unreadable.is_empty(), report.faults) {
            (false, _) => ExitCode::from(2),
            (true, 0) => ExitCode::SUCCESS,
            (true, _) => ExitCode::from(1),
        }
    }

    fn report(&self) -> Result<Report, String> {
        let tolerance = Nanos::try_from(self.tolerance.as_nanos()).unwrap_or(Nanos::MAX);
        if tolerance < 0 {
            return Err(format!("--tolerance {:#}: a time cannot be negative", self.tolerance));
        }
        let (line, header) = (self.line.clone(), self.header);
        let rules = Rules { line, crc32: self.crc32, multi_line: self.multi_line, header, tolerance };
        let rows = self.selection.rows()?;
        if rows.is_empty() && self.selection.patterns()?.is_empty() {
            return Err(self.selection.nothing_known());
        }
        let tasks = tasks(rows);
        let bar = progress_bar(tasks.iter().map(|task| task.place.bytes).sum(), self.json);
        let (next, results) = (AtomicUsize::new(0), Mutex::new(Results::default()));
        let jobs = self.jobs.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        thread::scope(|scope| {
            for _ in 0..jobs.min(tasks.len()) {
                scope.spawn(|| {
                    let mut buffer = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Relaxed);
                        let Some(task) = tasks.get(number) else { break };
                        self.look(number, task, &rules, &mut buffer, &bar, &results);
                    }
                });
            }
        });
        bar.finish_and_clear();
        let Results { mut files, unreadable } = results.into_inner().map_err(|_| "a thread has panicked".to_owned())?;
        files.sort_by_key(|(number, file)| (*number, !file.compressed));
        Ok(Report::new(files.into_iter().map(|(_, file)| file).collect(), unreadable, self.strict))
    }

    /// Looks at the files of a place.
    fn look(
        &self,
        number: usize,
        task: &Task,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        bar: &ProgressBar,
        results: &Mutex<Results>,
    ) {
        let found = task.place.open();
        let outcomes = found.map(|files| {
            files.in_order().map(|found| (found.path.clone(), self.scan(&found, task, rules, buffer, bar))).collect()
        });
        let outcomes: Vec<_> = outcomes.unwrap_or_else(|error| vec![(task.place.plain.clone(), Err(error))]);
        let Ok(mut results) = results.lock() else { return };
        for (path, outcome) in outcomes {
            match outcome {
                Ok(tally) => {
                    let compressed = path != task.place.plain;
                    results.files.push((number, FileReport { path, compressed, tally }));
                }
                Err(error) => results.unreadable.push((path, error.to_string())),
            }
        }
    }

    fn scan(
        &self,
        found: &Found,
        task: &Task,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        bar: &ProgressBar,
    ) -> io::Result<Tally> {
        let place = &task.place;
        let tally = Tally { most_examples: self.examples, strict: self.strict, ..Tally::default() };
        let mut scan = Scan::new(rules, (place.start, place.end), tally);
        if found.path == place.plain {
            let mut content = found.content(0)?;
            scan.member(&mut content, buffer, task.is_finished, &|bytes| bar.inc(bytes))?;
        } else {
            let mut look = |text: &mut dyn Read| scan.member(text, buffer, true, &|_| {});
            let read = members(&found.path, found.file.try_clone()?, &mut look);
            bar.inc(found.bytes);
            match read {
                // The disk cannot be read.
                Err(error) if error.raw_os_error().is_some() => return Err(error),
                Err(error) => scan.damaged(&error),
                Ok(()) => {}
            }
        }
        Ok(scan.finish())
    }
}

/// The places of all rows. A place is finished if its period is over, or if the row has a later place, and nobody has
/// the file open.
fn tasks(rows: Vec<Row>) -> Vec<Task> {
    let now = nanos(SystemTime::now());
    let mut tasks = Vec::new();
    for row in rows {
        let last = row.places.len().saturating_sub(1);
        let places = row.places.into_iter().enumerate();
        tasks.extend(places.map(|(number, place)| {
            let is_finished = !place.open && (number < last || place.end <= now);
            Task { place, is_finished }
        }));
    }
    tasks
}

fn progress_bar(bytes: u64, hidden: bool) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if hidden || !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta}");
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}
