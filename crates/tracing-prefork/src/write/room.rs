//! Room for a new file on a disk that has none: no blocks for its first line or its directory, or no inode.

use crate::appender::Inner;
use crate::sys::Opened;
use crate::write::fallback::is_want_of_room;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::Relaxed;

impl Inner {
    /// Opens that of the period's files which takes the next line, of `length` bytes. If there is no room for a new one, old ones go, as far as
    /// the options allow.
    pub(crate) fn open_with_room(&self, at: i64, length: usize) -> io::Result<(Opened, u32)> {
        loop {
            match self.open_for(at, length) {
                Err(error) if is_want_of_room(&error) => {
                    if !self.make_room(self.files_beside_a_new_one()) {
                        // What is beyond the other limits goes in a thread, before the next try.
                        self.duties().chores_wanted.fetch_or(self.limits.is_set(), Relaxed);
                        return Err(error);
                    }
                }
                opened => return opened,
            }
        }
    }

    /// The same at build, where no thread is started.
    pub(crate) fn open_first(&self, at: i64) -> io::Result<(Opened, u32)> {
        match self.open_with_room(at, 0) {
            Err(error) if is_want_of_room(&error) && self.limits.is_set() => {
                self.prune_in_place(at);
                self.open_for(at, 0)
            }
            opened => opened,
        }
    }

    /// How many files stay when one has to go for a new file: `min_log_files`, or those that `max_log_files` keeps beside the new one.
    fn files_beside_a_new_one(&self) -> Option<NonZeroUsize> {
        let kept = self.limits.files.and_then(|files| NonZeroUsize::new(files.get() - 1));
        self.min_log_files.or(kept)
    }
}
