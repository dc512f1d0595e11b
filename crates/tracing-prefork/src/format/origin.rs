//! [`Origin`]: the target, the file and the line number of an event.
//!
//! A record of the `log` crate comes as an event of `tracing-log`, which has these three in its fields.

use std::fmt;
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Metadata};

#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    event: &'a Event<'a>,
    metadata: &'a Metadata<'a>,
    is_log: bool,
}

impl<'a> Origin<'a> {
    #[inline]
    pub(super) fn of(event: &'a Event<'a>) -> Self {
        let metadata = event.metadata();
        let is_log = metadata.target() == "log" && metadata.name() == "log event";
        Self { event, metadata, is_log }
    }

    /// Calls `push` with the target.
    #[inline]
    pub(super) fn with_target(&self, mut push: impl FnMut(&str)) {
        if !self.is_log {
            push(self.metadata.target());
        } else if !self.with_field("log.target", &mut push) {
            push("log");
        }
    }

    /// Calls `push` with the path of the source file, if it is known.
    #[inline]
    pub(super) fn with_file(&self, mut push: impl FnMut(&str)) -> bool {
        if self.is_log {
            return self.with_field("log.file", &mut push);
        }
        self.metadata.file().map(push).is_some()
    }

    pub(super) fn line_number(&self) -> Option<u32> {
        if !self.is_log {
            return self.metadata.line();
        }
        let mut number = LineNumber(None);
        self.event.record(&mut number);
        number.0
    }

    /// Calls `push` with the text of a field, if the event has the field.
    fn with_field(&self, name: &'static str, push: &mut dyn FnMut(&str)) -> bool {
        let mut text = Text { name, push, found: false };
        self.event.record(&mut text);
        text.found
    }
}

struct Text<'a> {
    name: &'static str,
    push: &'a mut dyn FnMut(&str),
    found: bool,
}

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.name {
            (self.push)(value);
            self.found = true;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

struct LineNumber(Option<u32>);

impl Visit for LineNumber {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.0 = Some(value as u32);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
