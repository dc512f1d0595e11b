//! Bringing the open files onto the disk, by hand.

use crate::Error;
use crate::report::Operation;
use crate::sys::{self, Directory};
use crate::write::log::Log;
use crate::write::pin::Pin;
use nix::errno::Errno;
use std::io;
use std::path::Path;

impl Log {
    /// Has the kernel write the open files and their names to the disk. The first failure is the answer, but each file
    /// is tried.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        let mut answer = Ok(());
        for slot in 0..2 {
            let Some(pin) = self.slots.pin_open(slot) else { continue };
            let (start, index) = pin.place();
            let path = self.site.path_at(start, index);
            let synced = sync_file(&pin).and_then(|()| sync_name(&path));
            // No line was written.
            pin.cancel();
            answer = answer.and(synced.map_err(|error| self.site.reporter.error(Operation::Sync, &path, error)));
        }
        answer
    }
}

fn sync_file(pin: &Pin<'_>) -> io::Result<()> {
    // The program may have closed the descriptor, and may use the number for a file of its own.
    match pin.file().filter(|_| pin.is_intact()) {
        Some(file) => Ok(sys::again(|| nix::unistd::fdatasync(file))?),
        None => Err(Errno::EBADF.into()),
    }
}

/// A new file's name is on the disk only when its directory is.
fn sync_name(path: &Path) -> io::Result<()> {
    Directory::of(path)?.map_or(Ok(()), |directory| directory.sync())
}
