//! What becomes of a line that its slot cannot take: at a boundary, after a failure, behind a fragment.

use crate::appender::Inner;
use crate::clock::Second;
use crate::report::Operation;
use crate::rollover::{Rolled, copy_of};
use crate::slots::Pin;
use nix::errno::Errno;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl Inner {
    /// A boundary is near, or the file of this event is not open: finds the exact time if it is not `known`, rolls over if
    /// need be, and appends.
    #[cold]
    pub(crate) fn append_across_boundary(self: &Arc<Self>, line: &[u8], known: Option<Second>) -> io::Result<()> {
        let now = known.unwrap_or_else(|| Second::exact(self.clock.exact_second()));
        let at = now.at;
        if let Some(pin) = self.slots.pin(&self.slots.state, now) {
            return self.append(pin, line, at);
        }
        let rolled = self.roll_over(at);
        let appended = match (self.slots.pin(&self.slots.state, now), &rolled) {
            (Some(pin), _) => self.append(pin, line, at),
            // Another thread is rolling over, or the slot is still in use: not waited for.
            (None, Ok(_)) => self.append_apart(line, at),
            (None, Err(error)) => self.append_anywhere(line, at, copy_of(error)),
        };
        if let Ok(Rolled::Forward { created }) = rolled {
            self.after_rollover(at, created);
        }
        appended
    }

    /// Opens the file of `at` for this one line.
    fn append_apart(self: &Arc<Self>, line: &[u8], at: i64) -> io::Result<()> {
        let file = match self.pattern.path_at(at).and_then(|path| self.open(&path)) {
            Ok(opened) => opened.file,
            Err(error) => return self.append_anywhere(line, at, error),
        };
        match crate::sys::append(&file, line) {
            Ok(length) if length == line.len() => {
                self.counters().lines_apart.fetch_add(1, Relaxed);
                Ok(())
            }
            outcome => self.lost(outcome, line, at),
        }
    }

    /// The file of `at` cannot be opened: a line in the file before it, or in one that was inherited through a fork, is
    /// better than a lost one.
    fn append_anywhere(self: &Arc<Self>, line: &[u8], at: i64, error: io::Error) -> io::Result<()> {
        if let Some(pin) = self.slots.pin_any() {
            return self.append(pin, line, at);
        }
        match self.slots.append_to_inherited(line) {
            Some(Ok(length)) if length == line.len() => {
                self.counters().lines_apart.fetch_add(1, Relaxed);
                Ok(())
            }
            Some(outcome) => self.lost(outcome, line, at),
            None => self.lost(Err(error), line, at),
        }
    }

    /// A write to a slot failed or fell short.
    #[cold]
    pub(crate) fn append_failed(
        self: &Arc<Self>,
        pin: Pin<'_>,
        outcome: io::Result<usize>,
        line: &[u8],
        at: i64,
    ) -> io::Result<()> {
        drop(pin);
        self.counters().lines_failed.fetch_add(1, Relaxed);
        match outcome {
            // The descriptor is closed, or leads to something else: the program closed what it does not own, as a daemon does
            // on its way. Leave the number alone and open the file anew.
            Err(error) if matches!(error.raw_os_error(), Some(EBADF | ESPIPE)) => {
                if let Some(rolling) = self.slots.try_roll() {
                    rolling.forget();
                }
                self.append_apart(line, at)
            }
            outcome => self.lost(outcome, line, at),
        }
    }

    /// An earlier write fell short: ends the piece of a line that it may have left, then appends.
    #[cold]
    pub(crate) fn append_after_fragment(self: &Arc<Self>, pin: Pin<'_>, line: &[u8], at: i64) -> io::Result<()> {
        self.duties().torn.store(false, Relaxed);
        match pin.append_on_new_line(line) {
            Ok(length) if length == line.len() => Ok(()),
            outcome => {
                self.duties().torn.store(true, Relaxed);
                self.append_failed(pin, outcome, line, at)
            }
        }
    }

    /// Counts and reports a line that is lost, and tells its caller.
    fn lost(&self, outcome: io::Result<usize>, line: &[u8], at: i64) -> io::Result<()> {
        let error = match outcome {
            Err(error) => error,
            // Only a full disk, a quota or a file-size limit cuts a write to a regular file (`write(2)`).
            Ok(length) => {
                self.duties().torn.store(true, Relaxed);
                let text = format!("only {length} of {} bytes could be written", line.len());
                io::Error::new(io::ErrorKind::WriteZero, text)
            }
        };
        let counters = self.counters();
        counters.lines_lost.fetch_add(1, Relaxed);
        counters.bytes_lost.fetch_add(line.len() as u64, Relaxed);
        if let Ok(path) = self.pattern.path_at(at) {
            self.report(Operation::Write, path.as_path(), copy_of(&error));
        }
        Err(error)
    }
}

const EBADF: i32 = Errno::EBADF as i32;
const ESPIPE: i32 = Errno::ESPIPE as i32;
