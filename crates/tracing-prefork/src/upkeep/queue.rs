//! The files that wait for the user's hook, as the record of hand-overs shows them.

use crate::names::archive::plain_name;
use crate::upkeep::hand_over_record::{self, HandOverRecord, Line, Mark, Version};
use std::path::Path;

/// How far the hook has come with a file as the file is now. A file that was handed over before it was compressed
/// counts as handed over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// The hook was not called for it.
    New,
    /// The hook was called, and has failed, has not come back, or was killed with its process.
    Called(Line),
    Done,
}

impl Stage {
    pub(crate) fn of(record: &HandOverRecord, name: &str, version: Version) -> Self {
        match record.line(name, version) {
            Some(line) if line.mark == Mark::Done => Self::Done,
            Some(line) => Self::Called(line),
            None if plain_name(name).is_some_and(|plain| record.was_done_plain(plain, version)) => Self::Done,
            None => Self::New,
        }
    }
}

/// What retention asks before it removes a file: must the file wait for the hook?
#[derive(Debug)]
pub(crate) struct Queue {
    record: HandOverRecord,
    /// No file need wait for the hook for longer than a day: the hook does not come.
    in_vain: bool,
}

/// Whether a file waits for the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    No,
    Yes,
    /// It has waited for a day, and the hook does not come. The file may go, which is reported.
    InVain,
}

impl Queue {
    /// `tried`: whatever could be handed over has just been handed over, as far as the hook did its work.
    pub(crate) fn new(tried: bool, record: HandOverRecord, now: i64) -> Self {
        Self { in_vain: tried || record.is_stuck(now), record }
    }

    /// Whether a file waits for the hook. `rested`: whether the file has rested for a day.
    pub(crate) fn waits(&self, name: &str, path: &Path, rested: impl Fn() -> bool) -> Waits {
        let version = hand_over_record::version(path);
        let stage = version.map_or(Stage::New, |version| Stage::of(&self.record, name, version));
        decide(stage, self.in_vain, rested)
    }
}

/// Whether a file waits for the hook.
///
/// | the hook and this file | nobody need wait longer than a day | the file has rested for a day | the file waits |
/// |---|---|---|---|
/// | done | | | no |
/// | failed | | no | yes |
/// | failed | | yes | in vain |
/// | called without an end, or not called | no | | yes |
/// | called without an end, or not called | yes | no | yes |
/// | called without an end, or not called | yes | yes | in vain |
fn decide(stage: Stage, in_vain: bool, rested: impl Fn() -> bool) -> Waits {
    let has_failed = match stage {
        Stage::Done => return Waits::No,
        Stage::Called(line) => line.mark == Mark::Failed,
        Stage::New => false,
    };
    if (in_vain || has_failed) && rested() { Waits::InVain } else { Waits::Yes }
}

#[cfg(test)]
mod tests {
    use crate::upkeep::hand_over_record::{Line, Mark};
    use crate::upkeep::queue::{Stage, Waits, decide};

    #[test]
    fn a_file_waits_for_the_hook_until_that_is_in_vain() {
        let called = |mark| Stage::Called(Line::example(mark));
        for (stage, in_vain, rested, waits) in [
            (Stage::Done, false, false, Waits::No),
            (Stage::Done, true, true, Waits::No),
            (called(Mark::Failed), false, false, Waits::Yes),
            (called(Mark::Failed), true, false, Waits::Yes),
            (called(Mark::Failed), false, true, Waits::InVain),
            (called(Mark::Failed), true, true, Waits::InVain),
            (called(Mark::Begun), false, true, Waits::Yes),
            (called(Mark::Begun), true, false, Waits::Yes),
            (called(Mark::Begun), true, true, Waits::InVain),
            (Stage::New, false, false, Waits::Yes),
            (Stage::New, false, true, Waits::Yes),
            (Stage::New, true, false, Waits::Yes),
            (Stage::New, true, true, Waits::InVain),
        ] {
            assert_eq!(decide(stage, in_vain, || rested), waits, "{stage:?}, in vain: {in_vain}, rested: {rested}");
        }
    }
}
