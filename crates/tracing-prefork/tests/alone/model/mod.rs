//! Random sequences of all that can happen to an appender, against a model of it (`machine.rs`).
//!
//! `MODEL_CASES=100000 cargo test -p tracing-prefork --test alone model` runs more of them than the few hundred of an
//! ordinary run. Each run prints the seed that its sequences are drawn by: a test that fails shows it, and
//! `MODEL_SEED=...` draws the same ones again.

mod machine;

use self::machine::{Failure, How, Kind, Machine, Operation, Settings, Step, Wrong};
use crate::common::{alone, alone_with, this_test};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner};
use std::hash::{BuildHasher, RandomState};

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

fn play((settings, operations): &Sequence, wrong: Wrong) -> Result<(), Failure> {
    let directory = tempfile::tempdir().expect("a directory");
    let mut machine = Machine::new(directory.path(), *settings, wrong)?;
    for (number, &operation) in operations.iter().enumerate() {
        machine.run(operation).map_err(|failure| failure.at(number, operation))?;
    }
    machine.finish()
}

const SEED: &str = "MODEL_SEED";

/// Calls `test` in a process of its own, with a seed that is printed.
fn seeded(test: impl FnOnce(u64)) {
    let name = this_test();
    let given = std::env::var(SEED).ok().map(|seed| seed.parse().expect("MODEL_SEED is a number"));
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one(&name));
    println!("{SEED}={seed} {name}");
    alone_with(&[(SEED, Some(&seed.to_string()))], |_| test(seed));
}

fn search(cases: u32, seed: u64, wrong: Wrong) -> Result<(), TestError<Sequence>> {
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    };
    let sequences = ([settings(), settings()], prop::collection::vec(operation(), 1..60));
    let failed = |failure: Failure| TestCaseError::fail(failure.to_string());
    TestRunner::new(config).run(&sequences, |sequence| play(&sequence, wrong).map_err(failed))
}

#[test]
fn whatever_happens_every_acknowledged_line_is_in_its_file_once() {
    seeded(|seed| {
        let cases = std::env::var("MODEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
        if let Err(error) = search(cases, seed, Wrong::Nothing) {
            panic!("{error}");
        }
    });
}

#[test]
fn the_same_seed_draws_the_same_sequences() {
    alone(|_| {
        let drawn = || {
            let config = Config { rng_seed: RngSeed::Fixed(7), ..Config::default() };
            let mut runner = TestRunner::new(config);
            let sequences = prop::collection::vec(operation(), 1..60);
            let mut draw = || sequences.new_tree(&mut runner).expect("drawn").current();
            [draw(), draw(), draw()]
        };
        assert_eq!(drawn(), drawn());
    });
}

/// Leaves out each operation without which it fails as well, and says how it fails then. The search itself makes
/// operations smaller when it has left some out, and after that more of them may not be needed.
fn shortest(mut sequence: Sequence, wrong: Wrong) -> (Sequence, Failure) {
    let mut failure = play(&sequence, wrong).expect_err("fails each time");
    let mut at = 0;
    while at < sequence.1.len() {
        let mut shorter = sequence.clone();
        shorter.1.remove(at);
        match play(&shorter, wrong) {
            Err(fails) => (sequence, failure, at) = (shorter, fails, 0),
            Ok(()) => at += 1,
        }
    }
    (sequence, failure)
}

/// Something is wrong on purpose, and is found for what it is, in few operations.
fn finds(wrong: Wrong, kind: Kind) {
    finds_one_of(wrong, &[kind]);
}

/// The same where it can look in several ways.
fn finds_one_of(wrong: Wrong, kinds: &[Kind]) {
    seeded(|seed| match search(2000, seed, wrong) {
        Err(TestError::Fail(reason, sequence)) => {
            let (sequence, failure) = shortest(sequence, wrong);
            assert!(kinds.contains(&failure.kind), "{failure}; {reason}; {sequence:?}");
            assert!(sequence.1.len() <= 4, "{failure}; {sequence:?}");
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_writer_that_loses_lines_is_found() {
    finds(Wrong::Loses, Kind::Misses);
}

#[test]
fn a_writer_that_doubles_lines_is_found() {
    finds(Wrong::Doubles, Kind::Doubles);
}

#[test]
fn a_line_in_the_file_of_another_period_is_found() {
    // The file that was not written to may also be pruned as an older one.
    finds_one_of(Wrong::ForgetsStamps, &[Kind::Misses, Kind::Prunes]);
}

#[test]
fn a_file_that_should_have_been_kept_is_found() {
    finds(Wrong::KeepsOneMore, Kind::Prunes);
}
