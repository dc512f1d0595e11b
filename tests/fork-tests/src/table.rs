//! The table of what befalls writers, what is promised then, and what a run found: each row is a run of this program.

use std::collections::HashMap;
use std::io;
use std::process::Command;

/// One row: a run, in full and in short.
#[derive(Clone, Copy, Debug)]
struct Row {
    fault: &'static str,
    promise: Promise,
    scenario: &'static str,
    /// Options of the run that are shown.
    options: &'static [&'static str],
    /// How often the fault strikes in a short run; 0: it goes by the clock.
    quick: usize,
    /// Whether tracing-appender can be put through the same.
    peer: bool,
}

/// What is promised: the word that a row shows, and what the word means.
type Promise = (&'static str, &'static str);

const TOLD: Promise =
    ("told", "the caller of each refused line is told so; nothing else is missing, and no line is glued");
const ON_BTRFS: Promise =
    ("btrfs", "as *told*; but where overwriting takes room, or a write takes seconds, a line may be glued");
const ROOM: Promise = ("room is made", "old files go, and no line is refused");
const OR_GLUED: Promise =
    ("may be glued", "all lines of living processes are there; one may be glued to a piece that a dead process left");
const OWN_LINE: Promise = ("own line", "all lines of living processes are there, each on a line of its own");
const CLEARED: Promise = ("cleared away", "the temporary files that killed processes leave are cleared away");
const NOTICED: Promise = ("noticed", "only lines that go into a deleted file until the next second are lost");
const ALL_THERE: Promise = ("all there", "no line is lost; the new file is there in the next second");
const CUT_ONLY: Promise = ("cut only", "only the lines that were in the file are lost");
const BEFORE: Promise =
    ("file before", "lines go to the file before; the right file has them again within ten seconds of the end");
const INHERITED: Promise = ("inherited", "lines go to the file that was inherited");
const RENEWED: Promise = ("renewed", "the link is renewed within a second, or the failure is reported");
const NO_HARM: Promise = ("no harm", "no line suffers");

const PROMISES: [Promise; 13] = [
    TOLD, ON_BTRFS, ROOM, OR_GLUED, OWN_LINE, CLEARED, NOTICED, ALL_THERE, CUT_ONLY, BEFORE, INHERITED, RENEWED,
    NO_HARM,
];

const fn row(fault: &'static str, promise: Promise, scenario: &'static str, quick: usize) -> Row {
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
    row("ext4 full, 120 B", TOLD, "full-ext4", 3),
    row("ext4 full, 5000 B", TOLD, "full-ext4", 3).with(LONG),
    row("ext4 full, 120 B", TOLD, "full-ext4", 3).with(LOCKED),
    row("ext4 full, 5000 B", TOLD, "full-ext4", 3).with(LONG_LOCKED).ours(),
    row("xfs full, 120 B", TOLD, "full-xfs", 3),
    row("xfs full, 5000 B", TOLD, "full-xfs", 3).with(LONG),
    row("xfs full, 5000 B", TOLD, "full-xfs", 3).with(LONG_LOCKED).ours(),
    row("btrfs full, 120 B", ON_BTRFS, "full-btrfs", 3),
    row("btrfs full, 5000 B", ON_BTRFS, "full-btrfs", 3).with(LONG),
    row("btrfs full, 5000 B", ON_BTRFS, "full-btrfs", 3).with(LONG_LOCKED).ours(),
    row("tmpfs full, 120 B", TOLD, "full-tmpfs", 3),
    row("tmpfs full, 5000 B", TOLD, "full-tmpfs", 3).with(LONG),
    row("tmpfs full, 5000 B", TOLD, "full-tmpfs", 3).with(LONG_LOCKED).ours(),
    row("quota of btrfs", ON_BTRFS, "full-btrfs-quota", 2),
    row("quota of btrfs", ON_BTRFS, "full-btrfs-quota", 2).with(LONG_LOCKED).ours(),
    row("limit on a file's size", TOLD, "full-files", 0),
    row("limit on a file's size", TOLD, "full-files", 0).with(LONG_LOCKED).ours(),
    row("disk full, min_log_files(3)", ROOM, "oldest-go", 0).ours(),
    row("disk full, min_log_files(3)", ROOM, "oldest-go", 0).with(LOCKED).ours(),
    row("kill -9, 120 B", OR_GLUED, "killed", 200).with(&["--length", "120", "--glued"]),
    row("kill -9, 5000 B", OR_GLUED, "killed", 200).with(&["--length", "5000", "--glued"]),
    row("kill -9, 120 B", OWN_LINE, "killed", 200).with(LOCKED),
    row("kill -9, 5000 B", OWN_LINE, "killed", 200).with(LONG_LOCKED).ours(),
    row("kill -9, xfs", OR_GLUED, "killed", 200).with(&["--length", "5000", "--disk", "xfs", "--glued"]),
    row("end of a program whose threads log, 20 kB", OR_GLUED, "ended", 50).with(&["--glued"]),
    row("end of a program whose threads log, 20 kB", OWN_LINE, "ended", 50).with(LOCKED),
    row("kill -9 at rollovers", CLEARED, "killed-at-rollovers", 50).with(&["--glued"]),
    row("kill -9 at rollovers", CLEARED, "killed-at-rollovers", 50).with(LOCKED),
    row("file deleted", NOTICED, "deleted", 10),
    row("file deleted", NOTICED, "deleted", 10).with(LOCKED),
    row("file moved away", ALL_THERE, "moved", 10),
    row("file moved away", ALL_THERE, "moved", 10).with(LOCKED),
    row("file cut to nothing", CUT_ONLY, "truncated", 10),
    row("a directory under the file's name", BEFORE, "directory-in-the-way", 2),
    row("log directory deleted", NOTICED, "directory-deleted", 10),
    row("log directory moved away", ALL_THERE, "directory-moved", 10),
    row("log directory not writable", BEFORE, "directory-closed", 1),
    row("a volume mounted over the directory", ALL_THERE, "mounted-over", 5),
    row("the file system frozen", NO_HARM, "frozen", 3),
    row("the link deleted or replaced", RENEWED, "link-replaced", 8).ours(),
    row("no descriptor left", BEFORE, "no-descriptors", 1),
    row("privileges dropped after build", INHERITED, "privileges-dropped", 1),
    row("a lock file that cannot be opened", NO_HARM, "lock-closed", 0).ours(),
    row("signals", NO_HARM, "signals", 2000).ours(),
    row("signals", NO_HARM, "signals", 2000).with(LOCKED),
    row("1000 forks at rollovers", NO_HARM, "forks-at-rollovers", 0).ours(),
    row("two users of one group", NO_HARM, "two-users", 0).ours(),
];

/// The counts that a row shows, and what they are called.
const COUNTS: [(&str, &[&str]); 9] = [
    ("trials", &["trials"]),
    ("lines", &["lines"]),
    ("refused", &["refused"]),
    ("lost", &["lost"]),
    ("until noticed", &["unnoticed"]),
    ("in the file before", &["late"]),
    ("wrong", &["torn", "duplicated", "misplaced", "overdue", "out_of_order", "unknown"]),
    ("glued", &["glued"]),
    ("fragments", &["fragments"]),
];

/// Plays all rows and prints them as a table; whether nothing was wrong.
///
/// # Errors
///
/// When this program cannot be executed.
pub fn print(quick: bool, peer: bool, markdown: bool) -> io::Result<bool> {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.peer || !peer).collect();
    if markdown {
        println!("{}", head(&rows));
    }
    let mut right = true;
    for row in rows {
        let summary = play(row, quick, peer)?;
        right &= summary.right;
        let name = format!("`{}` {}", row.scenario, row.options.join(" "));
        if let Some(reason) = &summary.skipped {
            println!("| {} | {} | {} | skipped: {reason} |", row.fault, row.promise.0, name.trim_end());
        } else if markdown {
            let [trials, lines] = ["trials", "lines"].map(|name| summary.sum(&[name]));
            let besides = besides(&summary);
            let (fault, promise) = (row.fault, row.promise.0);
            println!("| {fault} | {promise} | {} | {trials} | {lines} | {besides} |", name.trim_end());
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

/// What the words of the rows mean, and the head of the table.
fn head(rows: &[&Row]) -> String {
    let used = PROMISES.iter().filter(|promise| rows.iter().any(|row| row.promise.0 == promise.0));
    let words: String = used.map(|(word, meaning)| format!("* *{word}*: {meaning}\n")).collect();
    format!("{words}\n| fault | promised | scenario | trials | lines | besides |\n|---|---|---|---:|---:|---|")
}

/// The counts behind `trials` and `lines` that are not 0.
fn besides(summary: &Summary) -> String {
    let counts = COUNTS[2..].iter().map(|(head, names)| (head, summary.sum(names)));
    counts.filter(|(_, count)| *count > 0).map(|(head, count)| format!("{head} {count}")).collect::<Vec<_>>().join(", ")
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
