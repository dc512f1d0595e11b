//! Options for what becomes of files: how many are kept, and who gets the finished ones.

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
    /// Keeps this many files, the current one included, and removes the older ones, at build and after each rollover.
    ///
    /// A file may go if it is a regular file, and its whole name is one that this appender gives. The current file
    /// never goes. These files wait:
    ///
    /// * A file that a process still has open to write to goes a few seconds after the process has let go of it. If an
    ///   idle process holds the file, the file goes 24 hours after the end of its period and its last line.
    /// * A file of a later period goes when its time has come. If its period begins more than an hour in the future, a
    ///   clock was ahead: the file is reported, does not count for any limit, and goes 24 hours after its last line.
    ///
    /// If the disk has no room for a new file, the oldest file goes before the new one is made. It also goes if it
    /// waits for the hook ([`on_finished`](Self::on_finished)).
    pub fn max_log_files(self, n: usize) -> Self {
        Self { max_log_files: Some(n), ..self }
    }

    /// Removes files whose period ended, and whose last write was, longer than `age` ago, at build and after each
    /// rollover. The least age is a second.
    ///
    /// The time of the last write is what the file system says:
    ///
    /// * If it is before the year 2000, a machine wrote the file before its clock was set. The age begins when the file
    ///   is first found.
    /// * If it is more than an hour in the future, it is ignored: the age counts from the end of the period alone.
    /// * If it is less than an hour in the future, the age counts from it.
    ///
    /// The files that may go are the same as with [`max_log_files`](Self::max_log_files). If several limits are set, a
    /// file goes when one of them says so.
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

    /// Removes the oldest files until all files of the pattern together have at most this many bytes. It does so at
    /// build, after each rollover, and each minute in which something is logged.
    ///
    /// The files that may go are the same as with [`max_log_files`](Self::max_log_files). The current file never goes,
    /// so it alone may be larger than the limit.
    ///
    /// With [`max_file_bytes`](Self::max_file_bytes), room for the current file is reserved. Only files that are still
    /// open somewhere, and the overshoot described under `max_file_bytes`, can exceed the limit. `max_total_bytes` must
    /// not be below `max_file_bytes`.
    ///
    /// The finished files share the rest, which is `max_total_bytes` less `max_file_bytes`. The newest are kept, as
    /// many as fit. A full file is larger than `max_file_bytes` by the overshoot; under
    /// [`lock_writes`](Self::lock_writes) there is no overshoot. So:
    ///
    /// * Three times `max_file_bytes` keeps one full file beside the current one.
    /// * Twice `max_file_bytes` keeps none, or one under `lock_writes`.
    /// * `max_total_bytes` equal to `max_file_bytes` keeps the current file alone. That is enough where
    ///   [`on_finished`](Self::on_finished) takes the other files away: retention waits for it.
    pub fn max_total_bytes(self, n: u64) -> Self {
        Self { max_total_bytes: Some(n), ..self }
    }

    /// Begins another file when the current file has this many bytes, in addition to the rotation. The files of one
    /// period are numbered before the suffix: `app.2026-11-21.log`, `app.2026-11-21.1.log`, `app.2026-11-21.2.log`.
    ///
    /// With this option, a suffix must not begin or end with a number, and the prefix of
    /// [`Rotation::NEVER`](crate::Rotation::NEVER) must not end with a dot and a number. Numbered files that were there
    /// before and are in another order, as those of logrotate, are left alone
    /// ([`Operation::Names`](crate::Operation::Names)).
    ///
    /// A line is never split. A line that is longer than `n` is written whole.
    ///
    /// The size is that of the file, whoever has written to it. No process asks another. Each process looks at the size
    /// when it has written a 64th of `n` since its last look, but at least 16 KiB and at most 256 KiB. So a file can
    /// overshoot `n`: by at most that interval for each process, and by a 16th of the interval and a line for each
    /// thread. Under [`lock_writes`](Self::lock_writes) the limit is exact.
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

    /// When a disk or a quota is full, removes old files until the line in hand can be written, or a new file be made.
    /// The oldest goes first, and this many stay, the current one included. It also does so at build, and where inodes
    /// are missing. The value must not be above [`max_log_files`](Self::max_log_files).
    ///
    /// Without this option the line is lost. Then no file goes except those that
    /// [`max_log_files`](Self::max_log_files) gives up anyway.
    ///
    /// The files that may go are the same as with `max_log_files`. The thread that met the failure removes them, behind
    /// the lock that all processes of the pattern share.
    pub fn min_log_files(self, n: usize) -> Self {
        Self { min_log_files: Some(n), ..self }
    }

    /// Compresses finished files: `app.2026-11-21.log` becomes `app.2026-11-21.log.gz` or `.zst`, with the same
    /// permissions, owner and time of the last line. A file is finished when its period is over, or the period's next
    /// file has begun, and no process has the file open any more.
    ///
    /// One of the processes that share the directory compresses, after a rollover and after the first event of a
    /// process that has made its file. It does so in a thread that ends with the work, at the lowest priority for
    /// processors and disks that the system has. Nobody waits for it. A crash at any moment leaves the plain file or
    /// the whole archive.
    ///
    /// If an archive of another kind is there already, lines that belong to it go into it. A late line for a period
    /// that is compressed already makes a plain file again. That file soon becomes a further part of the archive;
    /// `zcat` shows both parts.
    ///
    /// The archive has the owner, the group and the mode of the plain file, as far as this process may set them. An
    /// archive that takes late lines keeps its owner and its group. It has the rights that both the archive and the
    /// file of the late lines give.
    ///
    /// [`max_log_files`](Self::max_log_files) counts a file and its archive as one, and removes archives of either
    /// kind. Compressing takes at most half of the room that is left on the disk. If it would take more, the file stays
    /// plain and a report says so. A file that a link leads to stays plain, except at
    /// [`close`](crate::Appender::close).
    ///
    /// All processes of a directory should use this option, or none: those that do not use it take archives for
    /// somebody else's files. The one file of [`Rotation::NEVER`](crate::Rotation::NEVER) is never finished; with
    /// [`max_file_bytes`](Self::max_file_bytes) all but the last of its files are. `close` finishes that one, too.
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

    /// With [`compress`](Self::compress): the `n` newest finished files stay plain, for `tail`, `grep` and `less`. What
    /// logrotate calls `delaycompress` is 1. The current file is not counted, as it is not finished, unless
    /// [`close`](crate::Appender::close) finishes it.
    ///
    /// The hook of [`on_finished`](Self::on_finished) gets these files plain, as soon as they are finished. It is not
    /// called for the archives that are made of them later, unless late lines have come meanwhile.
    ///
    /// ```
    /// let builder = tracing_prefork::Appender::builder().keep_uncompressed(2);
    /// # let _ = builder;
    /// ```
    pub fn keep_uncompressed(self, n: usize) -> Self {
        Self { keep_uncompressed: n, ..self }
    }

    /// Whether compressing runs at the lowest priority: nice 19, SCHED_IDLE and the I/O class IDLE. With `false` it
    /// runs at the priority of the program.
    ///
    /// The default is `true`, unless a seccomp filter is on (`Seccomp: 2` in `/proc/self/status`). The reason: some
    /// filters, such as systemd's `SystemCallFilter=~@resources`, kill a process that sets a priority. Containers have
    /// filters, too, and most of those allow it. There, give `true` to say that it is allowed.
    ///
    /// ```
    /// let builder = tracing_prefork::Appender::builder().background_priority(false);
    /// # let _ = builder;
    /// ```
    pub fn background_priority(self, lowest: bool) -> Self {
        Self { priority: if lowest { Priority::Lowest } else { Priority::Usual }, ..self }
    }

    /// Sets the hook: a function that is called with each finished file, to upload it elsewhere, for example. A file is
    /// finished when its period is over, or the file is full, and no process has the file open any more. With
    /// [`compress`](Self::compress) the hook gets the archive.
    ///
    /// Files are handed over by one of the processes that share the directory, in a thread beside the events, one after
    /// the other, the oldest first. The first hand-over includes all finished files that are there.
    ///
    /// The hook succeeds once for each file. It is called again for the same file in three cases:
    ///
    /// * A file that late lines have changed is handed over again. A change is told by the file's size and the time of
    ///   its last change. So after `touch`, or after a copy of all files without their times (`cp` without `-p`), all
    ///   are handed over again.
    /// * The process ended or was killed before it had noted the success.
    /// * If the hook panics, it has failed, which is reported
    ///   ([`Operation::OnFinished`](crate::Operation::OnFinished)). The next events call it again for the file: first
    ///   after 7 seconds and then ever more rarely, but at least once an hour. Without events only
    ///   [`hand_over`](crate::Appender::hand_over) and [`close`](crate::Appender::close) call it.
    ///   [`try_on_finished`](Self::try_on_finished) can fail without a panic.
    ///
    /// A file that an idle process still has open is handed over when it has rested: a day after the end of its period
    /// and its last line. With `compress` the hook gets such a file plain. The one file of
    /// [`Rotation::NEVER`](crate::Rotation::NEVER) without [`max_file_bytes`](Self::max_file_bytes) is never finished.
    ///
    /// Retention waits for the hook. 24 hours after the end of its period and its last write, a file may be deleted all
    /// the same, if the hook has failed on it, has not come back from a file for a day, or could not be called for a
    /// day. This is reported.
    /// ([`min_log_files`](Self::min_log_files), on a full disk, does not wait for the hook.) So all processes of a
    /// directory should have a hook, or none.
    ///
    /// The hook may log, start programs, take its time, and change, move or remove the file. It may call the appender,
    /// except [`hand_over`](crate::Appender::hand_over) and [`close`](crate::Appender::close), which are errors there.
    /// A process that ends does not wait for its hook.
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
    ///     .try_on_finished(move |finished, _period| {
    ///         let name = finished.file_name().ok_or("a file without a name")?;
    ///         std::fs::copy(finished, bucket.join(name))?;
    ///         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    ///     })
    ///     .build(directory.path())?;
    /// # logs.hand_over()?;
    /// # assert!(elsewhere.path().join("app.2001-09-09.log").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_finished(self, hook: impl Fn(&Path, Period) + Send + Sync + 'static) -> Self {
        self.try_on_finished(move |finished, period| {
            hook(finished, period);
            Ok::<(), Infallible>(())
        })
    }

    /// The same as [`on_finished`](Self::on_finished), for a hook that can fail. After a failure the next events call
    /// the hook again for the file.
    pub fn try_on_finished<E>(self, hook: impl Fn(&Path, Period) -> Result<(), E> + Send + Sync + 'static) -> Self
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let hook = Hook::new(move |finished, period| hook(finished, period).map_err(Into::into));
        Self { hook: Some(hook), ..self }
    }
}
