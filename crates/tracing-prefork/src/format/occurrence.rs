//! [`Occurrence`]: an event, and what a layer needs to print it.

use crate::event::timer::Timer;
use crate::format::escape::JsonText;
use crate::format::line::Line;
use crate::format::shown::Shown;
use std::fmt;
use tracing_core::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// An event, and what a layer needs to print it.
pub struct Occurrence<'a, S> {
    pub(super) event: &'a Event<'a>,
    pub(super) context: &'a Context<'a, S>,
    pub(super) shown: &'a Shown,
    pub(super) clock: &'a LayerTimer,
    /// The layer's number, by which it finds its fields of a span.
    pub(super) layer: u64,
    /// The second of the time that was printed, if our timer has printed it.
    pub(super) second: Option<i64>,
}

/// What prints the time of an event.
pub(super) enum LayerTimer {
    /// The timer of the appender tells the second that it has printed. It remembers the reading if the line does not go
    /// straight to the appender.
    Ours {
        timer: Timer,
        remembered: bool,
    },
    Other(Box<dyn FormatTime + Send + Sync>),
}

impl<S> fmt::Debug for Occurrence<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Occurrence").field("event", &self.event).finish_non_exhaustive()
    }
}

impl<S> Occurrence<'_, S> {
    /// Prints the time.
    #[inline]
    pub(super) fn push_time(&mut self, line: &mut Line) -> fmt::Result {
        match self.clock {
            LayerTimer::Ours { timer, remembered } => {
                self.second = Some(timer.stamp(*remembered, |piece| line.push(piece)));
                Ok(())
            }
            LayerTimer::Other(timer) => timer.format_time(&mut Writer::new(line)),
        }
    }

    /// Prints the time inside of a JSON string.
    #[inline]
    pub(super) fn push_json_time(&mut self, line: &mut Line) -> fmt::Result {
        match self.clock {
            LayerTimer::Ours { .. } => self.push_time(line),
            LayerTimer::Other(timer) => timer.format_time(&mut Writer::new(&mut JsonText(line))),
        }
    }
}

impl<'a, S> Occurrence<'a, S>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    /// The innermost span that the event stands in. `None` for an event that says that it has no parent.
    #[inline]
    pub(super) fn span(&self) -> Option<SpanRef<'a, S>> {
        self.context.event_span(self.event)
    }

    /// The span that the event names as its parent. If the event names none, it is the current span of the thread,
    /// even for an event that says that it has no parent.
    pub(super) fn parent_or_current(&self) -> Option<SpanRef<'a, S>> {
        let parent = self.event.parent().and_then(|id| self.context.span(id));
        parent.or_else(|| self.context.lookup_current())
    }
}
