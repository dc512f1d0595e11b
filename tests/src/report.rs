//! What the checker found, and the one line that says so.

use std::fmt;

/// The counts of one run. Everything from `lost` on is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
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
    /// Bytes in the log files in the end.
    pub bytes: u64,
    /// Acknowledged lines.
    pub lines: u64,
    /// Acknowledged lines of periods that retention may have removed, and that are gone.
    pub pruned: u64,
    /// Acknowledged lines that are nowhere, not even as fragments, or that went to a file which
    /// had been removed already.
    pub lost: u64,
    /// Lines of which a part is missing or which others are mixed into.
    pub torn: u64,
    /// Lines beyond the first of the same.
    pub duplicated: u64,
    /// Lines in a file that their timestamp does not name, or stamped outside of their write.
    pub misplaced: u64,
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
    fn all(&self) -> [(&'static str, u64); 21] {
        [
            ("processes", self.processes),
            ("threads", self.threads),
            ("crossed", self.crossed),
            ("rollovers", self.rollovers),
            ("files", self.files),
            ("most_files", self.most_files),
            ("bytes", self.bytes),
            ("lines", self.lines),
            ("pruned", self.pruned),
            ("lost", self.lost),
            ("torn", self.torn),
            ("duplicated", self.duplicated),
            ("misplaced", self.misplaced),
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
        self.lost
            + self.torn
            + self.duplicated
            + self.misplaced
            + self.out_of_order
            + self.unknown
            + self.refused
            + self.hung
            + self.died
            + self.errors
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
