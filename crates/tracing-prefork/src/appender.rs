//! [`Appender`]: the handle that users have.

use crate::event::io_write::Partial;
use crate::event::layer::PlainFields;
use crate::event::writer::{ShortEvent, write_formatted};
use crate::names::log_file;
use crate::time::clock::Moment;
use crate::upkeep::job::Job;
use crate::write::log::Log;
use crate::{Builder, Error, EventWriter, LogFile, Period, Stats, Timer};
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use tracing_core::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;

/// Rolling log files that any number of processes and threads write together.
///
/// A handle: clones write to the same files through the same two descriptors. Give it to
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
/// Any thread may write at any time; there is no lock on the way. Fork whenever you like: the child goes on logging
/// with the handle that it inherited, there is nothing to call in it. A thread is started only to remove, compress or
/// hand over old files, and ends with that.
///
/// # Allocation
///
/// None per event, but for a line that arrives in pieces and is longer than any before it on its thread.
///
/// # Durability
///
/// A line is in the kernel's page cache when the call that wrote it returns: it survives the process, not a power
/// failure.
pub struct Appender {
    log: Arc<Log>,
    /// What `io::Write` was given of a line that has not ended yet.
    partial: Partial,
}

impl Appender {
    pub(crate) fn of(log: Arc<Log>) -> Self {
        Self { log, partial: Partial::default() }
    }

    /// Options for a new appender; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The file that an event would go to now.
    pub fn path(&self) -> PathBuf {
        let now = self.log.site.clock.exact_second();
        self.log.site.path_at(now, self.log.index(now))
    }

    /// The file of an event at `time`: its absolute path. Pure arithmetic, whether or not the file exists. With
    /// [`max_file_bytes`](Builder::max_file_bytes) it is the first of that period's files.
    ///
    /// Times before 0001-01-02 00:00 UTC share the file of that instant. Times from 9999-01-01 00:00 UTC on share the
    /// file of that one.
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
    pub fn path_at(&self, time: SystemTime) -> PathBuf {
        self.log.site.path_at(Moment::from(time).secs, 0)
    }

    /// The period of the file of `time`: the interval around it in which events go to the same file.
    ///
    /// Times before 0001-01-02 00:00 UTC have the period of that instant, and times from 9999-01-01 00:00 UTC on have
    /// the period of that one. So the period of a time that is further away does not include the time.
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
    pub fn period_at(&self, time: SystemTime) -> Period {
        self.log.site.pattern.period_at(Moment::from(time).secs)
    }

    /// The period of the file of that name, for the fuzz targets: what pruning and links go by.
    #[cfg(fuzzing)]
    #[doc(hidden)]
    pub fn period_of_name(&self, name: &str, now: SystemTime) -> Option<Period> {
        let place = self.log.site.pattern.place_of_name(name, Moment::from(now).secs)?;
        Some(self.log.site.pattern.period_at(place.span.start))
    }

    /// A timer whose reading also chooses the file: the line is in the file that its own timestamp names, even if its
    /// thread was kept waiting across a boundary between the two.
    ///
    /// The timestamp must stand in the first 256 bytes of the line, and the line be written by the thread that
    /// formatted it: behind `non_blocking` or a `BufWriter` the time of the write chooses the file. If fields of an
    /// event print the timer's time too, the first timestamp in the line chooses the file.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let subscriber = tracing_subscriber::fmt().json().with_timer(logs.timer()).with_writer(logs.clone());
    /// # let _ = subscriber.finish();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timer(&self) -> Timer {
        Timer::new(self.log.clone())
    }

    /// A layer that prints events as `tracing_subscriber::fmt::layer()` does, without colours, with this appender's
    /// [timer](Self::timer), into its files. It has no filter: put a `LevelFilter` or `Targets` beside it.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            // Failures are counted and reported by the appender, at a bounded rate.
            .log_internal_errors(false)
            .fmt_fields(PlainFields::default())
            .with_timer(self.timer())
            .with_writer(self.clone())
    }

    /// Removes the files that [`max_log_files`](Builder::max_log_files), [`max_age`](Builder::max_age) and
    /// [`max_total_bytes`](Builder::max_total_bytes) do not keep, and says how many. It happens by itself at build and
    /// after each rollover; this is for an administrator's command. Files that a process still has open stay and are
    /// not counted. It compresses nothing: that is [`compress`](Self::compress).
    ///
    /// # Errors
    ///
    /// If the directory cannot be read, a file cannot be removed, or another process, or another thread, has been
    /// pruning for five seconds. A function given to the [`Builder`], such as `clock`, that calls it on the very thread
    /// that prunes is refused at once: [`Deadlock`](io::ErrorKind::Deadlock).
    pub fn prune(&self) -> Result<usize, Error> {
        self.log.do_now(Job::Prune)
    }

    /// The files of this appender's pattern that are there, oldest first: for a page that shows them, and for tests.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// for file in logs.files()? {
    ///     println!("{} {} bytes{}", file.path.display(), file.bytes, if file.open { ", open" } else { "" });
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn files(&self) -> io::Result<Vec<LogFile>> {
        log_file::list(&self.log.site.pattern, self.log.site.clock.exact_second())
    }

    /// Compresses the closed files, as [`compress`](Builder::compress) has it, and says how many. It happens by itself,
    /// beside the events; this is for a program that ends too soon for that, and for an administrator's command. It
    /// takes as long as it takes, at the lowest priority: on a busy machine that can be long, so do not call it where a
    /// supervisor waits for the end. This process lets go of its own files of ended periods. Files that another process
    /// still has open stay plain and are not counted.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read, a file cannot be compressed (the others are), or another process, or another
    /// thread, has been compressing for five seconds. [`Deadlock`](io::ErrorKind::Deadlock) as for
    /// [`prune`](Self::prune).
    pub fn compress(&self) -> Result<usize, Error> {
        self.log.do_now(Job::Compress)
    }

    /// Hands the finished files over to [`on_rollover`](Builder::on_rollover), and says how many. It happens by itself,
    /// beside the events; this is for a program that ends too soon for that, and for an administrator's command. This
    /// process lets go of its own files of ended periods. Files that another process still has open are not counted,
    /// and with [`compress`](Builder::compress) only archives are handed over: call [`compress`](Self::compress) first.
    ///
    /// # Errors
    ///
    /// If the directory or the record cannot be read, the hook fails (it is called for the other files), or another
    /// process, or another thread, has been handing over for five seconds. The hook itself must not call it: it is
    /// refused at once then, with [`Deadlock`](io::ErrorKind::Deadlock).
    pub fn hand_over(&self) -> Result<usize, Error> {
        self.log.do_now(Job::HandOver)
    }

    /// Looks at once whether the path of the current file still leads to the file that is open, opens it anew if not,
    /// and renews the links. If no file of the current period is open, it opens that file. It happens by itself at the
    /// first event of each second; this is for a program that is told, by SIGHUP as a rule.
    ///
    /// Safe on any thread, while others log. (Not in a signal handler itself: have a thread wait for the signal, as
    /// `signal-hook` and `tokio::signal` do.)
    ///
    /// # Errors
    ///
    /// If the file cannot be opened: lines go on into the one that is open, and the next try follows by itself. Or if a
    /// write to the file before has been under way for a second. A [`header`](Builder::header), or an
    /// [`on_error`](Builder::on_error), that calls it while its own thread opens a file is refused at once:
    /// [`Deadlock`](io::ErrorKind::Deadlock).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::never(directory.path(), "app.log");
    /// std::fs::rename(logs.path(), directory.path().join("app.log.1"))?;
    /// logs.reopen()?;
    /// assert!(logs.path().exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reopen(&self) -> Result<(), Error> {
        self.log.reopen()
    }

    /// What this process has written, lost and removed. A forked child starts at zero.
    pub fn stats(&self) -> Stats {
        self.log.stats()
    }
}

impl Clone for Appender {
    fn clone(&self) -> Self {
        Self::of(self.log.clone())
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl<'a> MakeWriter<'a> for Appender {
    type Writer = EventWriter<'a>;

    #[inline]
    fn make_writer(&'a self) -> EventWriter<'a> {
        EventWriter::of(&self.log)
    }
}

/// For whatever writes to an [`io::Write`]: `tracing_appender::non_blocking`, `env_logger`, `BufWriter`.
///
/// Whole lines go to the file at once, all that one call brings as one `write(2)`. The piece of a line at the end of a
/// call stays in this handle until the rest of its line comes, or until `flush` or drop, which give it a newline. It is
/// not inherited by a forked child.
///
/// A shared `&Appender` has no place to keep a piece: there, each call is an event. So a `BufWriter` needs a handle of
/// its own, `BufWriter::new(logs.clone())`. Behind `BufWriter::new(&logs)` a line that the buffer cuts becomes two.
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
        self.partial.write(&self.log, buf)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(arguments, |piece| self.write_all(piece))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.partial.flush(&self.log)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Each call is one event: written at once, with a final newline if it lacks one. `write!` and `writeln!` are one call.
/// (An `Appender` of one's own keeps the piece of a line until its rest comes: give a `BufWriter` `logs.clone()`, not
/// `&logs`.)
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
        // Half of a text is written as it is.
        event.end().and(formatted)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
