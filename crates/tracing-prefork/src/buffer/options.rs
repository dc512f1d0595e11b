//! [`Buffering`]: the options of [`Builder::buffered`](crate::Builder::buffered).

use crate::report::parse_error::{ParseError, What};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tracing_core::Level;

/// How events are buffered, for [`Builder::buffered`](crate::Builder::buffered).
///
/// | option | default |
/// |---|---|
/// | [`ring_bytes`](Self::ring_bytes) | 1 MiB |
/// | [`max_delay`](Self::max_delay) | 10 ms |
/// | [`when_full`](Self::when_full) | [`WhenFull::Write`] |
/// | [`flush_level`](Self::flush_level) | none |
/// | [`ring_directory`](Self::ring_directory) | beside the logs |
///
/// ```
/// use std::time::Duration;
/// use tracing::Level;
/// use tracing_prefork::{Appender, Buffering};
///
/// # let directory = tempfile::tempdir()?;
/// let buffering = Buffering::default().max_delay(Duration::from_millis(50)).flush_level(Level::ERROR);
/// let logs = Appender::builder().filename_prefix("app.log").buffered(buffering).build(directory.path())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Buffering {
    pub(crate) ring_bytes: usize,
    pub(crate) max_delay: Duration,
    pub(crate) when_full: WhenFull,
    pub(crate) flush_level: Option<Level>,
    pub(crate) ring_directory: Option<PathBuf>,
    /// The name of the thread that writes the lines to the files.
    pub(crate) thread_name: String,
}

/// What becomes of an event for which the ring has no room. `Display` and `FromStr` know `write` and `drop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The thread of the event writes lines of the ring to the file until there is room. If another thread is writing
    /// them, the event waits as long as that goes on. If nothing has been written for ten seconds, because that thread
    /// was stopped, the event goes straight to the file.
    #[default]
    Write,
    /// The event is dropped, and counted in [`Stats::lines_dropped`](crate::Stats::lines_dropped). Its caller is not
    /// told. Once a minute at most, [`on_error`](crate::Builder::on_error) is.
    Drop,
}

impl fmt::Display for WhenFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Write => "write",
            Self::Drop => "drop",
        })
    }
}

impl FromStr for WhenFull {
    type Err = ParseError;

    /// Reads `write` and `drop`, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "write" => Ok(Self::Write),
            "drop" => Ok(Self::Drop),
            _ => Err(ParseError::new(What::Option("when_ring_full"), text, "expected `write` or `drop`")),
        }
    }
}

impl Default for Buffering {
    fn default() -> Self {
        Self {
            ring_bytes: 1 << 20,
            max_delay: Duration::from_millis(10),
            when_full: WhenFull::Write,
            flush_level: None,
            ring_directory: None,
            thread_name: "tracing-prefork".to_owned(),
        }
    }
}

impl Buffering {
    /// How many bytes of lines the ring of a process holds: rounded up to a power of two, at least 64 KiB, at most 1
    /// GiB. Each line also takes 16 bytes of a second part, a quarter as large, which is full first if lines have less
    /// than 64 bytes. A line of more than a quarter of the ring goes straight to the file, behind the lines of the
    /// ring.
    ///
    /// The ring has to hold what comes while the disk is busy: 1 MiB is half a second of 20 000 lines a second.
    pub fn ring_bytes(self, bytes: usize) -> Self {
        Self { ring_bytes: bytes, ..self }
    }

    /// How long an event waits in the ring at most, as long as the disk and the processors are free. A longer delay
    /// makes larger writes, and wakes the process less often. An idle process is not woken at all.
    pub fn max_delay(self, delay: Duration) -> Self {
        Self { max_delay: delay, ..self }
    }

    /// What becomes of an event for which the ring has no room.
    pub fn when_full(self, when_full: WhenFull) -> Self {
        Self { when_full, ..self }
    }

    /// Events of this level, and of more serious ones, are in the file when their call returns, and so are the events
    /// before them. This holds for events that come through `tracing_subscriber::fmt` or
    /// [`Appender::layer`](crate::Appender::layer).
    pub fn flush_level(self, level: Level) -> Self {
        Self { flush_level: Some(level), ..self }
    }

    /// The directory of the rings, if that is not the directory of the logs: as a rule one in `/dev/shm`, if the disk
    /// is so busy that even memory of its files has to wait. All processes must use the same one, and containers must
    /// share it. It must be there, and belong to the user of the processes or let none but its owner remove files (the
    /// sticky bit).
    pub fn ring_directory(self, directory: impl Into<PathBuf>) -> Self {
        Self { ring_directory: Some(directory.into()), ..self }
    }
}
