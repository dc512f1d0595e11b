//! A clock that is set by hand, and short words for files. Shared by the tests of this folder.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Builder};

/// 2026-11-21 08:33:01 UTC, a Saturday.
pub(crate) const NOW: u64 = 1_795_249_981;
pub(crate) const DAY: u64 = 86_400;

/// A clock that is set by hand, in nanoseconds since 1970.
#[derive(Clone, Default)]
pub(crate) struct Hand(pub(crate) Arc<AtomicU64>);

impl Hand {
    pub(crate) fn at(seconds: u64) -> Self {
        let hand = Self::default();
        hand.set(seconds, 0);
        hand
    }

    pub(crate) fn set(&self, seconds: u64, nanos: u64) {
        self.0.store(seconds * 1_000_000_000 + nanos, Relaxed);
    }

    pub(crate) fn builder(&self) -> Builder {
        let clock = self.clone();
        Appender::builder()
            .filename_prefix("app")
            .filename_suffix("log")
            .clock(move || UNIX_EPOCH + Duration::from_nanos(clock.0.load(Relaxed)))
    }
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The names in a directory, sorted, without hidden ones.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    all_names(directory).into_iter().filter(|name| !name.starts_with('.')).collect()
}

pub(crate) fn all_names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("the directory is there")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

pub(crate) fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Waits, for as long as it takes and ten seconds at most, for what another thread does.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
