//! What a process knows about itself, and the guard around the user's code.

pub(crate) mod pieces;
pub(crate) mod user_code;

use crate::sys::{self, ForkWiped, fork_wiped};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

fork_wiped! {
    #[derive(Debug)]
    struct State {
        /// Not set: this is a child that has just been forked.
        started: AtomicBool,
        /// A number that differs between a process and its ancestors; 0 until somebody asks.
        number: AtomicU64,
        /// This is a child of a raw `clone`, which libc does not know of. A thread that does not exist here may have
        /// locked the allocator. The child must not start threads, and only opens and writes.
        bare: AtomicBool,
    }
}

/// This process, as opposed to the one that it was forked from.
#[derive(Debug)]
pub(crate) struct Process {
    state: ForkWiped<State>,
}

impl Process {
    pub(crate) fn new() -> io::Result<Self> {
        sys::watch_forks()?;
        Ok(Self { state: ForkWiped::new()? })
    }

    /// A number that differs between this process and its ancestors.
    pub(crate) fn number(&self) -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = &self.state.number;
        match number.load(Relaxed) {
            0 => {
                let new = LAST.fetch_add(1, Relaxed) + 1;
                number.compare_exchange(0, new, Relaxed, Relaxed).map_or_else(|known| known, |_| new)
            }
            known => known,
        }
    }

    /// Notes that this process builds the appender. So libc knows of this process.
    pub(crate) fn start(&self) {
        self.state.started.store(true, Relaxed);
    }

    pub(crate) fn has_started(&self) -> bool {
        self.state.started.load(Relaxed)
    }

    /// At the first event of a forked child: finds out whether libc knows of the fork. `None`: this is not that event.
    pub(crate) fn look_at_fork(&self) -> Option<Fork> {
        if self.state.started.swap(true, Relaxed) {
            return None;
        }
        let known = sys::libc_knows();
        self.state.bare.store(!known, Relaxed);
        Some(if known { Fork::OfLibc } else { Fork::Bare })
    }

    /// Whether the allocator may be called. It may not in a child that libc does not know of, or may not know of.
    pub(crate) fn may_allocate(&self) -> bool {
        self.has_started() && !self.is_bare()
    }

    /// Whether the allocator must not be called, because it may be locked: by a thread that does not exist in this
    /// child, or by the very thread that a signal handler has interrupted.
    pub(crate) fn is_bare(&self) -> bool {
        self.state.bare.load(Relaxed) || pieces::is_changing()
    }
}

/// How a child came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fork {
    /// By `fork(3)`.
    OfLibc,
    /// By a raw `clone(2)`.
    Bare,
}
