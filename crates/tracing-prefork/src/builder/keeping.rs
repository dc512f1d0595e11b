//! Options for what becomes of files: how many are kept, and who is given the finished ones.

use crate::Period;
use crate::builder::options::Builder;
use crate::sys::Priority;
use crate::upkeep::compression::Compression;
use crate::upkeep::hook::Hook;
use std::convert::Infallible;
use std::error;
use std::path::Path;
use std::time::Duration;

impl Builder {
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
    /// A suffix must not begin or end with a number then, nor the prefix of [`Rotation::NEVER`](crate::Rotation::NEVER)
    /// end with a dot and a number. Numbered files that were there before and are in another order, as those of
    /// logrotate, are left alone ([`Operation::Names`](crate::Operation::Names)).
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
    /// [`Rotation::NEVER`](crate::Rotation::NEVER) has one file, which is never closed, but for those that
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
    /// finished a day after its period and its last line. The one file of [`Rotation::NEVER`](crate::Rotation::NEVER)
    /// without [`max_file_bytes`](Self::max_file_bytes) never is.
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
}
