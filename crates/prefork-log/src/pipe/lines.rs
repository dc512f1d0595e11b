//! [`Lines`]: the bytes that were read, as whole lines.

use memchr::{memchr, memrchr};
use std::ops::Range;

/// The room for one read. No line that one read takes whole is too long.
pub(super) const ROOM: usize = 256 << 10;

/// The bytes that were read and not written. What is longer than the longest line is left out, and the line says so.
#[derive(Debug)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where the bytes end that were read.
    filled: usize,
    /// Where the whole lines end.
    whole: usize,
    /// The bytes of a line that is kept.
    longest: usize,
    /// The bytes of the present line that were left out.
    left_out: usize,
    /// The lines that were made shorter.
    shortened: u64,
}

impl Lines {
    pub(super) fn new(longest: usize) -> Self {
        Self { bytes: vec![0; 2 * ROOM], filled: 0, whole: 0, longest, left_out: 0, shortened: 0 }
    }

    /// Room for a read.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.filled < ROOM {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        // Always as much as a pipe holds: a read that leaves a page half empty in the pipe slows down the writers.
        &mut self.bytes[self.filled..self.filled + ROOM]
    }

    /// Takes the first `length` bytes of the room.
    pub(super) fn add(&mut self, length: usize) {
        let read = self.filled..self.filled + length;
        if self.left_out > 0 {
            return self.leave_out(read);
        }
        let newline = memchr(b'\n', &self.bytes[read.clone()]).map(|newline| read.start + newline);
        let enough = self.whole + self.longest;
        if newline.is_some_and(|newline| newline > enough) {
            self.filled = enough;
            return self.leave_out(enough..read.end);
        }
        self.filled = read.end;
        if let Some(last) = memrchr(b'\n', &self.bytes[read.clone()]) {
            self.whole = read.start + last + 1;
        }
        if self.filled - self.whole > self.longest {
            self.left_out = self.filled - self.whole - self.longest;
            self.filled = self.whole + self.longest;
        }
    }

    /// Drops the bytes that belong to a line of which enough was kept.
    fn leave_out(&mut self, read: Range<usize>) {
        let Some(end) = memchr(b'\n', &self.bytes[read.clone()]) else {
            self.left_out += read.len();
            return;
        };
        let note = format!(" [{} bytes left out]\n", self.left_out + end);
        let rest = self.bytes[read.start + end + 1..read.end].to_vec();
        self.bytes.truncate(self.filled);
        self.bytes.extend_from_slice(note.as_bytes());
        self.filled = self.bytes.len();
        self.whole = self.filled;
        self.shortened += 1;
        self.left_out = 0;
        self.bytes.extend_from_slice(&rest);
        self.bytes.resize((self.bytes.len() + ROOM).next_power_of_two(), 0);
        self.add(rest.len());
    }

    /// The whole lines.
    pub(super) fn whole(&self) -> &[u8] {
        &self.bytes[..self.whole]
    }

    /// Forgets the whole lines, and keeps the piece of a line behind them.
    pub(super) fn forget(&mut self) {
        self.bytes.copy_within(self.whole..self.filled, 0);
        self.filled -= self.whole;
        self.whole = 0;
        if self.filled < ROOM && self.bytes.len() > 2 * ROOM {
            // After a line that was longer than others.
            self.bytes.truncate(2 * ROOM);
            self.bytes.shrink_to_fit();
        }
    }

    /// Ends the last line with a newline, if it has none.
    pub(super) fn end(&mut self) {
        if self.filled > self.whole {
            self.room()[0] = b'\n';
            self.add(1);
        }
    }

    /// The lines of which a part was left out.
    pub(super) fn shortened(&self) -> u64 {
        self.shortened
    }
}

/// The first lines of `lines`, up to `most` bytes, but one line at least.
pub(super) fn first(lines: &[u8], most: usize) -> &[u8] {
    if lines.len() <= most {
        return lines;
    }
    let end = memrchr(b'\n', &lines[..most]).or_else(|| Some(most + memchr(b'\n', &lines[most..])?));
    &lines[..end.map_or(lines.len(), |end| end + 1)]
}

#[cfg(test)]
mod tests {
    use super::{Lines, first};

    fn add(lines: &mut Lines, mut text: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        while !text.is_empty() {
            let room = lines.room();
            let length = room.len().min(text.len());
            room[..length].copy_from_slice(&text[..length]);
            text = &text[length..];
            lines.add(length);
            whole.extend_from_slice(lines.whole());
            lines.forget();
        }
        whole
    }

    #[test]
    fn whole_lines_come_out_and_a_piece_waits() {
        let mut lines = Lines::new(100);
        assert_eq!(add(&mut lines, b"one\ntwo\nth"), b"one\ntwo\n");
        assert_eq!(add(&mut lines, b"r"), b"");
        assert_eq!(add(&mut lines, b"ee\n\n"), b"three\n\n");
        lines.end();
        assert_eq!(lines.whole(), b"");
        assert_eq!(add(&mut lines, b"last"), b"");
        lines.end();
        assert_eq!(lines.whole(), b"last\n");
    }

    #[test]
    fn a_long_line_stays_one_line() {
        let mut lines = Lines::new(10 << 20);
        let long = vec![b'x'; 9 << 20];
        assert_eq!(add(&mut lines, &long), b"");
        assert_eq!(add(&mut lines, b"y\nshort\n").len(), long.len() + 2 + 6);
        assert_eq!(lines.room().len(), super::ROOM, "the memory is given back");
    }

    #[test]
    fn what_is_too_long_is_left_out_and_told() {
        let mut lines = Lines::new(10);
        assert_eq!(add(&mut lines, b"0123456789\n"), b"0123456789\n");
        assert_eq!(add(&mut lines, b"a\n0123456789abc"), b"a\n");
        assert_eq!(add(&mut lines, b"defg"), b"");
        assert_eq!(add(&mut lines, b"h\nnext\nover 10 bytes"), b"0123456789 [8 bytes left out]\nnext\n");
        lines.end();
        assert_eq!(lines.whole(), b"over 10 by [3 bytes left out]\n");
        lines.forget();
        assert_eq!(add(&mut lines, b"in two"), b"");
        assert_eq!(add(&mut lines, b" pieces\nnext\n"), b"in two pie [3 bytes left out]\nnext\n");
        assert_eq!(lines.shortened(), 3);
    }

    #[test]
    fn lines_are_taken_up_to_a_number_of_bytes() {
        assert_eq!(first(b"one\ntwo\n", 8), b"one\ntwo\n");
        assert_eq!(first(b"one\ntwo\n", 7), b"one\n");
        assert_eq!(first(b"one\ntwo\n", 4), b"one\n");
        assert_eq!(first(b"one\ntwo\n", 1), b"one\n");
        assert_eq!(first(b"one", 1), b"one");
    }
}
