//! [`Spill`]: a file without a name, which the text of archives is unpacked into when their decoders would take too
//! much memory at once.

use nix::fcntl::{FallocateFlags, fallocate};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// The file is made in the directory for temporary files (`TMPDIR`, or `/tmp`) when it is needed, and vanishes with the
/// program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spill(Rc<RefCell<Option<Room>>>);

#[derive(Debug)]
struct Room {
    file: Rc<File>,
    end: u64,
}

impl Spill {
    /// Takes a whole text.
    pub(super) fn take(&self, from: &mut impl Read) -> io::Result<Extent> {
        let mut room = self.0.borrow_mut();
        let room = match &mut *room {
            Some(room) => room,
            none => none.insert(Room { file: Rc::new(tempfile::tempfile()?), end: 0 }),
        };
        let (at, mut piece) = (room.end, vec![0; 128 << 10]);
        let failure = loop {
            match from.read(&mut piece) {
                Ok(0) => break None,
                Ok(read) => {
                    (&*room.file).write_all(&piece[..read])?;
                    room.end += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What could be read is there.
                Err(error) => break Some(error),
            }
        };
        Ok(Extent { file: room.file.clone(), at, begin: at, end: room.end, failure })
    }
}

/// The text of one archive in the file.
#[derive(Debug)]
pub(crate) struct Extent {
    file: Rc<File>,
    begin: u64,
    at: u64,
    end: u64,
    failure: Option<io::Error>,
}

impl Read for Extent {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = (self.end - self.at).min(to.len() as u64) as usize;
        if length == 0 && !to.is_empty() {
            return self.failure.take().map_or(Ok(0), Err);
        }
        let read = self.file.read_at(&mut to[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        // The disk gets the room back. Where it cannot, it does so at the end of the program.
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        let (begin, length) = (self.begin as i64, (self.end - self.begin) as i64);
        let _ = fallocate(&*self.file, flags, begin, length);
    }
}
