//! The thread that waits for acknowledgements, connects again, and sends what could not be sent at once.
//!
//! It is started by an event, also in a forked child, and ends when no line has waited for some seconds. Where it
//! cannot be started, each event does its work.

use crate::report::Operation;
use crate::socket::engine::Engine;
use crate::sys;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;
use std::time::{Duration, Instant};

/// Acknowledgements are gathered for so long. The writers read them too, when the ring is half full.
const GATHER: Duration = Duration::from_millis(2);

/// The thread ends when it has had nothing to do for so long.
const IDLE: Duration = Duration::from_secs(5);

/// The longest wait of the thread, which then looks whether the last handle was dropped.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Milliseconds until the next try, if the thread cannot be started.
const START_AGAIN: u64 = 1000;

impl Engine {
    /// Starts the thread, unless there is one, or no line waits.
    pub(super) fn keep_worker(self: &Arc<Self>) {
        let state = &*self.state;
        if !state.worker.load(Relaxed) && !self.ring.is_empty() && self.process.may_allocate() {
            self.start_worker();
        }
    }

    #[cold]
    fn start_worker(self: &Arc<Self>) {
        let (state, now) = (&*self.state, self.milliseconds());
        if now < state.worker_retry_at.load(Relaxed) || state.worker.swap(true, Relaxed) {
            return;
        }
        let own = self.clone();
        if let Err(error) = sys::spawn("prefork-socket", move || run(&own)) {
            state.worker_retry_at.store(now + START_AGAIN, Relaxed);
            state.worker.store(false, Relaxed);
            self.reporter.report(Operation::Socket, &self.path, error);
        }
    }
}

fn run(engine: &Engine) {
    let state = &*engine.state;
    let mut idle_since = Instant::now();
    loop {
        engine.serve(true);
        if !engine.ring.is_empty() {
            idle_since = Instant::now();
            std::thread::sleep(GATHER);
        } else if idle_since.elapsed() > IDLE {
            state.worker.store(false, Relaxed);
            fence(SeqCst);
            // A line may have come meanwhile, whose thread relies on this one.
            if engine.ring.is_empty() || state.worker.swap(true, Relaxed) {
                return;
            }
        }
        if engine.ended.load(Relaxed) {
            return;
        }
        engine.wait(LONGEST_WAIT);
    }
}
