//! Tests of the library that fork, start programs, or change the process, by the library's rooms. Each test runs in a
//! process of its own: `common::alone`.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/interposed.rs"]
mod interposed;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod buffer;
mod builder;
mod event;
mod examples;
mod format;
mod model;
mod names;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod non_blocking;
mod process;
mod sys;
mod time;
mod upkeep;
mod write;
