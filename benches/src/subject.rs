//! The things that are measured: each opens its file in a directory and then writes lines or
//! events, or formats times. A subject knows nothing of threads, processes and clocks.

use std::{
    error::Error,
    fs::{File, OpenOptions},
    hint::black_box,
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
};

use clap::{ValueEnum, builder::PossibleValue};
use tracing::{Dispatch, dispatcher};
use tracing_prefork::Appender;
use tracing_subscriber::{
    Layer, Registry,
    fmt::{MakeWriter, format::Writer, time::FormatTime, time::SystemTime},
    layer::SubscriberExt,
};

use crate::load::Shape;

/// What every subject of the group `lines` writes: 120 bytes, as one call.
pub(crate) const LINE: &[u8; 120] = b"2026-11-21T08:33:01.123456Z  INFO shop::orders: answered \
request=184467 method=GET path=/orders/17 status=200 us=481 ..\n";

/// A limit on the size that no measurement reaches: what is measured is looking at it.
const LARGE: u64 = 1 << 30;

/// Subjects of one group do the same work and are compared with one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// A finished line goes to the file.
    Lines,
    /// `info!` with fields, through `tracing_subscriber::fmt`.
    Events,
    /// One timestamp, no file.
    Timers,
}

impl Group {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Events => "events",
            Self::Timers => "timers",
        }
    }

    pub(crate) fn shapes(self) -> &'static [Shape] {
        match self {
            Self::Lines | Self::Events => &[Shape::OneThread, Shape::TwoThreads, Shape::TwoProcesses],
            Self::Timers => &[Shape::OneThread],
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
    TracingAppender,
    EventsWrite,
    EventsPreforkLayer,
    EventsPreforkWriter,
    EventsTracingAppender,
    TimerPrefork,
    TimerSystemTime,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Write,
        Self::Pwrite,
        Self::Prefork,
        Self::PreforkSized,
        Self::TracingAppender,
        Self::EventsWrite,
        Self::EventsPreforkLayer,
        Self::EventsPreforkWriter,
        Self::EventsTracingAppender,
        Self::TimerPrefork,
        Self::TimerSystemTime,
    ];

    /// As the arguments and the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Pwrite => "pwrite",
            Self::Prefork => "prefork",
            Self::PreforkSized => "prefork-sized",
            Self::TracingAppender => "tracing-appender",
            Self::EventsWrite => "events-write",
            Self::EventsPreforkLayer => "events-prefork-layer",
            Self::EventsPreforkWriter => "events-prefork-writer",
            Self::EventsTracingAppender => "events-tracing-appender",
            Self::TimerPrefork => "timer-prefork",
            Self::TimerSystemTime => "timer-system-time",
        }
    }

    /// What exactly is done, for the table.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Write => "write(2), O_APPEND",
            Self::Pwrite => "pwrite(2), O_APPEND",
            Self::Prefork => "tracing_prefork, make_writer().write_all()",
            Self::PreforkSized => "the same, max_file_bytes(1 GiB)",
            Self::TracingAppender => "tracing_appender, make_writer().write_all()",
            Self::EventsWrite => "fmt::layer() into a File, O_APPEND",
            Self::EventsPreforkLayer => "tracing_prefork, layer()",
            Self::EventsPreforkWriter => "tracing_prefork, fmt::layer().with_writer()",
            Self::EventsTracingAppender => "tracing_appender, fmt::layer().with_writer()",
            Self::TimerPrefork => "tracing_prefork, timer()",
            Self::TimerSystemTime => "tracing_subscriber, SystemTime",
        }
    }

    pub(crate) fn group(self) -> Group {
        match self {
            Self::Write | Self::Pwrite | Self::Prefork | Self::PreforkSized | Self::TracingAppender => Group::Lines,
            Self::EventsWrite | Self::EventsPreforkLayer | Self::EventsPreforkWriter | Self::EventsTracingAppender => {
                Group::Events
            }
            Self::TimerPrefork | Self::TimerSystemTime => Group::Timers,
        }
    }

    /// The row that others of its group are compared with: the least that can be done.
    pub(crate) fn is_floor(self) -> bool {
        matches!(self, Self::Write | Self::EventsWrite)
    }

    /// The row that others of its group are compared with: what users have today.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::TracingAppender | Self::EventsTracingAppender | Self::TimerSystemTime)
    }

    /// The same without an option, for what the option costs.
    pub(crate) fn without_option(self) -> Option<Self> {
        (self == Self::PreforkSized).then_some(Self::Prefork)
    }

    pub(crate) fn named(name: &str) -> Result<Self, Box<dyn Error>> {
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("no subject is called {name}; there are: {names}").into())
    }

    /// The kinds that a list of names of subjects and groups stands for; all, if it is empty.
    pub(crate) fn chosen(names: &[String]) -> Result<Vec<Self>, Box<dyn Error>> {
        let groups = [Group::Lines, Group::Events, Group::Timers].map(Group::name);
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

        const PREFIX: &str = "app.log";
        Ok(match self {
            Self::Write => Box::new(BareWrite(open_to_append(directory)?)),
            Self::Pwrite => Box::new(BarePwrite(open_to_append(directory)?)),
            Self::Prefork => Box::new(Lines(ours(directory, PREFIX))),
            Self::PreforkSized => {
                let sized = Appender::builder().filename_prefix(PREFIX).max_file_bytes(LARGE);
                Box::new(Lines(sized.build(directory)?))
            }
            Self::TracingAppender => Box::new(Lines(theirs(directory, PREFIX))),
            Self::EventsWrite => Box::new(Events::through(open_to_append(directory)?)),
            Self::EventsPreforkLayer => Box::new(Events::of(ours(directory, PREFIX).layer())),
            Self::EventsPreforkWriter => Box::new(Events::through(ours(directory, PREFIX))),
            Self::EventsTracingAppender => Box::new(Events::through(theirs(directory, PREFIX))),
            Self::TimerPrefork => Box::new(Timer(ours(directory, PREFIX).timer())),
            Self::TimerSystemTime => Box::new(Timer(SystemTime)),
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

struct Timer<T>(T);

impl<T: FormatTime + Send + Sync> Subject for Timer<T> {
    fn run(&self, times: u64) {
        let mut text = String::with_capacity(64);
        for _ in 0..times {
            text.clear();
            self.0.format_time(&mut Writer::new(&mut text)).expect("a string takes a time");
            black_box(&text);
        }
        assert!(times == 0 || text.ends_with('Z'), "{text:?} is no time");
    }
}
