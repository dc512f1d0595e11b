//! [`SocketFile`]: the socket that others find by its path.
//!
//! A server that was killed leaves its socket behind. The next one takes its place, if nobody listens there any more.
//! It never takes the place of a live server's socket, nor of something that is no socket.

use super::options::Sockets;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid, User, chown};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file of a socket that this process listens on. It is removed on drop, if it is still ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
    /// Held as long as this process serves the path.
    _lock: Flock<File>,
}

/// Why a path cannot be served.
fn failed(path: &Path, why: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("cannot listen at {}: {why}", path.display()))
}

/// Listens at `path`.
pub(crate) fn open(path: &Path, kind: SockType, options: &Sockets) -> io::Result<(OwnedFd, SocketFile)> {
    let path = std::path::absolute(path)?;
    let (directory, name) = match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => (directory, name.to_string_lossy().into_owned()),
        _ => return Err(failed(&path, "it is no path of a file")),
    };
    // 1. One server for a path.
    let lock = lock(&directory.join(format!(".{name}.lock"))).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            failed(&path, "another prefork-log serves it; give another path, or end that one")
        } else {
            failed(&path, error)
        }
    })?;
    // 2. What is there now?
    look(&path, kind)?;
    // 3. The new socket gets its rights before it gets its name. Nobody connects before.
    let temporary = directory.join(format!(".{name}.{}", std::process::id()));
    let listening = listen_at(&temporary, kind, options).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(&path, error)
    })?;
    let found = fs::symlink_metadata(&temporary)?;
    fs::rename(&temporary, &path).map_err(|error| failed(&path, error))?;
    Ok((listening, SocketFile { path, id: (found.dev(), found.ino()), _lock: lock }))
}

fn lock(path: &Path) -> io::Result<Flock<File>> {
    let flags = (nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(flags).open(path)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
}

/// Says whether the path is free, or has a socket at which nobody listens.
fn look(path: &Path, kind: SockType) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(path, error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(failed(path, "something that is no socket has this name; move it away, or give another path"));
        }
        Ok(_) => {}
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let client = socket(AddressFamily::Unix, kind, flags, None)?;
    let address = UnixAddr::new(path).map_err(|error| failed(path, error))?;
    match connect(client.as_raw_fd(), &address) {
        // Nobody listens.
        Err(Errno::ECONNREFUSED) => Ok(()),
        // Gone meanwhile.
        Err(Errno::ENOENT) => Ok(()),
        Err(errno @ (Errno::EACCES | Errno::EPERM)) => Err(failed(path, errno)),
        _ => Err(failed(path, "another program listens there; give another path, or end it")),
    }
}

fn listen_at(path: &Path, kind: SockType, options: &Sockets) -> io::Result<OwnedFd> {
    let _ = fs::remove_file(path);
    let listening = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    let address = UnixAddr::new(path).map_err(|errno| match errno {
        Errno::ENAMETOOLONG => io::Error::other(
            "the path is too long: with `.` and the process id before and behind \
                                                 its name, it may have 107 bytes",
        ),
        errno => errno.into(),
    })?;
    // Nobody but this user may connect before the rights are set.
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = bind(listening.as_raw_fd(), &address);
    umask(before);
    bound?;
    let user = options.socket_user.as_deref().map(user).transpose()?;
    let group = options.socket_group.as_deref().map(group).transpose()?;
    if user.is_some() || group.is_some() {
        chown(path, user, group)?;
    }
    fs::set_permissions(path, Permissions::from_mode(options.socket_mode))?;
    listen(&listening, Backlog::MAXCONN)?;
    Ok(listening)
}

fn user(text: &str) -> io::Result<Uid> {
    if let Ok(number) = text.parse() {
        return Ok(Uid::from_raw(number));
    }
    let found = User::from_name(text)?.map(|user| user.uid);
    found.ok_or_else(|| io::Error::other(format!("there is no user {text:?}")))
}

fn group(text: &str) -> io::Result<Gid> {
    if let Ok(number) = text.parse() {
        return Ok(Gid::from_raw(number));
    }
    let found = Group::from_name(text)?.map(|group| group.gid);
    found.ok_or_else(|| io::Error::other(format!("there is no group {text:?}")))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.id);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}
