//! Any sequence of operations against the model that `cargo test --test alone model` uses.

#![no_main]

#[path = "../../../crates/tracing-prefork/tests/alone/model/machine.rs"]
mod machine;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use machine::{Machine, Operation, Settings, Wrong};

#[derive(Arbitrary, Debug)]
struct Input {
    settings: [Settings; 2],
    operations: Vec<Operation>,
}

fuzz_target!(|input: Input| {
    let directory = tempfile::tempdir().expect("a directory");
    let mut machine = Machine::new(directory.path(), input.settings, Wrong::Nothing).expect("set up");
    for (number, &operation) in input.operations.iter().take(100).enumerate() {
        if let Err(error) = machine.run(operation) {
            panic!("operation {number}, {operation:?}: {error}");
        }
    }
    machine.finish().expect("at the end");
});
