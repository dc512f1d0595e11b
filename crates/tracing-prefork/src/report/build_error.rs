//! [`BuildError`]: why an appender could not be built.

use crate::report::parse_error::{ParseError, What};
use nix::errno::Errno;
use std::error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why an appender could not be built. No file was overwritten or removed. The directory may have been made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A prefix, a suffix, a link's name, or the name that they make cannot be the name of a file.
    #[non_exhaustive]
    FileName {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The first line of a file leaves no room for another line below `max_file_bytes`.
    #[non_exhaustive]
    Header {
        /// The bytes of the first line, with its newline.
        length: u64,
        /// The bytes that a file may hold.
        max_file_bytes: u64,
    },
    /// A limit that means nothing, such as a limit of zero, or two limits that contradict each other.
    #[non_exhaustive]
    Limit {
        /// The options with their values, such as `max_total_bytes(0)`.
        value: String,
        /// What is wrong with it, and what to give instead.
        reason: &'static str,
    },
    /// The permissions do not let the owner read and write, or have bits that are no permissions.
    #[non_exhaustive]
    FileMode {
        /// What was given.
        mode: u32,
    },
    /// The permissions do not let the owner read, write and search a directory, or have bits that are no permissions.
    #[non_exhaustive]
    DirectoryMode {
        /// What was given.
        mode: u32,
    },
    /// A text that names no rotation, or a combination that means nothing.
    #[non_exhaustive]
    Rotation {
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A date format that cannot be read, or that does not tell the periods of the rotation apart.
    #[non_exhaustive]
    DateFormat {
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An unknown time zone.
    #[non_exhaustive]
    Zone {
        /// What was given.
        value: String,
        /// What is wrong with it, and where it was looked for.
        reason: String,
    },
    /// A text that is no value of an option, as [`ParseError`] says. `build` itself never gives this error.
    #[non_exhaustive]
    Option {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it, and what was expected.
        reason: String,
    },
    /// Another appender has files in the directory, and one of the two could take a file of the other for its own.
    #[non_exhaustive]
    Names {
        /// The options that make the names of this appender.
        names: String,
        /// The options of the other appender.
        other: String,
        /// A name that both could use.
        example: String,
        /// The hidden record of names of the other appender.
        record: PathBuf,
    },
    /// The directory could not be made, or its path is too long.
    #[non_exhaustive]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The current file could not be opened, or is no regular file.
    #[non_exhaustive]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The path of a socket cannot be used, or there is no memory for the lines that wait.
    #[non_exhaustive]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl From<ParseError> for BuildError {
    fn from(ParseError { what, value, reason }: ParseError) -> Self {
        match what {
            What::Rotation => Self::Rotation { value, reason },
            What::Zone => Self::Zone { value, reason },
            What::Option(option) => Self::Option { option, value, reason },
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileName { option, value, reason } => write!(f, "{option} {value:?}: {reason}"),
            Self::Header { length, max_file_bytes } => {
                write!(
                    f,
                    "header of {length} bytes: it leaves no room for a line below max_file_bytes({max_file_bytes}); \
                     shorten the one or raise the other"
                )
            }
            Self::Limit { value, reason } => write!(f, "{value}: {reason}"),
            Self::FileMode { mode } => {
                write!(
                    f,
                    "file_mode({mode:#o}, in decimal {mode}): expected at most 0o777, with the owner's rights to read \
                     and write (0o600)"
                )
            }
            Self::DirectoryMode { mode } => {
                write!(
                    f,
                    "directory_mode({mode:#o}, in decimal {mode}): expected at most 0o7777, with the owner's rights to \
                     read, write and search (0o700)"
                )
            }
            Self::Rotation { value, reason } => write!(f, "rotation {value:?}: {reason}"),
            Self::DateFormat { value, reason } => write!(f, "date_format {value:?}: {reason}"),
            Self::Zone { value, reason } => write!(f, "zone {value:?}: {reason}"),
            Self::Option { option, value, reason } => write!(f, "{option} {value:?}: {reason}"),
            Self::Names { names, other, example, record } => write!(
                f,
                "the file names of this appender ({names}) and of another appender in the directory ({other}) overlap: \
                 both could use {example:?}. Use another directory, prefix or suffix. If the other is not used any \
                 more, move its files away and remove {}",
                record.display()
            ),
            Self::Directory { path, error } => {
                let remedy = match error.kind() {
                    io::ErrorKind::PermissionDenied => "; this user must be able to write to the directory above it",
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room",
                    _ => "",
                };
                write!(f, "cannot create the log directory {}: {error}{remedy}", path.display())
            }
            Self::Open { path, error } => {
                write!(f, "cannot open the log file {}: {error}{}", path.display(), remedy(error))
            }
            Self::Socket { path, error } => {
                let remedy = match error.raw_os_error() {
                    Some(number) if number == Errno::ENAMETOOLONG as i32 => {
                        "; a socket's absolute path has at most 107 bytes, so use a directory such as /run/app"
                    }
                    _ => "",
                };
                write!(f, "cannot use the socket {}: {error}{remedy}", path.display())
            }
        }
    }
}

/// What to do if a file cannot be opened.
fn remedy(error: &io::Error) -> &'static str {
    if error.raw_os_error() == Some(Errno::ELOOP as i32) {
        return " (it is a symbolic link, which is not followed); remove it, or give another name";
    }
    match error.kind() {
        io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => "; move it away, or give another name",
        io::ErrorKind::PermissionDenied => "; this user must be able to write to the file and to its directory",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room, or see min_log_files",
        _ => "",
    }
}

impl BuildError {
    /// The system's answer, if the directory or the file could not be made or opened. The text has it as well.
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// let error = tracing_prefork::Appender::builder().build("/dev/null/logs").unwrap_err();
    /// assert_eq!(error.io_error().map(|error| error.kind()), Some(ErrorKind::NotADirectory));
    /// ```
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Directory { error, .. } | Self::Open { error, .. } | Self::Socket { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// The text has the system's answer. So the source is what is behind that answer, and no report shows a cause twice.
impl error::Error for BuildError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        error::Error::source(self.io_error()?)
    }
}
