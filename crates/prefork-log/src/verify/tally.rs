//! [`Tally`]: what was found in a file.

use serde::Serialize;
use std::fmt;

/// What is wrong with a line or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line begins as the file's lines do, and is not whole, or has something of another line in it.
    Torn,
    /// The line does not begin as the file's lines do.
    Piece,
    /// The timestamp is not of the file's period.
    Misplaced,
    /// An earlier line of the file has a later timestamp.
    OutOfOrder,
    /// The text ends without a newline, and nobody writes to it any more.
    Unterminated,
    /// The line has a NUL byte.
    Nul,
    /// The line is not UTF-8.
    InvalidUtf8,
    /// The archive cannot be read to its end.
    Damaged,
    /// The line is empty.
    Empty,
    /// The line is the same as the line before it.
    Repeated,
}

/// Counts of a file, or of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Lines, with all that is wrong.
    pub(super) lines: u64,
    /// Bytes of text.
    pub(super) bytes: u64,
    /// Lines with a timestamp where the file's lines have it.
    pub(super) with_timestamp: u64,
    /// Further lines of messages that have several (`--multi-line`).
    pub(super) further: u64,
    /// Lines of headers (`--header`).
    pub(super) headers: u64,
    /// Lines of files in which no line has a timestamp.
    pub(super) without_timestamp: u64,
    /// Lines that are behind a later one, but by no more than the tolerance.
    pub(super) slightly_late: u64,
    /// The most that a line was behind, in microseconds.
    pub(super) latest_by_micros: u64,
    pub(super) torn: u64,
    pub(super) pieces: u64,
    pub(super) misplaced: u64,
    pub(super) out_of_order: u64,
    pub(super) unterminated: u64,
    pub(super) nul: u64,
    pub(super) invalid_utf8: u64,
    pub(super) damaged: u64,
    pub(super) empty: u64,
    pub(super) repeated: u64,
}

impl Counts {
    /// What is wrong in any log file, as texts for people.
    fn faults(&self) -> [(u64, &'static str); 8] {
        [
            (self.torn, "torn"),
            (self.pieces, "pieces"),
            (self.misplaced, "misplaced"),
            (self.out_of_order, "out of order"),
            (self.unterminated, "without a newline at the end"),
            (self.nul, "with NUL bytes"),
            (self.invalid_utf8, "not UTF-8"),
            (self.damaged, "damaged archives"),
        ]
    }

    /// What can be right.
    fn oddities(&self) -> [(u64, &'static str); 2] {
        [(self.empty, "empty"), (self.repeated, "the same as the line before")]
    }

    pub(super) fn wrong(&self, strict: bool) -> u64 {
        let faults: u64 = self.faults().iter().map(|(count, _)| count).sum();
        let oddities: u64 = self.oddities().iter().map(|(count, _)| count).sum();
        faults + if strict { oddities } else { 0 }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.with_timestamp += other.with_timestamp;
        self.further += other.further;
        self.headers += other.headers;
        self.without_timestamp += other.without_timestamp;
        self.slightly_late += other.slightly_late;
        self.latest_by_micros = self.latest_by_micros.max(other.latest_by_micros);
        self.torn += other.torn;
        self.pieces += other.pieces;
        self.misplaced += other.misplaced;
        self.out_of_order += other.out_of_order;
        self.unterminated += other.unterminated;
        self.nul += other.nul;
        self.invalid_utf8 += other.invalid_utf8;
        self.damaged += other.damaged;
        self.empty += other.empty;
        self.repeated += other.repeated;
    }

    fn of(&mut self, fault: Fault) -> &mut u64 {
        match fault {
            Fault::Torn => &mut self.torn,
            Fault::Piece => &mut self.pieces,
            Fault::Misplaced => &mut self.misplaced,
            Fault::OutOfOrder => &mut self.out_of_order,
            Fault::Unterminated => &mut self.unterminated,
            Fault::Nul => &mut self.nul,
            Fault::InvalidUtf8 => &mut self.invalid_utf8,
            Fault::Damaged => &mut self.damaged,
            Fault::Empty => &mut self.empty,
            Fault::Repeated => &mut self.repeated,
        }
    }
}

/// `2 torn, 1 misplaced`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.faults().into_iter().chain(self.oddities());
        let texts: Vec<_> =
            all.filter(|(count, _)| *count > 0).map(|(count, text)| format!("{count} {text}")).collect();
        f.write_str(if texts.is_empty() { "nothing is wrong" } else { "" })?;
        f.write_str(&texts.join(", "))
    }
}

/// A fault, for people to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Example {
    /// Where the line begins in the text of the file.
    pub(super) byte: u64,
    pub(super) fault: &'static str,
    /// The beginning of the line, or what the error says.
    pub(super) text: String,
}

/// What was found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) examples: Vec<Example>,
    #[serde(skip)]
    pub(super) most_examples: usize,
    /// Examples are taken of what can be right, too.
    #[serde(skip)]
    pub(super) strict: bool,
}

/// How much of a line is shown.
const SHOWN: usize = 160;

impl Tally {
    pub(super) fn note(&mut self, fault: Fault, byte: u64, line: &[u8]) {
        *self.counts.of(fault) += 1;
        let is_odd = matches!(fault, Fault::Empty | Fault::Repeated);
        if self.examples.len() < self.most_examples && (self.strict || !is_odd) {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
            let rest = if line.len() > SHOWN { "..." } else { "" };
            let text = shown.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'") + rest;
            self.examples.push(Example { byte, fault: fault.text(), text });
        }
    }
}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Self::Torn => "torn",
            Self::Piece => "a piece",
            Self::Misplaced => "misplaced",
            Self::OutOfOrder => "out of order",
            Self::Unterminated => "no newline at the end",
            Self::Nul => "a NUL byte",
            Self::InvalidUtf8 => "not UTF-8",
            Self::Damaged => "damaged",
            Self::Empty => "empty",
            Self::Repeated => "the same as the line before",
        }
    }
}
