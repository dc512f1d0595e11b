//! [`Appender`] and the event path: an event takes one clock reading, pins the slot of its period and is one
//! `write(2)`. What happens when the slot cannot take it is in `rollover` and `detour`.

use crate::event::layer::PlainFields;
use crate::event::timer;
use crate::names::log_file;
use crate::names::pattern::Pattern;
use crate::names::presence::Presence;
use crate::report::{Counters, Reporter};
use crate::sys::{Mode, Priority};
use crate::time::clock::{Clock, Moment, Second};
use crate::upkeep::hook::Hook;
use crate::upkeep::link::Link;
use crate::upkeep::prune::Limits;
use crate::write::fallback::Unwritten;
use crate::write::header::Header;
use crate::write::size_limit::SizeLimit;
use crate::write::slots::{Pin, Slots};
use crate::{Builder, Compression, Error, LogFile, Period, Stats, Timer};
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;
use tracing_core::Subscriber;
use tracing_subscriber::Layer;
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
/// Any thread may write at any time; there is no lock on the way. Fork whenever you
/// like: the child goes on logging with the handle that it inherited, there is nothing to call in it. A thread is started only
/// to remove, compress or hand over old files, and ends with that.
///
/// # Allocation
///
/// None per event, but for a line that arrives in pieces and is longer than any before it on its thread.
///
/// # Durability
///
/// A line is in the kernel's page cache when the call that wrote it returns: it survives the process, not a power failure.
pub struct Appender {
    inner: Arc<Inner>,
    /// What `io::Write` was given of a line that has not ended yet.
    pub(crate) partial: crate::event::writer::Partial,
}

/// The appender behind its handles.
#[derive(Debug)]
pub(crate) struct Inner {
    /// Tells the timers of different appenders apart.
    pub(crate) id: u64,
    pub(crate) pattern: Pattern,
    /// `None`: the names are other ones each day.
    pub(crate) presence: Option<Presence>,
    pub(crate) clock: Clock,
    pub(crate) mode: Option<Mode>,
    pub(crate) header: Option<Header>,
    pub(crate) limits: Limits,
    pub(crate) min_log_files: Option<NonZeroUsize>,
    pub(crate) size_limit: Option<SizeLimit>,
    pub(crate) compression: Option<Compression>,
    pub(crate) priority: Priority,
    pub(crate) hook: Option<Hook>,
    pub(crate) links: Vec<Link>,
    pub(crate) reporter: Reporter,
    pub(crate) slots: Slots,
}

impl Inner {
    /// The event path. Appends a line to the file of its time: the reading of the appender's timer that the line shows,
    /// else the one that was taken when the event `began`, else one that is taken now.
    pub(crate) fn log(self: &Arc<Self>, line: &[u8], began: Option<i64>) -> Result<(), Unwritten> {
        let known = timer::reading_in(line, self.id).or(began).map(Second::exact);
        let now = known.unwrap_or_else(|| self.clock.rough_second());
        let state = &*self.slots.state;
        if state.duties.checked.load(Relaxed) != now.at {
            self.each_second(now.at);
        }
        match self.slots.pin(state, now) {
            Some(pin) => self.append(pin, line, now.at),
            None => self.append_across_boundary(line, known),
        }
    }

    /// One event, one `write(2)`.
    #[inline(always)]
    pub(crate) fn append(self: &Arc<Self>, pin: Pin<'_>, line: &[u8], at: i64) -> Result<(), Unwritten> {
        if pin.needs_care() {
            return self.append_carefully(pin, line, at);
        }
        let outcome = pin.append(line);
        self.appended(pin, outcome, line, at)
    }

    /// A line has been written to a slot: sees to the size of the file, and to what has failed.
    #[inline(always)]
    pub(crate) fn appended(
        self: &Arc<Self>,
        pin: Pin<'_>,
        outcome: io::Result<usize>,
        line: &[u8],
        at: i64,
    ) -> Result<(), Unwritten> {
        match outcome {
            Ok(length) if length == line.len() => {
                if let Some(limit) = &self.size_limit
                    && limit.count(pin.bytes(), length)
                {
                    self.look_at_size(pin, at);
                }
                Ok(())
            }
            outcome => self.append_failed(pin, outcome, line, at),
        }
    }

    pub(crate) fn path_at(&self, at: i64, index: u32) -> PathBuf {
        // The builder has written the longest name, so this cannot fail.
        let path = self.pattern.path_at(at, index);
        path.map_or_else(|_| self.pattern.directory().to_owned(), |path| path.as_path().to_owned())
    }

    pub(crate) fn duties(&self) -> &crate::write::rollover::Duties {
        &self.slots.state.duties
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.slots.state.counters
    }
}

impl Appender {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, partial: Default::default() }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Options for a new appender; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The file that an event would go to now.
    pub fn path(&self) -> PathBuf {
        let now = self.inner.clock.moment().secs;
        self.inner.path_at(now, self.inner.index(now))
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
        self.inner.path_at(Moment::from(time).secs, 0)
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
        self.inner.pattern.period_at(Moment::from(time).secs)
    }

    /// The period of the file of that name, for the fuzz targets: what pruning and links go by.
    #[cfg(fuzzing)]
    #[doc(hidden)]
    pub fn period_of_name(&self, name: &str, now: SystemTime) -> Option<Period> {
        let place = self.inner.pattern.place_of_name(name, Moment::from(now).secs)?;
        Some(self.inner.pattern.period_at(place.span.start))
    }

    /// A timer whose reading also chooses the file: the line is in the file that its own timestamp names, even if its
    /// thread was kept waiting across a boundary between the two.
    ///
    /// The timestamp must stand in the first 256 bytes of the line, and the line be written by the thread that formatted it: behind
    /// `non_blocking` or a `BufWriter` the time of the write chooses the file. If fields of an event print the timer's time too, the first timestamp
    /// in the line chooses the file.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let subscriber = tracing_subscriber::fmt().json().with_timer(logs.timer()).with_writer(logs.clone());
    /// # let _ = subscriber.finish();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timer(&self) -> Timer {
        Timer::new(self.inner.clone())
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
    /// [`max_total_bytes`](Builder::max_total_bytes) do not keep, and says how many. It happens by
    /// itself at build and after each rollover; this is for an administrator's command. Files that a process still has open stay
    /// and are not counted. It compresses nothing: that is [`compress`](Self::compress).
    ///
    /// # Errors
    ///
    /// If the directory cannot be read, a file cannot be removed, or another process, or another thread, has been pruning for five seconds. A
    /// function given to the [`Builder`], such as `clock`, that calls it on the very thread that prunes is refused at once:
    /// [`Deadlock`](io::ErrorKind::Deadlock).
    pub fn prune(&self) -> Result<usize, Error> {
        self.inner.prune_now()
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
        log_file::list(&self.inner.pattern, self.inner.clock.exact_second())
    }

    /// Compresses the closed files, as [`compress`](Builder::compress) has it, and says how many. It happens by itself, beside the
    /// events; this is for a program that ends too soon for that, and for an administrator's command. It takes as long as it takes, at
    /// the lowest priority: on a busy machine that can be long, so do not call it where
    /// a supervisor waits for the end. This process lets go of its own files of ended periods. Files that another process still has open stay
    /// plain and are not counted.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read, a file cannot be compressed (the others are), or another process, or another thread, has
    /// been compressing for five seconds. [`Deadlock`](io::ErrorKind::Deadlock) as for [`prune`](Self::prune).
    pub fn compress(&self) -> Result<usize, Error> {
        self.inner.compress_now()
    }

    /// Hands the finished files over to [`on_rollover`](Builder::on_rollover), and says how many. It happens by itself, beside the events;
    /// this is for a program that ends too soon for that, and for an administrator's command. This process lets go of its own files of ended
    /// periods. Files that another process still has open are not counted, and with [`compress`](Builder::compress) only archives are handed
    /// over: call [`compress`](Self::compress) first.
    ///
    /// # Errors
    ///
    /// If the directory or the record cannot be read, the hook fails (it is called for the other files), or another process, or another thread,
    /// has been handing over for five seconds. The hook itself must not call it: it is refused at once then, with
    /// [`Deadlock`](io::ErrorKind::Deadlock).
    pub fn hand_over(&self) -> Result<usize, Error> {
        self.inner.hand_over_now()
    }

    /// Looks at once whether the path of the current file still leads to the file that is open, opens it anew if not, and renews the
    /// links. If no file of the current period is open, it opens that file. It happens by itself at the first event of each second; this is for a program that is told, by SIGHUP as a rule.
    ///
    /// Safe on any thread, while others log. (Not in a signal handler itself: have a thread wait for the signal, as `signal-hook`
    /// and `tokio::signal` do.)
    ///
    /// # Errors
    ///
    /// If the file cannot be opened: lines go on into the one that is open, and the next try follows by itself. Or if a write to the
    /// file before has been under way for a second. A [`header`](Builder::header), or an [`on_error`](Builder::on_error), that calls it while its own
    /// thread opens a file is refused at once: [`Deadlock`](io::ErrorKind::Deadlock).
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
        self.inner.reopen()
    }

    /// What this process has written, lost and removed. A forked child starts at zero.
    pub fn stats(&self) -> Stats {
        let counters = self.inner.counters();
        counters.stats(self.inner.slots.state.pins.done())
    }
}

impl Clone for Appender {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender").field("path", &self.path()).finish_non_exhaustive()
    }
}
