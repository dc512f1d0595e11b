//! The path of one event into the ring, and what becomes of a line that the ring does not take.

use crate::buffer::buffer::Buffer;
use crate::buffer::drain::{BOUND, Drained};
use crate::buffer::live::{Live, Pushed};
use crate::buffer::options::WhenFull;
use crate::report::Operation;
use crate::sys::Progress;
use crate::time::clock::Second;
use crate::write::unwritten::Unwritten;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

impl Buffer {
    /// The path of an event: its line goes into the ring. `urgent`: the line is in the file when this returns.
    #[inline]
    pub(crate) fn put(&self, line: &[u8], known: Option<Second>, urgent: bool) -> Result<(), Unwritten> {
        let second = known.unwrap_or_else(|| self.second_of_now());
        let Some(live) = self.live() else { return self.put_first(line, second, urgent) };
        self.put_into(live, line, second, urgent)
    }

    #[inline(always)]
    fn put_into(&self, live: &Live, line: &[u8], second: Second, urgent: bool) -> Result<(), Unwritten> {
        if line.len() > live.longest() {
            return self.put_long(live, line, second);
        }
        match live.push(line, second.at) {
            Pushed::Yes => live.bell.ring(),
            Pushed::NearlyFull => live.bell.hurry(),
            refused => return self.put_otherwise(live, refused, line, second, urgent),
        }
        if urgent { self.put_urgently(live) } else { Ok(()) }
    }

    /// The first event of a process makes the ring, and starts the flusher. If that cannot be, events go straight to
    /// the file.
    #[cold]
    fn put_first(&self, line: &[u8], second: Second, urgent: bool) -> Result<(), Unwritten> {
        if let Some(live) = self.make_ring() {
            return self.put_into(live, line, second, urgent);
        }
        self.log.put(line, Some(second))
    }

    /// A line that the ring did not take.
    #[cold]
    fn put_otherwise(
        &self,
        live: &Live,
        refused: Pushed,
        line: &[u8],
        second: Second,
        urgent: bool,
    ) -> Result<(), Unwritten> {
        match refused {
            // Its parent has the line.
            _ if live.is_of_parent() => Ok(()),
            Pushed::Full if self.options.when_full == WhenFull::Drop && !urgent => self.put_or_drop(live, line, second),
            Pushed::Full => self.put_into_full(live, line, second, urgent),
            // The lines before this one come first.
            Pushed::Sealed => self.put_long(live, line, second),
            Pushed::GivenUp | Pushed::Yes | Pushed::NearlyFull => self.log.put(line, Some(second)),
        }
    }

    /// Drops the line, unless the ring is full of places that only wait to be freed.
    fn put_or_drop(&self, live: &Live, line: &[u8], second: Second) -> Result<(), Unwritten> {
        if live.has_lines() {
            self.drop_line();
            return Ok(());
        }
        // Writes nothing, and frees.
        let _ = self.try_drain(live, live.next());
        match live.push(line, second.at) {
            Pushed::Yes | Pushed::NearlyFull => live.bell.wake(),
            Pushed::GivenUp => return self.log.put(line, Some(second)),
            Pushed::Full | Pushed::Sealed => self.drop_line(),
        }
        Ok(())
    }

    /// Makes room, and puts the line in. While another thread writes lines, this waits as long as that goes on. If
    /// nothing has been written for [`BOUND`], the line goes straight to the file, before earlier ones perhaps.
    #[cold]
    fn put_into_full(&self, live: &Live, line: &[u8], second: Second, urgent: bool) -> Result<(), Unwritten> {
        let mut patience = Progress::since(live.next(), BOUND);
        loop {
            // Half of the ring, so that not each line writes one.
            let half = live.next() + live.entries().words.len() as u64 / 2;
            let drained = self.try_drain(live, half);
            let is_empty = matches!(drained, Some(Drained::Empty { .. })) && !live.has_lines();
            match drained {
                _ if live.is_of_parent() => return Ok(()),
                Some(Drained::Failed(error)) => return self.lose(error, line, second),
                Some(_) => {}
                None if self.state.consume.is_taken_here() => break,
                None => live.bell.wake(),
            }
            match live.push(line, second.at) {
                Pushed::Yes | Pushed::NearlyFull if urgent => return self.put_urgently(live),
                Pushed::Yes | Pushed::NearlyFull => return Ok(()),
                // The thread of a line that was given up does not come to its end, and so no place becomes free. All
                // lines before this one are in the file.
                Pushed::Full if is_empty => break,
                Pushed::Full if patience.goes_on(live.next()) => {}
                _ if live.is_of_parent() => return Ok(()),
                _ => break,
            }
        }
        self.log.put(line, Some(second))
    }

    /// The ring is full, and its lines cannot be written: neither can this one.
    fn lose(&self, error: io::Error, line: &[u8], second: Second) -> Result<(), Unwritten> {
        Err(Unwritten { error: self.log.lose(error, line.len(), second.at), written: 0 })
    }

    fn drop_line(&self) {
        self.log.site.counters().lines_dropped.fetch_add(1, Relaxed);
        if self.log.site.process.may_allocate() && self.log.site.reporter.would_tell(Operation::Ring) {
            let text = "the ring is full, and an event was dropped (WhenFull::Drop); give it more ring_bytes";
            self.log.site.report(Operation::Ring, self.log.site.directory(), io::Error::other(text));
        }
    }

    /// A line that is too long for the ring, or comes when the ring has been ended, goes to the file, behind the lines
    /// before it.
    #[cold]
    fn put_long(&self, live: &Live, line: &[u8], second: Second) -> Result<(), Unwritten> {
        let _ = self.drain(live);
        if live.is_of_parent() { Ok(()) } else { self.log.put(line, Some(second)) }
    }

    #[cold]
    fn put_urgently(&self, live: &Live) -> Result<(), Unwritten> {
        // If the line stays in the ring, it is not lost.
        self.drain(live).map_err(|error| Unwritten { error, written: 0 })
    }
}
