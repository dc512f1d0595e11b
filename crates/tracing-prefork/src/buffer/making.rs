//! Making the ring of a process, at its first event.

use crate::buffer::buffer::Buffer;
use crate::buffer::live::Live;
use crate::buffer::options::Buffering;
use crate::buffer::{ends, explained, flusher};
use crate::report::Operation;
use crate::write::log::Log;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// Seconds between two tries to make a ring.
const AGAIN: i64 = 10;

impl Buffer {
    /// A buffer before this engine. Its rings are written when the process exits.
    pub(crate) fn before(log: Arc<Log>, options: Buffering) -> io::Result<Arc<Self>> {
        let buffer = Self::new(log, options)?;
        ends::flush_at_exit(&buffer);
        Ok(buffer)
    }

    /// The ring of this process, made if need be. `None`: there is none to be had now, or another thread makes it.
    #[cold]
    pub(crate) fn make_ring(&self) -> Option<&Live> {
        let (log, state) = (&self.log, &*self.state);
        log.look_at_fork();
        if state.ended.load(Acquire) || !log.site.process.may_allocate() {
            return None;
        }
        let now = log.site.clock.exact_second();
        let _turn = state.making.try_take()?;
        if let Some(live) = self.live() {
            return Some(live);
        }
        if (1..=AGAIN).contains(&(state.retry_at.load(Relaxed) - now)) {
            return None;
        }
        match self.try_make_ring() {
            Ok(()) => self.live(),
            Err(error) => {
                state.retry_at.store(now + AGAIN, Relaxed);
                let error = explained(error, "events go straight to the file, until a ring can be made");
                log.site.report(Operation::Ring, log.site.directory(), error);
                None
            }
        }
    }

    fn try_make_ring(&self) -> io::Result<()> {
        let live = Arc::new(Live::create(&self.log.site, self.log.upkeep.rings(), self.options.ring_bytes)?);
        let kept = self.ring.keep(live.clone());
        let started = kept.and_then(|()| flusher::start(self, live.clone()));
        match &started {
            Ok(()) => self.ring.use_it(),
            // Nobody has put anything in.
            Err(_) => live.remove(),
        }
        started
    }
}
