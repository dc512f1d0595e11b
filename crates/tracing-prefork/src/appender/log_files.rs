//! [`LogFiles`]: the handle of somebody who looks at log files and logs nothing.

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::report::Operation;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::ring::look::Ring;
use crate::time::clock::Moment;
use crate::upkeep::job::Job;
use crate::upkeep::occasion::Occasion;
use crate::write::log::Log;
use crate::{Error, LogFile, Period, Zone};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The files of a pattern in a directory, without an appender, from [`Builder::inspect`](crate::Builder::inspect).
///
/// The jobs are those of an [`Appender`](crate::Appender), under the same locks, so they can be done while others log.
/// The lock of a job is a hidden file beside the log files. Whoever does a job must be able to make that file.
///
/// [`to_prune`](Self::to_prune), [`to_compress`](Self::to_compress) and [`to_hand_over`](Self::to_hand_over) say what
/// the jobs would do now, and change nothing. Whoever may not read a file cannot tell whether it is open.
///
/// What the hidden records say is read once, by `inspect`. A program that looks for long inspects anew from time to
/// time.
#[derive(Clone)]
pub struct LogFiles {
    /// Without an open file.
    log: Arc<Log>,
    zone: Zone,
}

impl LogFiles {
    pub(crate) fn of(log: Arc<Log>, zone: Zone) -> Self {
        Self { log, zone }
    }

    /// The files and archives that are there, the oldest first.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read ([`Operation::List`](crate::Operation::List)).
    pub fn list(&self) -> Result<Vec<LogFile>, Error> {
        self.log.upkeep.files()
    }

    /// Removes the files that the limits do not keep, as [`Appender::prune`](crate::Appender::prune) does. Returns how
    /// many. Without a limit it does nothing.
    ///
    /// Where the processes that log hand files over ([`Builder::on_finished`](crate::Builder::on_finished)), a file
    /// stays until it was handed over. A record of hand-overs says so, a hidden file whose name ends in `.rollover`. If
    /// no program hands files over any more, remove that record.
    ///
    /// # Errors
    ///
    /// Those of [`Appender::prune`](crate::Appender::prune), and an error if the lock cannot be made.
    pub fn prune(&self) -> Result<usize, Error> {
        self.do_now(Job::Prune)
    }

    /// Compresses the finished files, as [`Appender::compress`](crate::Appender::compress) does. Returns how many.
    /// Without [`Builder::compress`](crate::Builder::compress) it does nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Appender::compress`](crate::Appender::compress), and an error if the lock cannot be made.
    pub fn compress(&self) -> Result<usize, Error> {
        self.do_now(Job::Compress)
    }

    /// Hands the finished files over to the hook of this [`Builder`](crate::Builder::on_finished), as
    /// [`Appender::hand_over`](crate::Appender::hand_over) does. Returns how many. Files that another process has
    /// handed over are not handed over again. Without a hook it does nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Appender::hand_over`](crate::Appender::hand_over), and an error if the lock or the record cannot be
    /// made.
    pub fn hand_over(&self) -> Result<usize, Error> {
        self.do_now(Job::HandOver)
    }

    /// The files that [`prune`](Self::prune) would remove now, in the order of their periods. A file that somebody has
    /// open is among them only if its period ended, and its last line was written, 24 hours ago or longer.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read ([`Operation::List`](crate::Operation::List)).
    pub fn to_prune(&self) -> Result<Vec<LogFile>, Error> {
        self.log.upkeep.files_for(Job::Prune)
    }

    /// The files that [`compress`](Self::compress) would compress now, the oldest first.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read ([`Operation::List`](crate::Operation::List)).
    pub fn to_compress(&self) -> Result<Vec<LogFile>, Error> {
        self.log.upkeep.files_for(Job::Compress)
    }

    /// The files that [`hand_over`](Self::hand_over) would hand over now, the oldest first.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read ([`Operation::List`](crate::Operation::List)).
    pub fn to_hand_over(&self) -> Result<Vec<LogFile>, Error> {
        self.log.upkeep.files_for(Job::HandOver)
    }

    /// The rings of the processes that log ([`Builder::buffered`](crate::Builder::buffered)), the oldest first, and
    /// what waits in them: those in use, those that killed processes have left, and those that were set aside. Linux
    /// and Android only.
    ///
    /// Rings elsewhere than beside the logs are found if this [`Builder`](crate::Builder) has their
    /// [`ring_directory`](crate::Buffering::ring_directory).
    ///
    /// # Errors
    ///
    /// If a directory or a ring cannot be read ([`Operation::Ring`]).
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// use std::io::Write;
    /// use tracing_prefork::{Appender, Buffering, RingState};
    ///
    /// let builder = || Appender::builder().filename_prefix("app.log");
    /// let logs = builder().buffered(Buffering::default()).build(directory.path())?;
    /// writeln!(&logs, "in a ring")?;
    /// for ring in builder().inspect(directory.path())?.rings()? {
    ///     println!("{}: {} lines, {}", ring.path.display(), ring.lines, ring.state);
    ///     assert_eq!((ring.process, ring.state), (Some(std::process::id()), RingState::InUse));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn rings(&self) -> Result<Vec<Ring>, Error> {
        let rings = self.log.upkeep.rings().look(&self.log.site.pattern);
        rings.map_err(|error| self.ring_error(error))
    }

    /// Writes the lines that killed processes have left in their rings, and removes these rings, as
    /// [`Appender::recover`](crate::Appender::recover) does. Returns how many lines that were. If there is no such
    /// ring, no file is made. Linux and Android only.
    ///
    /// The lines go to the log files of their times. If such a file is not there any more, it is made, and belongs to
    /// the user of this process.
    ///
    /// # Errors
    ///
    /// Those of [`Appender::recover`](crate::Appender::recover).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn recover(&self) -> Result<u64, Error> {
        let rings = self.log.upkeep.rings();
        let all = rings.all(&self.log.site.pattern).map_err(|error| self.ring_error(error))?;
        if all.is_empty() {
            return Ok(0);
        }
        // A file is opened with a lease, so that nobody compresses or removes it meanwhile.
        self.log.slots.built(true);
        // Without the cells, the piece at the end of a file tells what was being written.
        let _ = rings.cells.hold(self.log.site.creation());
        self.log.recover().map_err(|error| self.ring_error(error))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn ring_error(&self, error: std::io::Error) -> Error {
        self.log.site.reporter.error(Operation::Ring, self.directory(), error)
    }

    fn do_now(&self, job: Job) -> Result<usize, Error> {
        self.log.upkeep.do_now(job, Occasion::ByHand, |_| {})
    }

    /// The directory that was given to [`Builder::inspect`](crate::Builder::inspect), as an absolute path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.log.site.directory()
    }

    /// What the names look like, for people: `app.DATE.log`.
    #[must_use]
    pub fn pattern(&self) -> String {
        self.log.site.pattern.readable()
    }

    /// The time zone of the file names and of the boundaries.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The file of an event at `time`: its absolute path, as [`Appender::path_at`](crate::Appender::path_at).
    #[must_use]
    pub fn path_at(&self, time: SystemTime) -> PathBuf {
        self.log.site.path_at(Moment::from(time).secs, 0)
    }

    /// The period of `time`, as [`Appender::period_at`](crate::Appender::period_at).
    #[must_use]
    pub fn period_at(&self, time: SystemTime) -> Period {
        self.log.site.pattern.period_at(Moment::from(time).secs)
    }
}

impl fmt::Debug for LogFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFiles").field("directory", &self.directory()).field("pattern", &self.pattern()).finish()
    }
}
