//! From a line to its second.

pub(crate) mod io_write;
pub(crate) mod output;
pub(crate) mod precision;
pub(crate) mod readings;
mod time_source;
pub(crate) mod timer;
pub(crate) mod writer;

use crate::sink::Sink;
use crate::time::clock::Second;
use crate::write::unwritten::Unwritten;

/// Writes an event's line to the file of its second. That is the reading of the appender's timer that the line shows.
/// If the line shows none, it is the second in which the event `began`. If that is not known, it is now. `urgent`: the
/// line is in its file when this returns, if it can be.
#[inline]
pub(crate) fn put(sink: &Sink, line: &[u8], began: Option<i64>, urgent: bool) -> Result<(), Unwritten> {
    sink.put(line, readings::reading_in(line, sink.id).or(began).map(Second::exact), urgent)
}
