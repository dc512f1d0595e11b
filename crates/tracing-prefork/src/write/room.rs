//! Room for a new file on a full disk: there are no blocks for the first line or the directory, or no inode.

use crate::sys;
use crate::sys::Opened;
use crate::upkeep::room::Wanted;
use crate::write::log::Log;
use std::io;

impl Log {
    /// Opens the period's file that takes the next line, of `length` bytes. If there is no room for a new file, this
    /// removes old files, as far as the options allow.
    pub(crate) fn open_with_room(&self, at: i64, length: usize) -> io::Result<(Opened, u32)> {
        loop {
            match self.open_for(at, length) {
                Err(error) if sys::is_want_of_room(&error) => {
                    if !self.upkeep.no_room(Wanted::File) {
                        return Err(error);
                    }
                }
                opened => return opened,
            }
        }
    }

    /// The same at build, where no thread is started: prunes in place.
    pub(crate) fn open_first(&self, at: i64) -> io::Result<(Opened, u32)> {
        match self.open_with_room(at, 0) {
            Err(error) if sys::is_want_of_room(&error) && self.upkeep.no_room_at_build(at) => self.open_for(at, 0),
            opened => opened,
        }
    }
}
