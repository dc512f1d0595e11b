//! The options of an appender, and what becomes of them.

mod build;
mod checks;
pub(crate) mod options;
