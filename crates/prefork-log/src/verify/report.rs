//! What `verify` prints.

use super::tally::{Counts, Example, Tally};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What was found in one file.
#[derive(Debug, Serialize)]
pub(super) struct FileReport {
    pub(super) path: PathBuf,
    pub(super) compressed: bool,
    #[serde(flatten)]
    pub(super) tally: Tally,
}

/// What was found in all files.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) files: Vec<FileReport>,
    /// The files that cannot be read, with the errors.
    pub(super) unreadable: Vec<(PathBuf, String)>,
    pub(super) sum: Counts,
    /// All that is wrong.
    pub(super) faults: u64,
}

impl Report {
    pub(super) fn new(files: Vec<FileReport>, unreadable: Vec<(PathBuf, String)>, strict: bool) -> Self {
        let mut sum = Counts::default();
        files.iter().for_each(|file| sum.add(&file.tally.counts));
        let faults = sum.wrong(strict);
        Self { files, unreadable, sum, faults }
    }

    /// For people: the files with faults, and the sum.
    pub(super) fn to_text(&self, directory: &Path, strict: bool) -> String {
        let mut text = String::new();
        for file in self.files.iter().filter(|file| file.tally.counts.wrong(strict) > 0) {
            let name = file.path.strip_prefix(directory).unwrap_or(&file.path);
            let _ = writeln!(text, "{}: {}", name.display(), file.tally.counts);
            for Example { byte, fault, text: line } in &file.tally.examples {
                let _ = writeln!(text, "    byte {byte}: {fault}: {line}");
            }
        }
        for (path, error) in &self.unreadable {
            let _ = writeln!(text, "{}: cannot be read: {error}", path.display());
        }
        let Self { files, sum, .. } = self;
        let bad = files.iter().filter(|file| file.tally.counts.wrong(strict) > 0).count();
        let _ = writeln!(text, "{} files, {} lines, {} bytes of text: {sum}", files.len(), sum.lines, sum.bytes);
        if bad > 0 {
            let _ = writeln!(text, "{} faults in {bad} files", self.faults);
        }
        if sum.slightly_late + sum.out_of_order > 0 {
            let behind = sum.slightly_late + sum.out_of_order;
            let (seconds, micros) = (sum.latest_by_micros / 1_000_000, sum.latest_by_micros % 1_000_000);
            let _ = writeln!(text, "{behind} lines are behind a later one, by {seconds}.{micros:06} s at most");
        }
        if sum.without_timestamp > 0 {
            let _ = writeln!(
                text,
                "{} lines are in files without any timestamp: only NUL bytes, UTF-8 and the last newline were checked",
                sum.without_timestamp
            );
        }
        if sum.pieces > 0 {
            let _ = writeln!(text, "if messages have several lines, or files have a header: --multi-line, --header 1");
        }
        text
    }
}
