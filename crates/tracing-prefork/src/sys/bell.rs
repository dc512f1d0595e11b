//! [`Bell`]: how a thread that sleeps is woken. The model checker (`tests/slot-model`) uses this file too.

use super::futex;
use super::sync::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::time::Duration;

/// The thread is awake, or is about to look around.
const AWAKE: u32 = 0;
/// The thread looks around after a while. Only those wake it who cannot wait for so long.
const NAPS: u32 = 1;
/// The thread sleeps until somebody wakes it.
const SLEEPS: u32 = 2;

/// Where the kernel has no `membarrier(2)`, nobody can sleep without a bound.
const LOOK: Duration = Duration::from_millis(100);

/// One thread sleeps, and others wake it.
#[derive(Debug, Default)]
pub(crate) struct Bell(AtomicU32);

impl Bell {
    /// Sleeps until somebody wakes the thread, or `bound` is over.
    pub(crate) fn nap(&self, bound: Duration) {
        self.0.store(NAPS, SeqCst);
        self.wait(NAPS, Some(bound));
    }

    /// Sleeps until somebody rings, but not if there is something to do.
    pub(crate) fn sleep_unless(&self, is_something_there: impl Fn() -> bool) {
        self.0.store(SLEEPS, SeqCst);
        // Whoever has something from here on sees that this thread lies down. Whoever had it before is seen here.
        let has_passed = super::barrier_in_all_threads();
        if is_something_there() {
            self.0.store(AWAKE, SeqCst);
        } else if has_passed {
            self.wait(SLEEPS, None);
        } else {
            self.nap(LOOK);
        }
    }

    fn wait(&self, state: u32, bound: Option<Duration>) {
        futex::wait(&self.0, state, bound);
        self.0.store(AWAKE, SeqCst);
    }

    /// After something has come: wakes the thread if it sleeps until then.
    #[inline(always)]
    pub(crate) fn ring(&self) {
        if self.0.load(Relaxed) == SLEEPS {
            self.wake();
        }
    }

    /// After something has come that cannot wait for the end of a nap. A wake that comes too early is lost: whoever has
    /// something next wakes the thread.
    #[inline(always)]
    pub(crate) fn hurry(&self) {
        if self.0.load(Relaxed) != AWAKE {
            self.wake();
        }
    }

    /// Wakes the thread, also from a nap.
    #[cold]
    pub(crate) fn wake(&self) {
        if self.0.swap(AWAKE, Acquire) != AWAKE {
            futex::wake(&self.0);
        }
    }
}
