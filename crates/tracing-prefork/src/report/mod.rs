//! What went wrong: [`Operation`], [`Stats`] to read, and how often a failure is reported.

pub(crate) mod build_error;
mod error;
mod operation;
pub(crate) mod parse_error;

pub use error::Error;
pub use operation::Operation;

use crate::process::{Process, user_code};
use crate::sys::{self, ForkWiped, fork_wiped};
use std::cell::Cell;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Seconds between two reports of failures of one [`Operation`].
const INTERVAL: u64 = 60;
/// Seconds until the next report if one could not be made: standard error was full, or `on_error` itself met the
/// failure.
const AGAIN: u64 = 1;

/// What this process has done with an appender, from [`Appender::stats`](crate::Appender::stats). A forked child starts
/// at zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Writes that went into a file. As a rule each is an event. One call on the [`Write`](std::io::Write) of an
    /// appender counts as one, however many lines it has.
    pub writes: u64,
    /// Lines that could not be written. Code that writes to an appender got the error. A macro of `tracing` returns
    /// nothing.
    pub lines_lost: u64,
    /// The bytes of those lines.
    pub bytes_lost: u64,
    /// Events that were dropped because the ring was full ([`WhenFull::Drop`](crate::WhenFull::Drop)). No caller was
    /// told.
    pub lines_dropped: u64,
    /// Failures of any kind, reported or not.
    pub errors: u64,
    /// Files opened because of an event's time, or because a file was full. The first file counts too.
    pub rollovers: u64,
    /// Files opened again because somebody had renamed, removed or replaced the open file, or the program had closed
    /// its descriptor.
    pub files_reopened: u64,
    /// Old files removed.
    pub files_pruned: u64,
    /// Finished files compressed.
    pub files_compressed: u64,
    /// Finished files handed over to [`on_finished`](crate::Builder::on_finished) with success.
    pub files_handed_over: u64,
}

fork_wiped! {
    /// The counters behind [`Stats`], in memory that a forked child finds zero.
    #[derive(Debug)]
    pub(crate) struct Counters {
        /// Writes through a descriptor of their own.
        pub(crate) writes_apart: AtomicU64,
        /// Writes to a slot that failed.
        pub(crate) writes_failed: AtomicU64,
        pub(crate) lines_lost: AtomicU64,
        pub(crate) bytes_lost: AtomicU64,
        pub(crate) lines_dropped: AtomicU64,
        pub(crate) errors: AtomicU64,
        pub(crate) rollovers: AtomicU64,
        pub(crate) files_reopened: AtomicU64,
        pub(crate) files_pruned: AtomicU64,
        pub(crate) files_compressed: AtomicU64,
        pub(crate) files_handed_over: AtomicU64,
        limits: [Limit; Operation::COUNT],
    }
}

impl Counters {
    /// `through_slots`: all writes to a slot, including those that failed.
    pub(crate) fn stats(&self, through_slots: u64) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Stats {
            writes: (through_slots + read(&self.writes_apart)).saturating_sub(read(&self.writes_failed)),
            lines_lost: read(&self.lines_lost),
            bytes_lost: read(&self.bytes_lost),
            lines_dropped: read(&self.lines_dropped),
            errors: read(&self.errors),
            rollovers: read(&self.rollovers),
            files_reopened: read(&self.files_reopened),
            files_pruned: read(&self.files_pruned),
            files_compressed: read(&self.files_compressed),
            files_handed_over: read(&self.files_handed_over),
        }
    }
}

fork_wiped! {
    /// How often failures of one operation are reported.
    #[derive(Debug)]
    struct Limit {
        /// When a failure was last reported, in seconds since the build plus [`INTERVAL`]; 0 for never.
        reported: AtomicU64,
        /// Failures that were not reported since.
        suppressed: AtomicU64,
    }
}

type ErrorFunction = dyn Fn(&Error) + Send + Sync;

/// `Builder::on_error`, or standard error if the user has given none.
#[derive(Default)]
pub(crate) struct OnError(Option<Box<ErrorFunction>>);

impl OnError {
    pub(crate) fn new(on_error: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(on_error)))
    }
}

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "on_error" } else { "standard error" })
    }
}

/// Counts failures, and tells the user of them at most once a minute for each operation.
pub(crate) struct Reporter {
    on_error: OnError,
    built: Instant,
    process: Arc<Process>,
    counters: ForkWiped<Counters>,
}

impl Reporter {
    pub(crate) fn new(on_error: OnError, process: Arc<Process>) -> io::Result<Self> {
        Ok(Self { on_error, built: Instant::now(), process, counters: ForkWiped::new()? })
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counts a failure and tells of it, unless it is too early or the process must not allocate. `false`: nobody was
    /// told.
    pub(crate) fn report(&self, operation: Operation, path: &Path, source: io::Error) -> bool {
        let counters = self.counters();
        counters.errors.fetch_add(1, Relaxed);
        let limit = &counters.limits[operation.index()];
        let now = self.now();
        let reported = limit.reported.load(Relaxed);
        let due =
            self.is_due(reported, now) && limit.reported.compare_exchange(reported, now, Relaxed, Relaxed).is_ok();
        if due {
            return self.tell(limit, operation, path, source);
        }
        limit.suppressed.fetch_add(1, Relaxed);
        user_code::discard(source);
        false
    }

    /// Whether a failure of that operation would be told of now.
    pub(crate) fn would_tell(&self, operation: Operation) -> bool {
        self.is_due(self.counters().limits[operation.index()].reported.load(Relaxed), self.now())
    }

    fn is_due(&self, reported: u64, now: u64) -> bool {
        !self.process.is_bare() && now >= reported + INTERVAL
    }

    /// Seconds since the build plus [`INTERVAL`].
    fn now(&self) -> u64 {
        self.built.elapsed().as_secs() + INTERVAL
    }

    /// An error for a caller. A caller is told at once, at no limited rate.
    pub(crate) fn error(&self, operation: Operation, path: &Path, error: io::Error) -> Error {
        let counters = self.counters();
        Error {
            operation,
            path: path.to_owned(),
            error,
            lines_lost: counters.lines_lost.load(Relaxed),
            bytes_lost: counters.bytes_lost.load(Relaxed),
            suppressed: 0,
        }
    }

    /// Calls `on_error`, unless this thread is in it already: `on_error` may log, and that may fail again. `false`: the
    /// user was not told.
    fn tell(&self, limit: &Limit, operation: Operation, path: &Path, source: io::Error) -> bool {
        thread_local! {
            /// The generation of the process in which this thread is telling; 0 for none. A child that `on_error` forks
            /// has another generation, so it is not telling.
            static TELLING: Cell<u64> = const { Cell::new(0) };
        }
        let outer = TELLING.replace(sys::generation());
        let error = Error { suppressed: limit.suppressed.swap(0, Relaxed), ..self.error(operation, path, source) };
        let told = outer != sys::generation() && self.tell_user(&error);
        TELLING.set(outer);
        if !told {
            limit.suppressed.fetch_add(error.suppressed + 1, Relaxed);
            // The second of the last report is 0 in a child that `on_error` has forked.
            let sooner = |reported: u64| Some(reported.saturating_sub(INTERVAL - AGAIN));
            let _ = limit.reported.fetch_update(Relaxed, Relaxed, sooner);
        }
        user_code::discard(error);
        told
    }

    /// Calls `on_error`, or writes to standard error. `false`: the user was not told.
    fn tell_user(&self, error: &Error) -> bool {
        let Some(on_error) = &self.on_error.0 else { return write(&text(error)) };
        let Err(panic) = user_code::run("on_error", || on_error(error)) else { return true };
        self.counters().errors.fetch_add(1, Relaxed);
        write(&format!("{panic}; it was told: {}", text(error)))
    }
}

/// Writes a report to standard error, unless it would have to wait. `false`: it was not written.
fn write(report: &str) -> bool {
    sys::write_to_stderr(&format!("tracing-prefork: {report}\n"))
}

/// An error's text, and what is behind the error. The error of `on_finished` can be of a type of the user's, whose
/// `Display` may panic.
fn text(error: &Error) -> String {
    let whole = || {
        let behind = iter::successors(error.source(), |error| (*error).source());
        behind.fold(error.to_string(), |text, cause| format!("{text}; cause: {cause}"))
    };
    user_code::run("the error's text", whole).unwrap_or_else(|panic| {
        let (failed, next) = error.operation.sentence();
        format!("{failed} {}: {panic}; {next}", error.path.display())
    })
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.on_error.fmt(f)
    }
}
