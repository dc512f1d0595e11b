//! Checks the lines that clients have sent.

use super::receiver::files;
use harness::line::{Id, parse};
use std::collections::BTreeMap;
use std::path::Path;

/// What is in the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) lines: u64,
    /// Lines that are nowhere.
    pub(crate) lost: u64,
    /// Lines that are not whole, and are no fragments.
    pub(crate) torn: u64,
    /// Pieces that stand alone, and whose lines are there whole as well: a receiver was killed inside `write(2)`.
    pub(crate) fragments: u64,
    /// Lines in another file than that of their timestamp.
    pub(crate) misplaced: u64,
    /// Lines that are there already.
    pub(crate) double: u64,
    /// Lines whose first copy stands behind a later line of their thread.
    pub(crate) late: u64,
}

/// Compares the files with what was sent: so many lines of each thread of each process.
pub(crate) fn check(logs: &Path, sent: &BTreeMap<(u64, u64), u64>) -> Found {
    let (mut found, mut seen) = (Found::default(), BTreeMap::<Id, u64>::new());
    let mut latest = BTreeMap::<(u64, u64), u64>::new();
    let files = files(logs);
    let mut pieces = Vec::new();
    for (name, text) in &files {
        for line in text.lines() {
            found.lines += 1;
            let Some(line) = parse(line.as_bytes()) else {
                pieces.push(line);
                continue;
            };
            let stamp = line.stamp;
            let second = format!(
                "{:04}-{:02}-{:02}-{:02}-{:02}-{:02}",
                stamp.year, stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second
            );
            found.misplaced += u64::from(!name.contains(&second));
            let times = seen.entry(line.id).or_default();
            *times += 1;
            if *times > 1 {
                found.double += 1;
                continue;
            }
            let latest = latest.entry((line.id.process, line.id.thread)).or_default();
            found.late += u64::from(line.id.sequence < *latest);
            *latest = line.id.sequence.max(*latest);
        }
    }
    let mut expected = 0;
    for (&(process, thread), &lines) in sent {
        expected += lines;
        found.lost +=
            (0..lines).filter(|&sequence| !seen.contains_key(&Id { process, thread, sequence })).count() as u64;
    }
    for piece in pieces {
        let begins =
            |line: &str| line.len() > piece.len() && line.starts_with(piece) && parse(line.as_bytes()).is_some();
        let is_fragment = files.iter().any(|(_, text)| text.lines().any(begins));
        found.fragments += u64::from(is_fragment);
        found.torn += u64::from(!is_fragment);
        found.lines -= 1;
    }
    assert!(seen.len() as u64 <= expected, "{} lines are there, and {expected} were sent", seen.len());
    found
}
