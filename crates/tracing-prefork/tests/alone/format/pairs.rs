//! A layer of ours and one of `fmt` with the same options, and a subscriber that gives its events to one of them.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tracing::Event;
use tracing::span::{Attributes, Id, Record};
use tracing_prefork::{Appender, Precision, Timer};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FmtSpan, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::Context;
use tracing_subscriber::{Layer, Registry, fmt as theirs};

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Which pair has the events, and whether its first layer or the second.
static PAIR: AtomicUsize = AtomicUsize::new(0);
static IS_OURS: AtomicBool = AtomicBool::new(true);

/// From now on, this layer has the events.
pub(super) fn turn_to(pair: usize, is_ours: bool) {
    PAIR.store(pair, Relaxed);
    IS_OURS.store(is_ours, Relaxed);
}

/// Pairs with different options.
pub(super) struct Pairs(Vec<(Boxed, Boxed)>);

impl Pairs {
    fn with<T>(&self, work: impl FnOnce(&Boxed) -> T) -> T {
        let (ours, theirs) = &self.0[PAIR.load(Relaxed)];
        work(if IS_OURS.load(Relaxed) { ours } else { theirs })
    }
}

impl Layer<Registry> for Pairs {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, Registry>) {
        self.with(|layer| layer.on_new_span(attributes, id, context));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, Registry>) {
        self.with(|layer| layer.on_record(id, values, context));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, Registry>) {
        self.with(|layer| layer.on_follows_from(id, follows, context));
    }

    fn on_enter(&self, id: &Id, context: Context<'_, Registry>) {
        self.with(|layer| layer.on_enter(id, context));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, Registry>) {
        self.with(|layer| layer.on_exit(id, context));
    }

    fn on_close(&self, id: Id, context: Context<'_, Registry>) {
        self.with(|layer| layer.on_close(id, context));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, Registry>) {
        self.with(|layer| layer.on_event(event, context));
    }
}

/// Where `fmt` writes.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

/// The next line of `fmt` begins with what is left of an event that has panicked.
static IS_LEFT_OVER: AtomicBool = AtomicBool::new(false);

/// In `fmt`, the next line of a thread begins with what was printed before a panic. This line takes it away.
pub(super) fn take_leftover() {
    if !IS_OURS.load(Relaxed) {
        IS_LEFT_OVER.store(true, Relaxed);
        tracing::info!("takes what is left");
        IS_LEFT_OVER.store(false, Relaxed);
    }
}

impl Kept {
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }
}

impl Write for Kept {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !IS_LEFT_OVER.load(Relaxed) {
            self.0.lock().expect("not poisoned").extend_from_slice(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Kept {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A timer whose text needs an escape in JSON.
struct Quoted(Timer);

impl FormatTime for Quoted {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        self.0.format_time(w)?;
        w.write_str(" \"Z\"\t")
    }
}

/// Prints a piece of a time, and fails.
struct Broken;

impl FormatTime for Broken {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        w.write_str("2026-11-21T")?;
        Err(fmt::Error)
    }
}

/// Both layers with the same calls.
macro_rules! pair {
    ($logs:ident, $kept:ident, |$layer:ident| $with:expr) => {{
        let ours = {
            let $layer = $logs.layer();
            $with
        };
        let theirs = {
            let $layer = theirs::layer().with_ansi(false).with_timer($logs.timer()).with_writer($kept.clone());
            $with
        };
        (ours.boxed(), theirs.boxed())
    }};
}

/// All text layers. `compact` puts a word in each.
macro_rules! texts {
    ($logs:ident, $kept:ident, $($compact:ident)?) => {
        vec![
            pair!($logs, $kept, |layer| layer$(.$compact())?),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_target(false)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_level(false).with_file(true)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_line_number(true).with_target(false)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_file(true).with_line_number(true)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_thread_ids(true)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_thread_names(true)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_thread_names(true).with_thread_ids(true)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.without_time().with_span_events(FmtSpan::FULL)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_span_events(FmtSpan::FULL)),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)),
            pair!($logs, $kept, |layer| {
                layer$(.$compact())?.with_timer($logs.timer().with_precision(Precision::Seconds))
            }),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_timer(Quoted($logs.timer()))),
            pair!($logs, $kept, |layer| layer$(.$compact())?.with_timer(Broken)),
        ]
    };
}

pub(super) fn full(logs: &Appender, kept: &Kept) -> Pairs {
    Pairs(texts!(logs, kept,))
}

pub(super) fn compact(logs: &Appender, kept: &Kept) -> Pairs {
    Pairs(texts!(logs, kept, compact))
}

pub(super) fn json(logs: &Appender, kept: &Kept) -> Pairs {
    let mut pairs = texts!(logs, kept, json);
    pairs.extend([
        pair!(logs, kept, |layer| layer.json().flatten_event(true)),
        pair!(logs, kept, |layer| layer.json().with_current_span(false)),
        pair!(logs, kept, |layer| layer.json().with_span_list(false)),
        pair!(logs, kept, |layer| layer.json().with_span_list(false).with_current_span(false)),
        pair!(logs, kept, |layer| {
            layer.json().flatten_event(true).with_level(false).with_target(false).without_time()
        }),
    ]);
    Pairs(pairs)
}

/// How many pairs there are.
impl Pairs {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}
