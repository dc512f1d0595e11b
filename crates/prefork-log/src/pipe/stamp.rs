//! [`Stamp`]: the time before each line. The appender's timer reads it, so it chooses the file of the line.

use memchr::memchr_iter;
use std::fmt;
use tracing_prefork::{Appender, Timer};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

pub(super) struct Stamp {
    timer: Timer,
    text: String,
    stamped: Vec<u8>,
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamp").finish_non_exhaustive()
    }
}

impl Stamp {
    pub(super) fn new(logs: &Appender) -> Self {
        Self { timer: logs.timer(), text: String::new(), stamped: Vec::new() }
    }

    /// The lines, each with the time of now before it. The time is the same for all, so all go to one file.
    pub(super) fn put_before(&mut self, lines: &[u8]) -> &[u8] {
        self.text.clear();
        // A `String` takes each text.
        let _ = self.timer.format_time(&mut Writer::new(&mut self.text));
        self.text.push(' ');
        self.stamped.clear();
        let mut begin = 0;
        for newline in memchr_iter(b'\n', lines) {
            self.stamped.extend_from_slice(self.text.as_bytes());
            self.stamped.extend_from_slice(&lines[begin..=newline]);
            begin = newline + 1;
        }
        &self.stamped
    }
}
