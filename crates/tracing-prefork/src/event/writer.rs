//! [`EventWriter`]: one event, one write.

use crate::event;
use crate::process::pieces::{self, SHORT};
use crate::sink::Sink;
use std::fmt;
use std::io::{self, Write};

/// The writer of one event, from [`MakeWriter::make_writer`](tracing_subscriber::fmt::MakeWriter::make_writer).
///
/// A `write_all` that ends in a newline goes straight to the file, as one `write(2)`. Pieces are put together, and
/// written as one when the writer is flushed or dropped, with a final newline if they lack it. A writer that is leaked
/// ([`std::mem::forget`]) loses its pieces, and nothing counts or reports them.
///
/// # Errors
///
/// What the system answered, when the line could not be written whole; it is lost then, and counted in
/// [`Stats::lines_lost`](crate::Stats::lines_lost). A failure on drop has no caller to be returned to and goes to
/// [`Builder::on_error`](crate::Builder::on_error) alone.
///
/// ```
/// use std::io::Write;
/// use tracing_subscriber::fmt::MakeWriter;
///
/// # let directory = tempfile::tempdir()?;
/// let logs = tracing_prefork::rolling::never(directory.path(), "app.log");
/// let mut event = logs.make_writer();
/// event.write_all(b"in pieces, ")?;
/// event.write_all(b"yet whole")?;
/// drop(event);
/// assert_eq!(std::fs::read_to_string(logs.path())?, "in pieces, yet whole\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct EventWriter<'a> {
    sink: &'a Sink,
    /// The line is in its file when the event ends.
    urgent: bool,
    pieces: Vec<u8>,
    /// When the first piece came, in seconds since 1970.
    began: i64,
    /// The process that the first piece came to. An event that was begun before a fork belongs to the parent, which
    /// writes it.
    owner: u64,
}

/// [`EventWriter::owner`] before the first piece.
const NOBODY: u64 = 0;
/// [`EventWriter::owner`] of an event that could not be put together. Nothing of the event is written.
const REFUSED: u64 = u64::MAX;

impl<'a> EventWriter<'a> {
    #[inline]
    pub(crate) fn of(sink: &'a Sink, urgent: bool) -> Self {
        Self { sink, urgent, pieces: Vec::new(), began: 0, owner: NOBODY }
    }
}

impl EventWriter<'_> {
    /// Notes the first piece of an event. `false`: this process writes nothing of the event.
    fn begin(&mut self) -> bool {
        let process = self.sink.site.process.number();
        if self.owner == NOBODY {
            self.owner = process;
            self.began = self.sink.site.clock.exact_second();
        }
        self.owner == process
    }

    fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() || !self.begin() {
            return Ok(());
        }
        let added = pieces::append(&mut self.pieces, piece);
        added.map_err(|error| {
            self.owner = REFUSED;
            self.sink.refuse(error, self.pieces.len() + piece.len())
        })
    }

    /// Ends the event. `true`: this process writes the event.
    fn end(&mut self) -> bool {
        std::mem::replace(&mut self.owner, NOBODY) == self.sink.site.process.number()
    }
}

impl Write for EventWriter<'_> {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf)?;
        Ok(buf.len())
    }

    #[inline]
    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        if self.owner == NOBODY && buf.ends_with(b"\n") {
            return Ok(event::put(self.sink, buf, None, self.urgent)?);
        }
        self.add(buf)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        let process = self.sink.site.process.number();
        write_formatted(arguments, |piece| {
            // A `Display` may fork. Then this is the child, which writes nothing of the event.
            if self.owner == NOBODY && process != self.sink.site.process.number() {
                self.owner = process;
            }
            self.write_all(piece)
        })
    }

    /// Ends the event: writes its pieces as one line.
    fn flush(&mut self) -> io::Result<()> {
        if !self.end() {
            self.pieces.clear();
        }
        put_pieces(self.sink, &mut self.pieces, Some(self.began), self.urgent)
    }
}

impl Drop for EventWriter<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.pieces.capacity() > 0 {
            // A failure is counted and reported already.
            let _ = self.flush();
            pieces::keep(&mut self.pieces);
        }
    }
}

impl fmt::Debug for EventWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWriter").field("pieces", &self.pieces.len()).finish_non_exhaustive()
    }
}

/// An event whose pieces are put together on the stack, as long as they are short.
pub(crate) struct ShortEvent<'a> {
    event: EventWriter<'a>,
    text: [u8; SHORT],
    len: usize,
}

impl<'a> ShortEvent<'a> {
    /// Begins the event before its first piece, because a `Display` may fork.
    pub(crate) fn begin(mut event: EventWriter<'a>) -> Self {
        event.begin();
        Self { event, text: [0; SHORT], len: 0 }
    }

    pub(crate) fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() || !self.event.begin() {
            return Ok(());
        }
        let end = self.len + piece.len();
        // The last byte is for a newline.
        if self.event.pieces.is_empty() && end < SHORT {
            self.text[self.len..end].copy_from_slice(piece);
            self.len = end;
            return Ok(());
        }
        self.event.add(&self.text[..std::mem::take(&mut self.len)])?;
        self.event.add(piece)
    }

    pub(crate) fn end(mut self) -> io::Result<()> {
        if self.len == 0 {
            return self.event.flush();
        }
        if !self.event.end() {
            return Ok(());
        }
        if self.text[self.len - 1] != b'\n' {
            self.text[self.len] = b'\n';
            self.len += 1;
        }
        Ok(event::put(self.event.sink, &self.text[..self.len], Some(self.event.began), self.event.urgent)?)
    }
}

/// Hands formatted text on, piece by piece. If a `Display` returns an error, so does this. `io::Write::write_fmt`
/// panics then.
pub(crate) fn write_formatted(
    arguments: fmt::Arguments<'_>,
    write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    struct Pieces<F> {
        write: F,
        failed: io::Result<()>,
    }
    impl<F: FnMut(&[u8]) -> io::Result<()>> fmt::Write for Pieces<F> {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            (self.write)(piece.as_bytes()).map_err(|error| {
                self.failed = Err(error);
                fmt::Error
            })
        }
    }
    let mut pieces = Pieces { write, failed: Ok(()) };
    let formatted = fmt::write(&mut pieces, arguments);
    pieces.failed?;
    formatted.map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Writes the pieces as one line, and clears them.
pub(crate) fn put_pieces(sink: &Sink, pieces: &mut Vec<u8>, began: Option<i64>, urgent: bool) -> io::Result<()> {
    if pieces.is_empty() {
        return Ok(());
    }
    if !pieces.ends_with(b"\n") {
        // There is room (`pieces::append`).
        pieces.push(b'\n');
    }
    let put = event::put(sink, pieces, began, urgent);
    pieces.clear();
    Ok(put?)
}
