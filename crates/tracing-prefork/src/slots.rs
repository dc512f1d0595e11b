//! The two slots: which file is open for which period, and how it is exchanged while others write.
//!
//! A slot is a descriptor number that the appender keeps for life, and the period of the file behind it. At a rollover
//! the file of the new period is put into the slot that is not in use; the other keeps the period that has just
//! ended for the lines that are still on their way. There is no lock on the way of an event:
//!
//! * A writer *pins* a slot by raising a count, then looks whether the slot is open for its instant, writes, and
//!   lowers the count.
//! * The thread that rolls over closes a slot (for new pins), and exchanges its file only if nobody has it
//!   pinned. Both sides announce first and look then, so at least one of them sees the other (`pins`): a slot never
//!   changes its file under a writer, however long that writer is kept from running.
//! * A pinned slot is not waited for. The line in hand then goes to its file by way of a descriptor of its own.
//!
//! All of it lies in memory that a forked child finds empty: no pin of a thread that does not exist there, no rollover
//! that nobody will finish, no period that belongs to another descriptor table. The child opens its file anew.

use crate::calendar::Span;
use crate::clock::Second;
use crate::pins::{Pins, Raised};
use crate::sys::{Descriptor, FileId, ForkWiped};
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize};

/// What the threads of this process are doing. All zero: nothing is open, nobody is at work.
#[derive(Debug)]
pub(crate) struct State {
    bounds: [Bounds; 2],
    /// The slot that was filled last.
    latest: AtomicUsize,
    /// A thread rolls over, or lets a file go.
    rolling: AtomicBool,
    pub(crate) pins: Pins,
    pub(crate) duties: crate::rollover::Duties,
    pub(crate) counters: crate::report::Counters,
}

#[derive(Debug)]
struct Bounds {
    open: AtomicBool,
    start: AtomicI64,
    end: AtomicI64,
    /// How many writes have fallen short since one is known to have begun on a new line: the file may end in a piece of a line.
    torn: AtomicU32,
}

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

    /// The slot whose period `now` lies in, held until the pin is dropped. A second that may be behind must lie so far inside
    /// that the true one does too.
    #[inline(always)]
    pub(crate) fn pin<'a>(&'a self, state: &'a State, now: Second) -> Option<Pin<'a>> {
        let latest = state.latest.load(Relaxed) & 1;
        match self.pin_if(state, latest, |bounds| bounds.contain(now)) {
            None => self.pin_other(state, latest ^ 1, now),
            pinned => pinned,
        }
    }

    /// At a boundary: the line may be one of the period before.
    #[cold]
    fn pin_other<'a>(&'a self, state: &'a State, slot: usize, now: Second) -> Option<Pin<'a>> {
        self.pin_if(state, slot, |bounds| bounds.contain(now))
    }

    /// Any open slot, the one filled last first: for when the right file cannot be opened.
    pub(crate) fn pin_any(&self) -> Option<Pin<'_>> {
        let state = &*self.state;
        let latest = state.latest.load(Relaxed) & 1;
        self.pin_if(state, latest, |_| true).or_else(|| self.pin_if(state, latest ^ 1, |_| true))
    }

    #[inline(always)]
    fn pin_if<'a>(&'a self, state: &'a State, slot: usize, wanted: impl Fn(&Bounds) -> bool) -> Option<Pin<'a>> {
        let raised = state.pins.raise(slot, || state.duties.may_allocate());
        let bounds = &state.bounds[slot];
        // Pinned and open: from here on nobody changes the bounds or the file.
        if bounds.open.load(Acquire) && wanted(bounds) {
            return Some(Pin { _raised: raised, bounds, descriptor: &self.descriptors[slot] });
        }
        raised.withdraw();
        None
    }

    /// For when nothing can be opened in a forked child: appends to a file that its parent had open.
    pub(crate) fn append_to_inherited(&self, line: &[u8]) -> Option<io::Result<usize>> {
        self.descriptors.iter().find(|descriptor| descriptor.file().is_some()).map(|descriptor| descriptor.append(line))
    }

    /// The right to exchange files, or `None` if another thread is at it. Never waited for.
    pub(crate) fn try_roll(&self) -> Option<Rolling<'_>> {
        let state = &*self.state;
        // Not `then_some`: a `Rolling` that is made releases the right when it goes.
        (!state.rolling.swap(true, Acquire)).then(|| Rolling { slots: self, state })
    }
}

impl Bounds {
    #[inline]
    fn contain(&self, now: Second) -> bool {
        self.start.load(Relaxed) <= now.at && now.at < self.end.load(Relaxed) - now.behind
    }
}

/// A slot that keeps its file until this is dropped.
#[derive(Debug)]
pub(crate) struct Pin<'a> {
    _raised: Raised<'a>,
    bounds: &'a Bounds,
    descriptor: &'a Descriptor,
}

impl Pin<'_> {
    /// Whether an earlier write fell short, so that the file may end in a piece of a line.
    #[inline]
    pub(crate) fn is_torn(&self) -> bool {
        self.bounds.torn.load(Relaxed) != 0
    }

    /// Notes that a write has fallen short.
    pub(crate) fn tear(&self) {
        self.bounds.torn.fetch_add(1, Relaxed);
    }

    /// One `write(2)`; returns how much of the line went in.
    #[inline(always)]
    pub(crate) fn append(&self, line: &[u8]) -> io::Result<usize> {
        self.descriptor.append(line)
    }

    /// The same, beginning with a newline if the file does not end in one. Returns how much of the line went in.
    pub(crate) fn append_on_new_line(&self, line: &[u8]) -> io::Result<usize> {
        let torn = self.bounds.torn.load(Relaxed);
        let length = self.descriptor.append_on_new_line(line)?;
        if length == line.len() {
            // Unless another write has fallen short meanwhile.
            let _ = self.bounds.torn.compare_exchange(torn, 0, Relaxed, Relaxed);
        }
        Ok(length)
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
        self.state.bounds.iter().any(|bounds| bounds.open.load(Relaxed) && bounds.contain(Second::exact(at)))
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
        if self.slots.descriptors[slot ^ 1].leave_to(&self.slots.descriptors[slot]) {
            self.state.bounds[slot ^ 1].open.store(false, Release);
        }
        bounds.torn.store(0, Relaxed);
        bounds.start.store(span.start, Relaxed);
        bounds.end.store(span.end, Relaxed);
        bounds.open.store(true, Release);
        self.state.latest.store(slot, Relaxed);
        if first {
            // What the other descriptor still leads to was inherited through a fork. If it cannot be let go of now, the next
            // rollover replaces it.
            let _ = self.let_go(slot ^ 1);
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
        let unused = self.state.pins.is_unused(slot);
        if !unused {
            bounds.open.store(was_open, Release);
        }
        unused
    }
}

impl Drop for Rolling<'_> {
    fn drop(&mut self) {
        self.state.rolling.store(false, Release);
    }
}
