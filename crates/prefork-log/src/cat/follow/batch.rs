//! [`Batch`]: lines that have come together.

use crate::cat::lines::Window;
use crate::cat::output::Output;
use crate::logs::stamp::Nanos;
use std::io;
use std::ops::Range;

/// A batch is printed when it has so many bytes.
const FULL: usize = 4 << 20;

/// Lines that wait to be printed in the order of time.
pub(super) struct Batch {
    window: Window,
    text: Vec<u8>,
    lines: Vec<(Nanos, Range<usize>)>,
}

impl Batch {
    pub(super) fn new(window: Window) -> Self {
        Self { window, text: Vec::new(), lines: Vec::new() }
    }

    /// `key`: the line's place in the order. `at`: the time that decides whether the line is wanted.
    pub(super) fn take(&mut self, key: Nanos, at: Nanos, line: &[u8]) {
        if self.window.contains(at) {
            let begin = self.text.len();
            self.text.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                self.text.push(b'\n');
            }
            self.lines.push((key, begin..self.text.len()));
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= FULL
    }

    pub(super) fn print(&mut self, output: &mut Output) -> io::Result<()> {
        self.lines.sort_by_key(|(key, _)| *key);
        for (_, range) in self.lines.drain(..) {
            output.write(&self.text[range])?;
        }
        self.text.clear();
        // A long line was an exception.
        self.text.shrink_to(2 * FULL);
        Ok(())
    }
}
