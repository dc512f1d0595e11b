//! What the checker found, and the one line that says so.

use std::fmt;

/// What a scenario brings about on purpose: it is counted and is not wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allows {
    /// Lines that are refused.
    pub refused: bool,
    /// Pieces of lines that nobody acknowledged.
    pub fragments: bool,
    /// Acknowledged lines behind such a piece.
    pub glued: bool,
    /// Lines in the file before, while the right one cannot be opened.
    pub late: bool,
    /// Errors that appenders report.
    pub errors: bool,
}

/// The counts of one run. Everything from `lost` on is an error, unless the scenario allows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    /// What is no error in this run.
    pub allows: Allows,
    /// What befell the run: kills, deletions, times that a disk was full.
    pub trials: u64,
    /// Processes that were killed on purpose.
    pub killed: u64,
    /// Writers that were killed inside a write to a log file.
    pub inside: u64,
    /// Kills that left a part of a write in a log file.
    pub partial: u64,
    /// Processes that were killed inside a write while they recovered what a dead one had left.
    pub recoverers: u64,
    /// Acknowledged lines that were in a file when somebody deleted it or cut it to nothing.
    pub removed: u64,
    /// Acknowledged lines that went to a deleted file in the second of its deletion, before its writers looked again.
    pub unnoticed: u64,
    /// Processes that took part, the one that starts the others included.
    pub processes: u64,
    /// Threads that wrote at least one line.
    pub threads: u64,
    /// Threads whose timer showed more than one offset from UTC.
    pub crossed: u64,
    /// Rollovers: those of all periods in which lines begin, or of the thread that saw the most,
    /// if a clock that steps back made these more.
    pub rollovers: u64,
    /// Log files in the end.
    pub files: u64,
    /// The most log files at any time, where retention is at work; else 0.
    pub most_files: u64,
    /// Bytes in the log files in the end, those of archives as they were before.
    pub bytes: u64,
    /// Bytes that the log files take in the end.
    pub on_disk: u64,
    /// The most bytes that all log files together took at any time, where these have a limit; else 0.
    pub most_on_disk: u64,
    /// Bytes of the largest file, before it was compressed.
    pub largest: u64,
    /// Log files in the end that are archives.
    pub archives: u64,
    /// The files that all of these were made from, and the plain ones.
    pub members: u64,
    /// Acknowledged lines.
    pub lines: u64,
    /// Acknowledged lines of periods that retention may have removed, and that are gone.
    pub pruned: u64,
    /// Acknowledged lines that are nowhere, not even as fragments, or that went to a file which
    /// had been removed already.
    pub lost: u64,
    /// Lines of which a part is missing or which others are mixed into. A piece that cannot be named counts here if all
    /// lines of the run were acknowledged, else as a fragment.
    pub torn: u64,
    /// Acknowledged lines that are whole, but behind a piece of another one, not on a line of their own.
    pub glued: u64,
    /// Pieces of lines that were refused, or whose writer was killed.
    pub fragments: u64,
    /// Lines beyond the first of the same.
    pub duplicated: u64,
    /// Lines in a file that their timestamp does not name, or stamped outside of their write.
    pub misplaced: u64,
    /// Lines in the file before the right one, while that could not be opened.
    pub late: u64,
    /// Lines in a file that was moved away, later than the second in which that is noticed.
    pub overdue: u64,
    /// Lines that come after a later one of their thread.
    pub out_of_order: u64,
    /// Lines that nobody wrote.
    pub unknown: u64,
    /// Lines that were refused.
    pub refused: u64,
    /// Processes that made no progress.
    pub hung: u64,
    /// Processes that ended before their end, or never began.
    pub died: u64,
    /// Errors that appenders reported.
    pub errors: u64,
    /// Anything else: wrong number of files, a stray file, a wrong link, a foreign file touched.
    pub other: u64,
}

impl Counts {
    fn all(&self) -> [(&'static str, u64); 37] {
        [
            ("processes", self.processes),
            ("threads", self.threads),
            ("crossed", self.crossed),
            ("rollovers", self.rollovers),
            ("files", self.files),
            ("most_files", self.most_files),
            ("bytes", self.bytes),
            ("on_disk", self.on_disk),
            ("most_on_disk", self.most_on_disk),
            ("largest", self.largest),
            ("archives", self.archives),
            ("members", self.members),
            ("lines", self.lines),
            ("pruned", self.pruned),
            ("trials", self.trials),
            ("killed", self.killed),
            ("inside", self.inside),
            ("partial", self.partial),
            ("recoverers", self.recoverers),
            ("removed", self.removed),
            ("unnoticed", self.unnoticed),
            ("lost", self.lost),
            ("torn", self.torn),
            ("glued", self.glued),
            ("fragments", self.fragments),
            ("duplicated", self.duplicated),
            ("misplaced", self.misplaced),
            ("late", self.late),
            ("overdue", self.overdue),
            ("out_of_order", self.out_of_order),
            ("unknown", self.unknown),
            ("refused", self.refused),
            ("hung", self.hung),
            ("died", self.died),
            ("errors", self.errors),
            ("other", self.other),
            ("wrong", self.wrong()),
        ]
    }

    /// The sum of all errors.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        let unless = |allowed: bool, count: u64| if allowed { 0 } else { count };
        let allows = self.allows;
        self.lost
            + self.torn
            + unless(allows.glued, self.glued)
            + unless(allows.fragments, self.fragments)
            + self.duplicated
            + self.misplaced
            + unless(allows.late, self.late)
            + self.overdue
            + self.out_of_order
            + self.unknown
            + unless(allows.refused, self.refused)
            + self.hung
            + self.died
            + unless(allows.errors, self.errors)
            + self.other
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, count) in self.all() {
            write!(f, "{separator}{name}={count}")?;
            separator = " ";
        }
        Ok(())
    }
}

/// Counts, and the first few cases in words.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The counts.
    pub counts: Counts,
    /// The first cases, at most [`Report::CASES`].
    pub cases: Vec<String>,
}

impl Report {
    /// How many cases are kept in words.
    pub const CASES: usize = 30;

    /// Keeps a case in words, unless there are enough.
    pub fn case(&mut self, text: impl FnOnce() -> String) {
        if self.cases.len() < Self::CASES {
            self.cases.push(text());
        }
    }

    /// Counts and keeps something wrong that is not about a line.
    pub fn other(&mut self, text: impl Into<String>) {
        self.counts.other += 1;
        let text = text.into();
        self.case(|| text);
    }
}
