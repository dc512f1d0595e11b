//! The parts of an event, one by one: a line on its way into the file, an event that is printed, a span, a time, the
//! name of a file.
//!
//! ```text
//! cargo bench --manifest-path benches/performance/Cargo.toml
//! ```

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::io::{Write, sink};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tracing::{Dispatch, dispatcher};
use tracing_prefork::{Appender, Buffering, Rotation};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime as FmtTime};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};

const LINE: &[u8; 120] = b"2026-11-21T08:33:01.123456Z  INFO shop::orders: answered \
request=184467 method=GET path=/orders/17 status=200 us=481 ..\n";

/// An appender, and the directory of its file.
struct Logs {
    appender: Appender,
    file: PathBuf,
    _directory: TempDir,
}

impl Logs {
    fn direct() -> Self {
        Self::of(None)
    }

    fn buffered() -> Self {
        Self::of(Some(Buffering::default()))
    }

    fn of(buffering: Option<Buffering>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let builder = Appender::builder().filename_prefix("app.log").on_error(|error| panic!("{error}"));
        let builder = builder.rotation(Rotation::NEVER);
        let builder = match buffering {
            Some(buffering) => builder.buffered(buffering),
            None => builder,
        };
        let appender = builder.build(directory.path()).expect("an appender");
        Self { file: appender.path(), appender, _directory: directory }
    }

    /// The time of so many calls. The file is empty again afterwards: criterion calls some million times.
    fn time(&self, times: u64, call: impl Fn()) -> Duration {
        let time = time(times, call);
        self.appender.flush().expect("the file takes the lines");
        std::fs::File::options().write(true).open(&self.file).and_then(|file| file.set_len(0)).expect("the file");
        time
    }
}

fn time(times: u64, call: impl Fn()) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        call();
    }
    start.elapsed()
}

fn dispatch(layer: impl Layer<Registry> + Send + Sync) -> Dispatch {
    Dispatch::new(Registry::default().with(layer))
}

fn event() {
    tracing::info!(request = black_box(184_467), path = "/orders/17", "answered");
}

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a line of 120 bytes into a file");
    for (name, logs) in [("direct", Logs::direct()), ("buffered", Logs::buffered())] {
        let write = || logs.appender.make_writer().write_all(black_box(LINE)).expect("the file takes a line");
        group.bench_function(name, |bencher| bencher.iter_custom(|times| logs.time(times, write)));
    }
}

fn events_into_a_file(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("an event into a file");
    let mut bench = |name, logs: Logs, dispatch: Dispatch| {
        dispatcher::with_default(&dispatch, || {
            group.bench_function(name, |bencher| bencher.iter_custom(|times| logs.time(times, event)));
        });
    };
    let logs = Logs::direct();
    let layer = fmt::layer().with_ansi(false).with_timer(logs.appender.timer()).with_writer(logs.appender.clone());
    bench("fmt", logs, dispatch(layer));
    let logs = Logs::direct();
    let layer = logs.appender.layer();
    bench("layer()", logs, dispatch(layer));
    let logs = Logs::direct();
    let layer = logs.appender.layer().json();
    bench("layer().json()", logs, dispatch(layer));
    let logs = Logs::buffered();
    let layer = logs.appender.layer();
    bench("layer(), buffered", logs, dispatch(layer));
}

/// `call`, beneath each of the layers. What they print goes nowhere.
fn into_a_sink(mut group: BenchmarkGroup<'_, WallTime>, call: impl Fn()) {
    let logs = Logs::direct();
    let layers = [
        ("fmt", dispatch(fmt::layer().with_ansi(false).with_writer(sink))),
        ("fmt, json()", dispatch(fmt::layer().json().with_writer(sink))),
        ("layer()", dispatch(logs.appender.layer().with_writer(sink))),
        ("layer().json()", dispatch(logs.appender.layer().with_writer(sink).json())),
    ];
    for (name, dispatch) in layers {
        dispatcher::with_default(&dispatch, || {
            group.bench_function(name, |bencher| bencher.iter(&call));
        });
    }
}

fn events_into_a_sink(criterion: &mut Criterion) {
    into_a_sink(criterion.benchmark_group("an event into a sink"), event);
}

fn spans(criterion: &mut Criterion) {
    into_a_sink(criterion.benchmark_group("a span with an event in it, into a sink"), || {
        tracing::info_span!("request", method = "GET", id = black_box(17)).in_scope(event);
    });
}

fn times(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("the text of a time");
    let logs = Logs::direct();
    let mut bench = |name, timer: &dyn FormatTime| {
        let mut text = String::with_capacity(64);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                text.clear();
                timer.format_time(&mut Writer::new(&mut text)).expect("a string takes a time");
                black_box(text.len())
            });
        });
    };
    bench("timer()", &logs.appender.timer());
    bench("SystemTime of fmt", &FmtTime);
}

fn names(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut group = criterion.benchmark_group("the file of a time");
    for (name, rotation) in [("hourly", Rotation::HOURLY), ("monthly", Rotation::MONTHLY)] {
        let builder = Appender::builder().rotation(rotation).filename_prefix(name);
        let appender = builder.build(directory.path()).expect("an appender");
        let now = SystemTime::now();
        group.bench_function(name, |bencher| bencher.iter(|| appender.path_at(black_box(now))));
    }
}

fn quick() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = parts;
    config = quick();
    targets = lines, events_into_a_file, events_into_a_sink, spans, times, names
}
criterion_main!(parts);
