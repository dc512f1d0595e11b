//! A line that arrives in pieces. A short line is on the stack. A longer one is in a buffer, which the thread keeps for
//! its next line.
//!
//! A signal handler may interrupt a thread that is changing the buffer, or that is in the allocator for the buffer's
//! sake. The handler may log, or fork a child that logs. A flag of the thread says that a change is under way. A
//! handler or child that finds the flag set uses neither the buffer nor the allocator.

use std::cell::Cell;
use std::collections::TryReserveError;
use std::io;
use std::sync::atomic::{Ordering::SeqCst, compiler_fence};

/// A line of up to this many bytes needs no buffer.
pub(crate) const SHORT: usize = 512;

/// A buffer that has grown beyond 64 KiB is not kept for the next event.
const KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Whether this thread is changing a buffer.
    static CHANGING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a change of a buffer was interrupted: this is a signal handler, or a child that such a handler has forked.
#[inline]
pub(crate) fn is_changing() -> bool {
    CHANGING.get()
}

/// Changes a buffer. An error if a change was interrupted: then neither the buffer nor the allocator may be touched.
fn change<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    if CHANGING.replace(true) {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    // A handler runs on this very thread. So only the compiler could move the change before the flag.
    compiler_fence(SeqCst);
    let done = work();
    compiler_fence(SeqCst);
    CHANGING.set(false);
    Ok(done)
}

/// Appends to `pieces`, and leaves room for a newline. Pieces without a buffer get the one that this thread keeps. If
/// an outer event of the thread has that buffer, they get a new one.
pub(crate) fn append(pieces: &mut Vec<u8>, piece: &[u8]) -> io::Result<()> {
    // There is room: the allocator is not called, and nothing is changed that a signal handler could use.
    if pieces.capacity() - pieces.len() > piece.len() {
        pieces.extend_from_slice(piece);
        return Ok(());
    }
    change(|| -> io::Result<()> {
        if pieces.capacity() == 0 {
            *pieces = BUFFER.try_with(Cell::take).unwrap_or_default();
        }
        grow(pieces, piece.len() + 1).map_err(|_| io::ErrorKind::OutOfMemory)?;
        pieces.extend_from_slice(piece);
        Ok(())
    })?
}

/// Makes room for `more` bytes. A buffer whose text is not too long to be kept does not become too large to be kept.
fn grow(pieces: &mut Vec<u8>, more: usize) -> Result<(), TryReserveError> {
    let needed = pieces.len() + more;
    if needed <= pieces.capacity() {
        return Ok(());
    }
    if needed > KEPT {
        return pieces.try_reserve(more);
    }
    let wanted = needed.max((2 * pieces.capacity()).min(KEPT));
    pieces.try_reserve_exact(wanted - pieces.len())
}

/// Keeps the buffer for the next event of this thread.
pub(crate) fn keep(pieces: &mut Vec<u8>) {
    let kept = change(|| {
        let mut buffer = std::mem::take(pieces);
        buffer.clear();
        if buffer.capacity() <= KEPT {
            let _ = BUFFER.try_with(|kept| kept.replace(buffer));
        }
    });
    if kept.is_err() {
        // To free the buffer would call the allocator.
        std::mem::forget(std::mem::take(pieces));
    }
}
