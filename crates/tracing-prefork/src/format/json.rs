//! [`Json`]: a line as `fmt::layer().json()` prints it.

use crate::format::json_fields::{EventFields, SpanJson, push_formatted, push_key, push_string};
use crate::format::line::Line;
use crate::format::number::push_integer;
use crate::format::occurrence::Occurrence;
use crate::format::origin::Origin;
use crate::format::print::Print;
use crate::format::scope::each_from_root;
use crate::format::shown::Shown;
use crate::format::span_fields::fields_of;
use std::fmt;
use std::thread;
use tracing_core::{Level, Subscriber};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// The format of `fmt::layer().json()`. Each line is a JSON object, here wrapped:
///
/// ```text
/// {"timestamp":"2026-11-21T08:33:01.123456Z","level":"INFO","fields":{"message":"answered","status":200},
///  "target":"shop::orders","span":{"id":17,"name":"request"},"spans":[{"id":17,"name":"request"}]}
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Json;

impl Print for Json {
    type Fields = SpanJson;

    #[inline]
    fn print<S>(occurrence: &mut Occurrence<'_, S>, line: &mut Line) -> fmt::Result
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // What stands in front of the next key.
        let mut before = "{";
        if occurrence.shown.time {
            line.push("{\"timestamp\":\"");
            occurrence.push_json_time(line)?;
            line.push("\"");
            before = ",";
        }
        if occurrence.shown.level {
            line.push(before);
            line.push(level_of(occurrence.event.metadata().level()));
            before = ",";
        }
        let before = push_fields(occurrence, before, line)?;
        let before = push_origin(occurrence, before, line);
        let before = push_spans(occurrence, before, line);
        let before = push_thread(occurrence.shown, before, line);
        line.push(if before == "{" { "{}" } else { "}" });
        Ok(())
    }
}

#[inline]
fn level_of(level: &Level) -> &'static str {
    match *level {
        Level::TRACE => "\"level\":\"TRACE\"",
        Level::DEBUG => "\"level\":\"DEBUG\"",
        Level::INFO => "\"level\":\"INFO\"",
        Level::WARN => "\"level\":\"WARN\"",
        Level::ERROR => "\"level\":\"ERROR\"",
    }
}

/// The functions that print a part return what stands in front of the next key.
type Before = &'static str;

/// Prints the fields of the event: as an object of their own, or beside the other keys.
#[inline]
fn push_fields<S>(occurrence: &Occurrence<'_, S>, before: Before, line: &mut Line) -> Result<Before, fmt::Error> {
    if occurrence.shown.flattened {
        let mut fields = EventFields::new(line, before);
        occurrence.event.record(&mut fields);
        return fields.result.map(|()| fields.before());
    }
    line.push(before);
    line.push("\"fields\":{");
    let mut fields = EventFields::new(line, "");
    occurrence.event.record(&mut fields);
    fields.result?;
    line.push("}");
    Ok(",")
}

/// Prints the target, the file and the line number.
#[inline]
fn push_origin<S>(occurrence: &Occurrence<'_, S>, mut before: Before, line: &mut Line) -> Before {
    let (shown, origin) = (occurrence.shown, Origin::of(occurrence.event));
    if shown.target {
        push_key(line, before, "target");
        origin.with_target(|target| push_string(line, target));
        before = ",";
    }
    let mut push_file = |file: &str| {
        push_key(line, before, "filename");
        push_string(line, file);
    };
    if shown.file && origin.with_file(&mut push_file) {
        before = ",";
    }
    if shown.line_number {
        if let Some(number) = origin.line_number() {
            push_key(line, before, "line_number");
            push_integer(line, number);
            before = ",";
        }
    }
    before
}

/// Prints the innermost span and the list of spans.
///
/// As in `fmt`, the list is that of the thread's current spans, also if the event names another span as its parent.
#[inline]
fn push_spans<S>(occurrence: &Occurrence<'_, S>, mut before: Before, line: &mut Line) -> Before
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let shown = occurrence.shown;
    if !shown.current_span && !shown.span_list {
        return before;
    }
    let Some(span) = occurrence.parent_or_current() else { return before };
    if shown.current_span {
        push_key(line, before, "span");
        push_span(&span, "", occurrence.layer, line);
        before = ",";
    }
    if shown.span_list {
        push_key(line, before, "spans");
        let mut between = "[";
        if let Some(leaf) = occurrence.context.lookup_current() {
            each_from_root(leaf, &mut |span| {
                push_span(span, std::mem::replace(&mut between, ","), occurrence.layer, line);
            });
        }
        line.push(if between == "[" { "[]" } else { "]" });
        before = ",";
    }
    before
}

/// Prints a span as an object. `before` stands in front of the object.
#[inline]
fn push_span<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, before: &str, layer: u64, line: &mut Line) {
    line.push(before);
    line.push("{");
    if let Some(fields) = fields_of::<SpanJson>(&span.extensions(), layer) {
        line.push(&fields.text);
    }
    line.push("\"name\":");
    push_string(line, span.name());
    line.push("}");
}

/// Prints the name and the number of the thread.
#[inline]
fn push_thread(shown: &Shown, before: Before, line: &mut Line) -> Before {
    if shown.thread_names || shown.thread_ids { push_shown_thread(shown, before, line) } else { before }
}

#[inline(never)]
fn push_shown_thread(shown: &Shown, mut before: Before, line: &mut Line) -> Before {
    let thread = thread::current();
    let id = thread.id();
    if shown.thread_names {
        match thread.name() {
            Some(name) => {
                push_key(line, before, "threadName");
                push_string(line, name);
                before = ",";
            }
            // A thread without a name has its number in the name's place.
            None if !shown.thread_ids => {
                push_key(line, before, "threadName");
                let _ = push_formatted(line, format_args!("{id:?}"));
                before = ",";
            }
            None => {}
        }
    }
    if shown.thread_ids {
        push_key(line, before, "threadId");
        let _ = push_formatted(line, format_args!("{id:?}"));
        before = ",";
    }
    before
}
