//! [`Compact`]: a line as `fmt::layer().compact()` prints it.

use crate::format::full::{push_fields, push_head};
use crate::format::line::Line;
use crate::format::number::push_integer;
use crate::format::occurrence::Occurrence;
use crate::format::origin::Origin;
use crate::format::print::Print;
use crate::format::scope::each_from_root;
use crate::format::span_fields::{SpanText, fields_of};
use std::fmt;
use tracing_core::Subscriber;
use tracing_subscriber::registry::LookupSpan;

/// The format of `fmt::layer().compact()`: the fields of the spans stand behind those of the event.
///
/// ```text
/// 2026-11-21T08:33:01.123456Z  INFO request: shop::orders: answered status=200 id=17
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compact;

impl Print for Compact {
    type Fields = SpanText;

    fn print<S>(occurrence: &mut Occurrence<'_, S>, line: &mut Line) -> fmt::Result
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        push_head(occurrence, line);
        if let Some(leaf) = occurrence.parent_or_current() {
            each_from_root(leaf, &mut |span| {
                line.push(span.name());
                line.push(":");
            });
            line.push(" ");
        }
        push_origin(occurrence, line);
        push_fields(occurrence, line)?;
        if let Some(leaf) = occurrence.span() {
            each_from_root(leaf, &mut |span| {
                if let Some(fields) = fields_of::<SpanText>(&span.extensions(), occurrence.layer) {
                    if !fields.0.is_empty() {
                        line.push(" ");
                        line.push(&fields.0);
                    }
                }
            });
        }
        Ok(())
    }
}

/// Prints the target, the file and the line number: `shop::orders: src/orders.rs:17: `.
fn push_origin<S>(occurrence: &Occurrence<'_, S>, line: &mut Line) {
    let (shown, origin) = (occurrence.shown, Origin::of(occurrence.event));
    let mut is_empty = true;
    if shown.target {
        origin.with_target(|target| line.push(target));
        line.push(":");
        is_empty = false;
    }
    let mut push_file = |file: &str| {
        line.push(if shown.target { " " } else { "" });
        line.push(file);
        line.push(":");
    };
    if shown.file && origin.with_file(&mut push_file) {
        is_empty = false;
    }
    if let Some(number) = origin.line_number().filter(|_| shown.line_number) {
        push_integer(line, number);
        line.push(":");
        is_empty = false;
    }
    line.push(if is_empty { "" } else { " " });
}
