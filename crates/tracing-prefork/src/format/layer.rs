//! [`EventLayer`]: the layer that prints events by itself, and hands each line and its second on.

use crate::event::output::Output;
use crate::event::timer::Timer;
use crate::format::full::Full;
use crate::format::line::Line;
use crate::format::occurrence::{LayerTimer, Occurrence};
use crate::format::print::Format;
use crate::format::shown::Shown;
use crate::format::span_fields::{Fields, add, data_of, data_of_mut, keep};
use crate::format::span_times::{Nanos, SpanTimes};
use crate::process::Process;
use crate::time::clock::Second;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tracing_core::field::{FieldSet, Value, display};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// Prints events into files, with the bytes of `tracing_subscriber::fmt::layer().with_ansi(false)` and in a fraction of
/// its time. From [`Appender::layer`](crate::Appender::layer).
///
/// The options have the names that they have in `fmt`:
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// # let directory = tempfile::tempdir()?;
/// let logs = tracing_prefork::rolling::daily(directory.path(), "app.log");
/// let layer = logs.layer().json().flatten_event(true).with_span_list(false).with_target(false);
/// let subscriber = tracing_subscriber::registry().with(layer);
///
/// tracing::subscriber::with_default(subscriber, || tracing::info!(user = 7, "logged in"));
/// let text = std::fs::read_to_string(logs.path())?;
/// assert!(text.ends_with("\"level\":\"INFO\",\"message\":\"logged in\",\"user\":7}\n"), "{text}");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What differs from `fmt`
///
/// * The `Debug` of a value that panics in the middle of an event leaves nothing behind. In `fmt` the thread's next
///   line begins with what was printed before the panic.
/// * If the `Debug` or `Display` of a value returns an error, the event is not printed, as in `fmt`. The layer counts
///   it in [`Stats::lines_lost`](crate::Stats::lines_lost), and reports it. There is no `log_internal_errors`: `fmt`
///   writes a line about such an event, and the layer never does.
/// * An event that is being formatted while its process forks is written by the parent alone.
/// * Records of the `log` crate are printed as `fmt` prints them with its default feature `tracing-log`.
/// * There are no colours, no `pretty()`, no `event_format()`, no `fmt_fields()`, and no values of `valuable`. Give the
///   appender to `fmt::layer().with_writer(...)` for these.
///
/// # Memory
///
/// An event allocates nothing. A line of up to 512 bytes is put together on the stack, and a longer one in a buffer
/// that the thread keeps. A buffer of more than 64 KiB is given back after its event. A span allocates for its fields,
/// when it is made and when fields are recorded later.
pub struct EventLayer<S, F = Full> {
    pub(super) sink: Box<dyn Output>,
    pub(super) process: Arc<Process>,
    pub(super) timer: LayerTimer,
    pub(super) shown: Shown,
    pub(super) spans: SpanEvents,
    /// The number of the layer, by which it finds what it keeps with a span.
    pub(super) number: u64,
    pub(super) marker: PhantomData<fn(S) -> F>,
}

/// Which events a layer makes of spans.
#[derive(Clone, Debug)]
pub(super) struct SpanEvents {
    pub(super) new: bool,
    pub(super) enter: bool,
    pub(super) exit: bool,
    pub(super) close: bool,
    /// The event of a closed span shows how long the span was entered.
    pub(super) times: bool,
}

impl SpanEvents {
    pub(super) fn set(&mut self, kind: &FmtSpan) {
        let has = |one: FmtSpan| kind.clone() & one.clone() == one;
        self.new = has(FmtSpan::NEW);
        self.enter = has(FmtSpan::ENTER);
        self.exit = has(FmtSpan::EXIT);
        self.close = has(FmtSpan::CLOSE);
    }

    #[inline]
    fn takes_time(&self) -> bool {
        self.close && self.times
    }
}

impl<S> EventLayer<S> {
    pub(crate) fn new(sink: impl Output + 'static, process: Arc<Process>, timer: Timer) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            sink: Box::new(sink),
            process,
            timer: LayerTimer::Ours { timer, remembered: false },
            shown: Shown::default(),
            spans: SpanEvents { new: false, enter: false, exit: false, close: false, times: true },
            number: LAST.fetch_add(1, Relaxed),
            marker: PhantomData,
        }
    }
}

impl<S, F> EventLayer<S, F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Format,
{
    /// The path of an event.
    #[inline]
    fn put(&self, event: &Event<'_>, context: &Context<'_, S>) {
        // A value may fork while it is printed. Then the child does not write the event.
        let process = self.process.number();
        let mut line = Line::new();
        let mut occurrence =
            Occurrence { event, context, shown: &self.shown, clock: &self.timer, layer: self.number, second: None };
        let printed = F::print(&mut occurrence, &mut line);
        line.push("\n");
        if printed.is_err() || line.failure().is_some() || self.process.number() != process {
            return self.refuse(process, &line);
        }
        self.sink.put(line.bytes(), occurrence.second.map(Second::exact), event.metadata());
    }

    /// An event that is not written.
    #[cold]
    fn refuse(&self, process: u64, line: &Line) {
        if self.process.number() == process {
            let kind = line.failure().unwrap_or(io::ErrorKind::InvalidInput);
            self.sink.refuse(kind.into(), line.bytes().len());
        }
    }

    /// Changes what the layer knows of the span's times, if it takes them.
    fn change_times(&self, span: &SpanRef<'_, S>, change: impl FnOnce(&mut SpanTimes)) {
        if self.spans.takes_time() {
            let mut extensions = span.extensions_mut();
            let data = data_of_mut::<F::Fields>(&mut extensions, self.number);
            if let Some(times) = data.and_then(|data| data.times.as_mut()) {
                change(times);
            }
        }
    }

    /// Prints an event of a span itself.
    #[cold]
    fn put_of_span(
        &self,
        id: &Id,
        metadata: &'static Metadata<'static>,
        message: &'static str,
        times: Option<SpanTimes>,
        context: &Context<'_, S>,
    ) {
        const NAMES: &[&str] = &["message", "time.busy", "time.idle"];
        let fields = FieldSet::new(NAMES, metadata.callsite());
        let mut names = fields.iter();
        let (Some(name), Some(busy_name), Some(idle_name)) = (names.next(), names.next(), names.next()) else { return };
        let busy = times.map(|times| display(Nanos(times.busy)));
        let idle = times.map(|times| display(Nanos(times.idle)));
        let values = [
            (&name, Some(&message as &dyn Value)),
            (&busy_name, busy.as_ref().map(|busy| busy as &dyn Value)),
            (&idle_name, idle.as_ref().map(|idle| idle as &dyn Value)),
        ];
        let values = fields.value_set(&values);
        self.put(&Event::new_child_of(id, metadata, &values), context);
    }
}

impl<S, F> Layer<S> for EventLayer<S, F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Format,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (printed, result) = F::Fields::print(&attributes as &dyn RecordFields);
        let Some(span) = context.span(id) else { return };
        let printed = result.is_ok().then_some(&printed);
        let times = self.spans.takes_time().then(SpanTimes::begin);
        keep::<F::Fields>(&mut span.extensions_mut(), self.number, printed, times);
        if self.spans.new {
            self.put_of_span(id, span.metadata(), "new", None, &context);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let (printed, _) = F::Fields::print(&values as &dyn RecordFields);
        if let Some(span) = context.span(id) {
            add::<F::Fields>(&mut span.extensions_mut(), self.number, &printed);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if !self.spans.enter && !self.spans.takes_time() {
            return;
        }
        let Some(span) = context.span(id) else { return };
        self.change_times(&span, SpanTimes::enter);
        if self.spans.enter {
            self.put_of_span(id, span.metadata(), "enter", None, &context);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if !self.spans.exit && !self.spans.takes_time() {
            return;
        }
        let Some(span) = context.span(id) else { return };
        self.change_times(&span, SpanTimes::exit);
        if self.spans.exit {
            self.put_of_span(id, span.metadata(), "exit", None, &context);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if !self.spans.close {
            return;
        }
        let Some(span) = context.span(&id) else { return };
        let times = data_of::<F::Fields>(&span.extensions(), self.number).and_then(|data| data.times);
        self.put_of_span(&id, span.metadata(), "close", times.map(SpanTimes::end), &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.put(event, &context);
    }
}

impl<S, F> fmt::Debug for EventLayer<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLayer").field("shown", &self.shown).field("spans", &self.spans).finish_non_exhaustive()
    }
}
