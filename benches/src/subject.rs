//! The things that are measured: each opens its file in a directory and then writes lines or
//! events, or formats events. A subject knows nothing of threads, processes and clocks.

use std::{
    error::Error,
    fs::{File, OpenOptions},
    hint::black_box,
    io::{Write, sink},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed},
        },
    },
    thread,
    time::Duration,
};

use clap::{ValueEnum, builder::PossibleValue};
use tracing::{Dispatch, dispatcher};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_prefork::{Appender, Buffering};
use tracing_subscriber::{
    Layer, Registry,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

use crate::counted::Counted;
use crate::load::Shape;
use crate::short::{Flexi, Short, Spdlog};

/// What every subject of the group `lines` writes: 120 bytes, as one call.
pub(crate) const LINE: &[u8; 120] = b"2026-11-21T08:33:01.123456Z  INFO shop::orders: answered \
request=184467 method=GET path=/orders/17 status=200 us=481 ..\n";

const PREFIX: &str = "app.log";

/// A limit on the size that no measurement reaches: what is measured is looking at it.
const LARGE: u64 = 1 << 30;

/// Subjects of one group do the same work and are compared with one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// A finished line goes to the file.
    Lines,
    /// `info!` with fields, through `tracing_subscriber::fmt`.
    Events,
    /// A short event with two fields goes to the file: through `tracing` or through another logger.
    Short,
    /// The same event is formatted, and goes nowhere.
    Formats,
    /// The same in two spans with two fields each.
    FormatsSpans,
    /// As JSON.
    FormatsJson,
    /// As JSON, in the two spans.
    FormatsJsonSpans,
}

impl Group {
    pub(crate) const ALL: [Self; 7] = [
        Self::Lines,
        Self::Events,
        Self::Short,
        Self::Formats,
        Self::FormatsSpans,
        Self::FormatsJson,
        Self::FormatsJsonSpans,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Events => "events",
            Self::Short => "short",
            Self::Formats => "formats",
            Self::FormatsSpans => "formats-spans",
            Self::FormatsJson => "formats-json",
            Self::FormatsJsonSpans => "formats-json-spans",
        }
    }

    /// Whether a file has the lines afterwards.
    pub(crate) fn has_file(self) -> bool {
        matches!(self, Self::Lines | Self::Events | Self::Short)
    }

    pub(crate) fn shapes(self) -> &'static [Shape] {
        match self {
            Self::Lines | Self::Events => &[Shape::OneThread, Shape::TwoThreads, Shape::TwoProcesses],
            _ => &[Shape::OneThread],
        }
    }
}

/// One row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Write,
    Pwrite,
    Prefork,
    PreforkSized,
    PreforkBuffered,
    TracingAppender,
    NonBlocking,
    EventsSink,
    EventsWrite,
    EventsPreforkLayer,
    EventsPreforkWriter,
    EventsPreforkBuffered,
    EventsPreforkBufferedLayer,
    EventsTracingAppender,
    EventsNonBlocking,
    ShortWrite,
    ShortPreforkLayer,
    ShortPreforkBufferedLayer,
    ShortNonBlocking,
    ShortPreforkWriter,
    ShortTracingAppender,
    ShortSpdlog,
    ShortFlexi,
    FormatPrefork,
    FormatFmt,
    FormatSpansPrefork,
    FormatSpansFmt,
    FormatJsonPrefork,
    FormatJsonFmt,
    FormatJsonSpansPrefork,
    FormatJsonSpansFmt,
}

/// How a kind is called.
struct Row {
    group: Group,
    /// In the arguments.
    name: &'static str,
    /// What exactly is done, for the table.
    description: &'static str,
}

impl Kind {
    const ALL: [Self; 31] = [
        Self::Write,
        Self::Pwrite,
        Self::Prefork,
        Self::PreforkSized,
        Self::PreforkBuffered,
        Self::TracingAppender,
        Self::NonBlocking,
        Self::EventsSink,
        Self::EventsWrite,
        Self::EventsPreforkLayer,
        Self::EventsPreforkWriter,
        Self::EventsPreforkBuffered,
        Self::EventsPreforkBufferedLayer,
        Self::EventsTracingAppender,
        Self::EventsNonBlocking,
        Self::ShortWrite,
        Self::ShortPreforkLayer,
        Self::ShortPreforkBufferedLayer,
        Self::ShortNonBlocking,
        Self::ShortPreforkWriter,
        Self::ShortTracingAppender,
        Self::ShortSpdlog,
        Self::ShortFlexi,
        Self::FormatPrefork,
        Self::FormatFmt,
        Self::FormatSpansPrefork,
        Self::FormatSpansFmt,
        Self::FormatJsonPrefork,
        Self::FormatJsonFmt,
        Self::FormatJsonSpansPrefork,
        Self::FormatJsonSpansFmt,
    ];

    fn row(self) -> Row {
        use Group::{Events, Formats, FormatsJson, FormatsJsonSpans, FormatsSpans, Lines, Short};

        const FMT: &str = "fmt::layer() into a File, O_APPEND";
        const LAYER: &str = "tracing_prefork, layer()";
        const WRITER: &str = "tracing_prefork, fmt::layer().with_writer()";
        const BUFFERED: &str = "the same, buffered(Buffering::default())";
        const BUFFERED_LAYER: &str = "tracing_prefork, buffered, layer()";
        const APPENDER_QUEUE: &str = "tracing_appender, non_blocking, not lossy";
        const QUEUE: &str = "the same, non_blocking, not lossy";
        const APPENDER: &str = "tracing_appender, fmt::layer().with_writer()";
        let (group, name, description) = match self {
            Self::Write => (Lines, "write", "write(2), O_APPEND"),
            Self::Pwrite => (Lines, "pwrite", "pwrite(2), O_APPEND"),
            Self::Prefork => (Lines, "prefork", "tracing_prefork, make_writer().write_all()"),
            Self::PreforkSized => (Lines, "prefork-sized", "the same, max_file_bytes(1 GiB)"),
            Self::PreforkBuffered => (Lines, "prefork-buffered", BUFFERED),
            Self::TracingAppender => (Lines, "tracing-appender", "tracing_appender, make_writer().write_all()"),
            Self::NonBlocking => (Lines, "tracing-appender-non-blocking", QUEUE),
            Self::EventsSink => (Events, "events-sink", "fmt::layer() into io::sink()"),
            Self::EventsWrite => (Events, "events-write", FMT),
            Self::EventsPreforkLayer => (Events, "events-prefork-layer", LAYER),
            Self::EventsPreforkWriter => (Events, "events-prefork-writer", WRITER),
            Self::EventsPreforkBuffered => (Events, "events-prefork-buffered", BUFFERED),
            Self::EventsPreforkBufferedLayer => (Events, "events-prefork-buffered-layer", BUFFERED_LAYER),
            Self::EventsTracingAppender => (Events, "events-tracing-appender", APPENDER),
            Self::EventsNonBlocking => (Events, "events-tracing-appender-non-blocking", QUEUE),
            Self::ShortWrite => (Short, "short-write", FMT),
            Self::ShortPreforkLayer => (Short, "short-prefork-layer", LAYER),
            Self::ShortPreforkBufferedLayer => (Short, "short-prefork-buffered-layer", BUFFERED_LAYER),
            Self::ShortNonBlocking => (Short, "short-tracing-appender-non-blocking", APPENDER_QUEUE),
            Self::ShortPreforkWriter => (Short, "short-prefork-writer", WRITER),
            Self::ShortTracingAppender => (Short, "short-tracing-appender", APPENDER),
            Self::ShortSpdlog => (Short, "short-spdlog", "spdlog-rs, FileSink"),
            Self::ShortFlexi => (Short, "short-flexi", "flexi_logger, log_to_file()"),
            Self::FormatPrefork => (Formats, "format-prefork", LAYER),
            Self::FormatFmt => (Formats, "format-fmt", "fmt::layer()"),
            Self::FormatSpansPrefork => (FormatsSpans, "format-spans-prefork", LAYER),
            Self::FormatSpansFmt => (FormatsSpans, "format-spans-fmt", "fmt::layer()"),
            Self::FormatJsonPrefork => (FormatsJson, "format-json-prefork", "tracing_prefork, layer().json()"),
            Self::FormatJsonFmt => (FormatsJson, "format-json-fmt", "fmt::layer().json()"),
            Self::FormatJsonSpansPrefork => {
                (FormatsJsonSpans, "format-json-spans-prefork", "tracing_prefork, layer().json()")
            }
            Self::FormatJsonSpansFmt => (FormatsJsonSpans, "format-json-spans-fmt", "fmt::layer().json()"),
        };
        Row { group, name, description }
    }

    /// As the arguments and the tables call it.
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// What exactly is done, for the table.
    pub(crate) fn description(self) -> &'static str {
        self.row().description
    }

    pub(crate) fn group(self) -> Group {
        self.row().group
    }

    /// Lines of each writer before its time is taken: buffers get their size, the file its first blocks. A ring has
    /// been filled once.
    pub(crate) fn warm_up(self) -> u64 {
        match self {
            Self::PreforkBuffered
            | Self::EventsPreforkBuffered
            | Self::EventsPreforkBufferedLayer
            | Self::ShortPreforkBufferedLayer => 20_000,
            _ => 200,
        }
    }

    /// Whether there are lines in a file in the end.
    pub(crate) fn writes_lines(self) -> bool {
        self.group().has_file() && self != Self::EventsSink
    }

    /// The row that others of its group are compared with: the least that can be done.
    pub(crate) fn is_floor(self) -> bool {
        matches!(self, Self::Write | Self::EventsWrite | Self::ShortWrite)
    }

    /// The row that others of its group are compared with: what users have today.
    pub(crate) fn is_peer(self) -> bool {
        matches!(
            self,
            Self::TracingAppender
                | Self::EventsTracingAppender
                | Self::ShortTracingAppender
                | Self::FormatFmt
                | Self::FormatSpansFmt
                | Self::FormatJsonFmt
                | Self::FormatJsonSpansFmt
        )
    }

    /// The row with which the time of all threads, the flush included, is compared.
    pub(crate) fn is_buffering_peer(self) -> bool {
        matches!(self, Self::NonBlocking | Self::EventsNonBlocking | Self::ShortNonBlocking)
    }

    /// The same without an option, or without a file, for what that costs.
    pub(crate) fn without(self) -> Option<Self> {
        match self {
            Self::PreforkSized => Some(Self::Prefork),
            Self::EventsPreforkBuffered | Self::EventsNonBlocking => Some(Self::EventsSink),
            _ => None,
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Box<dyn Error>> {
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("no subject is called {name}; there are: {names}").into())
    }

    /// The kinds that a list of names of subjects and groups stands for; all, if it is empty.
    pub(crate) fn chosen(names: &[String]) -> Result<Vec<Self>, Box<dyn Error>> {
        let groups = Group::ALL.map(Group::name);
        for name in names.iter().filter(|name| !groups.contains(&name.as_str())) {
            Self::named(name)?;
        }
        let wanted = |kind: &Self| {
            names.is_empty() || names.iter().any(|name| name == kind.name() || name == kind.group().name())
        };
        Ok(Self::ALL.into_iter().filter(wanted).collect())
    }

    /// Opens the file in `directory`, so that what follows is steady state.
    pub(crate) fn open(self, directory: &Path) -> Result<Box<dyn Subject>, Box<dyn Error>> {
        use tracing_appender::rolling::daily as theirs;
        use tracing_prefork::rolling::daily as ours;

        Ok(match self {
            Self::Write => Box::new(BareWrite(open_to_append(directory)?)),
            Self::Pwrite => Box::new(BarePwrite(open_to_append(directory)?)),
            Self::Prefork => Box::new(Lines(ours(directory, PREFIX))),
            Self::PreforkSized => {
                let sized = Appender::builder().filename_prefix(PREFIX).max_file_bytes(LARGE);
                Box::new(Lines(sized.build(directory)?))
            }
            Self::PreforkBuffered => {
                let logs = buffered(directory)?;
                Box::new(Buffered { subject: Lines(logs.clone()), logs })
            }
            Self::TracingAppender => Box::new(Lines(theirs(directory, PREFIX))),
            Self::NonBlocking => Queued::of(theirs(directory, PREFIX), Lines),
            Self::EventsSink => Box::new(Events::through(sink)),
            Self::EventsWrite => Box::new(Events::through(open_to_append(directory)?)),
            Self::EventsPreforkLayer => Box::new(Events::of(ours(directory, PREFIX).layer())),
            Self::EventsPreforkWriter => Box::new(Events::through(ours(directory, PREFIX))),
            Self::EventsPreforkBuffered => {
                let logs = buffered(directory)?;
                Box::new(Buffered { subject: Events::through(logs.clone()), logs })
            }
            Self::EventsTracingAppender => Box::new(Events::through(theirs(directory, PREFIX))),
            Self::EventsPreforkBufferedLayer => {
                let logs = buffered(directory)?;
                Box::new(Buffered { subject: Events::of(logs.layer()), logs })
            }
            Self::EventsNonBlocking => Queued::of(theirs(directory, PREFIX), Events::through),
            Self::ShortWrite => Box::new(Short::through(open_to_append(directory)?)),
            Self::ShortPreforkLayer => Box::new(Short::of(ours(directory, PREFIX).layer())),
            Self::ShortPreforkBufferedLayer => {
                let logs = buffered(directory)?;
                Box::new(Buffered { subject: Short::of(logs.layer()), logs })
            }
            Self::ShortNonBlocking => Queued::of(theirs(directory, PREFIX), Short::through),
            Self::ShortPreforkWriter => Box::new(Short::through(ours(directory, PREFIX))),
            Self::ShortTracingAppender => Box::new(Short::through(theirs(directory, PREFIX))),
            Self::ShortSpdlog => Box::new(Spdlog::open(directory)?),
            Self::ShortFlexi => Box::new(Flexi::open(directory)?),
            Self::FormatPrefork => Box::new(Short::of(ours(directory, PREFIX).layer().with_writer(sink))),
            Self::FormatFmt => Box::new(Short::through(sink)),
            Self::FormatSpansPrefork => {
                Box::new(Short::of(ours(directory, PREFIX).layer().with_writer(sink)).in_spans())
            }
            Self::FormatSpansFmt => Box::new(Short::through(sink).in_spans()),
            Self::FormatJsonPrefork => Box::new(Short::of(ours(directory, PREFIX).layer().with_writer(sink).json())),
            Self::FormatJsonFmt => Box::new(Short::of(fmt::layer().json().with_writer(sink))),
            Self::FormatJsonSpansPrefork => {
                Box::new(Short::of(ours(directory, PREFIX).layer().with_writer(sink).json()).in_spans())
            }
            Self::FormatJsonSpansFmt => Box::new(Short::of(fmt::layer().json().with_writer(sink)).in_spans()),
        })
    }
}

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Something that writes. Shared by the threads of a measurement; the loop is inside, so that
/// no virtual call is in the time of a line.
pub(crate) trait Subject: Send + Sync {
    fn run(&self, times: u64);

    /// Returns when all lines are in the file.
    fn flush(&self) {}
}

fn buffered(directory: &Path) -> Result<Appender, Box<dyn Error>> {
    let builder = Appender::builder().filename_prefix(PREFIX).on_error(|error| panic!("{error}"));
    Ok(builder.buffered(Buffering::default()).build(directory)?)
}

/// Lines that wait in our ring.
struct Buffered<S> {
    subject: S,
    logs: Appender,
}

impl<S: Subject> Subject for Buffered<S> {
    fn run(&self, times: u64) {
        self.subject.run(times);
    }

    fn flush(&self) {
        self.logs.flush().expect("the file takes the lines");
    }
}

/// Lines that wait in the peer's queue, which drops none. The peer flushes at its end only, and not for longer than a
/// second, so they are counted.
struct Queued<S> {
    subject: S,
    sent: AtomicU64,
    written: Arc<AtomicU64>,
    _guard: WorkerGuard,
}

impl<S: Subject + 'static> Queued<S> {
    fn of(file: impl Write + Send + 'static, subject: impl FnOnce(NonBlocking) -> S) -> Box<dyn Subject> {
        let written = Arc::new(AtomicU64::new(0));
        let counted = Counted { file, written: written.clone() };
        let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(counted);
        Box::new(Self { subject: subject(writer), sent: AtomicU64::new(0), written, _guard: guard })
    }
}

impl<S: Subject> Subject for Queued<S> {
    fn run(&self, times: u64) {
        self.subject.run(times);
        self.sent.fetch_add(times, Relaxed);
    }

    fn flush(&self) {
        while self.written.load(Acquire) < self.sent.load(Relaxed) {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

fn open_to_append(directory: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(directory.join("app.log"))
}

struct BareWrite(File);

impl Subject for BareWrite {
    fn run(&self, times: u64) {
        for _ in 0..times {
            let written = (&self.0).write(black_box(LINE)).expect("the file takes a line");
            assert_eq!(written, LINE.len());
        }
    }
}

struct BarePwrite(File);

impl Subject for BarePwrite {
    fn run(&self, times: u64) {
        for _ in 0..times {
            let written = self.0.write_at(black_box(LINE), 0).expect("the file takes a line");
            assert_eq!(written, LINE.len());
        }
    }
}

/// A writer a line, as `fmt::Layer` does it once an event is formatted.
struct Lines<M>(M);

impl<M: for<'a> MakeWriter<'a> + Send + Sync> Subject for Lines<M> {
    fn run(&self, times: u64) {
        for _ in 0..times {
            self.0.make_writer().write_all(black_box(LINE)).expect("the file takes a line");
        }
    }
}

/// Whole events: formatted, stamped and written.
struct Events(Dispatch);

impl Events {
    fn of(layer: impl Layer<Registry> + Send + Sync) -> Self {
        Self(Dispatch::new(Registry::default().with(layer)))
    }

    fn through(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> Self {
        Self::of(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer))
    }
}

impl Subject for Events {
    fn run(&self, times: u64) {
        dispatcher::with_default(&self.0, || {
            for request in 0..times {
                tracing::info!(request, method = "GET", path = "/orders/17", us = 481, "answered");
            }
        });
    }
}
