//! The directories below the log directory that a `date_format` with slashes leads through.

pub(crate) const BY_MONTH: &str = "%Y/%m/app-%d.log";
