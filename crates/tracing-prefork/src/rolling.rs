//! The short way: the items of `tracing_appender::rolling`, with their names, signatures and file names.
//!
//! To move over, change one `use` line. Or change one line of `Cargo.toml`, and no line of the program:
//!
//! ```toml
//! tracing-appender = { package = "tracing-prefork", version = "0.1" }
//! ```
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! let logs = tracing_prefork::rolling::daily(directory.path(), "app.log"); // app.log.2026-11-21
//! let subscriber = tracing_subscriber::fmt().with_writer(logs);
//! # let _ = subscriber.finish();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The text of [`InitError`] has the system's answer, as in tracing-appender. [`InitError::io_error`] gives the answer
//! as a value, and `source` does not.
//!
//! # Panics
//!
//! Each function panics where tracing-appender's function panics: if the prefix is not UTF-8, or if the first file
//! cannot be opened. [`Builder::build`](crate::Builder::build) returns an error instead.

use std::path::Path;

pub use crate::{
    Appender as RollingFileAppender, BuildError as InitError, Builder, EventWriter as RollingWriter, Rotation,
};

use crate::Appender;

/// A file each minute: `{directory}/{file_name_prefix}.2026-11-21-08-33`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn minutely(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    Appender::new(Rotation::MINUTELY, directory, file_name_prefix)
}

/// A file each hour: `{directory}/{file_name_prefix}.2026-11-21-08`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn hourly(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    Appender::new(Rotation::HOURLY, directory, file_name_prefix)
}

/// A file each day: `{directory}/{file_name_prefix}.2026-11-21`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn daily(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    Appender::new(Rotation::DAILY, directory, file_name_prefix)
}

/// A file each week, named by its Sunday: `{directory}/{file_name_prefix}.2026-11-15`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn weekly(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    Appender::new(Rotation::WEEKLY, directory, file_name_prefix)
}

/// One file for ever: `{directory}/{file_name}`.
///
/// # Panics
///
/// See the [module](self).
pub fn never(directory: impl AsRef<Path>, file_name: impl AsRef<Path>) -> Appender {
    Appender::new(Rotation::NEVER, directory, file_name)
}
