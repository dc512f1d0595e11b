//! `prefork-log ls`: the log files of a directory, and what is known of each.

use crate::failure::Failure;
use crate::openers::{Opener, Openers};
use crate::options::{Names, RingDirectory};
use crate::rings;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;
use tracing_prefork::{LogFile, LogFiles};

/// List the log files of a directory
///
/// Each file has a line: its size, the period that it covers, its tag, its number in the period, what has become of it,
/// the processes that have it open to write to, and its name. Times are in UTC. Without options that name a pattern,
/// all files are listed that the hidden records of the directory know.
///
/// A file is `open` if a process has written to it and has not let go of it. The processes are known on Linux. Those
/// of other users are shown to the administrator only.
///
/// With `--rings`, the rings are listed instead: the hidden files of programs that buffer their lines. A ring is `in
/// use`, or was `left` by a process that has ended; `prefork-log recover` writes its lines. The lines and bytes are
/// those that are not in a file yet.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Ls {
    #[command(flatten)]
    names: Names,
    /// Only the files of this tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// List the rings, with the lines that wait in them, instead of the files
    #[arg(long)]
    rings: bool,
    #[command(flatten)]
    ring_directory: RingDirectory,
    /// Print a JSON array, an object for each file or ring
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  prefork-log ls /var/log/app
  prefork-log ls /var/log/app --prefix app --tag worker-3
  prefork-log ls /var/log/app --rings
  prefork-log ls /var/log/app --json | jq -r '.[] | select(.open | not) | .path'";

/// A file, as `--json` shows it.
#[derive(Debug, Serialize)]
struct Row {
    pattern: String,
    path: PathBuf,
    tag: Option<String>,
    from: String,
    /// `None`: the period never ends.
    until: Option<String>,
    index: u32,
    bytes: u64,
    open: bool,
    open_by: Vec<Opener>,
    compressed: bool,
    handed_over: bool,
}

impl Ls {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut settings = self.names.settings()?;
        self.ring_directory.add_to(&mut settings)?;
        let patterns = self.names.patterns(settings, |builder| builder)?;
        let printed = if self.rings {
            rings::print(&patterns, |tag| self.is_wanted(tag), self.json)?
        } else {
            self.print_files(&patterns)?
        };
        match printed {
            // Whoever reads has seen enough.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::at_work(error.to_string())),
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    fn print_files(&self, patterns: &[LogFiles]) -> Result<io::Result<()>, Failure> {
        let openers = Openers::find();
        let mut rows = Vec::new();
        for files in patterns {
            let listed = files.list()?.into_iter().filter(|file| self.is_wanted(file.tag.as_ref()));
            rows.extend(listed.map(|file| Row::new(files.pattern(), file, &openers)));
        }
        Ok(if self.json { print_json(&rows) } else { print_table(&rows) })
    }

    fn is_wanted(&self, tag: Option<&String>) -> bool {
        self.tags.is_empty() || tag.is_some_and(|tag| self.tags.contains(tag))
    }
}

impl Row {
    fn new(pattern: String, file: LogFile, openers: &Openers) -> Self {
        let LogFile { period, index, bytes, open, compressed, handed_over, .. } = file;
        let open_by = openers.of(&file.path).to_vec();
        let (from, until) = (text_of(period.start), period.end.map(text_of));
        Self {
            pattern,
            path: file.path,
            tag: file.tag,
            from,
            until,
            index,
            bytes,
            open,
            open_by,
            compressed,
            handed_over,
        }
    }

    fn cells(&self) -> [String; 7] {
        let states = [(self.open, "open"), (self.compressed, "compressed"), (self.handed_over, "handed over")];
        let states: Vec<_> = states.iter().filter(|(is_so, _)| *is_so).map(|(_, state)| *state).collect();
        let openers: Vec<_> = self.open_by.iter().map(|by| format!("{} ({})", by.pid, by.command)).collect();
        [
            self.bytes.to_string(),
            self.from.clone(),
            or_dash(self.tag.clone().unwrap_or_default()),
            self.index.to_string(),
            or_dash(states.join(", ")),
            or_dash(openers.join(", ")),
            self.path.file_name().map_or_else(String::new, |name| printable(&name.to_string_lossy())),
        ]
    }
}

pub(crate) fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// A name on a terminal: a control character could move the cursor.
pub(crate) fn printable(name: &str) -> String {
    name.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

/// RFC 3339 in UTC, to the second.
pub(crate) fn text_of(time: SystemTime) -> String {
    let text = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Timestamp::try_from(time).map_or_else(|_| format!("{time:?}"), text)
}

pub(crate) fn print_json<R: Serialize>(rows: &[R]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer_pretty(&mut output, rows)?;
    output.write_all(b"\n")
}

const HEAD: [&str; 7] = ["BYTES", "FROM (UTC)", "TAG", "NO", "STATE", "OPEN BY", "NAME"];

/// Numbers stand on the right, texts on the left.
fn print_table(rows: &[Row]) -> io::Result<()> {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let head = HEAD.map(str::to_owned);
    let width = |column: usize| cells.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [bytes, from, tag, index, state, openers, _] = std::array::from_fn(width);
    let mut output = io::BufWriter::new(io::stdout().lock());
    for row in [&head].into_iter().chain(&cells) {
        let [a, b, c, d, e, f, g] = row;
        writeln!(output, "{a:>bytes$}  {b:<from$}  {c:<tag$}  {d:>index$}  {e:<state$}  {f:<openers$}  {g}")?;
    }
    output.flush()
}
