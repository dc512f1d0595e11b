//! [`Error`]: a failure while an appender runs.

use crate::report::Operation;
use std::error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failure while the appender runs, for [`Builder::on_error`](crate::Builder::on_error) and for callers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Error {
    pub(super) operation: Operation,
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
    pub(super) lines_lost: u64,
    pub(super) bytes_lost: u64,
    pub(super) suppressed: u64,
}

impl Error {
    /// What the appender was doing.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The file, link or directory that failed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The system's answer, or the hook's. The text has it as well, so it is not the
    /// [`source`](std::error::Error::source): the source is what is behind it.
    #[must_use]
    pub fn io_error(&self) -> &io::Error {
        &self.error
    }

    /// Lines that this process has lost so far.
    #[must_use]
    pub fn lines_lost(&self) -> u64 {
        self.lines_lost
    }

    /// The bytes of those lines.
    #[must_use]
    pub fn bytes_lost(&self) -> u64 {
        self.bytes_lost
    }

    /// Failures of the same operation since its last report that were counted and not reported.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

/// The error as one of the standard library, with the kind of its cause. So a function that returns `io::Result` can
/// hand it on.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.io_error().kind(), error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, next) = self.operation.sentence();
        write!(f, "{failed} {}: {}; {next}", self.path.display(), self.error)?;
        if self.lines_lost > 0 {
            write!(f, "; {} lines ({} bytes) lost so far", self.lines_lost, self.bytes_lost)?;
        }
        if self.suppressed > 0 {
            write!(f, "; {} more failures like this since the last report", self.suppressed)?;
        }
        Ok(())
    }
}

/// The text has the cause. So the source is what is behind the cause, and no report shows a cause twice.
impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.error.source()
    }
}
