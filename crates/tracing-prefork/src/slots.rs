//! The two slots: which file is open for which period, and how it is exchanged while others write.
//!
//! A slot is a descriptor number that the appender keeps for life, and the period of the file behind it. At a rollover
//! the file of the new period is put into the slot that is not in use; the other keeps the period that has just
//! ended for the lines that are still on their way. There is no lock on the way of an event:
//!
//! * A writer *pins* a slot by raising a count, then looks whether the slot is open for its instant, writes, and
//!   lowers the count.
//! * The thread that rolls over closes a slot (for new pins), and exchanges its file only if nobody has it
//!   pinned. Both sides do "announce, then look", sequentially consistent, so at least one of them sees the other: a
//!   slot never changes its file under a writer, however long that writer is kept from running.
//! * A pinned slot is not waited for. The line in hand then goes to its file by way of a descriptor of its own.
//!
//! All of it lies in memory that a forked child finds empty: no pin of a thread that does not exist there, no rollover
//! that nobody will finish, no period that belongs to another descriptor table. The child opens its file anew.

use crate::rotation::Span;
use crate::sys::{Descriptor, FileId, ForkWiped};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize};

/// Threads that count on different cache lines do not slow each other down; more threads share them.
const STRIPES: usize = 16;

/// A pin adds one; taking it back adds this. So the low 16 bits count the writes under way, and the rest those that
/// are done: the number of lines costs nothing.
const UNPIN: u64 = (1 << 16) - 1;
const UNDER_WAY: u64 = (1 << 16) - 1;

/// What the threads of this process are doing. All zero: nothing is open, nobody is at work.
#[derive(Debug)]
pub(crate) struct State {
    bounds: [Bounds; 2],
    /// The slot that was filled last.
    latest: AtomicUsize,
    /// A thread rolls over, or lets a file go.
    rolling: AtomicBool,
    pins: [Stripe; STRIPES],
    pub(crate) duties: crate::rollover::Duties,
    pub(crate) counters: crate::report::Counters,
}

#[derive(Debug)]
struct Bounds {
    open: AtomicBool,
    start: AtomicI64,
    end: AtomicI64,
}

#[derive(Debug)]
#[repr(align(128))]
struct Stripe([AtomicU64; 2]);

#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) state: ForkWiped<State>,
    /// Not wiped: a child has its parent's descriptors, and puts its own files onto the same numbers.
    descriptors: [Descriptor; 2],
}

impl Slots {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { state: ForkWiped::new()?, descriptors: [Descriptor::none(), Descriptor::none()] })
    }

    /// The slot whose period `at` (seconds since 1970) lies in, held until the pin is dropped.
    #[inline]
    pub(crate) fn pin(&self, at: i64) -> Option<Pin<'_>> {
        let state = &*self.state;
        let latest = state.latest.load(Relaxed) & 1;
        self.pin_if(state, latest, |bounds| bounds.contain(at))
            .or_else(|| self.pin_if(state, latest ^ 1, |bounds| bounds.contain(at)))
    }

    /// Any open slot, the one filled last first: for when the right file cannot be opened.
    pub(crate) fn pin_any(&self) -> Option<Pin<'_>> {
        let state = &*self.state;
        let latest = state.latest.load(Relaxed) & 1;
        self.pin_if(state, latest, |_| true).or_else(|| self.pin_if(state, latest ^ 1, |_| true))
    }

    #[inline]
    fn pin_if<'a>(&'a self, state: &'a State, slot: usize, wanted: impl Fn(&Bounds) -> bool) -> Option<Pin<'a>> {
        let count = &state.pins[stripe()].0[slot];
        count.fetch_add(1, SeqCst);
        let bounds = &state.bounds[slot];
        // Pinned and open: from here on nobody changes the bounds or the file.
        if bounds.open.load(SeqCst) && wanted(bounds) {
            return Some(Pin { count, descriptor: &self.descriptors[slot] });
        }
        count.fetch_sub(1, Release);
        None
    }

    /// For when nothing can be opened in a forked child: appends to a file that its parent had open.
    pub(crate) fn append_to_inherited(&self, line: &[u8]) -> Option<io::Result<usize>> {
        self.descriptors.iter().find(|descriptor| descriptor.file().is_some()).map(|descriptor| descriptor.append(line))
    }

    /// The right to exchange files, or `None` if another thread is at it. Never waited for.
    pub(crate) fn try_roll(&self) -> Option<Rolling<'_>> {
        let state = &*self.state;
        (!state.rolling.swap(true, Acquire)).then_some(Rolling { slots: self, state })
    }

    /// How many lines this process has written through its slots.
    pub(crate) fn lines(&self) -> u64 {
        let stripes = self.state.pins.iter().flat_map(|stripe| &stripe.0);
        stripes.map(|count| count.load(Relaxed) >> 16).sum()
    }
}

impl Bounds {
    fn contain(&self, at: i64) -> bool {
        (self.start.load(Relaxed)..self.end.load(Relaxed)).contains(&at)
    }
}

/// A slot that keeps its file until this is dropped.
#[derive(Debug)]
pub(crate) struct Pin<'a> {
    count: &'a AtomicU64,
    descriptor: &'a Descriptor,
}

impl Pin<'_> {
    /// One `write(2)`; returns how much of the line went in.
    #[inline]
    pub(crate) fn append(&self, line: &[u8]) -> io::Result<usize> {
        self.descriptor.append(line)
    }

    /// The same, beginning with a newline if the file does not end in one. Returns how much of the line went in.
    pub(crate) fn append_on_new_line(&self, line: &[u8]) -> io::Result<usize> {
        self.descriptor.append_on_new_line(line)
    }
}

impl Drop for Pin<'_> {
    #[inline]
    fn drop(&mut self) {
        self.count.fetch_add(UNPIN, Release);
    }
}

/// The right to exchange files.
#[derive(Debug)]
pub(crate) struct Rolling<'a> {
    slots: &'a Slots,
    state: &'a State,
}

impl Rolling<'_> {
    pub(crate) fn has(&self, at: i64) -> bool {
        self.state.bounds.iter().any(|bounds| bounds.open.load(Relaxed) && bounds.contain(at))
    }

    /// Whether nothing is open yet: at build, and at the first event of a forked child.
    pub(crate) fn nothing_open(&self) -> bool {
        self.state.bounds.iter().all(|bounds| !bounds.open.load(Relaxed))
    }

    /// Whether `at` lies behind every period that is open, so that the newest file begins.
    pub(crate) fn is_forward(&self, at: i64) -> bool {
        self.state.bounds.iter().all(|bounds| !bounds.open.load(Relaxed) || bounds.end.load(Relaxed) <= at)
    }

    /// Rolls over: `file` of the period `span` takes the place of the older file. `false`: somebody still writes there, and
    /// nothing has changed.
    pub(crate) fn install(&self, span: Span, file: File, id: FileId) -> io::Result<bool> {
        let slot = (self.state.latest.load(Relaxed) & 1) ^ 1;
        if !self.close(slot) {
            return Ok(false);
        }
        let first = self.nothing_open();
        let bounds = &self.state.bounds[slot];
        self.slots.descriptors[slot].install(file, id)?;
        self.slots.descriptors[slot ^ 1].leave_to(&self.slots.descriptors[slot]);
        bounds.start.store(span.start, Relaxed);
        bounds.end.store(span.end, Relaxed);
        bounds.open.store(true, SeqCst);
        self.state.latest.store(slot, Relaxed);
        if first {
            // What the other descriptor still leads to was inherited through a fork.
            self.let_go(slot ^ 1)?;
        }
        Ok(true)
    }

    /// Lets go of a file whose period `at` is `grace` seconds or more away from, in either direction.
    pub(crate) fn let_go_of_ended(&self, at: i64, grace: i64) -> io::Result<()> {
        let slot = (self.state.latest.load(Relaxed) & 1) ^ 1;
        let bounds = &self.state.bounds[slot];
        if !bounds.open.load(Relaxed) {
            return Ok(());
        }
        let (start, end) = (bounds.start.load(Relaxed), bounds.end.load(Relaxed));
        let far = at >= end.saturating_add(grace) || at < start.saturating_sub(grace);
        if far && self.close(slot) { self.let_go(slot) } else { Ok(()) }
    }

    /// Closes both slots, so that the next event opens its file anew.
    pub(crate) fn forget(&self) {
        self.close(0);
        self.close(1);
    }

    fn let_go(&self, slot: usize) -> io::Result<()> {
        self.slots.descriptors[slot].follow(&self.slots.descriptors[slot ^ 1])
    }

    /// Closes a slot for new pins. If it is pinned still, opens it again and says `false`.
    fn close(&self, slot: usize) -> bool {
        let bounds = &self.state.bounds[slot];
        let was_open = bounds.open.swap(false, SeqCst);
        let pinned = |stripe: &Stripe| stripe.0[slot].load(SeqCst) & UNDER_WAY != 0;
        if self.state.pins.iter().any(pinned) {
            bounds.open.store(was_open, SeqCst);
            return false;
        }
        true
    }
}

impl Drop for Rolling<'_> {
    fn drop(&mut self) {
        self.state.rolling.store(false, Release);
    }
}

/// The stripe of this thread: given out in turn.
#[inline]
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    MINE.try_with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Relaxed) % STRIPES);
        }
        mine.get()
    })
    .unwrap_or(0)
}
