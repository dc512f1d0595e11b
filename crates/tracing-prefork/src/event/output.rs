//! [`Output`]: where a layer's lines go.

use crate::event;
use crate::sink::Sink;
use crate::time::clock::Second;
use std::io::{self, Write};
use std::sync::Arc;
use tracing_core::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Where a layer's lines go: to an appender, to the receiver of a socket, or to a writer of `fmt`.
pub(crate) trait Output: Send + Sync {
    /// Tells the timers of different sinks apart; never 0.
    fn id(&self) -> u64;

    /// Takes the line of an event, with its newline, and the second that the line shows. `None`: the layer does not
    /// know that second. A failure is counted and reported.
    fn put(&self, line: &[u8], second: Option<Second>, metadata: &Metadata<'_>);

    /// Counts and reports a line that could not be put together. Only the length of its first `bytes` is known.
    fn refuse(&self, error: io::Error, bytes: usize);
}

impl Output for Arc<Sink> {
    fn id(&self) -> u64 {
        self.log().id
    }

    #[inline]
    fn put(&self, line: &[u8], second: Option<Second>, metadata: &Metadata<'_>) {
        let is_urgent = self.is_urgent(metadata.level());
        let _ = match second {
            Some(_) => Sink::put(self, line, second, is_urgent),
            // Another timer may have printed the time by ours.
            None => event::put(self, line, None, is_urgent),
        };
    }

    fn refuse(&self, error: io::Error, bytes: usize) {
        self.log().refuse(error, bytes);
    }
}

/// A writer of `fmt`, in a layer's place of an appender.
pub(crate) struct Elsewhere<W>(pub(crate) W);

impl<W> Output for Elsewhere<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync,
{
    /// No timer's.
    fn id(&self) -> u64 {
        0
    }

    fn put(&self, line: &[u8], _: Option<Second>, metadata: &Metadata<'_>) {
        // An appender behind the writer counts and reports its failure. Nobody else does so in `fmt` either.
        let _ = self.0.make_writer_for(metadata).write_all(line);
    }

    fn refuse(&self, _: io::Error, _: usize) {}
}
