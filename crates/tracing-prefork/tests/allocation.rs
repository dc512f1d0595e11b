//! An event allocates nothing in steady state (promise P7): counted by an allocator that counts
//! for each thread by itself, so that tests beside it in the same process do not disturb.

mod common;

use common::{Hand, NOW, alone, small_disk};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use tracing::{Dispatch, Subscriber, dispatcher, info, info_span};
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::{Registry, fmt::MakeWriter, layer::SubscriberExt};

struct Counting;

thread_local! {
    /// Without a destructor and initialised by a constant, so that reading it allocates nothing.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// The bytes of the largest one.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn count_one(bytes: usize) {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
    LARGEST.with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call is handed on to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_one(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one(size);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Of this thread, during `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const EVENTS: u64 = 1000;

/// Of `EVENTS` events, after as many that are not counted: buffers have found their size then.
fn allocations_in_steady_state(mut event: impl FnMut(u64)) -> u64 {
    (0..EVENTS).for_each(&mut event);
    allocations(|| (0..EVENTS).for_each(&mut event))
}

/// Its clock starts in the morning of a day and advances by 10 ms with each reading: what the
/// appender does once in a while is done many times, but no period ends.
fn daily_appender() -> (Appender, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let readings = AtomicU64::new(0);
    let appender = Appender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("app.log")
        .clock(move || {
            let morning = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_248_000);
            morning + Duration::from_millis(10 * readings.fetch_add(1, Ordering::Relaxed))
        })
        .build(directory.path())
        .expect("an appender");
    (appender, directory)
}

/// The test wrote what it meant to write, into one file.
fn expect_lines(appender: &Appender, directory: &TempDir, lines: u64) {
    let path = appender.path();
    assert_eq!(path.parent(), Some(directory.path()));
    let text = std::fs::read_to_string(path).expect("the log file");
    assert_eq!(text.lines().count() as u64, lines);
}

/// The allocations of events in steady state behind `subscriber`; `in_a_span`, or in none.
fn allocations_of_events(subscriber: impl Subscriber + Send + Sync + 'static, in_a_span: bool) -> u64 {
    dispatcher::with_default(&Dispatch::new(subscriber), || {
        let span = in_a_span.then(|| info_span!("request", id = 17).entered());
        let count = allocations_in_steady_state(|sequence| {
            info!(sequence, path = "/orders/17", price = 2.5, ok = true, "answered {sequence}");
            info!(target: "shop", error = &io::Error::from(io::ErrorKind::NotFound) as &dyn std::error::Error);
        });
        drop(span);
        count
    })
}

/// Lines that `allocations_of_events` makes.
const EVENT_LINES: u64 = 2 * 2 * EVENTS;

#[test]
fn the_count_sees_all_allocations_of_this_thread_alone() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1_u64)))), 1, "alloc");
    assert_eq!(allocations(|| drop(black_box(vec![0_u8; 100]))), 1, "alloc_zeroed");
    let mut text = String::from("a line");
    assert_eq!(allocations(|| black_box(&mut text).reserve_exact(1000)), 1, "realloc");
    assert_eq!(allocations_in_steady_state(|n| drop(black_box(Box::new(n)))), EVENTS);

    let elsewhere = std::thread::spawn(|| allocations(|| drop(black_box(Box::new(1_u64)))));
    let here = allocations(|| while !elsewhere.is_finished() {});
    assert_eq!((here, elsewhere.join().expect("it counts")), (0, 1));
}

#[test]
fn a_whole_line_through_make_writer_allocates_nothing() {
    let (appender, directory) = daily_appender();
    let count = allocations_in_steady_state(|_| {
        appender.make_writer().write_all(b"one whole line of a log\n").expect("written");
    });
    assert_eq!(count, 0);
    expect_lines(&appender, &directory, 2 * EVENTS);
}

#[test]
fn a_line_handed_over_in_pieces_allocates_nothing() {
    let (appender, directory) = daily_appender();
    let count = allocations_in_steady_state(|sequence| {
        let mut writer = appender.make_writer();
        write!(writer, "line {sequence} of {}", 2 * EVENTS).expect("taken");
        writer.write_all(&[b'.'; 500]).expect("taken");
        writer.write_all(b" end\n").expect("taken");
    });
    assert_eq!(count, 0);
    expect_lines(&appender, &directory, 2 * EVENTS);
}

#[test]
fn a_line_through_a_shared_reference_allocates_nothing() {
    let (appender, directory) = daily_appender();
    let count = allocations_in_steady_state(|_| {
        (&appender).write_all(b"one whole line of a log\n").expect("written");
    });
    assert_eq!(count, 0);
    expect_lines(&appender, &directory, 2 * EVENTS);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn a_buffered_line_allocates_nothing_in_the_thread_that_logs() {
    use tracing_prefork::Buffering;

    const LINE: &str = "one line of a log that is so long that a thousand of them do not go into the ring ..........\n";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let builder = Appender::builder().rotation(Rotation::NEVER).filename_prefix("app.log");
    // So small that the thread writes lines to the file, too.
    let builder = builder.buffered(Buffering::default().ring_bytes(64 << 10));
    let appender = builder.build(directory.path()).expect("an appender");
    let count = allocations_in_steady_state(|_| {
        appender.make_writer().write_all(LINE.as_bytes()).expect("written");
    });
    assert_eq!(count, 0);
    let fmt = tracing_subscriber::fmt().with_timer(appender.timer()).with_writer(appender.clone()).with_ansi(false);
    assert_eq!(allocations_of_events(fmt.finish(), false), 0);
    appender.flush().expect("written");
    expect_lines(&appender, &directory, 2 * EVENTS + EVENT_LINES);
}

#[test]
fn an_event_through_layer_allocates_nothing() {
    let (appender, directory) = daily_appender();
    let count = allocations_of_events(Registry::default().with(appender.layer()), false);
    assert_eq!(count, 0);
    expect_lines(&appender, &directory, EVENT_LINES);
}

#[test]
fn an_event_through_fmt_with_timer_and_writer_allocates_nothing() {
    let (appender, directory) = daily_appender();
    let subscriber =
        tracing_subscriber::fmt().with_timer(appender.timer()).with_writer(appender.clone()).with_ansi(false).finish();
    assert_eq!(allocations_of_events(subscriber, false), 0);
    expect_lines(&appender, &directory, EVENT_LINES);
}

#[test]
fn ending_a_long_fragment_takes_little_memory() {
    alone(|directory| {
        if !small_disk(directory, "size=16m") {
            return;
        }
        let logs = Hand::at(NOW).builder().on_error(|_| {}).build(directory).expect("builds");
        let mut line = vec![b'x'; 32 << 20];
        line.push(b'\n');
        for before in ["", "a line\n"] {
            (&logs).write_all(before.as_bytes()).expect("there is room");
            LARGEST.set(0);
            (&logs).write_all(&line).expect_err("the disk is full");
            assert!(LARGEST.get() < 1 << 20, "{} bytes at a time", LARGEST.get());
            let text = std::fs::read(logs.path()).expect("there");
            let piece = text.strip_prefix(before.as_bytes()).expect("the line before stays").split_last();
            let Some((b'\n', piece)) = piece else { panic!("the piece has not been ended") };
            assert!(piece.len() > 15 << 20 && piece.iter().all(|&byte| byte == b'x'), "{} bytes", piece.len());
            std::fs::File::options().write(true).open(logs.path()).and_then(|file| file.set_len(0)).expect("emptied");
        }
    });
}

#[test]
fn an_event_in_a_span_allocates_nothing() {
    let (appender, directory) = daily_appender();
    assert_eq!(allocations_of_events(Registry::default().with(appender.layer()), true), 0);
    expect_lines(&appender, &directory, EVENT_LINES);
}

#[test]
fn a_json_event_in_a_span_allocates_nothing() {
    let (appender, directory) = daily_appender();
    assert_eq!(allocations_of_events(Registry::default().with(appender.layer().json()), true), 0);
    expect_lines(&appender, &directory, EVENT_LINES);
}

/// A line that does not fit the stack is put together in a buffer, which the thread keeps.
#[test]
fn a_long_event_allocates_nothing() {
    let (appender, directory) = daily_appender();
    let text = "long ".repeat(1000);
    dispatcher::with_default(&Dispatch::new(Registry::default().with(appender.layer())), || {
        assert_eq!(allocations_in_steady_state(|_| info!(text, "{text}")), 0);
    });
    expect_lines(&appender, &directory, 2 * EVENTS);
}

#[test]
fn a_buffer_of_more_than_64_kib_is_given_back() {
    let (appender, directory) = daily_appender();
    let event = |length: usize| {
        let text = "x".repeat(length);
        allocations(|| info!("{text}"))
    };
    dispatcher::with_default(&Dispatch::new(Registry::default().with(appender.layer())), || {
        event(60 << 10);
        assert_eq!(event(60 << 10), 0, "60 KiB are kept");
        event(1 << 20);
        assert!(event(60 << 10) > 0, "1 MiB was given back");
        assert_eq!(event(60 << 10), 0, "60 KiB are kept again");
    });
    expect_lines(&appender, &directory, 5);
}
