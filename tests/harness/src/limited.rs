//! What retention may remove where several limits are set together, and files are taken away by others besides.
//!
//! Nobody can tell afterwards which files there were when one was removed. But a file goes only if enough others are
//! newer: so many files, or so many bytes. Whatever was ever written to its period and to later ones is a bound on
//! those: what is missing although the bound is not reached was lost.

use std::collections::BTreeMap;

use crate::line::{FIELDS, Id, Sizes};
use crate::pattern::{Key, Place};

/// The limits of a run. Instants are the run's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max_log_files`, or `min_log_files` where disks run full: a file goes only if so many are newer.
    pub files: Option<usize>,
    /// Whether no more are left than that in the end.
    pub counts: bool,
    /// `max_age`, in nanoseconds.
    pub age: Option<u64>,
    /// `max_total_bytes`, less what is kept free for the current file.
    pub bytes: Option<u64>,
    /// `max_file_bytes`.
    pub file_bytes: Option<u64>,
    /// How long lines are.
    pub sizes: Sizes,
    /// Whether what is left may have gaps: others take files away, or files wait for the hook.
    pub gaps: bool,
    /// Whether there is pruning or compressing, which clears away what killed processes have left.
    pub cleans: bool,
    /// Whether processes are killed, perhaps in the middle of compressing.
    pub kills: bool,
    /// When all processes had come to their end.
    pub began_to_close: u64,
    /// When nothing was removed any more.
    pub ended: u64,
}

/// What was written to a period, at most.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    bytes: u64,
    /// The number of its last file, as far as that is known.
    last: u64,
    /// Files that were taken away: others may have had their numbers after them.
    taken: u64,
}

/// What the limits may have removed.
#[derive(Debug)]
pub(crate) struct Removable<'l> {
    pub(crate) limits: &'l Limits,
    periods: BTreeMap<Key, Written>,
}

impl<'l> Removable<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Self { limits, periods: BTreeMap::new() }
    }

    /// There was that period.
    pub(crate) fn period(&mut self, key: Key) {
        self.periods.entry(key).or_default();
    }

    /// There was that file.
    pub(crate) fn file(&mut self, place: Place, taken: bool) {
        let period = self.periods.entry(place.key).or_default();
        period.last = period.last.max(u64::from(place.index));
        period.taken += u64::from(taken);
    }

    /// That line was written, or tried to be.
    pub(crate) fn line(&mut self, key: Key, id: Id) {
        self.periods.entry(key).or_default().bytes += (self.limits.sizes.padding(id) + FIELDS) as u64;
    }

    /// Whether a file of that period may go for want of room.
    pub(crate) fn may_go(&self, key: Key) -> bool {
        let newer = || self.periods.range(key..).map(|(_, written)| written);
        let files: u64 = newer().map(|written| self.most_files(written)).sum();
        let bytes: u64 = newer().map(|written| written.bytes).sum();
        // One of the files is the one that goes.
        self.limits.files.is_some_and(|limit| files > limit as u64)
            || self.limits.bytes.is_some_and(|limit| bytes > limit)
    }

    /// How many files a period can have had.
    fn most_files(&self, written: &Written) -> u64 {
        // A file is left when it is full, or when the next line would not fit.
        let full =
            self.limits.file_bytes.map_or(0, |most| most.saturating_sub(self.limits.sizes.room() as u64).max(most / 2));
        let by_bytes = written.bytes.checked_div(full).unwrap_or(0);
        1 + written.last.max(by_bytes) + written.taken
    }
}
