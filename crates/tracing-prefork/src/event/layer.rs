//! How [`Appender::layer`](crate::Appender::layer) formats fields.

use std::fmt;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

/// The default fields, as a type of our own.
///
/// tracing-subscriber keeps the formatted fields of a span for each *type* of field formatter. The first layer of that
/// type formats them, and the others use the result. With `DefaultFields` itself, the colours of a console layer would
/// get into the file.
#[derive(Debug, Default)]
pub(crate) struct PlainFields(DefaultFields);

impl<'writer> FormatFields<'writer> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }
}
