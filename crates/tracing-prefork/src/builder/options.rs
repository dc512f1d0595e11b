//! [`Builder`]: the options of an appender.

use crate::Period;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::buffer::options::Buffering;
use crate::report::{Error, OnError};
use crate::sys::Priority;
use crate::time::clock::Clock;
use crate::time::rotation::Rotation;
use crate::time::zone::Zone;
use crate::upkeep::compression::Compression;
use crate::upkeep::hook::Hook;
use crate::upkeep::link::{Kind, Link};
use crate::write::header::Header;
use std::time::{Duration, SystemTime};

/// Options for an [`Appender`](crate::Appender), from [`Appender::builder`](crate::Appender::builder).
///
/// | option | default |
/// |---|---|
/// | [`rotation`](Self::rotation) | [`Rotation::NEVER`]; without prefix and suffix, its one file is named by the day of the build, as in tracing-appender |
/// | [`zone`](Self::zone) | [`Zone::Utc`] |
/// | [`filename_prefix`](Self::filename_prefix), [`filename_suffix`](Self::filename_suffix) | none |
/// | [`tag`](Self::tag), [`per_process`](Self::per_process) | none: all processes write one file |
/// | [`date_format`](Self::date_format) | the rotation's own, such as `%Y-%m-%d` |
/// | [`max_log_files`](Self::max_log_files) | all are kept |
/// | [`max_age`](Self::max_age), [`max_total_bytes`](Self::max_total_bytes) | no limit |
/// | [`max_file_bytes`](Self::max_file_bytes) | no limit: one file a period |
/// | [`min_log_files`](Self::min_log_files) | a full disk costs lines, not files |
/// | [`compress`](Self::compress) | finished files stay plain |
/// | [`keep_uncompressed`](Self::keep_uncompressed) | with `compress`, no finished file stays plain |
/// | [`background_priority`](Self::background_priority) | compressing runs at the lowest priority, unless a seccomp filter is on |
/// | [`lock_writes`](Self::lock_writes) | no |
/// | [`buffered`](Self::buffered) | no: each event is written to its file at once |
/// | [`latest_symlink`](Self::latest_symlink), [`latest_hard_link`](Self::latest_hard_link) | none |
/// | [`file_mode`](Self::file_mode) | 0666 without the bits of the umask |
/// | [`directory_mode`](Self::directory_mode) | what goes with `file_mode`, or 0777 without the bits of the umask |
/// | [`header`](Self::header) | none |
/// | [`on_finished`](Self::on_finished), [`try_on_finished`](Self::try_on_finished) | none |
/// | [`on_error`](Self::on_error) | a line on standard error |
/// | [`clock`](Self::clock) | the system's clock |
///
/// ```
/// use tracing_prefork::{Appender, Rotation};
///
/// # let directory = tempfile::tempdir()?;
/// let logs = Appender::builder()
///     .rotation(Rotation::HOURLY)
///     .filename_prefix("app")
///     .filename_suffix("log") // app.2026-11-21-08.log
///     .max_log_files(48)
///     .latest_symlink("app.log")
///     .build(directory.path())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is opened before `build`"]
#[derive(Debug)]
pub struct Builder {
    pub(super) rotation: Rotation,
    pub(super) zone: Zone,
    pub(super) prefix: Option<String>,
    pub(super) suffix: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) per_process: bool,
    pub(super) date_format: Option<String>,
    pub(super) max_log_files: Option<usize>,
    pub(super) max_age: Option<Duration>,
    pub(super) max_total_bytes: Option<u64>,
    pub(super) max_file_bytes: Option<u64>,
    pub(super) min_log_files: Option<usize>,
    pub(super) compression: Option<Compression>,
    pub(super) keep_uncompressed: usize,
    pub(super) priority: Priority,
    pub(super) lock_writes: bool,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) buffered: bool,
    /// How, if events are buffered; and where rings are, in any case.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) buffering: Buffering,
    pub(super) links: Vec<Link>,
    pub(super) file_mode: Option<u32>,
    pub(super) directory_mode: Option<u32>,
    pub(super) header: Option<Header>,
    pub(super) hook: Option<Hook>,
    pub(super) clock: Clock,
    pub(super) on_error: OnError,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            rotation: Rotation::NEVER,
            zone: Zone::Utc,
            prefix: None,
            suffix: None,
            tag: None,
            per_process: false,
            date_format: None,
            max_log_files: None,
            max_age: None,
            max_total_bytes: None,
            max_file_bytes: None,
            min_log_files: None,
            compression: None,
            keep_uncompressed: 0,
            priority: Priority::default(),
            lock_writes: false,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            buffered: false,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            buffering: Buffering::default(),
            links: Vec::new(),
            file_mode: None,
            directory_mode: None,
            header: None,
            hook: None,
            clock: Clock::default(),
            on_error: OnError::default(),
        }
    }
}

impl Builder {
    /// The defaults of the table above. It is the same as [`Appender::builder`](crate::Appender::builder).
    pub fn new() -> Self {
        Self::default()
    }

    /// How often a new file begins.
    pub fn rotation(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// The time zone of file names, boundaries and the timer.
    pub fn zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// The text before the date: `app` in `app.2026-11-21.log`. An empty text is no prefix, as in tracing-appender.
    pub fn filename_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()).filter(|prefix| !prefix.is_empty()), ..self }
    }

    /// The text after the date: `log` in `app.2026-11-21.log`. The dot before it is added. So [`build`](Self::build)
    /// refuses `.log`, which gives `app.2026-11-21..log` in tracing-appender. An empty text is no suffix, as in
    /// tracing-appender.
    pub fn filename_suffix(self, suffix: impl Into<String>) -> Self {
        Self { suffix: Some(suffix.into()).filter(|suffix| !suffix.is_empty()), ..self }
    }

    /// Gives this writer files of its own: a tag `worker-3` behind the prefix makes `app.worker-3.2026-11-21.log`.
    ///
    /// Processes may have a tag in common: then they write one file together. All tags of a pattern are one family.
    /// Limits, compression, the hook and [`Appender::files`](crate::Appender::files) go over the files of all tags, so
    /// the files of a worker that is gone go, too. `max_log_files(30)` keeps 30 files in all, and not 30 of each tag;
    /// [`max_age`](Self::max_age) does not depend on the number of tags. For `max_total_bytes`, each file that is open
    /// counts with its `max_file_bytes`, because it may grow to that. Files without a tag are not in the family:
    /// they have another pattern.
    ///
    /// Retention removes the files of ended periods first. If that is not enough, it also removes files of the current
    /// period, if they have another tag and no process has them open. Among files of one period, the one that was
    /// written last stays longest.
    ///
    /// A link has the tag in its name, before its last dot: `latest_symlink("app.log")` gives `app.worker-3.log`. When
    /// the file that the link leads to has gone, a process that prunes or compresses removes the link.
    ///
    /// A tag has 1 to 64 bytes, without a dot, a slash or a control character. It needs a
    /// [`filename_prefix`](Self::filename_prefix) and a [`rotation`](Self::rotation): without a prefix or a date, the
    /// file of any program could be one of the family. [`build`](Self::build) checks this.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// let worker = 3;
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .filename_prefix("app")
    ///     .tag(format!("worker-{worker}"))
    ///     .filename_suffix("log")
    ///     .build(directory.path())?;
    /// let name = logs.path().file_name().map(|name| name.to_string_lossy().into_owned());
    /// assert!(name.is_some_and(|name| name.starts_with("app.worker-3.2")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tag(self, tag: impl Into<String>) -> Self {
        Self { tag: Some(tag.into()), ..self }
    }

    /// Gives each process files of its own: the [tag](Self::tag) is the process id, as in `app.4711.2026-11-21.log`. A
    /// forked child has its own id, and its first event opens its own file. Build the appender before the fork or
    /// after.
    ///
    /// Without this option all processes write one file, which is as safe and needs no merging. Use the option if
    /// somebody wants to read the lines of one process alone. Processes of several containers can have the same id:
    /// then they write one file together.
    ///
    /// A process that has ended leaves its file. Set a limit, such as [`max_age`](Self::max_age) or
    /// [`max_log_files`](Self::max_log_files): the limits go over the files of all processes.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .filename_prefix("app")
    ///     .per_process(true)
    ///     .max_log_files(100)
    ///     .build(directory.path())?;
    /// let tag = logs.files()?.remove(0).tag;
    /// assert_eq!(tag, Some(std::process::id().to_string()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn per_process(self, per_process: bool) -> Self {
        Self { per_process, ..self }
    }

    /// How the date stands in a file's name. A text with a `%` is a strftime pattern (`%Y%m%d`). Any other text is a
    /// [format description](https://time-rs.github.io/book/api/format-description.html) of the crate `time`
    /// (`[year][month][day]`).
    ///
    /// The format must give each period of the rotation a date of its own, from which the period can be read back. So
    /// it needs a year of four digits, and all units down to the rotation's. [`build`](Self::build) checks this. With
    /// `%z` each offset from UTC has a file of its own. So when a zone sets its clock back, the two passes of the
    /// repeated hour go to two files.
    ///
    /// `%G-W%V`, or `[year base:iso_week]-W[week_number]`, names weeks as ISO 8601 does (`2026-W47`). ISO weeks begin
    /// on Monday, so the rotation must be [`Rotation::weekly_on`] Monday. The year of such a week is `%G` and not `%Y`:
    /// the last days of December can belong to the first week of the next year.
    ///
    /// With slashes in the format, files stand in directories below the log directory. These directories are made when
    /// they are needed, and removed when pruning has emptied them. A symbolic link in the place of one of these
    /// directories is refused, not followed. The log directory itself may be reached through a symbolic link.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .date_format("%Y/%m/app-%d.log")
    ///     .build(directory.path())?;
    /// let launch = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    /// assert!(logs.path_at(launch).ends_with("2001/09/app-09.log"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn date_format(self, format: impl Into<String>) -> Self {
        Self { date_format: Some(format.into()), ..self }
    }

    /// Keeps a symbolic link of this name in the directory. The link leads to the latest file.
    ///
    /// The link is renewed in one step (`rename(2)`) and never led back in time. A symbolic link that has the name
    /// already is replaced, wherever it leads. Anything else of that name is left alone and reported. A second call
    /// with another name adds another link. An empty name is no link, as in tracing-appender.
    pub fn latest_symlink(self, name: impl Into<String>) -> Self {
        self.link(Kind::Symbolic, name.into())
    }

    /// Keeps a hard link of this name in the directory, as [`latest_symlink`](Self::latest_symlink) keeps a symbolic
    /// one.
    ///
    /// `tail -F` follows a hard link without polling. Through a symbolic link it looks once a second, and misses files
    /// of a shorter period. Leave the name out of a log shipper's glob, or the shipper reads each line twice.
    ///
    /// A file that has the name already is replaced only if it is one of these:
    ///
    /// * one of the log files,
    /// * the last log file that such a link led to, which a hidden note says,
    /// * a copy of the beginning of a log file, a day old or more, as a backup makes it.
    ///
    /// Anything else of that name is left alone and reported.
    pub fn latest_hard_link(self, name: impl Into<String>) -> Self {
        self.link(Kind::Hard, name.into())
    }

    pub(super) fn link(mut self, kind: Kind, name: String) -> Self {
        if !name.is_empty() {
            self.links.push(Link::new(kind, name));
        }
        self
    }

    /// The exact permissions of new files, whatever the umask: `0o660` for two users who share a group.
    ///
    /// A file has these permissions from the moment it exists. The owner must be able to read and write. Directories
    /// that are made for the files have the permissions that go with them, unless
    /// [`directory_mode`](Self::directory_mode) says otherwise.
    pub fn file_mode(self, mode: u32) -> Self {
        Self { file_mode: Some(mode), ..self }
    }

    /// The exact permissions of new directories, whatever the umask: of the log directory and those above it, if
    /// [`build`](Self::build) makes them, and of those that [`date_format`](Self::date_format) needs. Directories that
    /// are there keep their permissions.
    ///
    /// The owner must be able to read, write and search. The set-group-ID bit may be given (`0o2770`), and a directory
    /// that has the bit from the directory above keeps it (`mkdir(2)`). The kernel takes the bit away if the process is
    /// not a member of the directory's group (`chmod(2)`).
    ///
    /// Without this option, each read bit of [`file_mode`](Self::file_mode) brings its execute bit: `0o770` with
    /// `0o660`. With neither option, the mode is 0777 without the bits of the umask.
    pub fn directory_mode(self, mode: u32) -> Self {
        Self { directory_mode: Some(mode), ..self }
    }

    /// Gives each new file its first line: the names of columns, for example. A file appears together with its first
    /// line. So the line is there once, however many processes open the file at the same time. If the text has no
    /// newline at its end, one is added. An empty text is no line.
    ///
    /// Let the line name its period. Vector and the OpenTelemetry collector tell files apart by their first bytes, and
    /// would take two files that begin alike for one. With [`max_file_bytes`](Self::max_file_bytes), and with
    /// [`Rotation::NEVER`], the period is not enough: add the time, or a random number.
    ///
    /// `header` is called on the thread whose event begins the file. Events that `header` itself logs go into the file
    /// before. If it panics, the file begins without the line, and the panic is reported
    /// ([`Operation::UserCode`](crate::Operation::UserCode)).
    ///
    /// With [`max_file_bytes`](Self::max_file_bytes), `build` calls `header` once, and refuses a line that leaves no
    /// room for another. If a later line leaves no room, the line is left out, which is reported.
    ///
    /// The exceptions:
    ///
    /// * Where the file system or a security filter refuses links (`linkat(2)`, FAT), the process that makes a file
    ///   appends the line afterwards. Another process may write a line before it. If the maker is killed in between,
    ///   the file has no first line.
    /// * A file that exists gets no first line, even if it is empty because somebody else has made it.
    /// * A child of a raw `clone(2)` does not call `header`. Until another process has made the file, lines of such a
    ///   child go to the file before.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use std::time::UNIX_EPOCH;
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .filename_prefix("requests")
    ///     .filename_suffix("csv")
    ///     .header(|period| {
    ///         let start = period.start.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    ///         format!("# since {start}\ntime,path,status")
    ///     })
    ///     .build(directory.path())?;
    /// assert!(std::fs::read_to_string(logs.path())?.ends_with("\ntime,path,status\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn header(self, header: impl Fn(Period) -> String + Send + Sync + 'static) -> Self {
        Self { header: Some(Header::new(header)), ..self }
    }

    /// Is called with a failure, at most once a minute for each [`Operation`](crate::Operation). The other failures are
    /// counted.
    ///
    /// Without `on_error`, these failures are written to standard error, a line each. The appender never waits for
    /// standard error: if it is a full pipe, the report counts as [suppressed](Error::suppressed), and the next failure
    /// is reported instead.
    ///
    /// Each process calls its own `on_error`, on the thread that met the failure, and perhaps during `build`, before
    /// there is a subscriber. `on_error` may log; a failure of that event is counted and not reported. If it panics,
    /// the panic goes no further: it is counted, and written to standard error with the failure.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// static FAILURES: AtomicU64 = AtomicU64::new(0);
    /// let builder = tracing_prefork::Appender::builder().on_error(|error| {
    ///     FAILURES.fetch_add(1 + error.suppressed(), Relaxed);
    /// });
    /// # let _ = builder;
    /// ```
    pub fn on_error(self, on_error: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self { on_error: OnError::new(on_error), ..self }
    }

    /// Reads the time from `clock` instead of the system's clock. With it, tests need not wait for midnight.
    ///
    /// If `clock` panics, that event has the system's time, and the panic is reported
    /// ([`Operation::UserCode`](crate::Operation::UserCode)). A clock that logs calls itself. After a few such calls,
    /// its events have the system's time, which is reported in the same way.
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: Clock::custom(clock), ..self }
    }
}
