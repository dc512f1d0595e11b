//! What a program may ask an [`Appender`] for, although the appender does it by itself.

use crate::upkeep::job::Job;
use crate::{Appender, Error, LogFile, Stats};

impl Appender {
    /// Removes the files that [`max_log_files`](crate::Builder::max_log_files), [`max_age`](crate::Builder::max_age)
    /// and [`max_total_bytes`](crate::Builder::max_total_bytes) do not keep. Returns how many. The appender prunes by
    /// itself at build and after each rollover; this method is for an administrator's command. Files that a process
    /// still has open stay and are not counted. `prune` does not [`compress`](Self::compress).
    ///
    /// # Errors
    ///
    /// * The directory cannot be read, or a file cannot be removed.
    /// * Another process or thread has been pruning for five seconds: [`TimedOut`](std::io::ErrorKind::TimedOut).
    /// * A function given to the [`Builder`](crate::Builder), such as `clock`, calls `prune` on the thread that prunes.
    ///   It is refused at once: [`Deadlock`](std::io::ErrorKind::Deadlock).
    pub fn prune(&self) -> Result<usize, Error> {
        self.log.do_now(Job::Prune)
    }

    /// The files of the appender's pattern that are there, the oldest first. This is for a page that shows them, and
    /// for tests.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read ([`Operation::List`](crate::Operation::List)).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// for file in logs.files()? {
    ///     println!("{} {} bytes{}", file.path.display(), file.bytes, if file.open { ", open" } else { "" });
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn files(&self) -> Result<Vec<LogFile>, Error> {
        self.log.upkeep.files()
    }

    /// Compresses the finished files, as [`Builder::compress`](crate::Builder::compress) describes. Returns how many.
    /// The appender compresses by itself, beside the events; this method is for a program that ends too soon for that,
    /// and for an administrator's command.
    ///
    /// It runs at the lowest priority, which can take long on a busy machine. Do not call it where a supervisor waits
    /// for the end of the process. This process lets go of its own files of ended periods. Files that another process
    /// still has open stay plain and are not counted.
    ///
    /// # Errors
    ///
    /// * The directory cannot be read, or a file cannot be compressed. The other files are compressed all the same.
    /// * Another process or thread has been compressing for five seconds: [`TimedOut`](std::io::ErrorKind::TimedOut).
    /// * [`Deadlock`](std::io::ErrorKind::Deadlock), as for [`prune`](Self::prune).
    pub fn compress(&self) -> Result<usize, Error> {
        self.log.do_now(Job::Compress)
    }

    /// Hands the finished files over to [`on_finished`](crate::Builder::on_finished). Returns how many. The appender
    /// hands over by itself, beside the events; this method is for a program that ends too soon for that, and for an
    /// administrator's command.
    ///
    /// This process lets go of its own files of ended periods. Files that another process still has open are not handed
    /// over and not counted. With [`Builder::compress`](crate::Builder::compress) only archives are handed over: call
    /// [`compress`](Self::compress) first.
    ///
    /// # Errors
    ///
    /// * The directory or the record of hand-overs cannot be read, or the hook fails. The hook is called for the other
    ///   files all the same.
    /// * Another process or thread has been handing over for five seconds: [`TimedOut`](std::io::ErrorKind::TimedOut).
    /// * The hook calls `hand_over`. It is refused at once: [`Deadlock`](std::io::ErrorKind::Deadlock).
    pub fn hand_over(&self) -> Result<usize, Error> {
        self.log.do_now(Job::HandOver)
    }

    /// Looks at once whether the path of the current file still leads to the open file. If not, opens the file anew.
    /// Also renews the links. If no file of the current period is open, opens that file. The appender looks by itself
    /// at the first event of each second; this method is for a program that is told of a change, as a rule by SIGHUP.
    ///
    /// `reopen` may be called on any thread, while others log. Do not call it in a signal handler: have a thread wait
    /// for the signal, as `signal-hook` and `tokio::signal` do.
    ///
    /// # Errors
    ///
    /// * The file cannot be opened. Lines go on into the open file, and the next try follows by itself.
    /// * Another thread has been opening a file, or writing to the file before, for a second:
    ///   [`TimedOut`](std::io::ErrorKind::TimedOut).
    /// * [`header`](crate::Builder::header) or [`on_error`](crate::Builder::on_error) calls `reopen` while its own
    ///   thread opens a file. It is refused at once: [`Deadlock`](std::io::ErrorKind::Deadlock).
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

    /// Returns when each event before is in its file. Without [`buffered`](crate::Builder::buffered) that is so anyway,
    /// and `flush` does nothing. The piece of a line that was given to the [`Write`](std::io::Write) of a handle stays
    /// there.
    ///
    /// # Errors
    ///
    /// The lines cannot be written, because the disk is full, for example. Or another thread is writing them, and has
    /// come no further for ten seconds ([`TimedOut`](std::io::ErrorKind::TimedOut)). The lines stay in the ring, and
    /// come into the file by themselves.
    ///
    /// ```
    /// # use std::io::Write;
    /// use tracing_prefork::{Appender, Buffering};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let builder = Appender::builder().filename_prefix("app.log").buffered(Buffering::default());
    /// let logs = builder.build(directory.path())?;
    /// writeln!(&logs, "in memory")?;
    /// logs.flush()?;
    /// assert_eq!(std::fs::read_to_string(logs.path())?, "in memory\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flush(&self) -> Result<(), Error> {
        self.log.flush()
    }

    /// Writes the lines that killed processes have left in their rings ([`buffered`](crate::Builder::buffered)), and
    /// removes these rings. Returns how many lines that were. An appender does so by itself at build and after each
    /// rollover; this method is for a supervisor whose last worker was killed.
    ///
    /// # Errors
    ///
    /// A ring cannot be read, belongs to another user, or cannot be relied on, or its lines cannot be written. The
    /// other rings are recovered all the same. A ring that cannot be relied on is called `.ring.bad` from then on.
    pub fn recover(&self) -> Result<u64, Error> {
        self.log.recover()
    }

    /// Returns when the lines of the open files are on the disk: those of the current file, and those of the file
    /// before it, which stays open for some seconds. It calls `fdatasync(2)` on each of these files, and `fsync(2)` on
    /// its directory, because a new file's name is on the disk only when its directory is. On a busy disk this takes
    /// tenths of a second. Events of other threads go on meanwhile.
    ///
    /// Without `sync`, a line is in the kernel's page cache when its write returns. The line survives the end of the
    /// process, but not a power failure.
    ///
    /// # Errors
    ///
    /// If the kernel cannot write a file to the disk. The lines are in the file, but a power failure may take them.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "audit.log");
    /// // Log the payment, and then:
    /// logs.sync()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sync(&self) -> Result<(), Error> {
        self.log.sync()
    }

    /// Lets go of the log files: closes the files that this process has open. The next event opens its file. Without an
    /// event, the process does not keep the files from being compressed, handed over and removed by others. This is for
    /// a parent that has logged, and only waits for its children from now on.
    ///
    /// In a forked child, `release` also closes the files that the child has inherited from its parent.
    ///
    /// A process that has given up its rights since, or its root directory, may be unable to open a file again. The
    /// hidden files stay open, so the file system cannot be unmounted (`umount(2)`, EBUSY). For that, drop all handles
    /// of the appender.
    ///
    /// # Errors
    ///
    /// * Threads have been writing, or another one has been opening a file, for a second
    ///   ([`TimedOut`](std::io::ErrorKind::TimedOut)). That file stays open.
    /// * [`header`](crate::Builder::header) or [`on_error`](crate::Builder::on_error) calls `release` while its own
    ///   thread opens a file. It is refused at once: [`Deadlock`](std::io::ErrorKind::Deadlock).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # use std::io::Write;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// writeln!(&logs, "the workers are started")?;
    /// logs.release()?;
    /// assert!(logs.files()?.iter().all(|file| !file.open));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self) -> Result<(), Error> {
        self.log.release()
    }

    /// Ends logging: [releases](Self::release) the files, and finishes the current file if nobody else has it open: no
    /// other process, and no other appender of this process. The finished files are
    /// [compressed](crate::Builder::compress), except those of
    /// [`keep_uncompressed`](crate::Builder::keep_uncompressed), and handed over to
    /// [`on_finished`](crate::Builder::on_finished). This is for the last file of a container, or of a machine, that
    /// ends for good. With neither of the two options, `close` is `release`.
    ///
    /// Call `close` in each process, when its threads have logged their last event. Drop the guards of
    /// `tracing_appender::non_blocking` and the `BufWriter`s before: what they still hold would be lines after `close`.
    /// Whichever process is the last one finishes the file. A forked child that has not ended has its parent's files
    /// open, until its own first event or `release`.
    ///
    /// An event after `close`, or a process that is started in the same period, writes late lines. Where files are
    /// compressed, it opens a new file of that name. When the period is over, or at the next `close`, the lines become
    /// a further part of the archive. For that the archive is read and copied: with an archive of 300 MB this takes
    /// seconds. Without `compress` the same file goes on. The file or the archive is handed over again.
    ///
    /// A [link](crate::Builder::latest_symlink) to a file that `close` compresses is removed. Whoever logs next makes
    /// the link again. The one file of [`Rotation::NEVER`](crate::Rotation::NEVER) is finished, too.
    ///
    /// `close` removes no old files. Call [`prune`](Self::prune) after it if the limits are to hold at once. Otherwise
    /// the process that is started next prunes.
    ///
    /// `close` compresses at the priority of its thread, unlike [`compress`](Self::compress). It waits about five
    /// seconds for each job that another process does, and without a bound for a job that another thread of its own
    /// process does. So a hook must not wait for the thread that closes. If the process is killed meanwhile, no line is
    /// lost, and the next process goes on with the work.
    ///
    /// # Errors
    ///
    /// Those of [`release`](Self::release), [`compress`](Self::compress) and [`hand_over`](Self::hand_over). What has
    /// failed is done by the next process that does the job.
    ///
    #[cfg_attr(feature = "gzip", doc = "```")]
    #[cfg_attr(not(feature = "gzip"), doc = "```ignore")]
    /// # let directory = tempfile::tempdir()?;
    /// # use std::io::Write;
    /// use tracing_prefork::{Appender, Compression, Rotation};
    ///
    /// let logs = Appender::builder()
    ///     .rotation(Rotation::DAILY)
    ///     .filename_prefix("app")
    ///     .filename_suffix("log")
    ///     .compress(Compression::Gzip)
    ///     .build(directory.path())?;
    /// writeln!(&logs, "the last line")?;
    /// // At SIGTERM, when all threads have ended:
    /// logs.close()?;
    /// assert!(logs.files()?.iter().all(|file| file.compressed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) -> Result<(), Error> {
        self.log.close()
    }

    /// The counters of this process: what it has written, lost and removed. A forked child starts at zero.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.log.stats()
    }
}
