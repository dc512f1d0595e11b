//! [`Appender`]: the handle that users have.

mod at;
mod by_hand;
#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
#[allow(clippy::expect_used, clippy::panic, reason = "a test may panic")]
mod cuts;
#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
#[allow(clippy::expect_used, reason = "a test may panic")]
mod full_ring;
pub(crate) mod log_files;

use crate::event::io_write::Partial;
use crate::event::writer::{ShortEvent, write_formatted};
use crate::format::layer::EventLayer;
use crate::sink::Sink;
use crate::time::clock::Moment;
#[cfg(feature = "socket")]
use crate::time::zone::Offsets;
use crate::{Builder, EventWriter, Period, Rotation, Timer};
use std::fmt;
use std::io::{self, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tracing_core::{Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;

/// Rolling log files that any number of processes and threads write together.
///
/// An `Appender` is a handle: its clones write to the same files through the same two descriptors. Give it to
/// `tracing_subscriber::fmt().with_writer(...)`, or use [`layer`](Self::layer).
///
/// ```
/// use tracing_prefork::{Appender, Rotation};
/// use tracing_subscriber::prelude::*;
///
/// # let directory = tempfile::tempdir()?;
/// let logs = Appender::builder()
///     .rotation(Rotation::DAILY)
///     .filename_prefix("app")
///     .filename_suffix("log")
///     .build(directory.path())?;
/// let subscriber = tracing_subscriber::registry().with(logs.layer());
///
/// tracing::subscriber::with_default(subscriber, || tracing::info!(user = 7, "logged in"));
/// assert!(std::fs::read_to_string(logs.path())?.ends_with("logged in user=7\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Threads and processes
///
/// Any thread may write at any time, without a lock. Fork whenever you like: the child logs on with the handle that it
/// inherited, and has nothing to call. A thread is started only to remove, compress or hand over old files, and ends
/// with that work.
///
/// # Allocation
///
/// An event allocates nothing. The exception is a line that arrives in pieces and is longer than each line before it on
/// its thread.
///
/// # Durability
///
/// When the call that writes a line returns, the line is in the kernel's page cache. The line survives the end of the
/// process, but not a power failure: for that, call [`sync`](Self::sync).
pub struct Appender {
    log: Arc<Sink>,
    /// The piece of a line that `io::Write` was given, and whose rest has not come yet.
    partial: Partial,
}

impl Appender {
    pub(crate) fn of(log: Arc<Sink>) -> Self {
        Self { log, partial: Partial::default() }
    }

    /// The engine, for tests of the rooms.
    #[cfg(test)]
    pub(crate) fn engine(&self) -> &Arc<crate::write::log::Log> {
        self.log.log()
    }

    /// What all handles share.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn sink(&self) -> &Arc<Sink> {
        &self.log
    }

    /// The zone of the appender, made ready at build.
    #[cfg(feature = "socket")]
    pub(crate) fn offsets(&self) -> &Offsets {
        self.log.site.pattern.calendar().offsets()
    }

    /// An appender with this rotation, in UTC: `{directory}/{file_name_prefix}.2026-11-21`. It takes the arguments of
    /// `tracing_appender::rolling::RollingFileAppender::new`, and gives the files the same names.
    ///
    /// # Panics
    ///
    /// If the directory or the file cannot be made, as tracing-appender's does. [`Builder::build`] returns an error
    /// instead.
    ///
    /// ```
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = Appender::new(Rotation::NEVER, directory.path(), "app.log");
    /// assert_eq!(logs.path(), directory.path().join("app.log"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(clippy::panic, reason = "where tracing-appender panics; `Builder::build` does not")]
    pub fn new(rotation: Rotation, directory: impl AsRef<Path>, file_name_prefix: impl AsRef<Path>) -> Self {
        let prefix = file_name_prefix.as_ref();
        let Some(prefix) = prefix.to_str() else { panic!("file name prefix {prefix:?} is not UTF-8") };
        match Self::builder().rotation(rotation).filename_prefix(prefix).build(directory) {
            Ok(appender) => appender,
            Err(error) => panic!("cannot start logging: {error}"),
        }
    }

    /// Options for a new appender; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The directory that was given to [`Builder::build`], as an absolute path. With [`Builder::date_format`] files may
    /// stand in directories below it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.log.site.pattern.directory()
    }

    /// The file of an event at this moment: its absolute path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let now = self.log.site.clock.exact_second();
        self.log.site.path_at(now, self.log.index(now))
    }

    /// The file of an event at `time`: its absolute path. This is pure arithmetic: the file need not exist. With
    /// [`max_file_bytes`](Builder::max_file_bytes) it is the first file of the period.
    ///
    /// Times before 0001-01-02 00:00 UTC have the file of that instant. Times after 9999-01-01 00:00 UTC have the file
    /// of that instant.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let launch = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    /// assert!(logs.path_at(launch).ends_with("app.log.2001-09-09"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn path_at(&self, time: SystemTime) -> PathBuf {
        self.log.site.path_at(Moment::from(time).secs, 0)
    }

    /// The period of `time`: the interval around it in which events go to the same file.
    ///
    /// Times before 0001-01-02 00:00 UTC have the period of that instant. Times after 9999-01-01 00:00 UTC have the
    /// period of that instant. So the period of such a time may not include the time.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::hourly(directory.path(), "app.log");
    /// let period = logs.period_at(UNIX_EPOCH + Duration::from_secs(5_000));
    /// assert_eq!(period.start, UNIX_EPOCH + Duration::from_secs(3_600));
    /// assert_eq!(period.end, Some(UNIX_EPOCH + Duration::from_secs(7_200)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn period_at(&self, time: SystemTime) -> Period {
        self.log.site.pattern.period_at(Moment::from(time).secs)
    }

    /// The period of the file of that name, by which pruning and links work. For the fuzz targets.
    #[cfg(fuzzing)]
    #[doc(hidden)]
    pub fn period_of_name(&self, name: &str, now: SystemTime) -> Option<Period> {
        let place = self.log.site.pattern.place_of_name(name, Moment::from(now).secs)?;
        Some(self.log.site.pattern.period_at(place.span.start))
    }

    /// A timer whose reading also chooses the file. So a line is in the file that its own timestamp names, even if its
    /// thread waited across a boundary between the timestamp and the write.
    ///
    /// The timestamp must stand in the first 256 bytes of the line. The thread that formats the line must also write
    /// it: behind a `BufWriter`, or the `non_blocking` of tracing-appender, the time of the write chooses the file. If
    /// fields of an event print the timer's time too, the first timestamp in the line chooses the file.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let subscriber = tracing_subscriber::fmt().json().with_timer(logs.timer()).with_writer(logs.clone());
    /// # let _ = subscriber.finish();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn timer(&self) -> Timer {
        Timer::new(self.log.log().clone())
    }

    /// A layer that prints events into the appender's files as `tracing_subscriber::fmt::layer()` prints them, without
    /// colours, and with the appender's [timer](Self::timer). It takes a fraction of the time. The layer has no filter:
    /// put a `LevelFilter` or `Targets` beside it.
    #[must_use]
    pub fn layer<S>(&self) -> EventLayer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        EventLayer::new(self.log.clone(), self.log.site.process.clone(), self.timer())
    }
}

impl Clone for Appender {
    fn clone(&self) -> Self {
        Self::of(self.log.clone())
    }
}

/// What a panic in the middle of an event leaves behind is whole: the state is atomic.
impl UnwindSafe for Appender {}
impl RefUnwindSafe for Appender {}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl<'a> MakeWriter<'a> for Appender {
    type Writer = EventWriter<'a>;

    #[inline]
    fn make_writer(&'a self) -> EventWriter<'a> {
        EventWriter::of(&self.log, false)
    }

    #[inline]
    fn make_writer_for(&'a self, event: &Metadata<'_>) -> EventWriter<'a> {
        EventWriter::of(&self.log, self.log.is_urgent(event.level()))
    }
}

/// For programs that write to an [`io::Write`]: `env_logger`, `BufWriter`, the `non_blocking` of tracing-appender.
///
/// The whole lines of one call go to the file at once, as one `write(2)`. The piece of a line at the end of a call
/// stays in this handle until the rest of the line comes. `flush` and drop write the piece with a newline. A forked
/// child does not inherit the piece.
///
/// A shared `&Appender` has no place for a piece: there, each call is an event. So give a `BufWriter` a handle of its
/// own, `BufWriter::new(logs.clone())`. Behind `BufWriter::new(&logs)`, a line that the buffer cuts becomes two lines.
///
/// ```
/// use std::io::Write;
///
/// # let directory = tempfile::tempdir()?;
/// let mut logs = tracing_prefork::rolling::never(directory.path(), "app.log");
/// writeln!(logs, "{} and {}", 1, 2)?;
/// assert_eq!(std::fs::read_to_string(logs.path())?, "1 and 2\n");
/// # Ok::<(), std::io::Error>(())
/// ```
impl Write for Appender {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.partial.write(&self.log, buf, false)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(arguments, |piece| self.write_all(piece))
    }

    /// Writes the piece of a line that waits, with a newline. With [`Builder::buffered`], all lines of the ring are in
    /// their files then.
    fn flush(&mut self) -> io::Result<()> {
        self.partial.flush(&self.log)?;
        Ok(self.log.flush()?)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        let _ = self.partial.flush(&self.log);
    }
}

/// Each call is one event. It is written at once, and gets a newline if it has none at its end. `write!` and `writeln!`
/// are one call. Give a `BufWriter` `logs.clone()` and not `&logs`: an `Appender` of its own keeps the piece of a line
/// until the rest comes.
impl Write for &Appender {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf)?;
        Ok(buf.len())
    }

    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        let mut event = self.make_writer();
        event.write_all(buf)?;
        event.flush()
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        let mut event = ShortEvent::begin(self.make_writer());
        let formatted = write_formatted(arguments, |piece| event.add(piece));
        // If formatting fails, the text before the failure is written as it is.
        event.end().and(formatted)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.log.flush()?)
    }
}
