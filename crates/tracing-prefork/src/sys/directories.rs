//! Making the directories that log files are in.

use super::files::open;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::mkdir;
use std::fs;
use std::io::{self, ErrorKind::NotFound};
use std::path::Path;
use std::time::SystemTime;

/// Makes a directory, and those above it that are not there.
///
/// With the mode of log files given, each has the mode that goes with it, whatever the umask: who may read may look into it, too. A directory gets its
/// name when it has its mode, so no other process of another user finds it closed.
pub(crate) fn make_directories(path: &Path, file_mode: Option<Mode>, now: SystemTime) -> io::Result<()> {
    let Some(file_mode) = file_mode else { return fs::create_dir_all(path) };
    if path.is_dir() {
        return Ok(());
    }
    let make = || make(path, of_directories(file_mode), now);
    match (make(), path.parent()) {
        (Err(error), Some(above)) if error.kind() == NotFound && above != Path::new("") => {
            make_directories(above, Some(file_mode), now)?;
            make()
        }
        (made, _) => made,
    }
}

/// Each read bit brings its execute bit: `0o770` for `0o660`.
fn of_directories(file_mode: Mode) -> Mode {
    Mode::from_bits_truncate(file_mode.bits() | (file_mode.bits() & 0o444) >> 2)
}

fn make(path: &Path, mode: Mode, now: SystemTime) -> io::Result<()> {
    let hidden = super::unique_hidden(path, now);
    mkdir(&hidden, Mode::S_IRWXU)?;
    let named = set_mode(&hidden, mode).map_err(io::Error::from).and_then(|()| fs::rename(&hidden, path));
    if named.is_err() {
        let _ = fs::remove_dir(&hidden);
        // Another process was faster.
        if path.is_dir() {
            return Ok(());
        }
    }
    named
}

/// Leaves the bit alone by which files in it have its group.
fn set_mode(directory: &Path, mode: Mode) -> Result<(), Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = open(directory, flags, Mode::empty())?;
    let group = Mode::from_bits_truncate(fstat(directory.get()?)?.st_mode) & Mode::S_ISGID;
    fchmod(directory.get()?, mode | group)
}
