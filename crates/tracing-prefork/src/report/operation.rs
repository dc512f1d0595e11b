//! [`Operation`]: what an appender was doing when it failed, and what its report says.

use std::fmt;
#[cfg(doc)]
use std::io;

/// What an appender was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Writing a line. The line is lost. Code that writes to an appender got the error, too.
    Write,
    /// Opening the file of a new period. No line is lost: lines go on into the file before it.
    Rollover,
    /// Finding the open file where it was. There are two cases:
    ///
    /// * Somebody has renamed, removed or replaced the file. The error is [`io::ErrorKind::NotFound`] if nothing had
    ///   the file's name, else [`io::ErrorKind::AlreadyExists`]. A new file was opened under the name. Lines of up to a
    ///   second before are in the other file.
    /// * The program has closed the appender's descriptor (`EBADF`). The file was opened again.
    Reopen,
    /// Taking the write lock ([`Builder::lock_writes`](crate::Builder::lock_writes)) within a second. The error is
    /// [`io::ErrorKind::TimedOut`], unless the kernel refuses the lock. Lines are written without the lock until it is
    /// free.
    Lock,
    /// Taking the lock that tells other processes that the file is in use. The kernel refuses it (ENOLCK, for example).
    /// The appender asks again each second. Until it has the lock, another process may prune the file while lines are
    /// written; if so, lines go on into a new file.
    Lease,
    /// Removing old files. They stay until the next time.
    Retention,
    /// Renewing the link to the latest file. The link stays as it was.
    Link,
    /// Compressing a finished file. The file stays plain until the next time.
    Compression,
    /// Handing a finished file over to [`on_finished`](crate::Builder::on_finished). The hook has failed or panicked,
    /// or could not be called. The next events call it again for the file, at first after 7 seconds. Without events
    /// only [`hand_over`](crate::Appender::hand_over) and [`close`](crate::Appender::close) call it.
    OnFinished,
    /// Bringing lines onto the disk by [`Appender::sync`](crate::Appender::sync). The lines are in the file, but a
    /// power failure may take them.
    Sync,
    /// Letting go of the open files by [`Appender::release`](crate::Appender::release) or
    /// [`close`](crate::Appender::close). The files stay open, and logging goes on.
    Release,
    /// Listing the files for [`Appender::files`](crate::Appender::files).
    List,
    /// Running the program's own code, which has panicked. After a panic of [`header`](crate::Builder::header) the file
    /// begins without its first line. After a panic of [`clock`](crate::Builder::clock) the event has the system's
    /// time. (A panic of [`on_error`](crate::Builder::on_error) is written to standard error, with the failure that
    /// `on_error` was told of.)
    UserCode,
    /// Telling the appender's files from those of others. There are three cases:
    ///
    /// * Files that were there when the appender was built, and that do not fit, are left alone for ever.
    /// * Files that another program at work could have made, too, because only the rotation or the zone differs, are
    ///   left alone until that program ends.
    /// * The hidden record of names could not be written.
    Names,
    /// Comparing this process's options with those of other processes at work on the same files. Two options differ, or
    /// nobody could compare them. The text names each such option with both values, and what follows from that.
    /// Logging goes on with the options that each process has.
    ///
    /// A process is told once of each set of other options: when it builds, opens a file, or does a job. It is told of
    /// no process that has ended.
    Settings,
    /// Relying on the directory's file system, found at build: the directory is on a network file system (NFS, SMB, 9p,
    /// Ceph), or on one that a program or a host serves (FUSE, virtiofs). Such a file system may not append atomically
    /// (`open(2)`), so lines of several machines, or of several mounts, can be torn. Use
    /// [`lock_writes`](crate::Builder::lock_writes), which is not told of this, or a local directory.
    FileSystem,
    /// Making a ring ([`Builder::buffered`](crate::Builder::buffered)), writing its lines to their files, or reading
    /// the ring of a process that has ended. The text says what follows: events go straight to the file, lines wait in
    /// the ring, or a ring was set aside as `.ring.bad`.
    Ring,
    /// Reaching the receiver of a `SocketWriter` (feature `socket`). Nobody listens, the receiver does not keep up, or
    /// it belongs to a user who was not expected. Lines wait in memory, or go to the files of the fallback. If neither
    /// has room, they are refused and counted.
    Socket,
}

impl Operation {
    /// A short name for metrics and filters, such as `"write"` or `"user_code"`: the name of the variant in snake case.
    ///
    /// ```
    /// assert_eq!(tracing_prefork::Operation::UserCode.as_str(), "user_code");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Rollover => "rollover",
            Self::Reopen => "reopen",
            Self::Lock => "lock",
            Self::Lease => "lease",
            Self::Retention => "retention",
            Self::Link => "link",
            Self::Compression => "compression",
            Self::OnFinished => "on_finished",
            Self::Sync => "sync",
            Self::Release => "release",
            Self::List => "list",
            Self::UserCode => "user_code",
            Self::Names => "names",
            Self::Settings => "settings",
            Self::FileSystem => "file_system",
            Self::Ring => "ring",
            Self::Socket => "socket",
        }
    }

    /// The number of variants: one more than the index of the last one.
    pub(super) const COUNT: usize = Self::Socket as usize + 1;

    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// The text of a report before the path, and behind the error: what failed, and what happens next.
    pub(super) fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Self::Write => ("cannot write to", "the line is lost; the next line is tried as usual"),
            Self::Rollover => {
                ("cannot open", "lines go on into the file before it; the next try follows within seconds")
            }
            Self::Reopen => (
                "had to reopen",
                "somebody has renamed, removed or replaced the file, and lines go into a new one of its name; or the \
                 program has closed its descriptor, and it is opened again",
            ),
            Self::Lease => (
                "cannot hold a lock on",
                "another process may take the file for unused, and prune it; the next try follows within a second",
            ),
            Self::Lock => ("cannot lock", "lines are written without the lock until it can be had again"),
            Self::Retention => {
                ("cannot prune", "the file stays; the next try follows at the next rollover, or by the next process")
            }
            Self::Link => ("cannot renew", "the link stays as it was; the next try follows at the next rollover"),
            Self::Compression => (
                "cannot compress",
                "the file stays plain; the next try follows at the next rollover, or by the next process",
            ),
            Self::OnFinished => (
                "cannot hand over",
                "files wait for on_finished; the next events call it again, after some seconds and then at least once \
                 an hour; without events only hand_over or close calls it",
            ),
            Self::Sync => ("cannot sync", "the lines are in the file, but a power failure may take them"),
            Self::Release => ("cannot let go of", "the file stays open, and logging goes on"),
            Self::List => ("cannot list the files of", "logging goes on"),
            Self::Names => {
                ("cannot claim", "files that are not surely the appender's are left alone, and logging goes on")
            }
            Self::Settings => (
                "cannot agree with the other processes on the options in",
                "logging goes on; give all processes that write these files the same options",
            ),
            Self::FileSystem => (
                "cannot rely on the file system of",
                "logging goes on; use lock_writes, if the file system passes locks on, or a local directory",
            ),
            Self::Ring => ("cannot use the ring", "nothing that was acknowledged is lost"),
            Self::Socket => (
                "cannot hand lines to the receiver at",
                "lines wait in memory, or go to the files of the fallback; the next try follows within a second",
            ),
            Self::UserCode => (
                "cannot use the program's own code for",
                "no line is lost: a file begins without its first line, an event has the system's time",
            ),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
