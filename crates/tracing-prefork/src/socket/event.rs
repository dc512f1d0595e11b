//! [`SocketEvent`]: one event, one line for the receiver.

use crate::event::writer::write_formatted;
use crate::process::pieces;
use crate::socket::engine::Engine;
use crate::time::clock::Moment;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// The writer of one event, from [`MakeWriter::make_writer`](tracing_subscriber::fmt::MakeWriter::make_writer) of a
/// [`SocketWriter`](crate::SocketWriter).
///
/// A `write_all` that ends in a newline is a line. Pieces are put together, and are one line when the writer is flushed
/// or dropped. A child that is forked meanwhile does not have the pieces: they belong to the parent.
///
/// # Errors
///
/// [`TimedOut`](io::ErrorKind::TimedOut) if the receiver did not take lines for [`patience`], and the files of the
/// [`fallback`] did not either. The line is lost then, and counted. A failure on drop goes to
/// [`on_error`](crate::SocketBuilder::on_error) alone.
///
/// [`patience`]: crate::SocketBuilder::patience
/// [`fallback`]: crate::SocketBuilder::fallback
pub struct SocketEvent<'a> {
    engine: &'a Arc<Engine>,
    pieces: Vec<u8>,
    /// When the first piece came, and the process that it came to.
    began: Option<(Moment, u64)>,
    /// The event could not be put together. Nothing of it is sent.
    refused: bool,
}

impl<'a> SocketEvent<'a> {
    pub(super) fn of(engine: &'a Arc<Engine>) -> Self {
        Self { engine, pieces: Vec::new(), began: None, refused: false }
    }

    fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        let process = self.engine.process.number();
        let (_, owner) = *self.began.get_or_insert_with(|| (self.engine.times.clock.moment(), process));
        if piece.is_empty() || owner != process || self.refused {
            return Ok(());
        }
        pieces::append(&mut self.pieces, piece).map_err(|error| {
            self.refused = true;
            self.engine.refuse(self.pieces.len() + piece.len(), error)
        })
    }
}

impl Write for SocketEvent<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf)?;
        Ok(buf.len())
    }

    #[inline]
    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        if self.began.is_none() && buf.ends_with(b"\n") {
            return self.engine.put_event(buf, None);
        }
        self.add(buf)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        // A `Display` may fork. The event belongs to the process that begins to format it.
        self.add(b"")?;
        write_formatted(arguments, |piece| self.add(piece))
    }

    /// Ends the event: its pieces are one line.
    fn flush(&mut self) -> io::Result<()> {
        let Some((began, owner)) = self.began.take() else { return Ok(()) };
        let is_ours = owner == self.engine.process.number() && !std::mem::take(&mut self.refused);
        let put = if is_ours { self.engine.put_event(&self.pieces, Some(began)) } else { Ok(()) };
        self.pieces.clear();
        put
    }
}

impl Drop for SocketEvent<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.began.is_some() {
            // A failure is counted and reported already.
            let _ = self.flush();
        }
        if self.pieces.capacity() > 0 {
            pieces::keep(&mut self.pieces);
        }
    }
}

impl fmt::Debug for SocketEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketEvent").field("pieces", &self.pieces.len()).finish_non_exhaustive()
    }
}
