//! What [`EventLayer`](crate::EventLayer) prints: the formats of a line.

mod compact;
mod escape;
mod fields;
mod full;
mod json;
mod json_fields;
pub(crate) mod layer;
mod line;
mod number;
mod occurrence;
mod options;
mod origin;
mod print;
mod scope;
mod shown;
mod span_fields;
mod span_times;
mod thread;

pub use compact::Compact;
pub use full::Full;
pub use json::Json;
pub use print::Format;
