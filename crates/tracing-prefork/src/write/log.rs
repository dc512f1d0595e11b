//! [`Log`] and the event path. An event takes one clock reading, pins the slot of its period, and is one `write(2)`.
//! `rollover` and `fallback` have what happens when the slot cannot take the event.

use crate::names::site::Site;
use crate::report::{Operation, Stats};
use crate::sys::{ForkWiped, Turn, fork_wiped};
use crate::time::clock::Second;
use crate::upkeep::{Current, Upkeep};
use crate::write::header::Header;
use crate::write::lines::Lines;
use crate::write::pin::Pin;
use crate::write::retry::Retry;
use crate::write::seconds::Seconds;
use crate::write::size_limit::SizeLimit;
use crate::write::slots::Slots;
use crate::write::unwritten::Unwritten;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64};

/// The engine of an appender, behind its handles.
#[derive(Debug)]
pub(crate) struct Log {
    /// Tells the timers of different appenders apart.
    pub(crate) id: u64,
    pub(crate) site: Arc<Site>,
    pub(crate) upkeep: Arc<Upkeep>,
    pub(crate) header: Option<Header>,
    pub(crate) size_limit: Option<SizeLimit>,
    pub(crate) slots: Slots,
    pub(crate) state: ForkWiped<State>,
}

fork_wiped! {
    /// The state of a process beside its slots.
    #[derive(Debug)]
    pub(crate) struct State {
        pub(crate) seconds: Seconds,
        /// When to try again to open a file that could not be opened.
        pub(crate) retry: Retry,
        /// The inode of the file whose write lock could not be taken; 0 for none.
        pub(crate) lock_stuck: AtomicU64,
        /// Why it could not be taken, an errno, if that has not been reported yet; 0 for none.
        pub(crate) lock_report: AtomicI32,
        /// A thread of this process has stopped in the middle of a write under the write lock.
        pub(crate) turn_stuck: AtomicBool,
        /// The second of the last event for which the open file had room (`max_file_bytes`).
        pub(crate) had_room: AtomicI64,
        /// A process has claimed the file for a second, and no other file is open. No line waits for it any more.
        pub(crate) claim_stuck: AtomicBool,
        /// The turn of the thread that waits until a file server gives its lease back.
        pub(crate) waiter_for_server: Turn,
    }
}

impl Log {
    /// The event path. Appends a line to the file of its second. If that second is not `known`, it is that of now.
    pub(crate) fn put(self: &Arc<Self>, line: &[u8], known: Option<Second>) -> Result<(), Unwritten> {
        let now = known.unwrap_or_else(|| self.site.clock.rough_second());
        if self.state.seconds.is_new(now.at) {
            self.each_second(now.at);
        }
        let line = Lines::of_event(line);
        let Some(pin) = self.slots.pin_plain(now) else { return self.put_elsewhere(line, known, now) };
        let outcome = pin.append(&line);
        self.after_write(pin, outcome, line, now.at)
    }

    /// Appends lines of a ring to the file of `at`, the second of the last of them.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn put_of_ring(self: &Arc<Self>, lines: Lines<'_>, at: i64) -> Result<(), Unwritten> {
        if self.state.seconds.is_new(at) {
            self.each_second(at);
        }
        self.put_elsewhere(lines, Some(Second::exact(at)), Second::exact(at))
    }

    /// Writes a line that the slot which was filled last does not take in one system call.
    #[cold]
    fn put_elsewhere(self: &Arc<Self>, line: Lines<'_>, known: Option<Second>, now: Second) -> Result<(), Unwritten> {
        match self.slots.pin(now) {
            Some(pin) => self.write(pin, line, now.at),
            None => self.write_at_boundary(line, known),
        }
    }

    /// Follows each write to a slot: counts the line towards `max_file_bytes`, or treats the failure.
    #[inline(always)]
    pub(crate) fn after_write(
        self: &Arc<Self>,
        pin: Pin<'_>,
        outcome: io::Result<usize>,
        line: Lines<'_>,
        at: i64,
    ) -> Result<(), Unwritten> {
        match outcome {
            Ok(length) if length == line.len() => {
                if let Some(limit) = &self.size_limit {
                    if limit.count(pin.bytes(), length) {
                        self.look_at_size(pin, at);
                    }
                }
                Ok(())
            }
            outcome => self.write_failed(pin, outcome, line, at),
        }
    }

    /// The number of the period's file that is open for `at`; 0 if none is open.
    pub(crate) fn index(&self, at: i64) -> u32 {
        self.slots.index(at).unwrap_or(0)
    }

    pub(crate) fn current(&self, at: i64) -> Current {
        Current { at, index: self.index(at) }
    }

    /// What this process has done.
    pub(crate) fn stats(&self) -> Stats {
        self.site.counters().stats(self.slots.state.in_flight.done())
    }

    /// Reports a failure with the file of `at`.
    pub(crate) fn report_at(&self, operation: Operation, at: i64, error: io::Error) {
        if let Ok(path) = self.site.pattern.path_at(at, self.index(at)) {
            self.site.report(operation, path.as_path(), error);
        }
    }
}
