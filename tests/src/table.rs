//! The table of what befalls writers, what is promised then, and what a run found: each row is a run of this program.

use std::collections::HashMap;
use std::io;
use std::process::Command;

/// One row: a run, in full and in short.
#[derive(Clone, Copy, Debug)]
struct Row {
    fault: &'static str,
    promise: &'static str,
    scenario: &'static str,
    /// Options of the run that are shown.
    options: &'static [&'static str],
    /// How often the fault strikes in a short run; 0: it goes by the clock.
    quick: usize,
    /// Whether tracing-appender can be put through the same.
    peer: bool,
}

const ACCOUNTED: &str = "what was refused, its caller was told; nothing else is missing, nothing glued";
const COPIED: &str = "the same, but where overwriting takes room or a write takes seconds, a line may be glued";
const WHOLE: &str = "all lines of the living are there, each on a line of its own";
const THERE: &str = "all lines of the living are there; one may be glued to a piece of a dead one's";
const SECOND: &str = "lost is only what goes into a deleted file until the next second";
const MOVED: &str = "nothing is lost; the new file is there in the next second";
const BEFORE: &str = "lines go to the file before; caught up ten seconds after the end";
const INHERITED: &str = "lines go to the file that was inherited";
const NOTHING: &str = "no line suffers";

const fn row(fault: &'static str, promise: &'static str, scenario: &'static str, quick: usize) -> Row {
    Row { fault, promise, scenario, options: &[], quick, peer: true }
}

impl Row {
    const fn with(self, options: &'static [&'static str]) -> Self {
        Self { options, peer: self.peer && options.len() > 1, ..self }
    }

    const fn ours(self) -> Self {
        Self { peer: false, ..self }
    }
}

const LONG: &[&str] = &["--length", "5000"];
const LOCKED: &[&str] = &["--lock-writes"];
const LONG_LOCKED: &[&str] = &["--length", "5000", "--lock-writes"];

const ROWS: &[Row] = &[
    row("ext4 full, 120 B", ACCOUNTED, "full-ext4", 3),
    row("ext4 full, 5000 B", ACCOUNTED, "full-ext4", 3).with(LONG),
    row("ext4 full, 120 B", ACCOUNTED, "full-ext4", 3).with(LOCKED),
    row("ext4 full, 5000 B", ACCOUNTED, "full-ext4", 3).with(LONG_LOCKED).ours(),
    row("xfs full, 120 B", ACCOUNTED, "full-xfs", 3),
    row("xfs full, 5000 B", ACCOUNTED, "full-xfs", 3).with(LONG),
    row("xfs full, 5000 B", ACCOUNTED, "full-xfs", 3).with(LONG_LOCKED).ours(),
    row("btrfs full, 120 B", COPIED, "full-btrfs", 3),
    row("btrfs full, 5000 B", COPIED, "full-btrfs", 3).with(LONG),
    row("btrfs full, 5000 B", COPIED, "full-btrfs", 3).with(LONG_LOCKED).ours(),
    row("tmpfs full, 120 B", ACCOUNTED, "full-tmpfs", 3),
    row("tmpfs full, 5000 B", ACCOUNTED, "full-tmpfs", 3).with(LONG),
    row("tmpfs full, 5000 B", ACCOUNTED, "full-tmpfs", 3).with(LONG_LOCKED).ours(),
    row("quota of btrfs", COPIED, "full-btrfs-quota", 2),
    row("quota of btrfs", COPIED, "full-btrfs-quota", 2).with(LONG_LOCKED).ours(),
    row("limit on a file's size", ACCOUNTED, "full-files", 0),
    row("limit on a file's size", ACCOUNTED, "full-files", 0).with(LONG_LOCKED).ours(),
    row("disk full, min_log_files(3)", "old files go, no line is refused", "oldest-go", 0).ours(),
    row("disk full, min_log_files(3)", "old files go, no line is refused", "oldest-go", 0).with(LOCKED).ours(),
    row("kill -9, 120 B", THERE, "killed", 200).with(&["--length", "120", "--glued"]),
    row("kill -9, 5000 B", THERE, "killed", 200).with(&["--length", "5000", "--glued"]),
    row("kill -9, 120 B", WHOLE, "killed", 200).with(LOCKED),
    row("kill -9, 5000 B", WHOLE, "killed", 200).with(LONG_LOCKED).ours(),
    row("kill -9, 5000 B, xfs", THERE, "killed", 200).with(&["--length", "5000", "--disk", "xfs", "--glued"]),
    row("end of a program whose threads log, 20 kB", THERE, "ended", 50).with(&["--glued"]),
    row("end of a program whose threads log, 20 kB", WHOLE, "ended", 50).with(LOCKED),
    row("kill -9 at rollovers", "what they leave is cleared away", "killed-at-rollovers", 50).with(&["--glued"]),
    row("kill -9 at rollovers", "what they leave is cleared away", "killed-at-rollovers", 50).with(LOCKED),
    row("file deleted", SECOND, "deleted", 10),
    row("file deleted", SECOND, "deleted", 10).with(LOCKED),
    row("file moved away", MOVED, "moved", 10),
    row("file moved away", MOVED, "moved", 10).with(LOCKED),
    row("file cut to nothing", "lost is only what was in it", "truncated", 10),
    row("a directory under the file's name", BEFORE, "directory-in-the-way", 2),
    row("log directory deleted", SECOND, "directory-deleted", 10),
    row("log directory moved away", MOVED, "directory-moved", 10),
    row("log directory not writable", BEFORE, "directory-closed", 1),
    row("a volume mounted over the directory", MOVED, "mounted-over", 5),
    row("the file system frozen", NOTHING, "frozen", 3),
    row("the link deleted or replaced", "renewed within a second, or reported", "link-replaced", 8).ours(),
    row("no descriptor left", BEFORE, "no-descriptors", 1),
    row("privileges dropped after build", INHERITED, "privileges-dropped", 1),
    row("a lock file that cannot be opened", NOTHING, "lock-closed", 0).ours(),
    row("signals", NOTHING, "signals", 2000).ours(),
    row("signals", NOTHING, "signals", 2000).with(LOCKED),
    row("1000 forks at rollovers", NOTHING, "forks-at-rollovers", 0).ours(),
    row("two users of one group", NOTHING, "two-users", 0).ours(),
];

/// The counts that a row shows, and what they are called.
const COUNTS: [(&str, &[&str]); 9] = [
    ("trials", &["trials"]),
    ("lines", &["lines"]),
    ("refused", &["refused"]),
    ("lost", &["lost"]),
    ("until noticed", &["unnoticed"]),
    ("in the file before", &["late"]),
    ("damaged or misplaced", &["torn", "duplicated", "misplaced", "overdue", "out_of_order", "unknown"]),
    ("glued", &["glued"]),
    ("fragments", &["fragments"]),
];

/// Plays all rows and prints them as a table; whether nothing was wrong.
///
/// # Errors
///
/// When this program cannot be executed.
pub fn print(quick: bool, peer: bool, markdown: bool) -> io::Result<bool> {
    let heads: Vec<&str> = COUNTS.iter().map(|(head, _)| *head).collect();
    if markdown {
        println!("| fault | promised | scenario | {} |", heads.join(" | "));
        println!("|---|---|---|{}", "---:|".repeat(heads.len()));
    }
    let mut right = true;
    for row in ROWS.iter().filter(|row| row.peer || !peer) {
        let summary = play(row, quick, peer)?;
        right &= summary.right;
        let name = format!("`{}` {}", row.scenario, row.options.join(" "));
        if let Some(reason) = &summary.skipped {
            println!("| {} | {} | {} | skipped: {reason} |", row.fault, row.promise, name.trim_end());
        } else if markdown {
            let figures = COUNTS.map(|(_, names)| summary.sum(names).to_string());
            println!("| {} | {} | {} | {} |", row.fault, row.promise, name.trim_end(), figures.join(" | "));
        } else {
            let figures = COUNTS.map(|(head, names)| format!("{head} {}", summary.sum(names)));
            println!("{} ({}): {}", row.fault, name.trim_end(), figures.join(", "));
        }
        if !summary.right && !peer {
            eprintln!("{}", summary.cases);
        }
    }
    Ok(right)
}

/// What a run has printed.
struct Summary {
    right: bool,
    skipped: Option<String>,
    counts: HashMap<String, u64>,
    cases: String,
}

impl Summary {
    fn sum(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.counts.get(*name)).sum()
    }
}

fn play(row: &Row, quick: bool, peer: bool) -> io::Result<Summary> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg(row.scenario).args(row.options);
    if quick && row.quick > 0 {
        command.arg("--trials").arg(row.quick.to_string());
    }
    if peer {
        command.arg("--peer");
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = |word: &str| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    Ok(Summary {
        right: output.status.success(),
        skipped: text.split_once("skipped: ").map(|(_, reason)| reason.trim().to_owned()),
        counts: text.split_whitespace().filter_map(count).collect(),
        cases: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
