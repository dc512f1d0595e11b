//! [`SocketWriter`]: the handle that users have.

use crate::event::output::Output;
use crate::format::layer::EventLayer;
use crate::report::Operation;
use crate::socket::engine::Engine;
use crate::socket::event::SocketEvent;
use crate::socket::options::SocketBuilder;
use crate::socket::stats::SocketStats;
use crate::time::clock::{Moment, Second};
use crate::{BuildError, Timer, sys};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tracing_core::{Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;

/// Lines go through a Unix socket to one receiver, `prefork-log serve`, which writes the files. This is for processes
/// that may not write files, and for those whose events must not wait for a disk.
///
/// A `SocketWriter` is a handle: its clones send through the same connection. Give it to
/// `tracing_subscriber::fmt().with_writer(...)`, or use [`layer`](Self::layer).
///
/// ```
/// use tracing_prefork::{Appender, SocketWriter};
/// use tracing_subscriber::prelude::*;
///
/// # let directory = tempfile::tempdir()?;
/// # let (socket, files) = (directory.path().join("log.sock"), directory.path().join("logs"));
/// let files = Appender::builder().filename_prefix("app.log").build(files)?;
/// let logs = SocketWriter::builder()
///     .fallback(files.clone()) // while nobody listens
///     .on_error(|error| eprintln!("{error}"))
///     .build(&socket)?;
/// let subscriber = tracing_subscriber::registry().with(logs.layer());
///
/// tracing::subscriber::with_default(subscriber, || tracing::info!(user = 7, "logged in"));
/// logs.flush_all()?;
/// assert!(std::fs::read_to_string(files.path())?.ends_with("logged in user=7\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What `Ok` means
///
/// A write returns `Ok` when the line is in the memory of this process, in a ring of [`ring_bytes`], and, as a rule,
/// with the kernel. The line leaves the ring when the receiver has acknowledged it, and the receiver does so when the
/// line is in its file. If the receiver ends, is killed or started again, each line that is not acknowledged is sent
/// again. So no line is lost while this process lives and a receiver or a [`fallback`] is there. A process that is
/// killed loses what it could not hand to the kernel.
///
/// Lines that are sent again are counted ([`SocketStats::resent`]). `prefork-log serve` knows from its journal which of
/// them a killed receiver had written, and writes none twice. A `fallback` does not know.
///
/// A write waits when the ring is full, for [`patience`] at most, and returns
/// [`TimedOut`](io::ErrorKind::TimedOut) then. The next writes do not wait, until the receiver goes on.
///
/// # Threads and processes
///
/// Any thread may write at any time. Fork whenever you like: the child has a connection and a ring of its own from its
/// first event on, and has nothing to call. It neither sends on its parent's connection, nor sends its parent's lines.
/// A thread reads acknowledgements and connects again. It is started by an event, also in a forked child, and ends
/// after some idle seconds.
///
/// # The end
///
/// The drop of the last handle of a process waits until all lines are acknowledged, for `patience` at most. A handle in
/// a global subscriber is never dropped: call [`flush_all`](Self::flush_all) at the end of `main`.
///
/// [`ring_bytes`]: SocketBuilder::ring_bytes
/// [`patience`]: SocketBuilder::patience
/// [`fallback`]: SocketBuilder::fallback
#[derive(Clone)]
pub struct SocketWriter {
    handle: Arc<Handle>,
}

/// Dropped with the last handle.
struct Handle {
    engine: Arc<Engine>,
}

impl SocketWriter {
    pub(super) fn of(engine: Engine) -> Self {
        Self { handle: Arc::new(Handle { engine: Arc::new(engine) }) }
    }

    /// A writer with the defaults of [`SocketBuilder`]. Nobody need listen yet.
    ///
    /// # Errors
    ///
    /// If the path is too long for a socket.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        Self::builder().build(path)
    }

    /// Options for a new writer; see [`SocketBuilder`].
    pub fn builder() -> SocketBuilder {
        SocketBuilder::default()
    }

    /// A timer whose reading also chooses the file: the receiver writes the line to the file of the second that the
    /// line's timestamp shows. See [`Appender::timer`](crate::Appender::timer).
    #[must_use]
    pub fn timer(&self) -> Timer {
        Timer::without_files(self.engine().times.clone())
    }

    /// A layer as that of [`Appender::layer`](crate::Appender::layer), whose lines go to the receiver.
    #[must_use]
    pub fn layer<S>(&self) -> EventLayer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        EventLayer::new(self.clone(), self.engine().process.clone(), self.timer())
    }

    /// Returns when all lines of this process are in the files.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](io::ErrorKind::TimedOut) if they are not after [`patience`](SocketBuilder::patience). The lines
    /// stay in memory, and are sent again.
    pub fn flush_all(&self) -> io::Result<()> {
        self.engine().flush()
    }

    /// The counters of this process. A forked child starts at zero.
    #[must_use]
    pub fn stats(&self) -> SocketStats {
        self.engine().stats()
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.handle.engine
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let engine = &self.engine;
        let is_stuck = engine.state.stuck.load(Relaxed);
        let patience = if is_stuck { Duration::ZERO } else { engine.options.patience };
        if !engine.ring.is_empty() && !engine.wait_until_empty(patience) {
            let lines = engine.ring.lines();
            engine.lost(lines, 0);
            let text = format!("the last handle was dropped, and {lines} lines were not acknowledged");
            engine.reporter.report(Operation::Socket, &engine.path, io::Error::other(text));
        }
        engine.ended.store(true, Relaxed);
        // Not in a forked child that has no connection of its own: the connection is the parent's.
        if engine.state.connected.load(Relaxed) {
            sys::socket::end(&engine.connection);
        }
    }
}

impl fmt::Debug for SocketWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketWriter").field("path", &self.engine().path).finish_non_exhaustive()
    }
}

impl Output for SocketWriter {
    fn id(&self) -> u64 {
        self.engine().times.id
    }

    fn put(&self, line: &[u8], second: Option<Second>, _: &Metadata<'_>) {
        let _ = match second {
            Some(second) => self.engine().put(line, Moment { secs: second.at, nanos: 0 }),
            None => self.engine().put_event(line, None),
        };
    }

    fn refuse(&self, error: io::Error, bytes: usize) {
        self.engine().refuse(bytes, error);
    }
}

impl<'a> MakeWriter<'a> for SocketWriter {
    type Writer = SocketEvent<'a>;

    #[inline]
    fn make_writer(&'a self) -> SocketEvent<'a> {
        SocketEvent::of(self.engine())
    }
}

/// Each call is one event, and one line. `write!` and `writeln!` are one call. A `BufWriter` in front of it would cut
/// lines.
///
/// `flush` does nothing: each line is on its way. [`flush_all`](SocketWriter::flush_all) waits until all lines are in
/// the files.
impl Write for &SocketWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf)?;
        Ok(buf.len())
    }

    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        self.engine().put_event(buf, None)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        let mut event = self.make_writer();
        let formatted = event.write_fmt(arguments);
        event.flush().and(formatted)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As for `&SocketWriter`.
impl Write for SocketWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        (&*self).write_all(buf)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        (&*self).write_fmt(arguments)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
