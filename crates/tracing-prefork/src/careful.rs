//! Writes that take more than one system call: under the write lock, and behind a piece of a line.
//!
//! A write falls short when a disk, a quota or a file-size limit is full, and a writer that is killed may leave a piece of its line. What
//! is written next must not be glued to that.

use crate::appender::Inner;
use crate::report::Operation;
use crate::slots::Pin;
use crate::sys::{self, Discipline, WriteLock};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// So long a thread waits for the write lock. Whoever holds it needs microseconds, unless it has been stopped.
const PATIENCE: Duration = Duration::from_secs(1);

impl Inner {
    /// Appends to a slot that needs care, and returns how much of the line went in; `None` if the file is to be `limited` and has no room.
    pub(crate) fn append_to_slot(
        &self,
        pin: &Pin<'_>,
        line: &[u8],
        at: i64,
        limited: bool,
    ) -> Option<io::Result<usize>> {
        if limited && pin.is_full() {
            return None;
        }
        let Some(file) = pin.file() else { return Some(Err(Errno::EBADF.into())) };
        let torn = pin.torn();
        let turn = self.wait(|| pin.try_turn());
        let lock = turn.is_some().then(|| self.lock(file)).flatten();
        let Some(lock) = lock else {
            drop(turn);
            self.report_stuck_lock(at);
            return Some(match self.slots.discipline {
                Discipline::Locked => self.append_without_lock(line, at),
                Discipline::Unlocked => end_of_others(file).and_then(|_| pin.append(line)),
            });
        };
        let size = match end_of_others(file) {
            Ok(size) => size,
            Err(error) => return Some(Err(error)),
        };
        pin.mended(torn);
        match self.slots.discipline {
            Discipline::Locked => self.append_locked(file, &lock, size, line, limited),
            // The lock was for the piece alone.
            Discipline::Unlocked => {
                drop((lock, turn));
                Some(pin.append(line))
            }
        }
    }

    /// Appends without the write lock, by a descriptor that says so: nobody who has the lock cuts anything off while it is open, and
    /// somebody who is at that now keeps it from being opened.
    fn append_without_lock(&self, line: &[u8], at: i64) -> io::Result<usize> {
        let (opened, _) = self.open_for(at, line.len())?;
        if !sys::may_write(&opened.file) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        end_of_others(opened.file.as_fd())?;
        sys::append(&opened.file, line)
    }

    /// Appends to a file that only this thread has open; returns the same.
    pub(crate) fn append_to(
        &self,
        file: BorrowedFd<'_>,
        line: &[u8],
        torn: bool,
        at: i64,
        limited: bool,
    ) -> Option<io::Result<usize>> {
        let outcome = match self.slots.discipline {
            Discipline::Unlocked if !torn => sys::append(file, line),
            Discipline::Unlocked => {
                let _lock = self.lock(file);
                end_of_others(file).and_then(|_| sys::append(file, line))
            }
            Discipline::Locked => match self.lock(file).map(|lock| (lock, end_of_others(file))) {
                Some((lock, Ok(size))) => self.append_locked(file, &lock, size, line, limited)?,
                Some((_, Err(error))) => Err(error),
                None => self.append_without_lock(line, at),
            },
        };
        self.report_stuck_lock(at);
        self.end_own(file, line, &outcome);
        Some(outcome)
    }

    /// Appends all of the line to a file of `size` bytes, or nothing of it if everybody writes under the lock.
    fn append_locked(
        &self,
        file: BorrowedFd<'_>,
        lock: &WriteLock<'_>,
        size: u64,
        line: &[u8],
        limited: bool,
    ) -> Option<io::Result<usize>> {
        let limit = self.size_limit.as_ref().filter(|_| limited);
        if limit.is_some_and(|limit| !limit.has_room(size, line.len(), Discipline::Locked)) {
            return None;
        }
        let outcome = sys::append(file, line);
        if let Ok(written) = &outcome
            && *written < line.len()
            && lock.while_nobody_writes(|| sys::cut(file, size, *written).unwrap_or(false)) == Some(true)
        {
            return Some(Ok(0));
        }
        Some(outcome)
    }

    /// Ends the piece of a line that a write of this process has left, as a line of its own. Says whether none can be there now.
    pub(crate) fn end_own(&self, file: BorrowedFd<'_>, line: &[u8], outcome: &io::Result<usize>) -> bool {
        match outcome {
            Ok(0) => true,
            // Looking for it allocates.
            Ok(written) if *written < line.len() => {
                self.duties().may_allocate() && sys::end_fragment(file, line, *written).unwrap_or(false)
            }
            Ok(_) => true,
            // Nothing of this line, but perhaps of another's, to whom the same has happened.
            Err(_) => false,
        }
    }

    /// The write lock, or `None` if it has not been free for a second. Then it is not waited for again until it has been free.
    fn lock<'a>(&self, file: BorrowedFd<'a>) -> Option<WriteLock<'a>> {
        let stuck = &self.duties().lock_stuck;
        let first = WriteLock::try_take(file);
        let lock = match first {
            None if !stuck.load(Relaxed) => self.wait(|| WriteLock::try_take(file)),
            first => first,
        };
        if lock.is_some() {
            stuck.store(false, Relaxed);
        } else if !stuck.swap(true, Relaxed) {
            self.duties().lock_report.store(true, Relaxed);
        }
        lock
    }

    /// Reports what [`lock`](Self::lock) has found, when nothing is held: whoever is told may log.
    fn report_stuck_lock(&self, at: i64) {
        let due = &self.duties().lock_report;
        if due.load(Relaxed) && due.swap(false, Relaxed) {
            self.report_at(Operation::Lock, at, io::ErrorKind::TimedOut.into());
        }
    }

    /// Asks again and again, for a second at most.
    pub(crate) fn wait<T>(&self, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        let mut pause = Duration::from_micros(20);
        let mut began = None;
        for turn in 0_u32.. {
            if let Some(got) = ask() {
                return Some(got);
            }
            if turn < 20 {
                thread::yield_now();
                continue;
            }
            if began.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return None;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
        }
        None
    }
}

/// If the file ends in a piece of a line, ends it. Returns the size of the file.
fn end_of_others(file: BorrowedFd<'_>) -> io::Result<u64> {
    let tail = sys::tail(file)?;
    if tail.torn {
        sys::end_line(file)?;
    }
    Ok(tail.size + u64::from(tail.torn))
}
