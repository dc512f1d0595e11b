//! [`Line`]: the text of one event, while it is put together.
//!
//! A short line is on the stack. A longer one is in the buffer that the thread keeps. A panic of a value's `Display`
//! drops the line, so nothing of the event is left behind. A value that logs an event of its own begins another line.

use crate::process::pieces::{self, SHORT};
use crate::sys::ShortText;
use std::fmt;
use std::io;
use std::str;

/// The text of one event.
#[derive(Debug)]
pub struct Line {
    /// The whole text, as long as it is short.
    short: ShortText<SHORT>,
    /// The whole text, once it is longer.
    long: Vec<u8>,
    is_long: bool,
    /// Why the text could not be put together.
    failed: Option<io::ErrorKind>,
}

impl Line {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { short: ShortText::new(), long: Vec::new(), is_long: false, failed: None }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, piece: &str) {
        if self.is_long || !self.short.push(piece) {
            self.push_long(piece);
        }
    }

    #[inline(never)]
    fn push_long(&mut self, piece: &str) {
        if self.failed.is_some() {
            return;
        }
        let moved = match std::mem::replace(&mut self.is_long, true) {
            true => Ok(()),
            false => pieces::append(&mut self.long, self.short.as_str().as_bytes()),
        };
        let pushed = moved.and_then(|()| pieces::append(&mut self.long, piece.as_bytes()));
        self.failed = pushed.err().map(|error| error.kind());
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        if self.is_long { &self.long } else { self.short.as_str().as_bytes() }
    }

    pub(super) fn text(&self) -> &str {
        // Whole texts were pushed.
        if self.is_long { str::from_utf8(&self.long).unwrap_or_default() } else { self.short.as_str() }
    }

    /// Why the text is not whole. `None`: it is.
    #[inline]
    pub(super) fn failure(&self) -> Option<io::ErrorKind> {
        self.failed
    }
}

impl fmt::Write for Line {
    #[inline]
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.push(piece);
        Ok(())
    }
}

impl Drop for Line {
    #[inline]
    fn drop(&mut self) {
        if self.long.capacity() > 0 {
            pieces::keep(&mut self.long);
        }
    }
}
