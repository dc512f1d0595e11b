//! Going on to the period's next file, when the open one has no room (`max_file_bytes`).

use crate::names::listing;
use crate::names::pattern::LAST_INDEX;
use crate::report::Operation;
use crate::sys::{self, Opened};
use crate::write::log::Log;
use crate::write::pin::Pin;
use crate::write::rolling::{Rolling, Takes};
use crate::write::size_limit::TRIES;
use crate::write::status::FULL;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The outcome of going on to the next file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Installed,
    /// A writer is in the slot that is to take the file. Lines go to the next file by descriptors of their own.
    Busy,
    /// The open file is the last one, and has room.
    Same,
}

impl Log {
    /// Whether a file of `size` bytes takes another line of `length`.
    pub(crate) fn has_room(&self, size: u64, length: usize) -> bool {
        let empty = size == 0 || self.header.as_ref().is_some_and(|header| header.is_all_of(size));
        self.size_limit.as_ref().is_none_or(|limit| limit.has_room(size, length, empty, self.slots.write_mode()))
    }

    /// Adds a thread's bytes to the count of all threads, and looks at the size of the file when it is time.
    #[cold]
    pub(crate) fn look_at_size(self: &Arc<Self>, pin: Pin<'_>, at: i64) {
        let bytes = pin.bytes().swap(0, Relaxed);
        let all = self.slots.state.bytes.count.fetch_add(bytes, Relaxed) + bytes;
        if self.size_limit.as_ref().is_none_or(|limit| all < limit.interval) {
            return;
        }
        match self.slots.try_roll() {
            Some(rolling) => {
                drop(pin);
                self.go_on(rolling, at, 0);
            }
            None => self.look_beside_another(&pin),
        }
    }

    /// Looks at the size while another thread has the right to exchange files. That thread may be kept from running for
    /// any time. So a full file is marked as full without that right, and lines go to the next file by descriptors of
    /// their own.
    fn look_beside_another(&self, pin: &Pin<'_>) {
        self.slots.state.bytes.count.store(0, Relaxed);
        let size = pin.file().and_then(|file| sys::size(file).ok());
        if size.is_some_and(|size| !self.has_room(size, 0)) {
            pin.status().set(FULL);
        }
    }

    /// Another process has written lines of this process's threads meanwhile. It may have gone on to the next file, and
    /// the open one may still have room. So the next line looks for the period's last file.
    pub(crate) fn look_for_next(&self) {
        if self.size_limit.is_some() {
            self.slots.set_full();
        }
    }

    /// If the file that is open for `at` has no room for a line of `length` bytes, goes on to the period's next file.
    /// Meanwhile no thread writes to the full file. `false`: no slot takes the line.
    #[cold]
    pub(crate) fn move_on(self: &Arc<Self>, at: i64, length: usize) -> bool {
        let (Some(_), Some(rolling)) = (&self.size_limit, self.slots.try_roll()) else { return false };
        self.go_on(rolling, at, length)
    }

    fn go_on(self: &Arc<Self>, rolling: Rolling<'_>, at: i64, length: usize) -> bool {
        // 1. Has another thread gone on meanwhile? Then there is room.
        self.slots.state.bytes.count.store(0, Relaxed);
        let Some((size, index)) = rolling.size(at) else { return false };
        if self.has_room(size, length) && !rolling.is_full(at) {
            self.set_last(at);
            return true;
        }
        if self.state.retry.may_open(at).is_err() {
            return false;
        }
        // 2. No thread writes to the full file while the next one is opened.
        rolling.set_full(at);
        self.site.wait_for_record(sys::MOMENT);
        let attempt = self.state.retry.begin();
        let next = self.open_next(&rolling, at, index, length);
        // 3. Which file takes the lines now?
        match next {
            Ok(Next::Installed | Next::Busy) => {}
            Ok(Next::Same) => self.take_lines(&rolling, at),
            // The open file, because there is no other.
            Err(_) => rolling.set_not_full(at, |_| true),
        }
        drop(rolling);
        // 4. Others may be told, when nothing is held.
        self.state.retry.end(attempt, at, next.as_ref().err());
        self.has_gone_on(next, at)
    }

    /// Notes and reports what became of going on. `false`: no slot takes the line.
    fn has_gone_on(self: &Arc<Self>, next: io::Result<Next>, at: i64) -> bool {
        match next {
            Ok(Next::Installed) => {
                self.site.counters().rollovers.fetch_add(1, Relaxed);
                self.upkeep.rolled_over(at);
                self.file_was_opened(at);
                true
            }
            Ok(Next::Same) => true,
            Ok(Next::Busy) => false,
            Err(error) => {
                self.report_at(Operation::Rollover, at, error);
                false
            }
        }
    }

    /// Opens the period's file that takes the next line, and installs it if its number is not `index`.
    fn open_next(&self, rolling: &Rolling<'_>, at: i64, index: u32, length: usize) -> io::Result<Next> {
        let (file, next) = self.open_with_room(at, length)?;
        if next != index {
            let installed = self.install(rolling, at, next, file);
            return Ok(if installed { Next::Installed } else { Next::Busy });
        }
        // Somebody has taken the open file away, and this is another file of the same name. The next event opens it.
        if rolling.file(at) != Some(file.file.id()) {
            self.state.seconds.look_again();
        }
        Ok(Next::Same)
    }

    /// Puts one of the period's files into the slot that is not in use. `false`: a writer is in that slot.
    pub(crate) fn install(&self, rolling: &Rolling<'_>, at: i64, index: u32, file: Opened) -> bool {
        let span = self.site.pattern.calendar().span(at);
        if self.size_limit.is_none() {
            return rolling.install(span, index, file, Takes::Lines);
        }
        let installed = rolling.install(span, index, file, Takes::NoLinesYet);
        if installed {
            self.set_last(at);
            self.take_lines(rolling, at);
        }
        installed
    }

    /// From now on the open file takes lines, unless others have gone on to the next file since this one was opened. So
    /// the lines of a thread stay in the order of the files.
    fn take_lines(&self, rolling: &Rolling<'_>, at: i64) {
        rolling.set_not_full(at, |index| !self.has_next(at, index));
    }

    /// Whether the file that follows this one in the period is there.
    pub(crate) fn has_next(&self, at: i64, index: u32) -> bool {
        index < LAST_INDEX && self.is_there(at, self.site.pattern.next_index(at, index))
    }

    /// Whether the file is there and belongs to this pattern. If somebody has replaced the directory, a file of others
    /// in the new one does not.
    fn is_ours(&self, at: i64, index: u32) -> bool {
        self.is_there(at, index) && !self.site.pattern.is_foreign_at(at, index)
    }

    fn is_there(&self, at: i64, index: u32) -> bool {
        self.site.pattern.path_at(at, index).is_ok_and(|path| matches!(sys::identity_at(&path), Ok(Some(_))))
    }

    /// Opens the period's file that takes the next line, of `length` bytes: the last one, or the one after it if the
    /// last one has no room.
    pub(crate) fn open_for(&self, at: i64, length: usize) -> io::Result<(Opened, u32)> {
        if self.size_limit.is_none() {
            return Ok((self.open(&self.site.pattern.path_at(at, 0)?, at)?, 0));
        }
        let mut index = self.last_index(at)?;
        for _ in 1..TRIES {
            let opened = self.open(&self.site.pattern.path_at(at, index)?, at)?;
            if index == LAST_INDEX || self.has_room(opened.size, length) {
                return Ok((opened, index));
            }
            index = self.site.pattern.next_index(at, index);
        }
        Ok((self.open(&self.site.pattern.path_at(at, index)?, at)?, index))
    }

    /// The number of the period's last file; 0 if there is none. A gap in the numbers does not count as the end,
    /// because the missing file may have been pruned.
    fn last_index(&self, at: i64) -> io::Result<u32> {
        if !self.site.process.may_allocate() {
            // In a raw clone: a listing allocates.
            return Ok(self.last_in_a_row(at, 0));
        }
        if let Some(known) = self.slots.index(at).filter(|index| self.was_last(at) && self.is_ours(at, *index)) {
            return Ok(self.last_in_a_row(at, known));
        }
        Ok(match listing::last_index(&self.site.pattern, at)? {
            None => 0,
            Some((index, true)) => index,
            // The last file is an archive already; start the next number.
            Some((index, false)) => self.site.pattern.next_index(at, index),
        })
    }

    /// The last of the period's files that follow `index` without a gap.
    fn last_in_a_row(&self, at: i64, index: u32) -> u32 {
        let next = |index: &u32| self.has_next(at, *index).then(|| self.site.pattern.next_index(at, *index));
        std::iter::successors(Some(index), next).last().unwrap_or(index)
    }

    /// Notes that the open file has room now, so that it is the period's last one.
    pub(crate) fn set_last(&self, at: i64) {
        self.state.had_room.store(at, Relaxed);
    }

    /// Whether the open file was the last one so recently that no later file can have been made, filled, finished and
    /// pruned since.
    fn was_last(&self, at: i64) -> bool {
        let seen = self.state.had_room.load(Relaxed);
        (seen..=seen.saturating_add(1)).contains(&at)
    }
}
