//! Making the directories of log files.

use super::identity::is_directory;
use super::open::open;
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
/// If a mode is given, each new directory has it, whatever the umask. A directory gets its name when it has its mode.
/// So no process of another user finds it closed.
pub(crate) fn make_directories(path: &Path, mode: Option<Mode>, now: SystemTime) -> io::Result<()> {
    match is_directory(path) {
        Ok(true) => return Ok(()),
        Ok(false) => return Err(Errno::ENOTDIR.into()),
        Err(error) if error.kind() == NotFound => {}
        Err(error) => return Err(error),
    }
    let make = || match mode {
        Some(mode) => make(path, mode, now),
        None => unless_there(path, mkdir(path, ALL).map_err(io::Error::from)),
    };
    match (make(), path.parent()) {
        (Err(error), Some(above)) if error.kind() == NotFound && above != Path::new("") => {
            make_directories(above, mode, now)?;
            make()
        }
        (made, _) => made,
    }
}

/// The mode of a directory for which no mode is given, before the umask.
const ALL: Mode = Mode::S_IRWXU.union(Mode::S_IRWXG).union(Mode::S_IRWXO);

/// The outcome of making a directory. No error if another process was faster.
fn unless_there(path: &Path, made: io::Result<()>) -> io::Result<()> {
    made.or_else(|error| if is_directory(path).unwrap_or(false) { Ok(()) } else { Err(error) })
}

/// The mode of the directories that go with log files of this mode: whoever may read a file may search its directory.
/// Each read bit brings its execute bit: `0o770` for `0o660`.
pub(crate) fn mode_of_directories(file_mode: Mode) -> Mode {
    Mode::from_bits_truncate(file_mode.bits() | (file_mode.bits() & 0o444) >> 2)
}

fn make(path: &Path, mode: Mode, now: SystemTime) -> io::Result<()> {
    let hidden = super::unique_hidden(path, now);
    mkdir(&hidden, Mode::S_IRWXU)?;
    let named = set_mode(&hidden, mode).map_err(io::Error::from).and_then(|()| fs::rename(&hidden, path));
    if named.is_err() {
        let _ = fs::remove_dir(&hidden);
    }
    unless_there(path, named)
}

/// Sets the mode. A directory keeps the set-group-ID bit that it has from the directory above (`mkdir(2)`), as with
/// `chmod(1)`: the bit gives the directory's group to new files.
fn set_mode(directory: &Path, mode: Mode) -> Result<(), Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = open(directory, flags, Mode::empty())?;
    let group = Mode::from_bits_truncate(fstat(directory.get()?)?.st_mode) & Mode::S_ISGID;
    fchmod(directory.get()?, mode | group)
}
