//! The checker: reads every file of the log directory and compares it with the ledger.
//!
//! The checker demands every acknowledged line exactly once, intact, in order per thread, and in the file that the
//! line's timestamp names. There are exceptions:
//!
//! * A line whose write was under way when its process was killed, and a line that was refused, may be there once or
//!   not at all.
//! * A line that the timer stamped must be in the file that the stamp names. A line that the load stamped must be in
//!   the file of a period that has an instant between the beginning and the end of the line's write.
//! * A line may be in the file before the right one if the right one could not be opened.
//!
//! The [journal](crate::journal) says what somebody did to the files from outside. A file that was moved away is read
//! where it is now. A line in a deleted file is excused if its write began before the end of the second of the
//! deletion, because writers look once a second.
//!
//! [`Demands`] says what the files must be like: sizes, archives, first lines. Retention removes the oldest files, so
//! each thread's lines have no gap from the first line that is left.

mod files;
mod lines;
mod missing;
mod times;

use std::collections::HashSet;
use std::fs;
use std::io::{self};
use std::path::{Path, PathBuf};

use self::files::Fate;
use self::lines::Seen;
use crate::archive::Content;
use crate::journal::Deed;
use crate::ledger::Ledger;
use crate::limited::Limits;
use crate::line::Id;
use crate::pattern::{Archive, Pattern};
use crate::report::{Allows, Report};

/// What the checker holds a directory against.
#[derive(Clone, Debug)]
pub struct Checker<'a> {
    /// The record of the run.
    pub ledger: Ledger,
    /// Names and periods.
    pub pattern: &'a Pattern,
    /// What retention leaves.
    pub keeps: Keeps,
    /// What the files must be like.
    pub demands: Demands,
    /// Whether the clock only went forward; else order is demanded within a file alone.
    pub forward: bool,
    /// How far a timer's stamp may lie outside of its line's write, in nanoseconds.
    pub slack: u64,
    /// How long after its acknowledgement a line may come into a file, in nanoseconds.
    pub delay: u64,
    /// Lines that went to a file after it had been removed: lost, even if the file was to go.
    pub orphans: HashSet<Id>,
    /// Names of other files that belong in the directory.
    pub others: Vec<String>,
    /// What somebody did to the files from outside.
    pub deeds: Vec<Deed>,
    /// Where the files are that were moved away or deleted.
    pub attic: PathBuf,
    /// What is no error in this run.
    pub allows: Allows,
}

/// What retention leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing may be missing.
    All,
    /// The newest files, so many.
    Files(usize),
    /// So many or more.
    AtLeast(usize),
    /// The newest files that have so many bytes together, with so much room for the last one to grow.
    Bytes(u64, u64),
    /// What several limits together leave, while somebody takes files away besides.
    Limits(Limits),
}

/// What the files of a run must be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The bound on a file's size, where a period may have several files; `None`: it has one.
    pub largest: Option<u64>,
    /// How all files but the last are compressed.
    pub archive: Option<Archive>,
    /// Each file begins with [`first_line`].
    pub header: bool,
}

/// What a first line begins with; no other line does.
const HEADER: &[u8] = b"# since ";

/// The first line of the files of the period that begins so many seconds after 1970-01-01.
#[must_use]
pub fn first_line(start: u64) -> String {
    format!("{}{start}\n", String::from_utf8_lossy(HEADER))
}

/// The slowest that a writer tries again to open a file, and a second more for the event that does it.
const CATCH_UP: u64 = 11_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// How long a file that is held stays after its last line.
const DAY: u64 = 86_400 * SECOND;

impl Checker<'_> {
    /// Reads the directory and compares.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn check(&self, directory: &Path) -> io::Result<Report> {
        let mut report = Report::default();
        report.counts.allows = self.allows;
        let pages = self.pages(directory, &mut report)?;
        let mut seen: Vec<Seen> = Vec::new();
        seen.resize_with(self.ledger.members() * self.ledger.threads(), Seen::default);
        let mut nameless = 0;
        let mut last_bytes = 0;
        for (number, page) in pages.iter().enumerate() {
            let content = Content::read(&page.path, page.place.archive())?;
            if page.fate == Fate::Stays {
                last_bytes = fs::metadata(&page.path)?.len();
                report.counts.on_disk += last_bytes;
                report.counts.files += 1;
                report.counts.archives += u64::from(page.place.archive().is_some());
            }
            report.counts.bytes += content.text.len() as u64;
            if !self.forward {
                seen.iter_mut().for_each(|seen| seen.last = None);
            }
            self.inspect(page, &content, &mut report);
            nameless += self.read(&pages, number, &content, &mut seen, &mut report);
        }
        self.inspect_names(&pages, &mut report);
        self.inspect_total(last_bytes, &mut report);
        self.compare(&pages, &seen, &mut report);
        if !self.orphans.is_empty() {
            let count = self.orphans.len();
            report.cases.insert(0, format!("{count} lines went to files that had been removed"));
        }
        // A damaged line that could not be named is torn, not lost besides.
        report.counts.lost = report.counts.lost.saturating_sub(nameless);
        Ok(report)
    }
}
