//! The short way: the functions of `tracing_appender::rolling`, with their signatures and file names.
//!
//! To move over, change one `use` line.
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! let logs = tracing_prefork::rolling::daily(directory.path(), "app.log"); // app.log.2026-11-21
//! let subscriber = tracing_subscriber::fmt().with_writer(logs);
//! # let _ = subscriber.finish();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Panics
//!
//! Each function panics where tracing-appender's function panics: if the prefix is not UTF-8, or if the first file
//! cannot be opened. [`Builder::build`](crate::Builder::build) returns an error instead.

use crate::{Appender, Rotation};
use std::path::Path;

/// A file each minute: `{directory}/{file_name_prefix}.2026-11-21-08-33`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn minutely(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    rolling(Rotation::MINUTELY, directory.as_ref(), file_name_prefix.as_ref())
}

/// A file each hour: `{directory}/{file_name_prefix}.2026-11-21-08`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn hourly(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    rolling(Rotation::HOURLY, directory.as_ref(), file_name_prefix.as_ref())
}

/// A file each day: `{directory}/{file_name_prefix}.2026-11-21`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn daily(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    rolling(Rotation::DAILY, directory.as_ref(), file_name_prefix.as_ref())
}

/// A file each week, named by its Sunday: `{directory}/{file_name_prefix}.2026-11-15`, in UTC.
///
/// # Panics
///
/// See the [module](self).
pub fn weekly(directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Appender {
    rolling(Rotation::WEEKLY, directory.as_ref(), file_name_prefix.as_ref())
}

/// One file for ever: `{directory}/{file_name}`.
///
/// # Panics
///
/// See the [module](self).
pub fn never(directory: impl AsRef<Path>, file_name: impl AsRef<Path>) -> Appender {
    rolling(Rotation::NEVER, directory.as_ref(), file_name.as_ref())
}

#[allow(clippy::panic, reason = "where tracing-appender's functions panic; `Builder::build` does not")]
fn rolling(rotation: Rotation, directory: &Path, prefix: &Path) -> Appender {
    let Some(prefix) = prefix.to_str() else { panic!("file name prefix {prefix:?} is not UTF-8") };
    let mut builder = Appender::builder().rotation(rotation);
    if !prefix.is_empty() {
        builder = builder.filename_prefix(prefix);
    }
    match builder.build(directory) {
        Ok(appender) => appender,
        Err(error) => panic!("cannot start logging: {error}"),
    }
}
