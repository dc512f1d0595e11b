//! A line that arrives in pieces: on the stack as long as it is short, else in a buffer that its thread keeps for the
//! next one.
//!
//! A signal handler may log, or fork a child that does, while the thread that it interrupts is in the middle of
//! changing that buffer, or in the middle of the allocator on its behalf. A flag of the thread says so. Who finds it
//! set does without both.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{Ordering::SeqCst, compiler_fence};

/// A line of up to so many bytes needs no buffer.
pub(crate) const SHORT: usize = 512;

/// A buffer that has grown beyond this is not kept for the next event: 64 KiB.
const KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// This thread is changing a buffer.
    static CHANGING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a signal handler that has interrupted a change of a buffer, or a child that such a handler has
/// forked.
#[inline]
pub(crate) fn is_changing() -> bool {
    CHANGING.get()
}

/// Changes a buffer, or says why not: what is being changed already must not be touched, nor may the allocator be
/// called.
fn change<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    if CHANGING.replace(true) {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    // A handler runs on this very thread, so that the compiler alone could put the change before the flag.
    compiler_fence(SeqCst);
    let done = work();
    compiler_fence(SeqCst);
    CHANGING.set(false);
    Ok(done)
}

/// Appends to a buffer, with room for a newline behind. One that has none yet is given that of this thread; while
/// another event of the thread, further out, has that, it is given a new one.
pub(crate) fn append(pieces: &mut Vec<u8>, piece: &[u8]) -> io::Result<()> {
    change(|| -> io::Result<()> {
        if pieces.capacity() == 0 {
            *pieces = BUFFER.try_with(Cell::take).unwrap_or_default();
        }
        pieces.try_reserve(piece.len() + 1).map_err(|_| io::ErrorKind::OutOfMemory)?;
        pieces.extend_from_slice(piece);
        Ok(())
    })?
}

/// Keeps a buffer for the next event of this thread.
pub(crate) fn keep(pieces: &mut Vec<u8>) {
    let kept = change(|| {
        let mut buffer = std::mem::take(pieces);
        buffer.clear();
        if buffer.capacity() <= KEPT {
            let _ = BUFFER.try_with(|kept| kept.replace(buffer));
        }
    });
    if kept.is_err() {
        // To free it would call the allocator.
        std::mem::forget(std::mem::take(pieces));
    }
}
