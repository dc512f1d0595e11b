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

/// A line that was not written whole.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) error: io::Error,
    /// How much of it is in the file nevertheless.
    pub(crate) written: usize,
}

impl From<Unwritten> for io::Error {
    fn from(unwritten: Unwritten) -> Self {
        unwritten.error
    }
}

impl Inner {
    /// A boundary is near, or the file of this event is not open: finds the exact time if it is not `known`, rolls over if
    /// need be, and appends.
    #[cold]
    pub(crate) fn append_across_boundary(
        self: &Arc<Self>,
        line: &[u8],
        known: Option<Second>,
    ) -> Result<(), Unwritten> {
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
        if matches!(rolled, Ok(Rolled::Forward)) {
            self.after_rollover(at);
        }
        appended
    }

    /// Opens the file of `at` for this one line.
    fn append_apart(&self, line: &[u8], at: i64) -> Result<(), Unwritten> {
        match self.pattern.path_at(at).and_then(|path| self.open(&path)) {
            Ok(opened) => {
                self.counters().lines_apart.fetch_add(1, Relaxed);
                self.whole(crate::sys::append(&opened.file, line), line, at)
            }
            Err(error) => self.append_anywhere(line, at, error),
        }
    }

    /// The file of `at` cannot be opened: a line in the file before it, or in one that was inherited through a fork, is
    /// better than a lost one. This is the last resort: it leads nowhere else.
    fn append_anywhere(&self, line: &[u8], at: i64, error: io::Error) -> Result<(), Unwritten> {
        if let Some(pin) = self.slots.pin_any() {
            let outcome = pin.append(line);
            drop(pin);
            return self.whole(outcome, line, at);
        }
        self.counters().lines_apart.fetch_add(1, Relaxed);
        self.whole(self.slots.append_to_inherited(line).unwrap_or(Err(error)), line, at)
    }

    /// A write to a slot failed or fell short.
    #[cold]
    pub(crate) fn append_failed(
        &self,
        pin: Pin<'_>,
        outcome: io::Result<usize>,
        line: &[u8],
        at: i64,
    ) -> Result<(), Unwritten> {
        if outcome.is_ok() {
            // At once, so that few lines of other threads are written before they know.
            pin.tear();
        }
        drop(pin);
        match outcome {
            // The descriptor is closed, or leads to something else: the program closed what it does not own, as a daemon does
            // on its way. Leave the number alone and open the file anew.
            Err(error) if matches!(error.raw_os_error(), Some(EBADF | ESPIPE)) => {
                self.counters().lines_failed.fetch_add(1, Relaxed);
                if let Some(rolling) = self.slots.try_roll() {
                    rolling.forget();
                }
                self.append_apart(line, at)
            }
            outcome => self.whole(outcome, line, at),
        }
    }

    /// An earlier write fell short: ends the piece of a line that it may have left, then appends.
    #[cold]
    pub(crate) fn append_after_fragment(&self, pin: Pin<'_>, line: &[u8], at: i64) -> Result<(), Unwritten> {
        match pin.append_on_new_line(line) {
            Ok(length) if length == line.len() => Ok(()),
            outcome => self.append_failed(pin, outcome, line, at),
        }
    }

    /// If a line has not been written whole, counts and reports it, and tells its caller.
    fn whole(&self, outcome: io::Result<usize>, line: &[u8], at: i64) -> Result<(), Unwritten> {
        let (error, written) = match outcome {
            Ok(written) if written == line.len() => return Ok(()),
            // A full disk, a quota or a file-size limit cuts a write to a regular file, and so does the kernel's limit of
            // 2 GiB (`write(2)`).
            Ok(written) => (io::ErrorKind::WriteZero.into(), written),
            Err(error) => (error, 0),
        };
        let counters = self.counters();
        let lines = line[written..].iter().filter(|&&byte| byte == b'\n').count().max(1);
        counters.lines_failed.fetch_add(1, Relaxed);
        counters.lines_lost.fetch_add(lines as u64, Relaxed);
        counters.bytes_lost.fetch_add((line.len() - written) as u64, Relaxed);
        let copy = copy_of(&error);
        if let Ok(path) = self.pattern.path_at(at) {
            self.report(Operation::Write, path.as_path(), error);
        }
        Err(Unwritten { error: copy, written })
    }
}

const EBADF: i32 = Errno::EBADF as i32;
const ESPIPE: i32 = Errno::ESPIPE as i32;
