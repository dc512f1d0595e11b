//! Tests of the library, by its rooms. Nothing here forks, starts a program, or changes the process: see `tests/alone`.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/interposed.rs"]
mod interposed;

mod builder;
mod event;
mod names;
mod process;
mod time;
mod upkeep;
mod write;
