//! [`Buffer`]: what all handles of a buffered appender share.

use crate::buffer::live::Live;
use crate::buffer::options::Buffering;
use crate::sys::sync::{AtomicBool, AtomicI64};
use crate::sys::{ForkWiped, PerProcess, Taken, Turn, fork_wiped};
use crate::time::clock::Second;
use crate::write::log::Log;
use std::io;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::{Arc, Weak};

fork_wiped! {
    /// All zero: this process has no ring yet.
    #[derive(Debug)]
    pub(crate) struct State {
        /// The turn to write lines of the ring to files.
        pub(crate) consume: Turn,
        /// The turn to make the ring, or to end it.
        pub(crate) making: Turn,
        /// When to try again to make a ring, in seconds since 1970.
        pub(crate) retry_at: AtomicI64,
        /// The process ends: from now on events go straight to the file.
        pub(crate) ended: AtomicBool,
        /// A period without a boundary, in which a reading of the clock may lag.
        pub(crate) calm_from: AtomicI64,
        pub(crate) calm_until: AtomicI64,
    }
}

#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) log: Arc<Log>,
    pub(crate) options: Buffering,
    pub(crate) state: ForkWiped<State>,
    pub(crate) ring: PerProcess<Live>,
    pub(crate) this: Weak<Self>,
}

impl Buffer {
    pub(crate) fn new(log: Arc<Log>, options: Buffering) -> io::Result<Arc<Self>> {
        let (state, ring) = (ForkWiped::new()?, PerProcess::new()?);
        Ok(Arc::new_cyclic(|this| Self { log, options, state, ring, this: this.clone() }))
    }

    /// The ring of this process.
    #[inline(always)]
    pub(crate) fn live(&self) -> Option<&Live> {
        self.ring.get()
    }

    /// The second of an event that shows none. Near a boundary that takes an exact reading of the clock.
    pub(crate) fn second_of_now(&self) -> Second {
        let (rough, state) = (self.log.site.clock.rough_second(), &*self.state);
        let is_calm =
            state.calm_from.load(Relaxed) <= rough.at && rough.at + rough.behind < state.calm_until.load(Relaxed);
        if is_calm || rough.behind == 0 { Second::exact(rough.at) } else { self.exact_second() }
    }

    #[cold]
    fn exact_second(&self) -> Second {
        let at = self.log.site.clock.exact_second();
        let span = self.log.site.pattern.calendar().span(at);
        self.state.calm_until.store(i64::MIN, Relaxed);
        self.state.calm_from.store(span.start, Relaxed);
        self.state.calm_until.store(span.end, Relaxed);
        Second::exact(at)
    }

    /// The right to end the ring.
    pub(crate) fn try_making(&self) -> Option<Taken<'_>> {
        self.state.making.try_take()
    }

    /// From now on this process has no ring. `for_good`: it makes no other one.
    pub(crate) fn forget_ring(&self, for_good: bool) {
        self.state.ended.store(for_good, Release);
        self.ring.clear();
    }
}
