//! The fields of an event or a span as text: `message first=1 second="two"`.

use crate::format::escape::{Message, push_message, push_quoted};
use crate::format::line::Line;
use crate::format::number::{push_float, push_integer};
use std::error::Error;
use std::fmt::{self, Write};
use tracing_core::field::{Field, Visit};

/// Prints the fields that it visits.
pub(super) struct TextFields<'a> {
    line: &'a mut Line,
    is_first: bool,
    /// The `Debug` or `Display` of a value has returned an error. Nothing more is printed.
    pub(super) result: fmt::Result,
}

/// How the value of a field is printed.
#[derive(PartialEq)]
enum Place {
    /// The message stands without its name.
    Message,
    /// The name is printed already.
    Named,
    /// Not at all.
    Nowhere,
}

impl<'a> TextFields<'a> {
    #[inline]
    pub(super) fn new(line: &'a mut Line) -> Self {
        Self { line, is_first: true, result: Ok(()) }
    }

    /// Prints what stands before a value.
    #[inline]
    fn begin(&mut self, field: &Field) -> Place {
        let name = field.name();
        // `tracing-log` keeps the origin of a record in such fields.
        if self.result.is_err() || name.starts_with("log.") {
            return Place::Nowhere;
        }
        if !std::mem::take(&mut self.is_first) {
            self.line.push(" ");
        }
        if name == "message" {
            return Place::Message;
        }
        self.line.push(name.strip_prefix("r#").unwrap_or(name));
        self.line.push("=");
        Place::Named
    }
}

impl Visit for TextFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match self.begin(field) {
            Place::Message => self.result = write!(Message(self.line), "{value:?}"),
            Place::Named => self.result = write!(self.line, "{value:?}"),
            Place::Nowhere => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match self.begin(field) {
            Place::Message => push_message(self.line, value),
            Place::Named => push_quoted(self.line, value),
            Place::Nowhere => {}
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if self.begin(field) != Place::Nowhere {
            push_integer(self.line, value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if self.begin(field) != Place::Nowhere {
            push_integer(self.line, value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if self.begin(field) != Place::Nowhere {
            push_float(self.line, value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if self.begin(field) != Place::Nowhere {
            self.line.push(if value { "true" } else { "false" });
        }
    }

    /// Prints an error as a message, and the errors that have caused it as a list: `error.sources=[first, second]`.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if self.begin(field) == Place::Nowhere {
            return;
        }
        self.result = write!(Message(self.line), "{value}");
        let Some(mut source) = value.source() else { return };
        self.line.push(" ");
        self.line.push(field.name());
        self.line.push(".sources=[");
        while self.result.is_ok() {
            self.result = write!(Message(self.line), "{source}");
            match source.source() {
                Some(next) => source = next,
                None => break,
            }
            self.line.push(", ");
        }
        self.line.push("]");
    }
}
