//! The options of an appender, and what becomes of them.

mod build;
mod checks;
mod keeping;
pub(crate) mod options;
