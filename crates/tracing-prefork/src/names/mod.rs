//! The names of files: from an instant to a name and back, and whose they are.

pub(crate) mod date_format;
pub(crate) mod hidden;
pub(crate) mod listing;
pub(crate) mod log_file;
pub(crate) mod ownership;
pub(crate) mod pattern;
pub(crate) mod presence;
