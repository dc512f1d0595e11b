//! From an event to its line and its second. The only room that knows `tracing`.

pub(crate) mod layer;
pub(crate) mod timer;
pub(crate) mod writer;
