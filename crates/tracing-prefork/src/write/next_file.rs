//! The period's next file: when the open one has no room, and which one comes then.

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

/// What became of going on to the next file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Installed,
    /// Somebody still writes to the slot that is wanted: lines go to the next file without one.
    Busy,
    /// The open file is the last one, and has room after all.
    Same,
}

impl Log {
    /// Whether a file of `size` bytes takes another line of `length`.
    pub(crate) fn has_room(&self, size: u64, length: usize) -> bool {
        let empty = size == 0 || self.header.as_ref().is_some_and(|header| header.is_all_of(size));
        self.size_limit.as_ref().is_none_or(|limit| limit.has_room(size, length, empty, self.slots.write_mode))
    }

    /// Adds what a thread has written to what all have, and looks at the size of the file when it is time.
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

    /// Another thread has the right to exchange the files, and may be kept from running for as long as it pleases the
    /// machine. So whoever finds the file full says so without that right: lines go to the next file by way of
    /// descriptors of their own.
    fn look_beside_another(&self, pin: &Pin<'_>) {
        self.slots.state.bytes.count.store(0, Relaxed);
        let size = pin.file().and_then(|file| sys::size(file).ok());
        if size.is_some_and(|size| !self.has_room(size, 0)) {
            pin.status().set(FULL);
        }
    }

    /// If the file that is open for `at` has no room for a line of `length` bytes, goes on to the period's next one.
    /// Meanwhile no thread writes to the full one. `false`: not now; the line finds its own way.
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
        // 3. Who takes the lines now?
        match next {
            Ok(Next::Installed | Next::Busy) => {}
            Ok(Next::Same) => self.take_lines(&rolling, at),
            // There is no other.
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

    /// Opens that of the period's files which takes the next line, and installs it if it is another one than that of
    /// `index`.
    fn open_next(&self, rolling: &Rolling<'_>, at: i64, index: u32, length: usize) -> io::Result<Next> {
        let (file, next) = self.open_with_room(at, length)?;
        if next != index {
            let installed = self.install(rolling, at, next, file);
            return Ok(if installed { Next::Installed } else { Next::Busy });
        }
        // Somebody has taken the open file away, and this is another one of its name: the next event opens it.
        if rolling.file(at) != Some(file.file.id()) {
            self.state.seconds.look_again();
        }
        Ok(Next::Same)
    }

    /// Puts one of the period's files into the slot that is not in use. `false`: somebody still writes there.
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

    /// Has the open file take lines, unless others have gone on from there since it was opened: a thread's lines stay
    /// in the order of the files.
    fn take_lines(&self, rolling: &Rolling<'_>, at: i64) {
        rolling.set_not_full(at, |index| !self.has_next(at, index));
    }

    /// Whether the file that follows this one in the period is there.
    fn has_next(&self, at: i64, index: u32) -> bool {
        index < LAST_INDEX && self.is_there(at, self.site.pattern.next_index(at, index))
    }

    /// Not if the directory has been replaced, and this is a file of others in the new one.
    fn is_ours(&self, at: i64, index: u32) -> bool {
        self.is_there(at, index) && !self.site.pattern.is_foreign_at(at, index)
    }

    fn is_there(&self, at: i64, index: u32) -> bool {
        self.site.pattern.path_at(at, index).is_ok_and(|path| matches!(sys::identity_at(&path), Ok(Some(_))))
    }

    /// Opens that of the period's files which takes the next line, of `length` bytes: the last one, if it has room.
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

    /// The last of the period's files; 0 if there is none. Not the first that is missing: that may have been pruned.
    fn last_index(&self, at: i64) -> io::Result<u32> {
        if !self.site.process.may_allocate() {
            // In a raw clone, without a listing.
            return Ok(self.last_in_a_row(at, 0));
        }
        if let Some(known) = self.slots.index(at).filter(|index| self.was_last(at) && self.is_ours(at, *index)) {
            return Ok(self.last_in_a_row(at, known));
        }
        Ok(match listing::last_index(&self.site.pattern, at)? {
            None => 0,
            Some((index, true)) => index,
            // An archive: nothing comes after what is in it.
            Some((index, false)) => self.site.pattern.next_index(at, index),
        })
    }

    /// The last of the period's files that follow `index` without a gap.
    fn last_in_a_row(&self, at: i64, index: u32) -> u32 {
        let next = |index: &u32| self.has_next(at, *index).then(|| self.site.pattern.next_index(at, *index));
        std::iter::successors(Some(index), next).last().unwrap_or(index)
    }

    /// Notes that the open file had room now, so that it was the period's last one.
    pub(crate) fn set_last(&self, at: i64) {
        self.state.had_room.store(at, Relaxed);
    }

    /// Whether the open file was the last one so recently that none of those after it can have been made, filled, let
    /// go of and pruned since.
    fn was_last(&self, at: i64) -> bool {
        let seen = self.state.had_room.load(Relaxed);
        (seen..=seen.saturating_add(1)).contains(&at)
    }
}
