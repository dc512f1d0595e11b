//! The fields of an event and of a span as JSON: `"message":"answered","status":200`.

use crate::format::escape::{JsonText, push_json};
use crate::format::line::Line;
use crate::format::number::{push_integer, push_json_float};
use crate::format::span_fields::Fields;
use std::fmt::{self, Write};
use std::ops::Range;
use tracing_core::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;

/// Prints a key. `before` stands in front of it: the brace or the comma.
#[inline]
pub(super) fn push_key(line: &mut Line, before: &str, key: &str) {
    line.push(before);
    line.push("\"");
    push_json(line, key);
    line.push("\":");
}

/// Prints a string in quotes.
#[inline]
pub(super) fn push_string(line: &mut Line, text: &str) {
    line.push("\"");
    push_json(line, text);
    line.push("\"");
}

/// Prints what `{}` or `{:?}` makes of a value as a string in quotes.
#[inline]
pub(super) fn push_formatted(line: &mut Line, arguments: fmt::Arguments<'_>) -> fmt::Result {
    line.push("\"");
    let result = JsonText(line).write_fmt(arguments);
    line.push("\"");
    result
}

/// Prints the fields of an event, as `tracing-serde` does.
pub(super) struct EventFields<'a> {
    line: &'a mut Line,
    /// What stands in front of the next key.
    before: &'static str,
    /// The `Debug` or `Display` of a value has returned an error.
    pub(super) result: fmt::Result,
}

impl<'a> EventFields<'a> {
    #[inline]
    pub(super) fn new(line: &'a mut Line, before: &'static str) -> Self {
        Self { line, before, result: Ok(()) }
    }

    /// What stands in front of the next key.
    pub(super) fn before(&self) -> &'static str {
        self.before
    }

    #[inline]
    fn key(&mut self, field: &Field) -> &mut Line {
        push_key(self.line, std::mem::replace(&mut self.before, ","), field.name());
        self.line
    }
}

impl Visit for EventFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.result.is_ok() {
            self.result = push_formatted(self.key(field), format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        push_string(self.key(field), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        push_integer(self.key(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        push_integer(self.key(field), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        push_json_float(self.key(field), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.key(field).push(if value { "true" } else { "false" });
    }
}

/// The fields of a span: `"first":1,"second":"two",`, sorted by their names.
#[derive(Debug, Default)]
pub struct SpanJson {
    pub(super) text: String,
    /// The name of each field, and where its value stands in `text`.
    values: Vec<(&'static str, Range<usize>)>,
}

/// Values of a span that are printed one behind the other, and not yet sorted.
#[derive(Debug)]
pub struct PrintedJson {
    line: Line,
    values: Vec<(&'static str, Range<usize>)>,
    result: fmt::Result,
}

impl Fields for SpanJson {
    type Printed = PrintedJson;

    fn print(values: &dyn RecordFields) -> (PrintedJson, fmt::Result) {
        let mut printed = PrintedJson { line: Line::new(), values: Vec::new(), result: Ok(()) };
        values.record(&mut printed);
        let result = printed.result;
        (printed, result)
    }

    /// A field that is there already gets the new value.
    fn add(&mut self, printed: &PrintedJson) {
        let (old, new) = (std::mem::take(self), printed.line.text());
        let old_values = old.values.iter().map(|(name, range)| (*name, &old.text[range.clone()]));
        let new_values = printed.values.iter().map(|(name, range)| (*name, &new[range.clone()]));
        let mut all: Vec<(&'static str, &str)> = old_values.chain(new_values).collect();
        // Stable: of fields with the same name, the last one stays the last one.
        all.sort_by_key(|(name, _)| *name);
        let mut line = Line::new();
        for (at, (name, value)) in all.iter().enumerate() {
            if all.get(at + 1).is_none_or(|(next, _)| next != name) {
                push_key(&mut line, "", name);
                let begin = line.bytes().len();
                line.push(value);
                self.values.push((name, begin..begin + value.len()));
                line.push(",");
            }
        }
        self.text = line.text().to_owned();
    }
}

impl PrintedJson {
    /// Prints a value, and notes where it stands.
    fn value(&mut self, name: &'static str, print: impl FnOnce(&mut Line) -> fmt::Result) {
        if self.result.is_err() {
            return;
        }
        let begin = self.line.bytes().len();
        self.result = print(&mut self.line);
        self.values.push((name, begin..self.line.bytes().len()));
    }
}

/// Prints values as the `JsonFields` of `fmt` do.
impl Visit for PrintedJson {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = field.name();
        if !name.starts_with("log.") {
            let name = name.strip_prefix("r#").unwrap_or(name);
            self.value(name, |line| push_formatted(line, format_args!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.value(field.name(), |line| {
            push_string(line, value);
            Ok(())
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.value(field.name(), |line| {
            push_integer(line, value);
            Ok(())
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.value(field.name(), |line| {
            push_integer(line, value);
            Ok(())
        });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.value(field.name(), |line| {
            push_json_float(line, value);
            Ok(())
        });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.value(field.name(), |line| {
            line.push(if value { "true" } else { "false" });
            Ok(())
        });
    }

    /// A list of numbers.
    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.value(field.name(), |line| {
            line.push("[");
            for (at, byte) in value.iter().enumerate() {
                line.push(if at == 0 { "" } else { "," });
                push_integer(line, *byte);
            }
            line.push("]");
            Ok(())
        });
    }
}
