//! The ends of a ring: the last handle is dropped, the process exits, or the program asks for it.

use crate::buffer::buffer::Buffer;
use crate::buffer::explained;
use crate::buffer::live::Live;
use crate::report::Operation;
use crate::sys::{self, PATIENCE};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::{Arc, Mutex, TryLockError, Weak};

/// The buffered appenders of this process. In a child that is forked while the list is locked, nothing is flushed at
/// exit: the next process writes the child's lines.
static BUFFERS: Mutex<Vec<Weak<Buffer>>> = Mutex::new(Vec::new());

fn with_buffers<T>(work: impl FnOnce(&mut Vec<Weak<Buffer>>) -> T) -> Option<T> {
    let lock = || match BUFFERS.try_lock() {
        Ok(buffers) => Some(buffers),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    sys::wait(PATIENCE, lock).map(|mut buffers| work(&mut buffers))
}

/// Has the lines of the ring written when the process exits (`atexit(3)`).
pub(super) fn flush_at_exit(buffer: &Arc<Buffer>) {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    extern "C" fn at_exit() {
        for buffer in with_buffers(std::mem::take).into_iter().flatten() {
            let _ = buffer.upgrade().map(|buffer| buffer.end_ring(true));
        }
    }
    if !REGISTERED.swap(true, AcqRel) {
        sys::at_exit(at_exit);
    }
    let new = Arc::downgrade(buffer);
    with_buffers(|buffers| {
        buffers.retain(|buffer| buffer.strong_count() > 0);
        buffers.push(new);
    });
}

impl Buffer {
    /// Writes all lines that are in the ring.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.live().map_or(Ok(()), |live| self.drain(live))
    }

    /// Somebody has removed or renamed the file of the ring. If this process were killed, nobody would find the lines:
    /// so they are written now, and the next event makes another ring.
    pub(super) fn leave_nameless(&self, live: &Live) {
        let text = "somebody has removed or renamed the ring of this process while it was in use: its lines are being \
                    written, and the next event makes another ring; leave hidden files to the processes that log";
        self.log.site.report(Operation::Ring, &live.path, io::Error::new(io::ErrorKind::NotFound, text));
        // If that fails, the flusher tries again.
        let _ = self.end_ring(false);
    }

    /// Writes all lines that are in the ring, at an end. If they cannot be written, that is reported.
    pub(crate) fn flush_at_end(&self) {
        if let Err(error) = self.flush() {
            self.report_left(error);
        }
    }

    fn report_left(&self, error: io::Error) {
        let path = self.live().map_or(self.log.site.directory(), |live| &live.path);
        let error = explained(error, "the lines stay in the ring, and the next process writes them");
        self.log.site.report(Operation::Ring, path, error);
    }

    /// Writes all lines of the ring and removes the ring. `for_good`: this process makes no other one. If the lines
    /// cannot be written, the ring stays for the next process.
    pub(crate) fn end_ring(&self, for_good: bool) -> io::Result<()> {
        let Some(_turn) = sys::wait(PATIENCE, || self.try_making()) else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        let Some(live) = self.live() else {
            self.forget_ring(for_good);
            return Ok(());
        };
        // 1. Most lines, while others may still come.
        let mut ended = self.drain(live);
        // 2. No line comes any more. A thread whose line is refused waits until those before it are in the file.
        if ended.is_ok() && live.end() {
            ended = self.drain(live);
            self.forget_ring(for_good);
            if ended.is_ok() && !live.has_lines() {
                live.remove();
            }
        }
        live.bell.wake();
        ended
    }

    /// The last handle is being dropped. The flusher may still use this buffer, so this is no `Drop` of its own.
    pub(crate) fn end_with_last_handle(&self) {
        if self.live().is_none() {
            return;
        }
        if let Err(error) = self.end_ring(true) {
            self.report_left(error);
        }
    }
}
