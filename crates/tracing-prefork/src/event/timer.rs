//! [`Timer`]: the timestamp of an event, whose reading also chooses the event's file.

use crate::event::precision::Precision;
use crate::event::readings;
use crate::event::time_source::Source;
#[cfg(feature = "socket")]
use crate::time::times::Times;
use crate::write::log::Log;
use std::fmt;
use std::sync::Arc;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Prints the time of an event in RFC 3339, in the appender's zone, with microseconds: `2026-11-21T08:33:01.123456Z`.
///
/// From [`Appender::timer`](crate::Appender::timer). An offset from UTC that is not a whole number of minutes, as local
/// mean times before the 1930s were, is printed without its seconds.
#[derive(Clone)]
pub struct Timer {
    source: Source,
    precision: Precision,
}

impl Timer {
    pub(crate) fn new(log: Arc<Log>) -> Self {
        Self { source: Source::Log(log), precision: Precision::default() }
    }

    /// The timer of lines whose files another process writes.
    #[cfg(feature = "socket")]
    pub(crate) fn without_files(times: Arc<Times>) -> Self {
        Self { source: Source::Times(times), precision: Precision::default() }
    }

    /// Prints this much of a second, instead of microseconds.
    ///
    /// ```
    /// use tracing_prefork::Precision;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let timer = logs.timer().with_precision(Precision::Milliseconds);
    /// # let _ = timer;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }
}

impl Timer {
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.source.id()
    }

    /// Gives the time to `push`, in pieces, and returns its second. A caller that hands the second on with the line
    /// need not have the reading `remembered`.
    #[inline]
    pub(crate) fn stamp(&self, remembered: bool, mut push: impl FnMut(&str)) -> i64 {
        let now = self.source.clock().moment();
        let _ = readings::print(&self.source, now, self.precision, remembered, &mut |piece| {
            push(piece);
            Ok(())
        });
        now.secs
    }
}

impl FormatTime for Timer {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        let now = self.source.clock().moment();
        readings::print(&self.source, now, self.precision, true, &mut |piece| w.write_str(piece))
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Timer")
    }
}
