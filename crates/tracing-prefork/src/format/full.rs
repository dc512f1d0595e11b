//! [`Full`]: a line as `tracing_subscriber::fmt` prints it by default.

use crate::format::fields::TextFields;
use crate::format::line::Line;
use crate::format::number::push_integer;
use crate::format::occurrence::Occurrence;
use crate::format::origin::Origin;
use crate::format::print::Print;
use crate::format::scope::each_from_root;
use crate::format::span_fields::{SpanText, fields_of};
use crate::format::thread::push_thread;
use std::fmt;
use tracing_core::{Level, Metadata, Subscriber};
use tracing_subscriber::registry::LookupSpan;

/// The default format:
///
/// ```text
/// 2026-11-21T08:33:01.123456Z  INFO request{id=17}: shop::orders: answered status=200
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Full;

impl Print for Full {
    type Fields = SpanText;

    #[inline]
    fn print<S>(occurrence: &mut Occurrence<'_, S>, line: &mut Line) -> fmt::Result
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        push_head(occurrence, line);
        push_spans(occurrence, line);
        let origin = Origin::of(occurrence.event);
        if occurrence.shown.target {
            origin.with_target(|target| line.push(target));
            line.push(": ");
        }
        if occurrence.shown.file || occurrence.shown.line_number {
            push_place(occurrence.shown.file, occurrence.shown.line_number, &origin, line);
        }
        push_fields(occurrence, line)
    }
}

/// Prints the time, the level and the thread.
#[inline]
pub(super) fn push_head<S>(occurrence: &mut Occurrence<'_, S>, line: &mut Line) {
    if occurrence.shown.time {
        if occurrence.push_time(line).is_err() {
            line.push("<unknown time>");
        }
        line.push(" ");
    }
    if occurrence.shown.level {
        line.push(level_of(occurrence.event.metadata()));
    }
    push_thread(occurrence.shown, line);
}

/// The level, as wide as the longest one, with a space behind it.
#[inline]
fn level_of(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::TRACE => "TRACE ",
        Level::DEBUG => "DEBUG ",
        Level::INFO => " INFO ",
        Level::WARN => " WARN ",
        Level::ERROR => "ERROR ",
    }
}

/// Prints the spans: `outer{first=1}:inner: `.
#[inline]
fn push_spans<S>(occurrence: &Occurrence<'_, S>, line: &mut Line)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(leaf) = occurrence.span() else { return };
    each_from_root(leaf, &mut |span| {
        line.push(span.name());
        if let Some(fields) = fields_of::<SpanText>(&span.extensions(), occurrence.layer) {
            if !fields.0.is_empty() {
                line.push("{");
                line.push(&fields.0);
                line.push("}");
            }
        }
        line.push(":");
    });
    line.push(" ");
}

/// Prints the file and the line number: `src/main.rs:17: `.
#[inline(never)]
fn push_place(shows_file: bool, shows_number: bool, origin: &Origin<'_>, line: &mut Line) {
    let number = if shows_number { origin.line_number() } else { None };
    if shows_file && origin.with_file(|file| line.push(file)) {
        line.push(if number.is_some() { ":" } else { ": " });
    }
    if let Some(number) = number {
        push_integer(line, number);
        line.push(": ");
    }
}

/// Prints the message and the other fields.
#[inline]
pub(super) fn push_fields<S>(occurrence: &Occurrence<'_, S>, line: &mut Line) -> fmt::Result {
    let mut fields = TextFields::new(line);
    occurrence.event.record(&mut fields);
    fields.result
}
