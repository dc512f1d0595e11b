//! The options of an [`EventLayer`], named as those of `fmt::Layer`.

use crate::event::output::Elsewhere;
use crate::event::timer::Timer;
use crate::format::compact::Compact;
use crate::format::json::Json;
use crate::format::layer::EventLayer;
use crate::format::occurrence::LayerTimer;
use crate::format::shown::Shown;
use std::any::Any;
use std::marker::PhantomData;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::fmt::time::FormatTime;

impl<S, F> EventLayer<S, F> {
    /// Whether a line shows the event's target. Default: `true`.
    #[must_use]
    pub fn with_target(self, display_target: bool) -> Self {
        self.with(|shown| shown.target = display_target)
    }

    /// Whether a line shows the event's level. Default: `true`.
    #[must_use]
    pub fn with_level(self, display_level: bool) -> Self {
        self.with(|shown| shown.level = display_level)
    }

    /// Whether a line shows the number of the thread, such as `ThreadId(01)`. Default: `false`.
    #[must_use]
    pub fn with_thread_ids(self, display_thread_ids: bool) -> Self {
        self.with(|shown| shown.thread_ids = display_thread_ids)
    }

    /// Whether a line shows the name of the thread. A thread without a name shows its number. Default: `false`.
    #[must_use]
    pub fn with_thread_names(self, display_thread_names: bool) -> Self {
        self.with(|shown| shown.thread_names = display_thread_names)
    }

    /// Whether a line shows the source file of the event. Default: `false`.
    #[must_use]
    pub fn with_file(self, display_filename: bool) -> Self {
        self.with(|shown| shown.file = display_filename)
    }

    /// Whether a line shows the event's line number in its source file. Default: `false`.
    #[must_use]
    pub fn with_line_number(self, display_line_number: bool) -> Self {
        self.with(|shown| shown.line_number = display_line_number)
    }

    /// Prints an event when a span is made, entered, left or closed. Default: [`FmtSpan::NONE`].
    ///
    /// The event of a closed span shows for how long the span was entered (`time.busy`), and for how long it was not
    /// (`time.idle`), unless [`without_time`](Self::without_time) was called.
    ///
    /// ```
    /// use tracing_subscriber::{fmt::format::FmtSpan, prelude::*};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let subscriber = tracing_subscriber::registry().with(logs.layer().with_span_events(FmtSpan::CLOSE));
    ///
    /// tracing::subscriber::with_default(subscriber, || drop(tracing::info_span!("request", id = 17)));
    /// assert!(std::fs::read_to_string(logs.path())?.contains("close time.busy="));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_span_events(mut self, kind: FmtSpan) -> Self {
        self.set_span_events(kind);
        self
    }

    /// As [`with_span_events`](Self::with_span_events), for a layer in a `reload::Layer`.
    pub fn set_span_events(&mut self, kind: FmtSpan) {
        self.spans.set(&kind);
    }

    /// Prints no time. The time at which the line is written chooses the file.
    #[must_use]
    pub fn without_time(mut self) -> Self {
        self.spans.times = false;
        self.with(|shown| shown.time = false)
    }

    /// Prints the time by another timer.
    ///
    /// With [`Appender::timer`](crate::Appender::timer) of the same appender the printed time chooses the file. With
    /// any other timer, the time at which the line is written does.
    ///
    /// ```
    /// use tracing_prefork::Precision;
    /// use tracing_subscriber::prelude::*;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let seconds = logs.timer().with_precision(Precision::Seconds);
    /// let subscriber = tracing_subscriber::registry().with(logs.layer().with_timer(seconds));
    /// # let _ = subscriber;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_timer(mut self, timer: impl FormatTime + Send + Sync + 'static) -> Self {
        self.timer = match (&timer as &dyn Any).downcast_ref::<Timer>() {
            Some(ours) if self.sink.id() == ours.id() => LayerTimer::Ours { timer: ours.clone(), remembered: false },
            _ => LayerTimer::Other(Box::new(timer)),
        };
        self
    }

    /// Gives the lines to a writer instead of the appender: a part of the events, for example.
    ///
    /// ```
    /// use tracing::Level;
    /// use tracing_subscriber::fmt::writer::MakeWriterExt;
    /// use tracing_subscriber::prelude::*;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
    /// let warnings = tracing_prefork::rolling::daily(directory.path(), "warnings.log");
    /// let both = warnings.clone().with_max_level(Level::WARN).and(logs.clone());
    /// let subscriber = tracing_subscriber::registry().with(logs.layer().with_writer(both));
    ///
    /// tracing::subscriber::with_default(subscriber, || {
    ///     tracing::info!("logged in");
    ///     tracing::warn!("no room");
    /// });
    /// assert_eq!(std::fs::read_to_string(logs.path())?.lines().count(), 2);
    /// assert_eq!(std::fs::read_to_string(warnings.path())?.lines().count(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_writer<W>(mut self, writer: W) -> Self
    where
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        // An appender behind the writer finds the time's second in the line, if the timer remembers the reading.
        if let LayerTimer::Ours { remembered, .. } = &mut self.timer {
            *remembered = true;
        }
        self.sink = Box::new(Elsewhere(writer));
        self
    }

    /// Prints each event as a JSON object: [`Json`].
    #[must_use]
    pub fn json(self) -> EventLayer<S, Json> {
        self.in_format()
    }

    /// Prints events in a shorter form: [`Compact`].
    #[must_use]
    pub fn compact(self) -> EventLayer<S, Compact> {
        self.in_format()
    }

    fn in_format<G>(self) -> EventLayer<S, G> {
        EventLayer {
            sink: self.sink,
            process: self.process,
            timer: self.timer,
            shown: self.shown,
            spans: self.spans,
            number: self.number,
            marker: PhantomData,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Shown)) -> Self {
        change(&mut self.shown);
        self
    }
}

impl<S> EventLayer<S, Json> {
    /// Whether the fields of an event stand beside its time and level, and not in an object `fields`. Default: `false`.
    #[must_use]
    pub fn flatten_event(self, flatten_event: bool) -> Self {
        self.with(|shown| shown.flattened = flatten_event)
    }

    /// Whether a line shows the innermost span, as `span`. Default: `true`.
    #[must_use]
    pub fn with_current_span(self, display_current_span: bool) -> Self {
        self.with(|shown| shown.current_span = display_current_span)
    }

    /// Whether a line shows the list of the current spans, the outermost first, as `spans`. Default: `true`.
    #[must_use]
    pub fn with_span_list(self, display_span_list: bool) -> Self {
        self.with(|shown| shown.span_list = display_span_list)
    }
}
