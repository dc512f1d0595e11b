//! Writes that take more than one system call: under the write lock, and behind a fragment.
//!
//! A write falls short when a disk, a quota or a file-size limit is full. A writer that is killed may leave a fragment
//! of its line, too. The next line must not be glued to a fragment.

use crate::report::Operation;
use crate::sys::{self, PATIENCE, Taken, Unlocked, WriteLock, WriteMode};
use crate::write::lines::Lines;
use crate::write::log::Log;
use crate::write::pin::Pin;
use crate::write::status::FULL;
use nix::errno::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// In the place of an errno: somebody else has held the lock for a second. No errno has this value.
const HELD: i32 = -1;

/// What a write does with a file that has no room for the line (`max_file_bytes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfFull {
    Refuse,
    Append,
}

/// What has come of a line.
#[derive(Debug)]
pub(crate) enum Appended {
    /// So many bytes of the line are in the file; or an error, and perhaps a fragment.
    Tried(io::Result<usize>),
    /// The file has no room, and the caller wanted the line refused ([`IfFull::Refuse`]). Nothing was written.
    NoRoom,
}

impl Appended {
    pub(crate) fn outcome(self) -> io::Result<usize> {
        match self {
            Self::Tried(outcome) => outcome,
            Self::NoRoom => Err(Errno::EFBIG.into()),
        }
    }
}

impl Log {
    /// Appends to a slot in more than one system call: ends a fragment first, and takes the write lock if need be.
    pub(crate) fn write_to_slot(&self, pin: &Pin<'_>, line: Lines<'_>, at: i64, if_full: IfFull) -> Appended {
        if if_full == IfFull::Refuse && pin.status().has(FULL) {
            return Appended::NoRoom;
        }
        let Some(file) = pin.file() else { return Appended::Tried(Err(Errno::EBADF.into())) };
        let torn = pin.status().torn();
        // 1. The turn among the threads of this process, and then the lock among all processes.
        let turn = self.turn(pin);
        let lock = turn.as_ref().and_then(|_| self.lock(file));
        // 2. If there is no lock to be had, the line goes to the file all the same.
        let Some(lock) = lock else {
            let outcome = match self.mode_of(line) {
                WriteMode::Locked => write_without_lock(file, line),
                WriteMode::Unlocked => end_of_others(file).and_then(|_| pin.append(&line)),
            };
            drop(turn);
            self.report_lock(at);
            return Appended::Tried(outcome);
        };
        // 3. Under the lock, nobody else ends the same fragment.
        let size = match self.end_of_others_under_lock(file, line) {
            Ok(size) => size,
            Err(error) => return Appended::Tried(Err(error)),
        };
        pin.status().mended(torn);
        // 4. The line.
        match self.mode_of(line) {
            WriteMode::Locked => self.write_under_lock(file, &lock, size, line, if_full),
            // The lock was for the fragment alone.
            WriteMode::Unlocked => {
                drop((lock, turn));
                Appended::Tried(pin.append(&line))
            }
        }
    }

    /// Appends to a file that only this thread has open.
    pub(crate) fn write_to(
        &self,
        file: BorrowedFd<'_>,
        line: Lines<'_>,
        torn: bool,
        at: i64,
        if_full: IfFull,
    ) -> Appended {
        let appended = match self.mode_of(line) {
            WriteMode::Unlocked if !torn => Appended::Tried(sys::append(file, &line)),
            WriteMode::Unlocked => {
                let lock = self.lock(file);
                let ended = lock.map_or_else(|| end_of_others(file), |_lock| self.end_of_others_under_lock(file, line));
                Appended::Tried(ended.and_then(|_| sys::append(file, &line)))
            }
            WriteMode::Locked => match self.lock(file).map(|lock| (lock, self.end_of_others_under_lock(file, line))) {
                Some((lock, Ok(size))) => self.write_under_lock(file, &lock, size, line, if_full),
                Some((_, Err(error))) => Appended::Tried(Err(error)),
                None => Appended::Tried(write_without_lock(file, line)),
            },
        };
        if let Appended::Tried(outcome) = &appended {
            self.report_lock(at);
            self.end_own(file, &line, outcome);
        }
        appended
    }

    /// How a line is written. Lines of a ring are written under the lock, whatever the options of this process.
    fn mode_of(&self, line: Lines<'_>) -> WriteMode {
        if line.journal().is_some() { WriteMode::Locked } else { self.slots.write_mode() }
    }

    /// Appends the whole line to a file of `size` bytes. If that fails, and everybody writes under the lock, nothing of
    /// the line stays in the file.
    fn write_under_lock(
        &self,
        file: BorrowedFd<'_>,
        lock: &WriteLock<'_>,
        size: u64,
        line: Lines<'_>,
        if_full: IfFull,
    ) -> Appended {
        if if_full == IfFull::Refuse && !self.has_room(size, line.len()) {
            return Appended::NoRoom;
        }
        Appended::Tried(noted(file, size, line, || match sys::append(file, &line) {
            Ok(written) if written < line.len() => {
                let finish = || finish_or_cut(file, size, &line, written);
                lock.while_nobody_writes(finish).unwrap_or(Ok(written))
            }
            outcome => outcome,
        }))
    }

    /// Under the write lock: finishes what the last holder of the lock has left half-written, if it was killed. Returns
    /// the size of the file. Not inlined: the write that follows needs no stack for this.
    #[inline(never)]
    fn end_of_others_under_lock(&self, file: BorrowedFd<'_>, line: Lines<'_>) -> io::Result<u64> {
        let (rings, pattern) = (self.upkeep.rings(), &self.site.pattern);
        if rings.are_in_use() && self.site.process.may_allocate() {
            // What cannot be finished here is whole in its ring, and comes once more.
            let _ = rings.finish_last(pattern, file, line.journal().map_or(0, |journal| journal.ring()));
        }
        match sys::tail(file)? {
            tail if tail.torn => self.end_torn(file),
            tail => Ok(tail.size),
        }
    }

    /// The file ends in a fragment of others. Goes on with it if a ring of the dead has the rest, or ends it by a
    /// newline.
    #[cold]
    #[inline(never)]
    fn end_torn(&self, file: BorrowedFd<'_>) -> io::Result<u64> {
        if self.site.process.may_allocate() {
            let _ = self.upkeep.rings().finish_torn(&self.site.pattern, file);
        }
        end_of_others(file)
    }

    /// If a write of this process has left a fragment, makes the fragment a line of its own. Says whether no fragment
    /// can be there now.
    pub(crate) fn end_own(&self, file: BorrowedFd<'_>, line: &[u8], outcome: &io::Result<usize>) -> bool {
        match outcome {
            Ok(0) => true,
            // The search for the fragment allocates.
            Ok(written) if *written < line.len() => {
                self.site.process.may_allocate() && sys::end_fragment(file, line, *written).unwrap_or(false)
            }
            Ok(_) => true,
            // Nothing of this line is in the file, but perhaps a fragment of another writer with the same failure.
            Err(_) => false,
        }
    }

    /// The turn to use the write lock, among the threads of this process. `None`: another thread has stopped in the
    /// middle of a write.
    fn turn<'a>(&self, pin: &Pin<'a>) -> Option<Taken<'a>> {
        let stuck = &self.state.turn_stuck;
        // The thread that has the turn may be waiting for the lock.
        let patience = if stuck.load(Relaxed) { Duration::ZERO } else { 2 * PATIENCE };
        let turn = sys::wait(patience, || pin.try_turn());
        stuck.store(turn.is_none(), Relaxed);
        turn
    }

    /// The write lock. `None`: the kernel refuses the lock, or somebody else has held it for a second. After that
    /// nobody waits for the lock of that file until it has been free.
    fn lock<'a>(&self, file: BorrowedFd<'a>) -> Option<WriteLock<'a>> {
        let stuck = &self.state.lock_stuck;
        let stuck_file = stuck.load(Relaxed);
        let is_stuck_file = || stuck_file != 0 && inode(file) == stuck_file;
        let ask = || WriteLock::try_take(file).transpose();
        let asked = match ask() {
            None if !is_stuck_file() => sys::wait(PATIENCE, ask),
            asked => asked,
        };
        let error = match asked {
            Some(Ok(lock)) => {
                if is_stuck_file() {
                    stuck.store(0, Relaxed);
                }
                return Some(lock);
            }
            Some(Err(error)) => error.raw_os_error(),
            None => None,
        };
        if !is_stuck_file() && stuck.swap(inode(file), Relaxed) != inode(file) {
            self.state.lock_report.store(error.unwrap_or(HELD), Relaxed);
        }
        None
    }

    /// Reports the failure that [`lock`](Self::lock) has noted. The caller holds no lock, because the user's `on_error`
    /// may log.
    fn report_lock(&self, at: i64) {
        let due = &self.state.lock_report;
        if due.load(Relaxed) == 0 {
            return;
        }
        let error = match due.swap(0, Relaxed) {
            0 => return,
            HELD if self.site.process.may_allocate() => {
                io::Error::new(io::ErrorKind::TimedOut, "somebody else has held the lock for a second")
            }
            HELD => io::ErrorKind::TimedOut.into(),
            error => io::Error::from_raw_os_error(error),
        };
        self.report_at(Operation::Lock, at, error);
    }
}

/// Tells open files apart; never 0.
fn inode(file: BorrowedFd<'_>) -> u64 {
    sys::identity(file).map_or(u64::MAX, |id| id.inode)
}

/// Appends without the write lock, and announces that: meanwhile a holder of the lock cuts nothing off. An error while
/// a holder of the lock cuts something off, because this line could go with it.
fn write_without_lock(file: BorrowedFd<'_>, line: Lines<'_>) -> io::Result<usize> {
    let _unlocked = Unlocked::announce(file).ok_or(io::ErrorKind::TimedOut)?;
    let size = end_of_others(file)?;
    noted(file, size, line, || sys::append(file, &line))
}

/// Appends, while the ring of the lines notes what is being done.
fn noted(
    file: BorrowedFd<'_>,
    size: u64,
    line: Lines<'_>,
    append: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let Some(journal) = line.journal() else { return append() };
    let id = sys::identity(file)?;
    journal.begin(id, size, &line)?;
    let outcome = append();
    journal.end(id, &line, *outcome.as_ref().unwrap_or(&0));
    outcome
}

/// For a file that had `size` bytes and then got the first `written` bytes of a line, while nobody else writes. Appends
/// the rest of the line, or else cuts off its beginning. An error says that the disk or a quota is full, which a short
/// write does not say.
fn finish_or_cut(file: BorrowedFd<'_>, size: u64, line: &[u8], mut written: usize) -> io::Result<usize> {
    if sys::size(file)? != size + written as u64 {
        return Ok(written);
    }
    let failed = loop {
        match sys::append(file, &line[written..]) {
            Ok(0) => break io::ErrorKind::WriteZero.into(),
            Ok(more) => written += more,
            Err(error) => break error,
        }
        if written == line.len() {
            return Ok(written);
        }
    };
    match sys::cut(file, size, written) {
        Ok(true) if sys::is_want_of_room(&failed) => Err(failed),
        Ok(true) => Ok(0),
        _ => Ok(written),
    }
}

/// If the file ends in a fragment, ends the fragment by a newline. Returns the size of the file.
fn end_of_others(file: BorrowedFd<'_>) -> io::Result<u64> {
    let tail = sys::tail(file)?;
    if tail.torn {
        sys::end_line(file)?;
    }
    Ok(tail.size + u64::from(tail.torn))
}
