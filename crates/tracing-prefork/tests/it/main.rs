//! Tests of the library, by its rooms. Nothing here forks, starts a program, or changes the process: see `tests/alone`.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/interposed.rs"]
mod interposed;

mod buffer;
mod builder;
mod event;
mod format;
mod names;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod non_blocking;
mod process;
mod time;
mod upkeep;
mod write;
