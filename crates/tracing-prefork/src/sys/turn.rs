//! A turn that one thread of a process has at a time. No thread waits for it.

use super::seat::this_thread;
use super::sync::AtomicUsize;
use super::zero_is_empty::fork_wiped;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

fork_wiped! {
    /// All zero: no thread has the turn.
    #[derive(Debug)]
    pub(crate) struct Turn {
        /// The thread that has the turn; 0 for none.
        thread: AtomicUsize,
    }
}

impl Turn {
    /// Takes the turn. `None`: a thread has it, perhaps this very thread.
    pub(crate) fn try_take(&self) -> Option<Taken<'_>> {
        let taken = self.thread.compare_exchange(0, this_thread(), Acquire, Relaxed);
        // Not `then_some`: a `Taken` gives the turn back when it is dropped.
        taken.is_ok().then(|| Taken(self))
    }

    /// Whether this very thread has the turn: the user's code, or a signal handler, has called the appender meanwhile.
    pub(crate) fn is_taken_here(&self) -> bool {
        self.thread.load(Relaxed) == this_thread()
    }
}

/// A turn that this thread has until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken<'a>(&'a Turn);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.thread.store(0, Release);
    }
}
