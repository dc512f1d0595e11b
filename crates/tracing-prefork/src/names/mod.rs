//! The names of files: from an instant to a name, from a name to an instant, and to whom a file belongs.

pub(crate) mod agreement;
pub(crate) mod archive;
pub(crate) mod date_format;
pub(crate) mod foreign;
pub(crate) mod hidden;
pub(crate) mod listing;
pub(crate) mod log_file;
pub(crate) mod ownership;
pub(crate) mod pattern;
pub(crate) mod presence;
pub(crate) mod record;
pub(crate) mod rivals;
pub(crate) mod settings;
pub(crate) mod site;
pub(crate) mod tag;
