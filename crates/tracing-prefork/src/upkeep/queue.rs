//! The files that wait for the user's hook, as its record shows them.

use crate::names::archive::plain_name;
use crate::upkeep::record::{self, Line, Record, State, Version};
use std::path::Path;

/// How far the hook has come with a file as it is now. What it has had before that was compressed it has had.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    New,
    Called(Line),
    Done,
}

impl Stage {
    pub(crate) fn of(record: &Record, name: &str, version: Version) -> Self {
        match record.line(name, version) {
            Some(line) if line.state == State::Done => Self::Done,
            Some(line) => Self::Called(line),
            None if plain_name(name).is_some_and(|plain| record.was_done_plain(plain, version)) => Self::Done,
            None => Self::New,
        }
    }
}

/// What retention asks of a hook that has not done its work with a file yet.
#[derive(Debug)]
pub(crate) struct Queue {
    record: Record,
    in_vain: bool,
}

impl Queue {
    /// `tried`: all files that could be handed over have just been, as far as the hook did its work.
    pub(crate) fn new(tried: bool, record: Record, now: i64) -> Self {
        Self { in_vain: tried || record.is_stuck(now), record }
    }

    /// Whether a file waits for the hook: until it has `rested`, if the hook has failed on it, is stuck, or could not
    /// be called.
    pub(crate) fn waits(&self, name: &str, path: &Path, rested: impl Fn() -> bool) -> Waits {
        let stage = record::version(path).map_or(Stage::New, |version| Stage::of(&self.record, name, version));
        let failed = |line: Line| line.state == State::Failed;
        match stage {
            Stage::Done => Waits::No,
            Stage::Called(line) if (self.in_vain || failed(line)) && rested() => Waits::InVain,
            Stage::New if self.in_vain && rested() => Waits::InVain,
            Stage::Called(_) | Stage::New => Waits::Yes,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    No,
    Yes,
    InVain,
}
