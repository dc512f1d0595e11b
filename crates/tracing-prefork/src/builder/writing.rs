//! How lines get into the files: [`Builder::lock_writes`] and [`Builder::buffered`].

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::buffer::{buffer::Buffer, options::Buffering};
use crate::builder::options::Builder;
use crate::sink::Sink;
use crate::write::log::Log;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Whether and how events are buffered.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) type WantedBuffering = Option<Buffering>;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) type WantedBuffering = ();

/// Puts the ring before the engine, if there is to be one, and writes what dead processes have left in theirs.
pub(super) fn sink(log: Arc<Log>, buffering: WantedBuffering) -> io::Result<Sink> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // Failures are reported.
        let _ = log.recover();
        let buffer = buffering.map(|buffering| Buffer::before(log.clone(), buffering)).transpose()?;
        Ok(Sink::new(log, buffer))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let () = buffering;
        Ok(Sink::new(log))
    }
}

impl Builder {
    /// Takes a lock on the file around each write, so that a line is in the file whole or not at all. Use it for
    /// writers that may be killed at any moment, for programs that end while their threads log, and for network file
    /// systems, which do not append atomically by themselves (`open(2)`). The file system must pass locks on to its
    /// server: NFS does unless it is mounted with `nolock` or `local_lock`, FUSE only if its program does.
    ///
    /// Without the lock, a process that is killed inside `write(2)` can leave a piece of its line, and the next line of
    /// another process is glued to the piece. The kernel ends threads in the same way when `main` returns, or when
    /// another thread calls `exit` or `execve(2)`. Under the lock, each writer first looks how the file ends: a piece
    /// that somebody has left becomes a line of its own. If a write falls short, its piece is cut off again.
    ///
    /// All processes of a directory should use the lock, because it does not keep out those that do not. A writer that
    /// finds such a process cuts nothing off. The lock takes four more system calls an event.
    ///
    /// If another process holds the lock for a second, because it was stopped, that is reported. Then lines are written
    /// without the lock, and nobody waits for the lock until it has been free. Whoever may read the file can take the
    /// lock: see [`file_mode`](Self::file_mode).
    pub fn lock_writes(self, lock: bool) -> Self {
        Self { lock_writes: lock, ..self }
    }

    /// Events go into memory that outlives the process, and a thread writes them to the files. So an event takes some
    /// tens of nanoseconds, and does not wait for a busy disk. Linux and Android only.
    ///
    /// The memory is a ring: a hidden file beside the logs, of which each process has its own. When a call returns, its
    /// line is in the ring. From then on the line comes into the file of its second exactly once, whatever becomes of
    /// the process:
    ///
    /// | what happens | who writes the lines |
    /// |---|---|
    /// | nothing | the process, within [`max_delay`](Buffering::max_delay) |
    /// | the process exits, or the last handle is dropped | the process |
    /// | SIGKILL, `_exit`, `abort`, `exec` | the next process that builds or rolls over, or [`recover`][recover] |
    /// | the disk is full | the process, when there is room; a ring that is full as well refuses lines |
    /// | a power failure | nobody: the lines of up to `max_delay`, and what the kernel had not written yet, are lost |
    ///
    /// A forked child has a ring of its own from its first event on. A process that can have no ring or no thread
    /// writes directly, and reports that once ([`Operation::Ring`](crate::Operation::Ring)).
    ///
    /// Buffering writes under the write lock, as [`lock_writes`](Self::lock_writes) does. All processes should have it
    /// or none.
    ///
    /// Call [`flush`][flush] before a program reads its own logs. [`Buffering::flush_level`] flushes at each error.
    ///
    /// [recover]: crate::Appender::recover
    /// [flush]: crate::Appender::flush
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn buffered(self, buffering: Buffering) -> Self {
        Self { buffered: true, buffering, ..self }
    }

    pub(super) fn wanted_buffering(&self) -> WantedBuffering {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self.is_buffered().then(|| self.buffering.clone());
    }

    /// Where the rings are, if not beside the logs.
    pub(super) fn ring_directory(&self) -> Option<PathBuf> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self.buffering.ring_directory.clone();
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return None;
    }

    pub(super) fn is_buffered(&self) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self.buffered;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return false;
    }

    /// Whether each write is made under the write lock.
    pub(super) fn locks_writes(&self) -> bool {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return self.lock_writes || self.is_buffered();
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return self.lock_writes;
    }
}
