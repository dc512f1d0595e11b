//! [`Entries`]: the queue of a ring. Any thread puts lines in, one thread at a time takes them out, and none of them
//! waits for another. The model checker (`tests/slot-model`) uses this file too.
//!
//! An entry is a word of 64 bits: where its line ends, the lap, and the state. The line begins where the line before it
//! ends. So one compare-and-exchange of an entry reserves both, the entry and the place of the line, and a process that
//! is killed at any instruction leaves a queue that can be read.
//!
//! ```text
//! free ──reserve──► reserved ──publish──► published ──free──► free, of the next lap
//!   │                  └─────give up────► given up ──publish──► void ──free──► free, of the next lap
//!   └──seal──► sealed: no line comes after
//! ```
//!
//! One entry is always free, at least: the one before the first line, which says where that line begins.

use crate::sys::fork_wiped;
use crate::sys::sync::{AtomicI64, AtomicU32, AtomicU64};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// What an entry is, in its lap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No line yet.
    Free,
    /// A thread is copying its line.
    Reserved,
    /// The line is whole: it outlives its process.
    Published,
    /// The thread has been copying for too long. It may still be at it.
    GivenUp,
    /// The thread has found that its line was given up. The line comes into the file by another way.
    Void,
    /// The end of the queue.
    Sealed,
}

/// The bits of an entry: three of the state, 29 of the lap, 32 of the place where the line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(pub(crate) u64);

const LAP_BITS: u32 = 29;

impl Entry {
    #[inline(always)]
    fn new(state: State, lap: u32, end: u32) -> Self {
        Self(u64::from(end) << 32 | u64::from(lap) << 3 | state as u64)
    }

    /// `None`: no entry has these bits.
    pub(crate) fn state(self) -> Option<State> {
        [State::Free, State::Reserved, State::Published, State::GivenUp, State::Void, State::Sealed]
            .into_iter()
            .find(|state| *state as u64 == self.0 & 7)
    }

    pub(crate) fn lap(self) -> u32 {
        (self.0 >> 3) as u32 & ((1 << LAP_BITS) - 1)
    }

    /// Where the line ends, modulo 2^32.
    #[inline(always)]
    pub(crate) fn end(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    fn is(self, state: State, lap: u32) -> bool {
        self.0 & u64::from(u32::MAX) == Self::new(state, lap, 0).0
    }
}

/// The lap of an entry: how often the queue has been gone through before, modulo 2^29. `count`: a power of two.
#[inline(always)]
pub(crate) fn lap(index: u64, count: usize) -> u32 {
    (index >> count.trailing_zeros()) as u32 & ((1 << LAP_BITS) - 1)
}

fork_wiped! {
    /// Where the threads of this process are. All zero: at the beginning.
    #[derive(Debug)]
    #[repr(align(64))]
    pub(crate) struct Tail {
        /// All entries before this one are taken. Others may be taken, too.
        next: AtomicU64,
    }
}

fork_wiped! {
    #[derive(Debug)]
    #[repr(align(64))]
    pub(crate) struct Freed {
        /// The first entry that is not free for the next lap, and the place where its line begins.
        index: AtomicU64,
        place: AtomicU32,
    }
}

impl Tail {
    pub(crate) fn new() -> Self {
        Self { next: AtomicU64::new(0) }
    }
}

impl Freed {
    pub(crate) fn new() -> Self {
        Self { index: AtomicU64::new(0), place: AtomicU32::new(0) }
    }
}

/// The entries, in the memory of the ring, and this process's notes of where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'a> {
    /// A power of two.
    pub(crate) words: &'a [AtomicU64],
    pub(crate) seconds: &'a [AtomicI64],
    /// How many bytes the lines may have together, a power of two of at most 2^30.
    pub(crate) bytes: u32,
    pub(crate) tail: &'a Tail,
    pub(crate) freed: &'a Freed,
}

/// A place for a line that this thread alone writes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    pub(crate) index: u64,
    /// Modulo 2^32.
    pub(crate) begin: u32,
    entry: Entry,
}

/// Why there is no place for a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Sealed,
}

/// A line that is the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) begin: u32,
    pub(crate) end: u32,
    pub(crate) second: i64,
}

/// What the next entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is none: the queue is empty, or sealed.
    End,
    /// A thread is copying its line.
    NotYet(Entry),
    Line(Line),
    /// Nothing is to be read there.
    Skip,
}

impl<'a> Entries<'a> {
    #[inline(always)]
    fn at(&self, index: u64) -> &'a AtomicU64 {
        &self.words[index as usize & (self.words.len() - 1)]
    }

    /// Where the line of an entry begins. The entry before it is taken, or was.
    #[inline(always)]
    fn begin(&self, index: u64) -> u32 {
        Entry(self.at(index.wrapping_sub(1)).load(Acquire)).end()
    }

    #[inline(always)]
    fn lap(&self, index: u64) -> u32 {
        lap(index, self.words.len())
    }

    /// Reserves a place for a line of `length` bytes.
    #[inline]
    pub(crate) fn reserve(&self, length: u32) -> Result<Reserved, Refused> {
        let mut index = self.tail.next.load(Acquire);
        // Others may be faster. After so many tries somebody else has changed the ring.
        for _ in 0..=4 * self.words.len() {
            let (found, lap) = (Entry(self.at(index).load(Acquire)), self.lap(index));
            if found.is(State::Sealed, lap) {
                return Err(Refused::Sealed);
            }
            if !found.is(State::Free, lap) {
                // If others have gone round the ring meanwhile, they tell where they are.
                index = self.tail.next.load(Acquire).max(index + 1);
                continue;
            }
            // 1. Is there room for the line? The entry before the first one in use says where that one's line begins.
            //    Another thread may have taken the entry meanwhile, and its line may be in the file by now: then the
            //    answer is of another time.
            let begin = self.begin(index);
            let end = begin.wrapping_add(length);
            let place = self.freed.place.load(Acquire);
            let entries = index.wrapping_sub(self.freed.index.load(Acquire));
            if end.wrapping_sub(place) > self.bytes || entries >= self.words.len() as u64 - 1 {
                if self.at(index).load(Acquire) == found.0 {
                    return Err(Refused::Full);
                }
                continue;
            }
            // 2. The entry and the place are this thread's, unless another thread was faster.
            let entry = Entry::new(State::Reserved, lap, end);
            if self.at(index).compare_exchange(found.0, entry.0, AcqRel, Relaxed).is_ok() {
                self.tail.next.store(index + 1, Release);
                return Ok(Reserved { index, begin, entry });
            }
        }
        Err(Refused::Full)
    }

    /// Publishes a line that has been copied to its place. `false`: the line was given up, and must go another way.
    #[inline]
    pub(crate) fn publish(&self, reserved: Reserved, second: i64) -> bool {
        let Reserved { index, entry, .. } = reserved;
        self.seconds[index as usize & (self.seconds.len() - 1)].store(second, Relaxed);
        let published = Entry(entry.0 ^ State::Reserved as u64 ^ State::Published as u64);
        let word = self.at(index);
        if word.compare_exchange(entry.0, published.0, AcqRel, Relaxed).is_ok() {
            return true;
        }
        // The place can be freed from now on. Nobody takes the line for one that is to be written.
        word.store(Entry(entry.0 ^ State::Reserved as u64 ^ State::Void as u64).0, Release);
        false
    }

    /// What the entry is.
    pub(crate) fn look(&self, index: u64) -> Next {
        let entry = Entry(self.at(index).load(Acquire));
        let is = |state| entry.is(state, self.lap(index));
        if is(State::Published) {
            let second = self.seconds[index as usize & (self.seconds.len() - 1)].load(Relaxed);
            Next::Line(Line { begin: self.begin(index), end: entry.end(), second })
        } else if is(State::Reserved) {
            Next::NotYet(entry)
        } else if is(State::GivenUp) || is(State::Void) {
            Next::Skip
        } else {
            Next::End
        }
    }

    /// Gives up a line that is [not there yet](Next::NotYet). `false`: it is there now.
    pub(crate) fn give_up(&self, index: u64, entry: Entry) -> bool {
        let given_up = Entry(entry.0 ^ State::Reserved as u64 ^ State::GivenUp as u64);
        self.at(index).compare_exchange(entry.0, given_up.0, AcqRel, Relaxed).is_ok()
    }

    /// Frees the entries before `end`, up to the first one whose thread may still be copying. One thread at a time.
    pub(crate) fn free(&self, end: u64) {
        let mut index = self.freed.index.load(Relaxed);
        while index < end {
            let entry = Entry(self.at(index).load(Acquire));
            if entry.is(State::GivenUp, self.lap(index)) {
                break;
            }
            let next = Entry::new(State::Free, self.lap(index + self.words.len() as u64), entry.end());
            self.at(index).store(next.0, Release);
            index += 1;
            self.freed.place.store(entry.end(), Release);
            self.freed.index.store(index, Release);
        }
    }

    /// Whether more than half of the room is in use, once the line of `reserved` is there.
    #[inline]
    pub(crate) fn is_half_full(&self, reserved: &Reserved) -> bool {
        let used = reserved.begin.wrapping_sub(self.freed.place.load(Relaxed));
        let entries = reserved.index.wrapping_sub(self.freed.index.load(Relaxed));
        used > self.bytes / 2 || entries > self.words.len() as u64 / 2
    }

    /// Ends the queue: no line comes after. Returns the index of the end. `None`: somebody else has changed the ring.
    pub(crate) fn seal(&self) -> Option<u64> {
        let mut index = self.tail.next.load(Acquire);
        for _ in 0..=4 * self.words.len() {
            let (found, lap) = (Entry(self.at(index).load(Acquire)), self.lap(index));
            if found.is(State::Sealed, lap) {
                return Some(index);
            }
            if !found.is(State::Free, lap) {
                index = self.tail.next.load(Acquire).max(index + 1);
                continue;
            }
            let sealed = Entry::new(State::Sealed, lap, found.end());
            if self.at(index).compare_exchange(found.0, sealed.0, AcqRel, Relaxed).is_ok() {
                return Some(index);
            }
        }
        None
    }

    /// The index behind the last entry that is taken.
    pub(crate) fn end(&self) -> u64 {
        let first = self.tail.next.load(Acquire);
        let mut index = first;
        while index - first <= self.words.len() as u64 {
            let entry = Entry(self.at(index).load(Acquire));
            let is_taken = [State::Reserved, State::Published, State::GivenUp, State::Void]
                .into_iter()
                .any(|state| entry.is(state, self.lap(index)));
            if !is_taken {
                break;
            }
            index += 1;
        }
        index
    }
}
