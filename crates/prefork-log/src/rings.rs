//! `prefork-log ls --rings`: the rings of a directory.

use crate::ls::{or_dash, print_json, printable, text_of};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use tracing_prefork::{LogFiles, Ring, RingState};

/// A ring, as `--json` shows it.
#[derive(Debug, Serialize)]
struct Row {
    pattern: String,
    path: PathBuf,
    process: Option<u32>,
    tag: Option<String>,
    made: Option<String>,
    lines: u64,
    bytes: u64,
    state: &'static str,
    /// Why nobody can rely on the ring, or whose it is.
    reason: Option<String>,
}

impl Row {
    fn new(pattern: String, ring: Ring) -> Self {
        let Ring { path, process, tag, made, lines, bytes, state, .. } = ring;
        let (state, reason) = match state {
            RingState::InUse => ("in use", None),
            RingState::Left => ("left", None),
            RingState::OfAnother(whose) => ("of another", Some(whose)),
            RingState::Bad(why) => ("bad", Some(why)),
            // A later version of the library may know more.
            other => ("other", Some(other.to_string())),
        };
        Self { pattern, path, process, tag, made: made.map(text_of), lines, bytes, state, reason }
    }

    fn cells(&self) -> [String; 7] {
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        [
            self.lines.to_string(),
            self.bytes.to_string(),
            or_dash(self.process.map(|process| process.to_string()).unwrap_or_default()),
            or_dash(self.tag.clone().unwrap_or_default()),
            or_dash(self.made.clone().unwrap_or_default()),
            format!("{}{reason}", self.state),
            self.path.file_name().map_or_else(String::new, |name| printable(&name.to_string_lossy())),
        ]
    }
}

const HEAD: [&str; 7] = ["LINES", "BYTES", "PROCESS", "TAG", "MADE (UTC)", "STATE", "NAME"];

/// Prints the rings of the patterns whose tag is wanted.
pub(crate) fn print(
    patterns: &[LogFiles],
    is_wanted: impl Fn(Option<&String>) -> bool,
    json: bool,
) -> Result<io::Result<()>, tracing_prefork::Error> {
    let mut rows = Vec::new();
    for files in patterns {
        let rings = files.rings()?.into_iter().filter(|ring| is_wanted(ring.tag.as_ref()));
        rows.extend(rings.map(|ring| Row::new(files.pattern(), ring)));
    }
    Ok(if json { print_json(&rows) } else { print_table(&rows) })
}

/// Numbers stand on the right, texts on the left.
fn print_table(rows: &[Row]) -> io::Result<()> {
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    let head = HEAD.map(str::to_owned);
    let width = |column: usize| cells.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [lines, bytes, process, tag, made, state, _] = std::array::from_fn(width);
    let mut output = io::BufWriter::new(io::stdout().lock());
    for row in [&head].into_iter().chain(&cells) {
        let [a, b, c, d, e, f, g] = row;
        writeln!(output, "{a:>lines$}  {b:>bytes$}  {c:>process$}  {d:<tag$}  {e:<made$}  {f:<state$}  {g}")?;
    }
    output.flush()
}

/// `1 line`, `2 lines`.
pub(crate) fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}
