//! The one way in which this library opens a file.

use super::own_file::OwnFile;
use super::{numbers, standard};
use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use std::io::{self, Read};
use std::path::Path;

/// The flags of a log file. Read-write, because a shared lease needs a readable descriptor (`fcntl(2)`). O_NONBLOCK,
/// because an open of a FIFO of that name would wait otherwise.
pub(super) const LOG: OFlag = OFlag::O_RDWR
    .union(OFlag::O_APPEND)
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_NONBLOCK);

/// For files of more than 2 GiB, also where `off_t` has 32 bits.
#[cfg(any(target_os = "linux", target_os = "android"))]
const LARGE: OFlag = OFlag::O_LARGEFILE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const LARGE: OFlag = OFlag::empty();

/// `open(2)`, but never as descriptor 0, 1 or 2. Reason: a daemon that has closed these is about to put others there,
/// and printed text must not get into a log. Everything that this library opens is opened here.
pub(super) fn open<P: NixPath + ?Sized>(path: &P, flags: OFlag, mode: Mode) -> nix::Result<OwnFile> {
    let filled = standard::fill()?;
    let file = super::again(|| nix::fcntl::open(path, flags | LARGE, mode))?;
    // The program may have closed one of the three since then.
    let file = numbers::above_standard(file)?;
    drop(filled);
    OwnFile::new(file)
}

/// Opens a file for reading. `None`: there is no such file. An error if the name leads to something else than a regular
/// file.
pub(crate) fn open_to_read(path: &Path) -> io::Result<Option<OwnFile>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let file = match open(path, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(None),
        opened => opened?,
    };
    file.status()?.must_be_regular()?;
    Ok(Some(file))
}

/// The whole content of a file. A symbolic link is followed.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY, Mode::empty())?;
    let mut content = Vec::new();
    file.reader().read_to_end(&mut content)?;
    Ok(content)
}
