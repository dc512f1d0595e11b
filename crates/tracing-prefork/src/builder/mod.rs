//! The options of an appender, and how an appender is built from them.

mod build;
mod checks;
mod keeping;
pub(crate) mod options;
pub(crate) mod settings;
