//! The loggers that are compared.

use crate::{log_peers, ours, tracing_peers};
use std::error::Error;
use std::path::Path;

/// Where a logger writes, and when it goes on to another file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files<'a> {
    pub(crate) directory: &'a Path,
    /// The most bytes of a file. `None`: there is one file for all events.
    pub(crate) limit: Option<u64>,
    /// Whether there is a file for each second.
    pub(crate) each_second: bool,
    /// So many files are kept: none goes in any measurement.
    pub(crate) kept: usize,
}

/// A logger that is open. Threads share it.
pub(crate) trait Open: Send + Sync {
    /// Logs events with these numbers.
    fn log(&self, writer: u64, numbers: std::ops::Range<u64>);

    /// Returns when all events are in the file. Called once, after the last event.
    fn flush(&self);

    /// Returns when the events of the warm-up are in the file.
    fn settle(&self) {
        self.flush();
    }
}

pub(crate) type Opened = Result<Box<dyn Open>, Box<dyn Error>>;

/// One row of the tables.
#[derive(Debug)]
pub(crate) struct Logger {
    pub(crate) name: &'static str,
    /// The crate whose version stands on the page.
    pub(crate) krate: &'static str,
    pub(crate) about: &'static str,
    /// Whether it goes on to another file at a size.
    pub(crate) has_limit: bool,
    /// Whether it goes on to another file each second.
    pub(crate) has_seconds: bool,
    pub(crate) open: fn(Files<'_>) -> Opened,
}

const fn logger(name: &'static str, krate: &'static str, about: &'static str, open: fn(Files<'_>) -> Opened) -> Logger {
    Logger { name, krate, about, has_limit: true, has_seconds: false, open }
}

const fn without_limit(logger: Logger) -> Logger {
    Logger { has_limit: false, ..logger }
}

const fn by_seconds(logger: Logger) -> Logger {
    Logger { has_seconds: true, ..logger }
}

const OURS: &str = "tracing-prefork";

/// In the order of the tables.
pub(crate) const ALL: &[Logger] = &[
    without_limit(logger("write", "std", "the floor: a line that lies ready, `write(2)`, `O_APPEND`", ours::floor)),
    by_seconds(logger("prefork", OURS, "`layer()`", ours::layer)),
    by_seconds(logger("prefork-fmt", OURS, "`fmt::layer().with_writer(appender)`", ours::through_fmt)),
    by_seconds(logger("prefork-json", OURS, "`layer().json()`", ours::json)),
    by_seconds(logger("prefork-locked", OURS, "`layer()`, `lock_writes`", ours::locked)),
    by_seconds(logger("prefork-buffered", OURS, "`layer()`, `buffered`", ours::buffered)),
    without_limit(logger("tracing-appender", "tracing-appender", "`fmt`, `rolling`", tracing_peers::rolling)),
    without_limit(logger(
        "tracing-appender-queue",
        "tracing-appender",
        "`fmt`, `non_blocking`, not lossy",
        tracing_peers::queue,
    )),
    logger("file-rotate", "file-rotate", "`fmt`, a writer behind a mutex", tracing_peers::file_rotate),
    logger("rolling-file", "rolling-file", "`fmt`, a writer behind a mutex", tracing_peers::rolling_file),
    logger("logroller", "logroller", "`fmt`, a writer behind a mutex", tracing_peers::logroller),
    by_seconds(logger("flexi_logger", "flexi_logger", "`log`, `WriteMode::Direct`", log_peers::flexi)),
    by_seconds(logger("log4rs", "log4rs", "`log`, a pattern, a file that rolls", log_peers::log4rs)),
    logger("logforth", "logforth", "`log`, the text layout, a file", log_peers::logforth),
    logger("spdlog-rs", "spdlog-rs", "its macros, flushed at each event", log_peers::spdlog),
    without_limit(logger("ftlog", "ftlog", "`log`, a queue and a thread", log_peers::ftlog)),
    by_seconds(logger("fast_log", "fast_log", "`log`, a queue and a thread", log_peers::fast_log)),
    logger("low_latency_log", "low_latency_log", "its macros, a queue and a thread", log_peers::low_latency),
    logger("emit_file", "emit_file", "`emit!`, JSON, a queue and a thread", log_peers::emit_file),
];

/// The floor of a time.
pub(crate) const NOTHING: &Logger = &logger("nothing", "std", "the clock is read twice", ours::nothing);

/// Ours, buffered, with its ring in memory.
pub(crate) const IN_MEMORY: &Logger =
    &logger("prefork-buffered-shm", OURS, "`layer()`, `buffered`, the ring in `/dev/shm`", ours::buffered_in_memory);

/// The logger of that name.
pub(crate) fn named(name: &str) -> Result<&'static Logger, String> {
    ALL.iter()
        .chain([NOTHING, IN_MEMORY])
        .find(|logger| logger.name == name)
        .ok_or_else(|| format!("there is no logger {name:?}"))
}
