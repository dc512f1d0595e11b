//! From an event to its line and its second. The only room that knows `tracing`.

pub(crate) mod io_write;
pub(crate) mod layer;
pub(crate) mod timer;
pub(crate) mod writer;

use crate::time::clock::Second;
use crate::write::log::Log;
use crate::write::unwritten::Unwritten;
use std::sync::Arc;

/// Writes an event's line to the file of its second. That is the reading of the appender's timer that the line shows.
/// If the line shows none, it is the second in which the event `began`. If that is not known, it is now.
#[inline]
pub(crate) fn put(log: &Arc<Log>, line: &[u8], began: Option<i64>) -> Result<(), Unwritten> {
    log.put(line, timer::reading_in(line, log.id).or(began).map(Second::exact))
}
