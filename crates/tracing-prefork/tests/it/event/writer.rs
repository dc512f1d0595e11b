//! One event, one line, one write, however it is handed over.

use std::io::{BufWriter, Write};
use std::sync::Arc;
use tracing_prefork::Appender;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use crate::common::{Hand, NOW, read};

struct Logs {
    directory: tempfile::TempDir,
    logs: Appender,
}

fn never() -> Logs {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().build(directory.path()).expect("builds");
    Logs { directory, logs }
}

impl Logs {
    fn text(&self) -> String {
        read(self.directory.path(), "app.log")
    }
}

#[test]
fn pieces_become_one_line_and_a_missing_newline_is_added() {
    let it = never();
    let mut event = it.logs.make_writer();
    for piece in ["one", " line\n", "and another", " one"] {
        event.write_all(piece.as_bytes()).expect("writes");
        assert_eq!(it.text(), "", "nothing is written before the event is done");
    }
    drop(event);
    assert_eq!(it.text(), "one line\nand another one\n");
    assert_eq!(it.logs.stats().writes, 1, "it was one write");
}

#[test]
fn a_whole_line_is_written_when_the_call_returns() {
    let it = never();
    let mut event = it.logs.make_writer();
    event.write_all(b"whole\n").expect("writes");
    assert_eq!(it.text(), "whole\n");
    drop(event);
    assert_eq!(it.text(), "whole\n");
}

#[test]
fn flush_ends_an_event() {
    let it = never();
    let mut event = it.logs.make_writer();
    event.write_all(b"first").expect("writes");
    event.flush().expect("writes");
    event.flush().expect("nothing to write");
    event.write_all(b"second").expect("writes");
    drop(event);
    assert_eq!(it.text(), "first\nsecond\n");
}

#[test]
fn events_within_events_do_not_mix() {
    let it = never();
    let mut outer = it.logs.make_writer();
    outer.write_all(b"outer ").expect("writes");
    let mut inner = it.logs.make_writer();
    inner.write_all(b"inner").expect("writes");
    drop(inner);
    outer.write_all(b"event").expect("writes");
    drop(outer);
    assert_eq!(it.text(), "inner\nouter event\n");
}

#[test]
fn formatted_text_of_any_length_is_one_write() {
    let it = never();
    let mut expected = String::new();
    for (number, length) in (0..20).chain(490..530).chain([2000, 100_000, 3]).enumerate() {
        let text = "y".repeat(length);
        match number % 3 {
            0 => write!(&it.logs, "{number} {text}").expect("writes"),
            1 => writeln!(&it.logs, "{number} {text}").expect("writes"),
            _ => writeln!(it.logs.make_writer(), "{number} {text}").expect("writes"),
        }
        expected += &format!("{number} {text}\n");
    }
    assert_eq!(it.text(), expected);
    assert_eq!(it.logs.stats().writes, 63);
}

#[test]
fn a_failing_display_is_an_error_and_its_text_so_far_a_line() {
    struct Fails;
    impl std::fmt::Display for Fails {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("so far")?;
            Err(std::fmt::Error)
        }
    }
    let it = never();
    writeln!(&it.logs, "{Fails}").expect_err("it fails");
    writeln!(it.logs.make_writer(), "{Fails}").expect_err("it fails");
    writeln!(it.logs.clone(), "{Fails}").expect_err("it fails");
    assert_eq!(it.text(), "so far\nso far\nso far\n");
}

#[test]
fn nothing_is_written_for_nothing() {
    let it = never();
    it.logs.make_writer().write_all(b"").expect("writes");
    it.logs.make_writer().flush().expect("flushes");
    (&it.logs).write_all(b"").expect("writes");
    it.logs.clone().write_all(b"").expect("writes");
    assert_eq!(it.text(), "");
}

#[test]
fn the_handle_keeps_the_end_of_a_line_until_the_rest_comes() {
    let it = never();
    let mut handle = it.logs.clone();
    handle.write_all(b"a whole one\nand a pie").expect("writes");
    assert_eq!(it.text(), "a whole one\n");
    handle.clone().write_all(b"a clone has a piece of its own\n").expect("writes");
    handle.write_all(b"ce\nrest").expect("writes");
    assert_eq!(it.text(), "a whole one\na clone has a piece of its own\nand a piece\n");
    drop(handle);
    assert!(it.text().ends_with("and a piece\nrest\n"));
}

#[test]
fn formatted_text_is_one_line_through_every_kind_of_handle() {
    let it = never();
    writeln!(it.logs.clone(), "{}-{}", 1, 2).expect("writes");
    writeln!(&it.logs, "{}-{}", 3, 4).expect("writes");
    write!(&it.logs, "{}-{}", 5, 6).expect("writes");
    writeln!(it.logs.make_writer(), "{}-{}", 7, 8).expect("writes");
    assert_eq!(it.text(), "1-2\n3-4\n5-6\n7-8\n");
    assert_eq!(it.logs.stats().writes, 4);
}

#[test]
fn a_buffered_writer_gives_whole_lines_wherever_it_cuts_them() {
    let it = never();
    let mut buffered = BufWriter::with_capacity(100, it.logs.clone());
    let mut expected = String::new();
    for number in 0..100 {
        write!(buffered, "line {number} {}", "x".repeat(number)).expect("writes");
        writeln!(buffered).expect("writes");
        expected += &format!("line {number} {}\n", "x".repeat(number));
        let text = it.text();
        assert!(text.is_empty() || text.ends_with('\n'), "a piece of a line was written: {text:?}");
    }
    drop(buffered);
    assert_eq!(it.text(), expected);
}

#[test]
fn non_blocking_writes_whole_lines_through_the_handle() {
    let it = never();
    let (writer, guard) = tracing_appender::non_blocking(it.logs.clone());
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(writer).finish();
    tracing::subscriber::with_default(subscriber, || (0..100).for_each(|number| tracing::info!(number)));
    drop(guard);
    assert_eq!(it.text().lines().count(), 100);
}

#[test]
fn a_shared_handle_is_a_make_writer_too() {
    let it = never();
    let shared = Arc::new(it.logs.clone());
    let layer = tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(shared);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("shared"));
    assert_eq!(it.text(), format!(" INFO {}: shared\n", module_path!()));
}

#[test]
fn the_colours_of_a_console_layer_do_not_end_in_the_file() {
    let it = never();
    let console = tracing_subscriber::fmt::layer().with_ansi(true).with_writer(std::io::sink);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(console).with(it.logs.layer()), || {
        let span = tracing::info_span!("request", id = 7, late = tracing::field::Empty);
        span.record("late", true);
        span.in_scope(|| tracing::info!("hello"));
    });
    let text = it.text();
    assert!(text.ends_with(&format!("INFO request{{id=7 late=true}}: {}: hello\n", module_path!())), "{text:?}");
}
