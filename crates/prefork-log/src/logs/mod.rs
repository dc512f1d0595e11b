//! The log files of a directory, for the commands that read them: which there are, their text, and its timestamps.

pub(crate) mod content;
pub(crate) mod descriptors;
pub(crate) mod listing;
pub(crate) mod place;
pub(crate) mod selection;
pub(crate) mod spill;
pub(crate) mod stamp;
