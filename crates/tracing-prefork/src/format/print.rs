//! [`Print`]: what each format of a line does.

use crate::format::line::Line;
use crate::format::occurrence::Occurrence;
use crate::format::span_fields::Fields;
use std::fmt;
use tracing_core::Subscriber;
use tracing_subscriber::registry::LookupSpan;

/// What a line looks like: [`Full`](crate::format::Full), [`Compact`](crate::format::Compact) or
/// [`Json`](crate::format::Json). There are no others.
pub trait Format: Print {}

impl<F: Print> Format for F {}

/// How a format prints events and spans.
pub trait Print: Send + Sync + 'static {
    /// The fields of a span, in this format.
    #[doc(hidden)]
    type Fields: Fields;

    /// Prints an event, without the newline. An error if the `Debug` or `Display` of a value has returned one.
    #[doc(hidden)]
    fn print<S>(occurrence: &mut Occurrence<'_, S>, line: &mut Line) -> fmt::Result
    where
        S: Subscriber + for<'a> LookupSpan<'a>;
}
