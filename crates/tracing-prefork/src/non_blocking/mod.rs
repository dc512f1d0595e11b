//! `non_blocking` of `tracing_appender`, with its names and signatures, over [`Builder::buffered`]. Linux and Android
//! only.
//!
//! A program for `tracing_appender::non_blocking` compiles as it is if one line of `Cargo.toml` renames the crate:
//!
//! ```toml
//! tracing-appender = { package = "tracing-prefork", version = "0.1" }
//! ```
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().to_owned();
//! let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
//! let (non_blocking, guard) = tracing_prefork::non_blocking(logs);
//! let subscriber = tracing_subscriber::fmt().with_writer(non_blocking).finish();
//! tracing::subscriber::with_default(subscriber, || tracing::info!("hello"));
//! drop(guard); // at the end of `main`: the line is in the file
//! # let file = std::fs::read_dir(path)?.filter_map(Result::ok).map(|entry| entry.path());
//! # let mut file = file.filter(|path| path.extension().is_some_and(|date| date.to_string_lossy().starts_with('2')));
//! # assert!(std::fs::read_to_string(file.next().expect("the file"))?.ends_with("hello\n"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What is different
//!
//! | | `tracing_appender` | here |
//! |---|---|---|
//! | what is written to | any [`io::Write`] | an [`Appender`] |
//! | lines that wait | in memory, lost if the process is killed | in a ring that outlives the process |
//! | a forked child | has no worker: its lines are lost, or its threads hang | logs on; its guard does not hang |
//! | the guard's drop | waits for one second at most, then lines are lost | waits for ten; then the lines stay in the ring |
//! | the limit | counts lines | counts bytes: see [`buffered_lines_limit`](NonBlockingBuilder::buffered_lines_limit) |
//! | a line | comes as it was written | comes whole: a piece waits for its rest |
//!
//! [`Builder::buffered`] says what becomes of the lines in a ring, and which options a new program should use. From the
//! moment that an appender is made non-blocking, its process writes under the write lock
//! ([`Builder::lock_writes`]), also through other handles of the appender. All processes of a directory should do so.
//!
//! Make an appender non-blocking once, and clone the [`NonBlocking`]. Each call makes a ring and a thread.
//!
//! [`Builder::buffered`]: crate::Builder::buffered
//! [`Builder::lock_writes`]: crate::Builder::lock_writes

mod counter;
mod guard;

pub use counter::ErrorCounter;
pub use guard::WorkerGuard;

use crate::Appender;
use crate::buffer::options::{Buffering, WhenFull};
use crate::event::io_write::Partial;
use crate::event::writer::write_formatted;
use crate::sink::Sink;
use std::fmt;
use std::io::{self, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use tracing_core::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// The default of [`NonBlockingBuilder::buffered_lines_limit`].
pub const DEFAULT_BUFFERED_LINES_LIMIT: usize = 128_000;

/// A line of [`NonBlockingBuilder::buffered_lines_limit`] counts as so many bytes. A ring has an entry for each 64
/// bytes.
const BYTES_OF_LINE: usize = 64;

/// A writer whose events do not wait for the disk: a [`MakeWriter`] and an [`io::Write`].
///
/// The line of a call is in the ring when the call returns. Clones share the ring. See the [module](self).
pub struct NonBlocking {
    sink: Arc<Sink>,
    /// The lines are in the file when their call returns (`Buffering::flush_level`).
    urgent: bool,
    /// The piece of a line whose rest has not come yet.
    partial: Partial,
}

impl NonBlocking {
    fn of(sink: Arc<Sink>, urgent: bool) -> Self {
        Self { sink, urgent, partial: Partial::default() }
    }

    /// Makes an appender non-blocking, with the defaults of [`NonBlockingBuilder`]. It is the same as
    /// [`tracing_prefork::non_blocking`](crate::non_blocking()).
    ///
    /// ```
    /// use tracing_prefork::non_blocking::NonBlocking;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let (non_blocking, _guard) = NonBlocking::new(logs);
    /// assert_eq!(non_blocking.error_counter().dropped_lines(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(appender: Appender) -> (Self, WorkerGuard) {
        NonBlockingBuilder::default().finish(appender)
    }

    /// Tells how many lines were dropped because the ring was full.
    pub fn error_counter(&self) -> ErrorCounter {
        ErrorCounter::of(self.sink.site.reporter.clone())
    }
}

/// Options for a [`NonBlocking`].
///
/// | option | default |
/// |---|---|
/// | [`buffered_lines_limit`](Self::buffered_lines_limit) | 128 000 lines, which is 8 MiB |
/// | [`lossy`](Self::lossy) | `true` |
/// | [`thread_name`](Self::thread_name) | `tracing-appender` |
///
/// An appender that was built with [`Builder::buffered`](crate::Builder::buffered) keeps the options that it was built
/// with, and these options change nothing.
///
/// ```
/// use std::io::Write;
/// use tracing_prefork::non_blocking::NonBlockingBuilder;
///
/// # let directory = tempfile::tempdir()?;
/// let logs = tracing_prefork::rolling::never(directory.path(), "app.log");
/// let (mut non_blocking, guard) =
///     NonBlockingBuilder::default().lossy(false).buffered_lines_limit(10_000).thread_name("logs").finish(logs);
/// writeln!(non_blocking, "{} and {}", 1, 2)?;
/// drop(guard);
/// assert_eq!(std::fs::read_to_string(directory.path().join("app.log"))?, "1 and 2\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct NonBlockingBuilder {
    buffered_lines_limit: usize,
    is_lossy: bool,
    thread_name: String,
}

impl Default for NonBlockingBuilder {
    fn default() -> Self {
        Self {
            buffered_lines_limit: DEFAULT_BUFFERED_LINES_LIMIT,
            is_lossy: true,
            thread_name: "tracing-appender".to_owned(),
        }
    }
}

impl NonBlockingBuilder {
    /// How many lines the ring of a process holds. A line counts as 64 bytes, so this is
    /// [`ring_bytes(64 * lines)`](Buffering::ring_bytes): rounded up to a power of two, at least 64 KiB, at most 1 GiB.
    /// With the default, 8 MiB, the ring holds 131 072 lines of up to 64 bytes, or 65 536 lines of 128 bytes. Its file
    /// takes a quarter more. Each process that logs has a ring.
    pub fn buffered_lines_limit(mut self, buffered_lines_limit: usize) -> Self {
        self.buffered_lines_limit = buffered_lines_limit;
        self
    }

    /// What becomes of a line for which the ring has no room. `true`: the line is dropped and counted
    /// ([`WhenFull::Drop`]). `false`: its thread makes room, or writes the line ([`WhenFull::Write`]).
    ///
    /// With `true`, a line that was dropped is reported, once a minute at most, to
    /// [`Builder::on_error`](crate::Builder::on_error) or standard error.
    pub fn lossy(mut self, is_lossy: bool) -> Self {
        self.is_lossy = is_lossy;
        self
    }

    /// The name of the thread that writes the lines of the ring to the files. The kernel shows its first 15 bytes.
    pub fn thread_name(mut self, name: &str) -> Self {
        // The standard library panics if a thread's name has a NUL.
        self.thread_name = name.replace('\0', "");
        self
    }

    /// Makes the appender non-blocking. The ring and the thread are made by the first event of each process.
    ///
    /// There is no error: if no ring can be had, the lines go straight to the files, and that is reported
    /// ([`Operation::Ring`](crate::Operation::Ring)).
    pub fn finish(self, appender: Appender) -> (NonBlocking, WorkerGuard) {
        let when_full = if self.is_lossy { WhenFull::Drop } else { WhenFull::Write };
        let ring_bytes = self.buffered_lines_limit.saturating_mul(BYTES_OF_LINE);
        let options = Buffering { thread_name: self.thread_name, ..Buffering::default() };
        let sink = appender.sink().buffered(options.ring_bytes(ring_bytes).when_full(when_full));
        (NonBlocking::of(sink.clone(), false), WorkerGuard::of(sink))
    }
}

impl Clone for NonBlocking {
    /// A handle to the same ring. The piece of a line that waits stays in the old handle.
    fn clone(&self) -> Self {
        Self::of(self.sink.clone(), self.urgent)
    }
}

/// What a panic in the middle of an event leaves behind is whole: the state is atomic.
impl UnwindSafe for NonBlocking {}
impl RefUnwindSafe for NonBlocking {}

impl fmt::Debug for NonBlocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonBlocking").field("directory", &self.sink.site.directory()).finish_non_exhaustive()
    }
}

/// The whole lines of one call go into the ring. The piece of a line at the end of a call stays in this handle until
/// the rest of the line comes. `flush` and drop put it into the ring with a newline. A forked child does not inherit
/// it.
impl Write for NonBlocking {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.partial.write(&self.sink, buf, self.urgent)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        write_formatted(arguments, |piece| self.write_all(piece))
    }

    /// Puts the piece of a line that waits into the ring, and waits for nothing, as in tracing-appender. The lines are
    /// in the files when the [`WorkerGuard`] is dropped, or when [`Appender::flush`] returns.
    fn flush(&mut self) -> io::Result<()> {
        self.partial.flush(&self.sink)
    }
}

impl Drop for NonBlocking {
    fn drop(&mut self) {
        let _ = self.partial.flush(&self.sink);
    }
}

impl<'a> MakeWriter<'a> for NonBlocking {
    type Writer = NonBlocking;

    fn make_writer(&'a self) -> NonBlocking {
        self.clone()
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> NonBlocking {
        Self::of(self.sink.clone(), self.sink.is_urgent(event.level()))
    }
}
