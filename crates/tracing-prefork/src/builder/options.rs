//! [`Builder`]: the options of an appender.

use crate::Period;
use crate::report::{self, Error};
use crate::sys::Priority;
use crate::time::clock::Clock;
use crate::time::rotation::Rotation;
use crate::time::zone::Zone;
use crate::upkeep::compression::Compression;
use crate::upkeep::hook::Hook;
use crate::upkeep::link::{Kind, Link};
use crate::write::header::Header;
use std::convert::Infallible;
use std::error;
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Options for an [`Appender`](crate::Appender), from [`Appender::builder`](crate::Appender::builder).
///
/// | option | default |
/// |---|---|
/// | [`rotation`](Self::rotation) | [`Rotation::NEVER`]; without prefix and suffix, its one file is named by the day of the build, as in tracing-appender |
/// | [`zone`](Self::zone) | [`Zone::Utc`] |
/// | [`filename_prefix`](Self::filename_prefix), [`filename_suffix`](Self::filename_suffix) | none |
/// | [`date_format`](Self::date_format) | the rotation's own, such as `%Y-%m-%d` |
/// | [`max_log_files`](Self::max_log_files) | all are kept |
/// | [`max_age`](Self::max_age), [`max_total_bytes`](Self::max_total_bytes) | no limit |
/// | [`max_file_bytes`](Self::max_file_bytes) | no limit: one file a period |
/// | [`min_log_files`](Self::min_log_files) | a full disk costs lines, not files |
/// | [`compress`](Self::compress) | closed files stay plain |
/// | [`background_priority`](Self::background_priority) | compressing runs at the lowest, unless a seccomp filter is on |
/// | [`lock_writes`](Self::lock_writes) | no |
/// | [`latest_symlink`](Self::latest_symlink), [`latest_hard_link`](Self::latest_hard_link) | none |
/// | [`file_mode`](Self::file_mode) | 0666 less the umask |
/// | [`header`](Self::header) | none |
/// | [`on_rollover`](Self::on_rollover), [`try_on_rollover`](Self::try_on_rollover) | none |
/// | [`on_error`](Self::on_error) | a line on standard error |
/// | [`clock`](Self::clock) | the system's |
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
    pub(super) date_format: Option<String>,
    pub(super) max_log_files: Option<usize>,
    pub(super) max_age: Option<Duration>,
    pub(super) max_total_bytes: Option<u64>,
    pub(super) max_file_bytes: Option<u64>,
    pub(super) min_log_files: Option<usize>,
    pub(super) compression: Option<Compression>,
    pub(super) priority: Priority,
    pub(super) lock_writes: bool,
    pub(super) links: Vec<Link>,
    pub(super) file_mode: Option<u32>,
    pub(super) header: Option<Header>,
    pub(super) hook: Option<Hook>,
    pub(super) clock: Clock,
    pub(super) on_error: OnError,
}

#[derive(Default)]
pub(super) struct OnError(pub(super) Option<report::Hook>);

impl fmt::Debug for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "hook" } else { "standard error" })
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            rotation: Rotation::NEVER,
            zone: Zone::Utc,
            prefix: None,
            suffix: None,
            date_format: None,
            max_log_files: None,
            max_age: None,
            max_total_bytes: None,
            max_file_bytes: None,
            min_log_files: None,
            compression: None,
            priority: Priority::default(),
            lock_writes: false,
            links: Vec::new(),
            file_mode: None,
            header: None,
            hook: None,
            clock: Clock::default(),
            on_error: OnError::default(),
        }
    }
}

impl Builder {
    /// How often a new file begins.
    pub fn rotation(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// The time zone of file names, boundaries and the timer.
    pub fn zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// What stands before the date: `app` in `app.2026-11-21.log`.
    pub fn filename_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..self }
    }

    /// What stands after the date: `log` in `app.2026-11-21.log`. The dot is added.
    pub fn filename_suffix(self, suffix: impl Into<String>) -> Self {
        Self { suffix: Some(suffix.into()), ..self }
    }

    /// How the date stands in a file's name: a strftime pattern if there is a `%` in it (`%Y%m%d`), else a
    /// [format description](https://time-rs.github.io/book/api/format-description.html) of the crate `time`
    /// (`[year][month][day]`).
    ///
    /// It must tell all periods of the rotation apart and lead back to them, which [`build`](Self::build) checks: a
    /// year of four digits, and all units down to the rotation's. With `%z` each offset from UTC has a file of its own,
    /// so that the two passes of the hour that is repeated when a zone sets its clock back are told apart.
    ///
    /// With slashes in it the files stand in directories below the log directory, which are made when needed and
    /// removed when pruning has emptied them. A symbolic link in the place of one of these is refused, not followed;
    /// the log directory itself may be reached through one.
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

    /// Keeps this many files, the current one included, and removes older ones: at build and after each rollover.
    ///
    /// Only regular files go whose whole name is one that this appender gives, never one of the current or of the next
    /// period, and never one that a process still has open to write to: that one goes a few seconds later, or, if an
    /// idle process holds it, 24 hours after its period and its last line. Where the disk has no room for a new file,
    /// the oldest goes before it is made.
    ///
    /// Files that begin more than an hour in the future, which a clock that was ahead has made, are reported, do not
    /// count for any limit, and go 24 hours after their last line.
    pub fn max_log_files(self, n: usize) -> Self {
        Self { max_log_files: Some(n), ..self }
    }

    /// Removes files whose period ended, and that were last written to, so long ago: at build and after each rollover.
    /// A second is the least.
    ///
    /// The time of the last write is what the file system says:
    ///
    /// * If it is before the year 2000, a machine wrote the file before its clock was set. The age begins when the file
    ///   is first found.
    /// * If it is more than an hour in the future, it is ignored: the age counts from the end of the period alone.
    /// * If it is less than an hour in the future, the age counts from it.
    ///
    /// What may go is the same as with [`max_log_files`](Self::max_log_files). Together with that and with
    /// [`max_total_bytes`](Self::max_total_bytes), a file goes if any of them says so.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use std::time::Duration;
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::HOURLY)
    ///     .filename_prefix("app")
    ///     .max_age(Duration::from_secs(90 * 24 * 3600))
    ///     .max_total_bytes(10 << 30)
    ///     .build(directory.path())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_age(self, age: Duration) -> Self {
        Self { max_age: Some(age), ..self }
    }

    /// Removes the oldest files until all files of the pattern together have so many bytes: at build, after each
    /// rollover, and each minute in which something is logged.
    ///
    /// What may go is the same as with [`max_log_files`](Self::max_log_files): never the current file, so that it alone
    /// may be larger. With [`max_file_bytes`](Self::max_file_bytes), which it must not be below, as much as it may
    /// still grow is kept free, so that the limit holds at all times but for what held files and the bound named there
    /// add.
    ///
    /// The finished files share the rest, `max_total_bytes` less `max_file_bytes`: the newest are kept, as many as fit.
    /// A full file is larger than `max_file_bytes` by the bound named there, or not at all under
    /// [`lock_writes`](Self::lock_writes). So twice `max_file_bytes` keeps no full file beside the current one, unless
    /// under `lock_writes`; three times keeps one. `max_total_bytes` equal to `max_file_bytes` keeps the current file
    /// alone: enough where [`on_rollover`](Self::on_rollover), for which retention waits, takes the others away.
    pub fn max_total_bytes(self, n: u64) -> Self {
        Self { max_total_bytes: Some(n), ..self }
    }

    /// Begins another file when this one has so many bytes, in addition to the rotation. The files of one period are
    /// numbered before the suffix: `app.2026-11-21.log`, `app.2026-11-21.1.log`, `app.2026-11-21.2.log`.
    ///
    /// A suffix must not begin or end with a number then, nor the prefix of [`Rotation::NEVER`] end with a dot and a
    /// number. Numbered files that were there before and are in another order, as those of logrotate, are left alone
    /// ([`Operation::Names`](crate::Operation::Names)).
    ///
    /// A line is never split: one that is longer than `n` gets through whole. The size is the file's own, whoever has
    /// written to it, and no process asks another: each looks at it when it has written a 64th of `n`, but at least 16
    /// KiB and at most 256 KiB, since it looked last. So a file can become larger than `n`, by at most that interval
    /// for each process, and by a 16th of it and a line for each of their threads. Under
    /// [`lock_writes`](Self::lock_writes) the limit is exact.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .filename_prefix("app")
    ///     .filename_suffix("log")
    ///     .max_file_bytes(100 << 20)
    ///     .max_log_files(50)
    ///     .build(directory.path())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_file_bytes(self, n: u64) -> Self {
        Self { max_file_bytes: Some(n), ..self }
    }

    /// When a disk or a quota is full, removes old files, the oldest first and down to this many with the current one,
    /// until the line in hand can be written, or a new file be made: also at build, and where inodes are what is
    /// missing. Not above [`max_log_files`](Self::max_log_files).
    ///
    /// Without it the line is lost, and its caller told so; no file goes but those that
    /// [`max_log_files`](Self::max_log_files) gives up anyway. What may go is the same. The thread that met the failure
    /// does it, behind the lock that all processes of the pattern share.
    pub fn min_log_files(self, n: usize) -> Self {
        Self { min_log_files: Some(n), ..self }
    }

    /// Compresses files whose period is over and that no process has open any more: `app.2026-11-21.log` becomes
    /// `app.2026-11-21.log.gz` or `.zst`, with the same permissions, owner and time of the last line.
    ///
    /// One process of those that share the directory does it, after a rollover and after the first event of a process
    /// that has made its file, in a thread with the lowest priority for processors and disks that the system has, which
    /// ends with the work. Nobody waits for it. A crash at any moment leaves the plain file or the whole archive. What
    /// belongs to an archive of another kind that is there already goes into that. A late line for a period that is
    /// compressed already makes a plain file again, which soon becomes a further part of the archive; `zcat` shows
    /// both.
    ///
    /// The archive has the owner, the group and the mode of the plain file, as far as this process may set them. An
    /// archive that takes late lines keeps its owner and its group, and has the rights that both it and the file of the
    /// late lines give.
    ///
    /// [`max_log_files`](Self::max_log_files) counts a file and its archive as one, and removes archives of either
    /// kind. Compressing takes room: half of what is left on the disk at most, else the file stays plain and a report
    /// says so. What a link leads to stays plain.
    ///
    /// All processes of a directory should use it, or none: those that do not take archives for somebody else's files.
    /// [`Rotation::NEVER`] has one file, which is never closed, but for those that
    /// [`max_file_bytes`](Self::max_file_bytes) ends.
    ///
    #[cfg_attr(feature = "gzip", doc = "```")]
    #[cfg_attr(not(feature = "gzip"), doc = "```ignore")]
    /// use std::io::Write;
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use tracing_prefork::{Appender, Compression, Rotation};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # static SECONDS: AtomicU64 = AtomicU64::new(1_795_305_599); // 2026-11-21 23:59:59 UTC
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .filename_prefix("app")
    ///     .filename_suffix("log")
    ///     .compress(Compression::Gzip)
    /// #   .clock(|| UNIX_EPOCH + Duration::from_secs(SECONDS.load(Relaxed)))
    ///     .build(directory.path())?;
    /// writeln!(&logs, "the last of the day")?;
    /// # SECONDS.fetch_add(1, Relaxed);
    /// // Some seconds later, on the next day:
    /// writeln!(&logs, "the first of the next")?;
    /// # SECONDS.fetch_add(6, Relaxed);
    /// # writeln!(&logs, "lets go of the file")?;
    /// # logs.compress()?;
    /// assert!(directory.path().join("app.2026-11-21.log.gz").exists());
    /// assert!(!directory.path().join("app.2026-11-21.log").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compress(self, kind: Compression) -> Self {
        Self { compression: Some(kind), ..self }
    }

    /// Whether compressing runs at the lowest priority: nice 19, SCHED_IDLE and the I/O class IDLE. It is the default,
    /// but where a seccomp filter is on (`Seccomp: 2` in `/proc/self/status`): systemd's
    /// `SystemCallFilter=~@resources`, for one, ends whoever sets a priority. Containers have filters too, and most of
    /// those allow it: there `true` says that it is allowed. `false`: at the priority of the program.
    ///
    /// ```
    /// let builder = tracing_prefork::Appender::builder().background_priority(false);
    /// # let _ = builder;
    /// ```
    pub fn background_priority(self, lowest: bool) -> Self {
        Self { priority: if lowest { Priority::Lowest } else { Priority::Usual }, ..self }
    }

    /// Takes a lock on the file around each write, so that a line is in the file whole or not at all: for writers that
    /// may be killed at any moment, for programs that end while their threads log, and for network file systems, which
    /// do not append atomically by themselves (`open(2)`).
    ///
    /// A process that is killed inside `write(2)` can leave a piece of its line, and without the lock the next line of
    /// another is glued to it. The kernel ends threads in the same way when `main` returns, or another thread calls
    /// `exit` or `execve(2)`. Under the lock each writer looks first how the file ends: a piece that somebody has left
    /// becomes a line of its own. A write of its own that falls short is cut off again.
    ///
    /// All processes of a directory should use it, since those that do not are not kept out; a writer that finds such a
    /// one cuts nothing off. It takes four more system calls an event. A lock that another process has held for a
    /// second, because it was stopped, is reported and not waited for again until it has been free; lines are written
    /// without it. Whoever may read the file can take that lock: see [`file_mode`](Self::file_mode).
    pub fn lock_writes(self, lock: bool) -> Self {
        Self { lock_writes: lock, ..self }
    }

    /// Keeps a symbolic link of this name in the directory, which leads to the latest file.
    ///
    /// It is renewed in one step (`rename(2)`) and never led back in time. A symbolic link that has the name is taken
    /// for it, wherever it leads; anything else is left alone and reported. Called again with another name, it adds
    /// another link.
    pub fn latest_symlink(mut self, name: impl Into<String>) -> Self {
        self.links.push(Link::new(Kind::Symbolic, name.into()));
        self
    }

    /// The same with a hard link, which `tail -F` follows without polling: through a symbolic link it looks once a
    /// second, and misses files of a shorter period. Leave the name out of a log shipper's glob, or it reads every line
    /// twice. A file that has the name is taken for the link only if it is one of the log files, or the last one that
    /// such a link led to, which a hidden note says, or a copy of the beginning of one, of a day ago or more, as a
    /// backup makes it. Anything else is left alone and reported.
    pub fn latest_hard_link(mut self, name: impl Into<String>) -> Self {
        self.links.push(Link::new(Kind::Hard, name.into()));
        self
    }

    /// The permissions of new files, exactly, whatever the umask: `0o660` for two users who share a group.
    ///
    /// A file has them from the moment it exists. The owner must be able to read and write. A directory that is made
    /// for the files has what goes with them: `0o770` with `0o660`, whatever the umask.
    pub fn file_mode(self, mode: u32) -> Self {
        Self { file_mode: Some(mode), ..self }
    }

    /// Gives the first line of each new file: the names of columns, for example. A file appears with it, so it is there
    /// once however many processes open the file at the same time. A newline is added if it has none; an empty text is
    /// no line.
    ///
    /// Let it name its period. Vector and the OpenTelemetry collector tell files apart by their first bytes, and would
    /// take two files that begin alike for one. With [`max_file_bytes`](Self::max_file_bytes), and with
    /// [`Rotation::NEVER`], the period is not enough for that: add the time, or a random number. It is called on the
    /// thread whose event begins the file; what it logs itself goes into the file before. With
    /// [`max_file_bytes`](Self::max_file_bytes) it is also called once by `build`, which refuses a line that leaves no
    /// room for another; one that does so later is reported and left out. If it panics, the file begins without the
    /// line, and the panic is reported ([`Operation::UserCode`](crate::Operation::UserCode)).
    ///
    /// Where the file system or a security filter refuses links (`linkat(2)`, FAT), whoever makes a file appends the
    /// line afterwards: another process may write a line before it, and there is none if the maker is killed in
    /// between.
    ///
    /// Files that exist get none: empty ones that somebody else has made, for example. In a child of a raw `clone(2)`
    /// it is not called: until another process has made the file, lines of such a child go to the file before.
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

    /// Is given each file that is finished: its period is over, or it is full, and no process has it open any more.
    /// With [`compress`](Self::compress) it is given the archive. Uploading files elsewhere is the use.
    ///
    /// Each file is handed over once, by one of the processes that share the directory, in a thread beside the events,
    /// one after the other, the oldest first; the first time, all finished files that are there. A file that late lines
    /// have changed since is handed over again, and so is one whose process was killed in the middle of it. A change is
    /// told by the file's size and the time of its last change: after `touch`, or when all files were copied without
    /// their times (`cp` without `-p`), all are handed over again. A hook that panics has failed: it is reported
    /// ([`Operation::OnRollover`](crate::Operation::OnRollover)) and called for that file again, after 7 seconds first
    /// and then ever more rarely, at least once an hour, as long as something is logged.
    /// [`try_on_rollover`](Self::try_on_rollover) can say so without a panic. What an idle process still has open is
    /// finished a day after its period and its last line. The one file of [`Rotation::NEVER`] without
    /// [`max_file_bytes`](Self::max_file_bytes) never is.
    ///
    /// Retention waits for the hook. Only what has rested for that day goes unseen, and only if the hook has failed on
    /// it, has not come back from a file for a day, or could not be called for a day; that is reported.
    /// ([`min_log_files`](Self::min_log_files), on a full disk, waits for nothing.) So all processes of a directory
    /// should have a hook, or none.
    ///
    /// The hook may log, call the appender (but for [`hand_over`](crate::Appender::hand_over), which is an error
    /// there), start programs, take its time, and change, move or remove the file; a process does not wait for it when
    /// it ends.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let elsewhere = tempfile::tempdir()?;
    /// # let bucket = elsewhere.path().to_owned();
    /// use tracing_prefork::{Appender, Rotation};
    ///
    /// # std::fs::write(directory.path().join("app.2001-09-09.log"), "from long ago\n")?;
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .filename_prefix("app")
    ///     .filename_suffix("log")
    ///     .try_on_rollover(move |finished, _period| {
    ///         let name = finished.file_name().ok_or("a file without a name")?;
    ///         std::fs::copy(finished, bucket.join(name))?;
    ///         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    ///     })
    ///     .build(directory.path())?;
    /// # logs.hand_over()?;
    /// # assert!(elsewhere.path().join("app.2001-09-09.log").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_rollover(self, hook: impl Fn(&Path, Period) + Send + Sync + 'static) -> Self {
        self.try_on_rollover(move |finished, period| {
            hook(finished, period);
            Ok::<(), Infallible>(())
        })
    }

    /// The same for a hook that can fail: it is called again for that file then.
    pub fn try_on_rollover<E>(self, hook: impl Fn(&Path, Period) -> Result<(), E> + Send + Sync + 'static) -> Self
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let hook = Hook::new(move |finished, period| hook(finished, period).map_err(Into::into));
        Self { hook: Some(hook), ..self }
    }

    /// Is told of failures, at most once a minute for each [`Operation`](crate::Operation); the others are counted.
    /// Without it they are written to standard error, a line each. Standard error is never waited for: if a pipe is
    /// full, the report counts as [suppressed](Error::suppressed), and the next failure is reported instead.
    ///
    /// Called on the thread that met the failure, in each process for itself, and perhaps during `build`, before there
    /// is a subscriber. It may log: what fails then is counted and not reported. If it panics, the panic ends there: it
    /// is counted, and written to standard error with what the hook was told.
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
    pub fn on_error(self, hook: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self { on_error: OnError(Some(Box::new(hook))), ..self }
    }

    /// Reads the time from `clock` instead of the system: for tests, which need not wait for midnight then. If it
    /// panics, that event has the system's time, and the panic is reported
    /// ([`Operation::UserCode`](crate::Operation::UserCode)). A clock that logs calls itself: after a few times the
    /// events have the system's time, which is reported in the same way.
    pub fn clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { clock: Clock::custom(clock), ..self }
    }
}
