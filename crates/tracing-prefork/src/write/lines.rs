//! [`Lines`]: what one write appends.

use crate::ring::journal::Journal;
use std::ops::Deref;

/// A line, or some lines of one period, each with its newline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    /// The ring that keeps the lines until they are in a file. `None`: their caller is told what became of them. One
    /// word, because each function on the way of an event has it on its stack.
    journal: Option<&'a &'a dyn Journal>,
}

impl<'a> Lines<'a> {
    /// A line of an event.
    #[inline(always)]
    pub(crate) fn of_event(bytes: &'a [u8]) -> Self {
        Self { bytes, journal: None }
    }

    /// Lines of a ring.
    pub(crate) fn of_ring(bytes: &'a [u8], journal: &'a &'a dyn Journal) -> Self {
        Self { bytes, journal: Some(journal) }
    }

    /// The lines without the first `count` bytes.
    pub(crate) fn behind(self, count: usize) -> Self {
        Self { bytes: &self.bytes[count..], ..self }
    }

    pub(crate) fn journal(self) -> Option<&'a dyn Journal> {
        self.journal.copied()
    }
}

impl Deref for Lines<'_> {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}
