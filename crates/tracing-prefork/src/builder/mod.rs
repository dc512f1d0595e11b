//! The options of an appender, and how an appender is built from them.

mod build;
mod checks;
#[cfg(feature = "serde")]
pub(crate) mod config;
mod inspect;
mod keeping;
pub(crate) mod options;
pub(crate) mod settings;
mod writing;
