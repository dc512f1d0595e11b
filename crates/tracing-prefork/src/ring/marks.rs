//! [`Marks`]: how far the owner of a ring has come with writing lines to their files. The model checker
//! (`tests/slot-model`) uses this file too.
//!
//! The process may be killed between any two stores. Whoever reads the marks then finds those stores done that come
//! first here.

use crate::ring::head::{NEXT, NOTES, TURN};
use crate::ring::note::{Note, WORDS};
use crate::sys::sync::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The words of the head that the owner changes. One thread at a time changes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'a> {
    /// The head.
    pub(crate) words: &'a [AtomicU64],
}

impl Marks<'_> {
    /// The index of the line that comes into a file next.
    #[inline]
    pub(crate) fn next(self) -> u64 {
        self.words[NEXT].load(Acquire)
    }

    /// Notes that the lines before that index are in their files.
    pub(crate) fn set_next(self, index: u64) {
        self.words[NEXT].store(index, Release);
    }

    /// Notes which lines are about to be appended. The note before stays as it is until this one counts.
    pub(crate) fn set_note(self, note: Option<Note>) {
        let turn = self.words[TURN].load(Relaxed).wrapping_add(1);
        let place = &self.words[NOTES[turn as usize & 1]..];
        place.iter().zip::<[u64; WORDS]>(Note::words(note)).for_each(|(word, value)| word.store(value, Relaxed));
        self.words[TURN].store(turn, Release);
    }
}
