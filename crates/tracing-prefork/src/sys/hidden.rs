//! Our hidden files beside the logs: locks, the record, notes. They contain no lines of logs.

use super::files::{self, Creation};
use super::identity::Status;
use super::open::{LOG, open};
use super::own_file::OwnFile;
use super::unnamed::Unnamed;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, lstat, stat};
use nix::unistd::geteuid;
use std::io::{self, Write};
use std::os::unix::fs::fchown;
use std::path::Path;

/// Opens a hidden file for reading and writing, and creates it if need be.
///
/// Only users who may write to the file may read it: a user who can open a file can lock it, and keep others out. If
/// root creates the file in another user's directory, the file belongs to that user. Otherwise that user's processes
/// would be kept out for ever.
pub(crate) fn open_or_create(path: &Path, creation: Creation<'_>) -> io::Result<OwnFile> {
    for _ in 0..10 {
        match open(path, LOG.difference(OFlag::O_APPEND), Mode::empty()) {
            Err(Errno::ENOENT) => match create(path, creation) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => created?,
            },
            Err(Errno::EACCES) => return Err(closed_to_us(path)),
            opened => {
                let file = opened?;
                file.status()?.must_be_regular()?;
                return Ok(file);
            }
        }
    }
    Err(io::Error::other("the file was removed each time it had been created"))
}

/// The same for a file whose content does not matter. If another user has made the file and closed it to us, the owner
/// of the directory replaces it.
pub(crate) fn open_or_replace(path: &Path, creation: Creation<'_>) -> io::Result<OwnFile> {
    match open_or_create(path, creation) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && may_replace(path) => {
            nix::unistd::unlink(path)?;
            open_or_create(path, creation)
        }
        opened => opened,
    }
}

/// Writes a text to a hidden file, in place. The text always has the same length.
pub(crate) fn overwrite(path: &Path, creation: Creation<'_>, text: &str) -> io::Result<()> {
    open_only_name(path, creation)?.write_all_at(text.as_bytes(), 0)
}

/// As [`open_or_replace`], for a file that is written in place: a file that has other names, too, is replaced.
pub(crate) fn open_only_name(path: &Path, creation: Creation<'_>) -> io::Result<OwnFile> {
    let file = open_or_replace(path, creation)?;
    if !has_other_names(&file)? {
        return Ok(file);
    }
    // The other name belongs to somebody else.
    nix::unistd::unlink(path)?;
    open_or_create(path, creation)
}

fn create(path: &Path, creation: Creation<'_>) -> io::Result<()> {
    let unnamed = Unnamed::create_with(path, creation.now, files::ANY)?;
    let umask = Mode::from_bits_truncate(fstat(unnamed.file().get()?)?.st_mode);
    make_ours(unnamed.file(), path, creation.mode.unwrap_or(umask))?;
    unnamed.publish(path)
}

/// Gives a new file of that name its mode, without the read bits of users who may not write. If root has made the file,
/// gives it to the owner of the directory.
pub(crate) fn make_ours(file: &OwnFile, path: &Path, mode: Mode) -> io::Result<()> {
    give_to_owner(file, path)?;
    let mut writers = Mode::S_IRUSR | Mode::S_IWUSR;
    for (write, both) in [(Mode::S_IWGRP, Mode::S_IRGRP), (Mode::S_IWOTH, Mode::S_IROTH)] {
        writers.set(write | both, mode.contains(write));
    }
    Ok(fchmod(file.get()?, writers)?)
}

/// If root has made the file in another user's directory, gives the file to that user.
fn give_to_owner(file: &OwnFile, path: &Path) -> io::Result<()> {
    let directory = directory_of(path)?;
    if geteuid().is_root() && directory.st_uid != 0 {
        // If root may not give it away, the file stays root's.
        let _ = fchown(file.get()?, Some(directory.st_uid), Some(directory.st_gid));
    }
    Ok(())
}

/// Makes a hidden file with this text in one step. An error if the file is there already. Users who may read the logs
/// may read the file, and hold a shared lock on it.
pub(crate) fn write_whole(path: &Path, text: &[u8], creation: Creation<'_>) -> io::Result<()> {
    let header = || text.to_owned();
    let file = files::create(path, Creation { header: &header, ..creation })?;
    give_to_owner(&file, path)
}

/// Adds a text to the end of a hidden file that is there. The file stays the same, with its locks.
pub(crate) fn add_to(path: &Path, text: &[u8]) -> io::Result<()> {
    let file = open(path, LOG, Mode::empty())?;
    file.status()?.must_be_regular()?;
    (&file).write_all(text)
}

fn directory_of(path: &Path) -> io::Result<FileStat> {
    Ok(stat(path.parent().unwrap_or(path))?)
}

/// Whether the file may have been made by a process of ours. In a sticky directory the owner of the file tells, unless
/// the mode of our own files lets others write. Elsewhere nothing tells: a user who can make files can replace all.
pub(crate) fn may_be_ours(file: &OwnFile, path: &Path, creation: Creation<'_>) -> io::Result<bool> {
    let (owner, directory) = (fstat(file.get()?)?.st_uid, directory_of(path)?);
    let sticky = Mode::from_bits_truncate(directory.st_mode).contains(Mode::S_ISVTX);
    let shared = creation.mode.is_some_and(|mode| mode.intersects(Mode::S_IWGRP | Mode::S_IWOTH));
    let known = [geteuid().as_raw(), 0, directory.st_uid].contains(&owner);
    Ok(known || !sticky || shared)
}

/// Whether other names lead to the file.
pub(crate) fn has_other_names(file: &OwnFile) -> io::Result<bool> {
    Ok(file.status()?.links > 1)
}

/// What has the name, if it is something else than a regular file.
pub(crate) fn other_than_file(path: &Path) -> Option<&'static str> {
    Status::at(path).ok().and_then(|found| found.other_than_file())
}

/// Whether the file belongs to another user, and the directory belongs to us.
pub(crate) fn may_replace(path: &Path) -> bool {
    let own = geteuid().as_raw();
    let directory = directory_of(path).is_ok_and(|directory| directory.st_uid == own);
    directory && lstat(path).is_ok_and(|found| found.st_uid != own) && other_than_file(path).is_none()
}

fn closed_to_us(path: &Path) -> io::Error {
    let denied = io::Error::from(Errno::EACCES);
    let Ok(found) = lstat(path) else { return denied };
    let own = geteuid();
    let text = if found.st_uid == own.as_raw() {
        let mode = found.st_mode & 0o7777;
        format!("{denied}; the file belongs to this user, whom its mode 0{mode:03o} keeps out: give it the mode 0600")
    } else {
        let owner = found.st_uid;
        format!(
            "{denied}; the file belongs to user {owner} and this is user {own}: remove it, or give it to the \
             directory's owner"
        )
    };
    io::Error::new(denied.kind(), text)
}
