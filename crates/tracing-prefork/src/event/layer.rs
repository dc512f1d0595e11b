//! What [`Appender::layer`](crate::Appender::layer) formats with.

use std::fmt;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

/// The default fields, as a type of our own.
///
/// tracing-subscriber keeps the formatted fields of a span for each *type* of field formatter, and whichever layer
/// comes first fills them in. With `DefaultFields` itself, the colours of a console layer would end in the file.
#[derive(Debug, Default)]
pub(crate) struct PlainFields(DefaultFields);

impl<'writer> FormatFields<'writer> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }
}
