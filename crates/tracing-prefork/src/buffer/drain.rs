//! Draining: lines of this process's ring go to their files.

use crate::buffer::batch::{Head, MOST, OwnJournal};
use crate::buffer::buffer::Buffer;
use crate::buffer::live::Live;
use crate::ring::journal::Journal;
use crate::sys::{self, PATIENCE, Progress};
use crate::write::lines::Lines;
use std::io;
use std::time::Duration;

/// How long a thread waits for another one that writes lines of the ring, and comes no further. That one may wait for
/// the write lock of a file, or for a claim, and this is longer: a line that went another way meanwhile would overtake
/// the earlier lines of its thread.
pub(super) const BOUND: Duration = Duration::from_secs(10);

/// How far draining has come.
#[derive(Debug)]
pub(crate) enum Drained {
    /// All lines are in their files. `any`: there were some.
    Empty { any: bool },
    /// A thread is copying the next line into the ring.
    NotYet,
    /// The next lines cannot be written now. They wait.
    Failed(io::Error),
}

impl Buffer {
    /// Writes lines until there are none, or those before `end` are in their files. `None`: another thread is doing so.
    pub(crate) fn try_drain(&self, live: &Live, end: u64) -> Option<Drained> {
        // A signal handler could fork a child that goes on here, and that has other memory in the place of the ring.
        sys::uninterrupted(|| {
            let _turn = self.state.consume.try_take()?;
            let drained = self.drain_now(live, end);
            // Also if there was nothing to write. A line that was given up keeps its place, and the places behind it,
            // until its thread comes to its end.
            live.entries().free(live.next());
            Some(drained)
        })
    }

    fn drain_now(&self, live: &Live, end: u64) -> Drained {
        let (log, mut any) = (&self.log, false);
        let calendar = log.site.pattern.calendar();
        loop {
            // 1. The next lines of one period.
            let mut span = None;
            let is_same_period = |first: i64, second: i64| {
                let span = *span.get_or_insert_with(|| calendar.span(first));
                span.start <= second && second < span.end
            };
            let batch = match live.batch(MOST.min(log.room()), is_same_period) {
                Head::Empty => return Drained::Empty { any },
                Head::NotYet => return Drained::NotYet,
                Head::Lines(batch) if batch.indexes.start >= end => return Drained::Empty { any },
                Head::Lines(batch) => batch,
            };
            // 2. Their file.
            let journal: &dyn Journal = &OwnJournal { live, cells: &log.upkeep.rings().cells, batch: &batch };
            let put = log.put_of_ring(Lines::of_ring(live.text(&batch), &journal), batch.second);
            // 3. The ring says which of them are in the file.
            live.entries().free(live.next());
            any = true;
            if let (Err(unwritten), true) = (put, live.next() <= batch.indexes.start) {
                return Drained::Failed(unwritten.error);
            }
        }
    }

    /// Returns when all lines that are in the ring now are in their files. An error if they cannot be written, or if
    /// nothing has been written for [`BOUND`]: then they stay in the ring.
    pub(crate) fn drain(&self, live: &Live) -> io::Result<()> {
        let end = live.entries().end();
        let progress = |bound| Progress::since(live.next(), bound);
        let (mut patience, mut copying) = (progress(BOUND), progress(PATIENCE));
        loop {
            let goes_on = match self.try_drain(live, end) {
                Some(Drained::Empty { .. }) => return Ok(()),
                Some(Drained::Failed(error)) => return Err(error),
                Some(Drained::NotYet) if self.state.consume.is_taken_here() => false,
                Some(Drained::NotYet) => {
                    if !copying.goes_on(live.next()) {
                        self.give_up_first(live);
                        copying = progress(PATIENCE);
                    }
                    true
                }
                None if self.state.consume.is_taken_here() => return Err(io::ErrorKind::Deadlock.into()),
                None if live.next() >= end => return Ok(()),
                None => patience.goes_on(live.next()),
            };
            if !goes_on {
                let text = "another thread has been writing lines of the ring for too long; they stay in the ring";
                return Err(timed_out(self, text));
            }
        }
    }

    /// A thread has been kept from running for a second while it copied its line. It writes the line by itself later.
    pub(crate) fn give_up_first(&self, live: &Live) {
        if let Some(_turn) = self.state.consume.try_take() {
            live.give_up_first();
        }
    }
}

fn timed_out(buffer: &Buffer, text: &'static str) -> io::Error {
    let kind = io::ErrorKind::TimedOut;
    if buffer.log.site.process.may_allocate() { io::Error::new(kind, text) } else { kind.into() }
}
