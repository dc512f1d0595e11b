//! [`Failure`]: why a command ends with an error, and the exit code that says so to a script.

use std::fmt;
use std::process::ExitCode;
use tracing_prefork::BuildError;

/// The exit code if something went wrong while the command was at work.
const AT_WORK: u8 = 1;
/// The exit code for a command line or settings that mean nothing. `clap` has the same one.
const USAGE: u8 = 2;

/// Why a command ends with an error.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// The command line or the settings are wrong.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: USAGE, text: text.into() }
    }

    /// Something went wrong.
    pub(crate) fn at_work(text: impl Into<String>) -> Self {
        Self { code: AT_WORK, text: text.into() }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

/// The directory or a file could not be read or changed.
impl From<tracing_prefork::Error> for Failure {
    fn from(error: tracing_prefork::Error) -> Self {
        Self::at_work(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An option is wrong, unless the system has answered something.
impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let text = error.to_string();
        if error.io_error().is_some() { Self::at_work(text) } else { Self::usage(text) }
    }
}
