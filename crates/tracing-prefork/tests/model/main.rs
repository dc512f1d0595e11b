//! Random sequences of all that can happen to an appender, against a model of it (`machine.rs`).
//!
//! `MODEL_CASES=100000 cargo test -p tracing-prefork --test model` runs more of them than the few hundred of an ordinary run.

#[path = "../common/mod.rs"]
mod common;
mod machine;

use common::alone;
use machine::{How, Machine, Operation, Settings, Step, Wrong};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

type Sequence = ([Settings; 2], Vec<Operation>);

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_000_000_000_u32).prop_map(Step::Nanos),
        (1..70_u8).prop_map(Step::Seconds),
        (1..70_u8).prop_map(Step::Minutes),
        (1..30_u8).prop_map(Step::Hours),
        (1..40_u8).prop_map(Step::Days),
    ]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Whole),
        1 => step().prop_map(How::Pieces),
        1 => Just(How::Handle),
        1 => step().prop_map(How::Stamped),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let which = any::<bool>;
    prop_oneof![
        12 => (which(), how(), 0..60_u8).prop_map(|(which, how, length)| Operation::Log { which, how, length }),
        6 => step().prop_map(Operation::Advance),
        2 => step().prop_map(Operation::StepBack),
        1 => (which(), 0..4_u8).prop_map(|(which, lines)| Operation::Fork { which, lines }),
        1 => which().prop_map(|which| Operation::Remove { which }),
        1 => which().prop_map(|which| Operation::Rename { which }),
        1 => which().prop_map(|which| Operation::Truncate { which }),
        2 => (which(), how(), 0..64_u8).prop_map(|(which, how, room)| Operation::LogWhenFull { which, how, room }),
        1 => which().prop_map(|which| Operation::Prune { which }),
        1 => which().prop_map(|which| Operation::Reopen { which }),
        1 => which().prop_map(|which| Operation::Rebuild { which }),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let keep = || option::of(0..4_u8);
    (0..5_u8, prop_oneof![Just(0), 1..=255_u8], any::<bool>(), keep(), keep(), any::<bool>()).prop_map(
        |(rotation, minutes_east, lock_writes, max_log_files, min_log_files, directories)| Settings {
            rotation,
            minutes_east,
            lock_writes,
            max_log_files,
            min_log_files,
            directories,
        },
    )
}

fn play((settings, operations): &Sequence, wrong: Wrong) -> Result<(), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut machine = Machine::new(directory.path(), *settings, wrong)?;
    for (number, &operation) in operations.iter().enumerate() {
        machine.run(operation).map_err(|error| format!("operation {number}, {operation:?}: {error}"))?;
    }
    machine.finish()
}

fn search(cases: u32, wrong: Wrong) -> Result<(), TestError<Sequence>> {
    let persistence = FileFailurePersistence::Off;
    let config = Config { cases, failure_persistence: Some(Box::new(persistence)), ..Config::default() };
    let sequences = ([settings(), settings()], prop::collection::vec(operation(), 1..60));
    TestRunner::new(config).run(&sequences, |sequence| play(&sequence, wrong).map_err(TestCaseError::fail))
}

#[test]
fn whatever_happens_every_acknowledged_line_is_in_its_file_once() {
    alone("whatever_happens_every_acknowledged_line_is_in_its_file_once", &[], |_| {
        let cases = std::env::var("MODEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
        if let Err(error) = search(cases, Wrong::Nothing) {
            panic!("{error}");
        }
    });
}

/// Something is wrong on purpose, and is found, in few operations.
fn finds(name: &str, wrong: Wrong, says: &str) {
    alone(name, &[], |_| match search(2000, wrong) {
        Err(TestError::Fail(reason, (_, operations))) => {
            assert!(reason.message().contains(says), "{reason}");
            assert!(operations.len() <= 4, "{operations:?}");
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_writer_that_loses_lines_is_found() {
    finds("a_writer_that_loses_lines_is_found", Wrong::Loses, "is 0 times in");
}

#[test]
fn a_writer_that_doubles_lines_is_found() {
    finds("a_writer_that_doubles_lines_is_found", Wrong::Doubles, "is 2 times in");
}

#[test]
fn a_line_in_the_file_of_another_period_is_found() {
    finds("a_line_in_the_file_of_another_period_is_found", Wrong::ForgetsStamps, "is 0 times in");
}

#[test]
fn a_file_that_should_have_been_kept_is_found() {
    finds("a_file_that_should_have_been_kept_is_found", Wrong::KeepsOneMore, "removed");
}
