//! Rolling log files for `tracing` that any number of processes write together.

#![deny(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout
)]

#[cfg(not(unix))]
compile_error!("tracing-prefork needs a Unix: it relies on O_APPEND, fork and fcntl locks");

mod appender;
mod builder;
mod clock;
mod detour;
mod latest;
mod name;
mod report;
mod retention;
pub mod rolling;
mod rollover;
mod rotation;
mod slots;
#[allow(unsafe_code)]
mod sys;
mod timer;
mod writer;
mod zone;

pub use appender::Appender;
pub use builder::{BuildError, Builder};
pub use report::{Error, Operation, Stats};
pub use rotation::{Period, Rotation};
pub use timer::Timer;
pub use writer::EventWriter;
pub use zone::Zone;
