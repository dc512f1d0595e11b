//! [`EventWriter`]: one event, one write. And `io::Write` for the appender itself.

use crate::Appender;
use crate::appender::Inner;
use crate::process::pieces::{self, SHORT};
use crate::write::fallback::Unwritten;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use tracing_subscriber::fmt::MakeWriter;

/// The writer of one event, from [`MakeWriter::make_writer`].
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
    inner: &'a Arc<Inner>,
    pieces: Vec<u8>,
    /// When the first piece came, in seconds since 1970, and to which process: what is begun before a fork is the parent's to write.
    began: i64,
    owner: u64,
}

/// [`EventWriter::owner`] before the first piece, and of an event that could not be put together: nothing of it is written.
const NOBODY: u64 = 0;
const REFUSED: u64 = u64::MAX;

impl<'a> MakeWriter<'a> for Appender {
    type Writer = EventWriter<'a>;

    #[inline]
    fn make_writer(&'a self) -> EventWriter<'a> {
        EventWriter { inner: self.inner(), pieces: Vec::new(), began: 0, owner: NOBODY }
    }
}

impl EventWriter<'_> {
    /// Notes the first piece of an event. `false`: nothing of this event is written here.
    fn begin(&mut self) -> bool {
        let process = self.inner.duties().process();
        if self.owner == NOBODY {
            self.owner = process;
            self.began = self.inner.clock.exact_second();
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
            self.inner.refuse(error, self.pieces.len() + piece.len())
        })
    }

    /// Ends the event. `true`: it is this process's to write.
    fn end(&mut self) -> bool {
        std::mem::replace(&mut self.owner, NOBODY) == self.inner.duties().process()
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
            return Ok(self.inner.log(buf, None)?);
        }
        self.add(buf)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        let process = self.inner.duties().process();
        write_formatted(arguments, |piece| {
            // A `Display` may fork.
            if self.owner == NOBODY && process != self.inner.duties().process() {
                self.owner = process;
            }
            self.write_all(piece)
        })
    }

    /// Ends the event: writes what has been put together.
    fn flush(&mut self) -> io::Result<()> {
        if !self.end() {
            self.pieces.clear();
        }
        log_pieces(self.inner, &mut self.pieces, Some(self.began))
    }
}

impl Drop for EventWriter<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.pieces.capacity() > 0 {
            // Counted and reported where it fails.
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

/// An event that is put together on the stack, unless it is long.
struct ShortEvent<'a> {
    event: EventWriter<'a>,
    text: [u8; SHORT],
    len: usize,
}

impl<'a> ShortEvent<'a> {
    /// Begun here: a `Display` may fork.
    fn begin(mut event: EventWriter<'a>) -> Self {
        event.begin();
        Self { event, text: [0; SHORT], len: 0 }
    }

    fn add(&mut self, piece: &[u8]) -> io::Result<()> {
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

    fn end(mut self) -> io::Result<()> {
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
        Ok(self.event.inner.log(&self.text[..self.len], Some(self.event.began))?)
    }
}

/// Hands formatted text on, piece by piece. An error if a `Display` says one, where `io::Write::write_fmt` panics.
fn write_formatted(arguments: fmt::Arguments<'_>, write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
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

/// Writes the pieces as one line and forgets them.
fn log_pieces(inner: &Arc<Inner>, pieces: &mut Vec<u8>, began: Option<i64>) -> io::Result<()> {
    if pieces.is_empty() {
        return Ok(());
    }
    if !pieces.ends_with(b"\n") {
        // There is room (`pieces::append`).
        pieces.push(b'\n');
    }
    let logged = inner.log(pieces, began);
    pieces.clear();
    Ok(logged?)
}

/// For whatever writes to an [`io::Write`]: `tracing_appender::non_blocking`, `env_logger`, `BufWriter`.
///
/// Whole lines go to the file at once, all that one call brings as one `write(2)`. The piece of a line at the end of a
/// call stays in this handle until the rest of its line comes, or until `flush` or drop, which give it a newline. It is
/// not inherited by a forked child.
///
/// A shared `&Appender` has no place to keep a piece: there, each call is an event. So a `BufWriter` needs a handle of
/// its own, `BufWriter::new(logs.clone())`. Behind `BufWriter::new(&logs)` a line that the buffer cuts becomes two.
///
/// ```
/// use std::io::Write;
///
/// # let directory = tempfile::tempdir()?;
/// let mut logs = tracing_prefork::rolling::never(directory.path(), "app.log");
/// writeln!(logs, "{} and {}", 1, 2)?;
/// assert_eq!(std::fs::read_to_string(logs.path())?, "1 and 2\n");
/// # Ok::<(), std::io::Error>(())
/// ```
impl Write for Appender {
    /// Takes whole lines only, if not all of it could be written: what is not in the file can be tried again.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let inner = self.inner().clone();
        let pieces = self.partial.of(inner.duties().process());
        let before = pieces.len();
        let (lines, rest) = match buf.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => buf.split_at(last + 1),
            None => (&buf[..0], buf),
        };
        if !lines.is_empty() {
            let logged = if before == 0 {
                inner.log(lines, None)
            } else {
                pieces::append(pieces, lines)?;
                inner.log(pieces, None)
            };
            pieces.truncate(before);
            if let Err(Unwritten { error, written }) = logged {
                // The whole lines among what is in the file.
                let in_file = lines.get(..written.saturating_sub(before)).unwrap_or_default();
                let Some(last) = in_file.iter().rposition(|&byte| byte == b'\n') else { return Err(error) };
                pieces.clear();
                return Ok(last + 1);
            }
            pieces.clear();
        }
        if !rest.is_empty() {
            pieces::append(pieces, rest)?;
        }
        Ok(buf.len())
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(arguments, |piece| self.write_all(piece))
    }

    fn flush(&mut self) -> io::Result<()> {
        let inner = self.inner().clone();
        log_pieces(&inner, self.partial.of(inner.duties().process()), None)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Each call is one event: written at once, with a final newline if it lacks one. `write!` and `writeln!` are one call.
/// (An `Appender` of one's own keeps the piece of a line until its rest comes: give a `BufWriter` `logs.clone()`, not
/// `&logs`.)
impl Write for &Appender {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf)?;
        Ok(buf.len())
    }

    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        let mut event = self.make_writer();
        event.write_all(buf)?;
        event.flush()
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        let mut event = ShortEvent::begin(self.make_writer());
        let formatted = write_formatted(arguments, |piece| event.add(piece));
        // Half of a text is written as it is.
        event.end().and(formatted)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The piece of a line that a handle was given last, and the process that it was given to.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    process: u64,
    pieces: Vec<u8>,
}

impl Partial {
    /// The pieces that belong to this process: what was inherited through a fork is the parent's to write.
    fn of(&mut self, process: u64) -> &mut Vec<u8> {
        if self.process != process {
            self.process = process;
            self.pieces.clear();
        }
        &mut self.pieces
    }
}
