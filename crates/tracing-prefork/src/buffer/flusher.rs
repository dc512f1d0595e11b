//! The flusher: the thread that writes the lines of a ring to the log files.
//!
//! It sleeps without a bound when there is nothing to do. After it has written something, it naps for
//! `Buffering::max_delay`, so that more lines gather, and an event wakes nobody meanwhile.

use crate::buffer::buffer::Buffer;
use crate::buffer::drain::Drained;
use crate::buffer::explained;
use crate::buffer::live::Live;
use crate::report::Operation;
use crate::sys;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// After so many naps in vain the flusher sleeps.
const NAPS: u32 = 2;

/// How long a thread that copies its line is waited for at a time, and how often.
const COPYING: Duration = Duration::from_millis(1);
pub(crate) const COPIES: u32 = 1000;

/// How long the next try waits if lines cannot be written, at first and at most.
const FAILED: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);

/// Starts the flusher of a ring.
pub(super) fn start(buffer: &Buffer, live: Arc<Live>) -> io::Result<()> {
    let name = &buffer.options.thread_name;
    let buffer = buffer.this.clone();
    sys::spawn(name, move || {
        // It sleeps at first, so that the first event is written at once.
        let mut rest = Rest { naps_in_vain: NAPS, ..Rest::default() };
        rest.recover_first(&buffer);
        // The buffer is let go of while the thread sleeps. So the last handle's end is noticed.
        while let Some(sleep) = buffer.upgrade().and_then(|buffer| rest.after(&buffer, &live)) {
            match sleep {
                Sleep::Nap(bound) => live.bell.nap(bound),
                Sleep::UntilWoken => live.bell.sleep_unless(|| live.has_lines()),
            }
        }
    })
}

/// What the flusher has found lately.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    naps_in_vain: u32,
    /// The line that was being copied, and how often in a row it was.
    copied: u64,
    copies: u32,
    failures: u32,
    /// How many files this process had opened when the rings of the dead were looked for.
    rollovers: u64,
}

/// How long to sleep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sleep {
    /// Until somebody wakes the flusher. Not at all if there are lines.
    UntilWoken,
    Nap(Duration),
}

impl Rest {
    fn recover_first(&mut self, buffer: &Weak<Buffer>) {
        if let Some(buffer) = buffer.upgrade() {
            self.recover(&buffer);
        }
    }

    /// Looks for rings of the dead, once after each rollover. Failures are reported.
    fn recover(&mut self, buffer: &Buffer) {
        let rollovers = buffer.log.site.counters().rollovers.load(Relaxed) + 1;
        if std::mem::replace(&mut self.rollovers, rollovers) != rollovers {
            let _ = buffer.log.recover();
        }
    }

    /// Writes what is there. `None`: the ring has been ended, and has no lines.
    pub(crate) fn after(&mut self, buffer: &Buffer, live: &Live) -> Option<Sleep> {
        if live.has_ended() && !live.has_lines() {
            live.remove();
            return None;
        }
        // What comes meanwhile gathers while the thread naps. Otherwise it would run after a busy thread, line by line.
        let drained = buffer.try_drain(live, live.entries().end());
        if !matches!(drained, Some(Drained::NotYet)) {
            self.copies = 0;
        }
        if !matches!(drained, Some(Drained::Failed(_))) {
            self.failures = 0;
        }
        Some(match drained {
            Some(Drained::Empty { any: false }) => {
                self.naps_in_vain += 1;
                let is_over = self.naps_in_vain >= NAPS;
                if is_over { Sleep::UntilWoken } else { Sleep::Nap(buffer.options.max_delay) }
            }
            Some(Drained::Empty { any: true }) => {
                self.naps_in_vain = 0;
                if !live.has_ended() && !live.has_name() {
                    buffer.leave_nameless(live);
                }
                self.recover(buffer);
                Sleep::Nap(buffer.options.max_delay)
            }
            Some(Drained::NotYet) => {
                let is_another = std::mem::replace(&mut self.copied, live.next()) != live.next();
                self.copies = if is_another { 1 } else { self.copies + 1 };
                if self.copies > COPIES {
                    self.copies = 0;
                    buffer.give_up_first(live);
                }
                Sleep::Nap(COPYING)
            }
            Some(Drained::Failed(error)) => {
                let error = explained(error, "the lines wait in memory");
                buffer.log.site.report(Operation::Ring, &live.path, error);
                self.failures += 1;
                Sleep::Nap(LONGEST.min(FAILED * 2_u32.saturating_pow(self.failures.min(10))))
            }
            // Another thread writes lines.
            None => Sleep::Nap(buffer.options.max_delay),
        })
    }
}
