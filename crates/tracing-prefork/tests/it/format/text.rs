//! Lines of text: the cases that tracing-subscriber tests its formatters with, and their neighbours.

use std::fmt;
use std::thread;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use super::same::{Place, same};

const TIME: &str = "2026-11-21T08:33:01.000000Z";

fn hello() {
    tracing::info!("hello");
}

#[test]
fn all_parts_by_default() {
    let text = same!(|layer| layer, hello);
    assert_eq!(text, format!("{TIME}  INFO {}: hello\n", module_path!()));
}

#[test]
fn the_message_alone() {
    let text = same!(|layer| layer.with_level(false).with_target(false).without_time(), hello);
    assert_eq!(text, "hello\n");
    assert_eq!(same!(|layer| layer.compact().with_level(false).with_target(false).without_time(), hello), "hello\n");
}

#[test]
fn without_the_level() {
    let text = same!(|layer| layer.with_level(false), hello);
    assert_eq!(text, format!("{TIME} {}: hello\n", module_path!()));
    same!(|layer| layer.compact().with_level(false), hello);
}

#[test]
fn file_and_line() {
    let both = same!(|layer| layer.with_file(true).with_line_number(true).with_level(false), hello);
    assert!(both.starts_with(&format!("{TIME} {}: {}:", module_path!(), file!())), "{both}");
    assert!(both.ends_with(": hello\n"), "{both}");
    let file = same!(|layer| layer.with_file(true).with_level(false), hello);
    assert_eq!(file, format!("{TIME} {}: {}: hello\n", module_path!(), file!()));
    let line = same!(|layer| layer.with_line_number(true).with_level(false), hello);
    assert!(line.starts_with(&format!("{TIME} {}: ", module_path!())) && !line.contains(".rs"), "{line}");
    same!(|layer| layer.compact().with_file(true).with_line_number(true), hello);
}

#[test]
fn thread_ids_and_names() {
    let text = same!(|layer| layer.with_thread_ids(true), hello);
    assert!(text.contains("ThreadId("), "{text}");
    let in_named = || {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let log = move || tracing::dispatcher::with_default(&dispatch, hello);
        let thread = thread::Builder::new().name("a worker".to_owned()).spawn(log).expect("starts");
        thread.join().expect("ends");
    };
    let text = same!(|layer| layer.with_thread_names(true), in_named);
    assert!(text.contains(" a worker "), "{text}");
    same!(|layer| layer.compact().with_thread_names(true), in_named);
}

#[test]
fn every_level_is_five_columns_wide() {
    let text = same!(|layer| layer.with_target(false), || {
        tracing::error!("5");
        tracing::warn!("4");
        tracing::info!("3");
        tracing::debug!("2");
        tracing::trace!("1");
    });
    let levels: Vec<_> = text.lines().map(|line| &line[TIME.len()..]).collect();
    assert_eq!(levels, [" ERROR 5", "  WARN 4", "  INFO 3", " DEBUG 2", " TRACE 1"]);
}

/// Prints the same for ever.
struct Noon;

impl FormatTime for Noon {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        w.write_str("at noon")
    }
}

#[test]
fn a_timer_of_ones_own() {
    let text = same!(|layer| layer.with_timer(Noon).with_target(false), hello);
    assert_eq!(text, "at noon  INFO hello\n");
    same!(|layer| layer.compact().with_timer(Noon), hello);
    same!(|layer| layer.json().with_timer(Noon), hello);
}

/// Instants of tracing-subscriber's tests of its own dates, in seconds and nanoseconds since 1970.
#[test]
fn leap_days_and_ends_of_years_are_printed() {
    let cases = [
        (0, 0, "1970-01-01T00:00:00.000000000Z"),
        (951_782_399, 999_999_999, "2000-02-28T23:59:59.999999999Z"),
        (951_782_400, 0, "2000-02-29T00:00:00.000000000Z"),
        (978_307_199, 1_000, "2000-12-31T23:59:59.000001000Z"),
        (4_107_542_399, 0, "2100-02-28T23:59:59.000000000Z"),
        (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
    ];
    for (seconds, nanos, expected) in cases {
        let hand = crate::common::Hand::at(seconds);
        hand.set(seconds, nanos);
        let directory = tempfile::tempdir().expect("a directory");
        let builder = hand.builder().rotation(tracing_prefork::Rotation::NEVER);
        let logs = builder.build(directory.path()).expect("builds");
        let timer = logs.timer().with_precision(tracing_prefork::Precision::Nanoseconds);
        let layer = logs.layer().with_timer(timer).with_level(false).with_target(false);
        let subscriber = tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), layer);
        tracing::subscriber::with_default(subscriber, hello);
        let text = std::fs::read_to_string(logs.path()).expect("its file");
        assert_eq!(text, format!("{expected} hello\n"));
    }
}

/// Cannot be printed.
struct Refuses;

impl fmt::Debug for Refuses {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[test]
fn an_event_that_cannot_be_printed_is_left_out_and_counted() {
    let place = Place::new();
    let scene = || {
        tracing::info!(refused = ?Refuses, "not printed");
        hello();
    };
    let theirs = tracing_subscriber::fmt::layer().with_ansi(false).log_internal_errors(false);
    let theirs = theirs.with_timer(place.logs.timer()).with_writer(place.kept.clone());
    let text = place.compare(place.logs.layer(), theirs, scene);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(place.logs.stats().lines_lost, 1);
}

#[test]
fn fields_before_and_behind_the_message() {
    let scene = || {
        let (number, text, r#type) = (-7_i64, "a \"b\"\n\u{1b}[31m", true);
        tracing::info!(number, text, r#type, half = 0.5, "said {}", "much");
        tracing::info!(number, error = ?Some(text), shown = %text);
        tracing::info!(name: "an event", target: "elsewhere", { a.b = 1, "c d" = 2 }, "behind");
        tracing::info!({ message = "explicit", behind = 'x'.to_string() });
        tracing::info!(empty = tracing::field::Empty, "and nothing");
    };
    let text = same!(|layer| layer, scene);
    assert!(text.contains("said much number=-7 text=\"a \\\"b\\\"\\n"), "{text}");
    same!(|layer| layer.compact(), scene);
    same!(|layer| layer.json(), scene);
    same!(|layer| layer.json().flatten_event(true), scene);
}
