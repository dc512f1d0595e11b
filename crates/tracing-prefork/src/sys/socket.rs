//! The client's side of a Unix socket that keeps packets apart (`unix(7)`, SOCK_SEQPACKET). No call waits, but `wait`.

use super::descriptor::Descriptor;
use super::own_file::OwnFile;
use super::{again, numbers, standard};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, connect as connect_to, getsockopt, recv, send,
    shutdown, socket,
};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

/// The address of a socket, made ready before a fork: nothing is allocated to connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(UnixAddr);

impl Address {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self(UnixAddr::new(path)?))
    }
}

/// The answer to a call that does not wait.
#[derive(Debug)]
pub(crate) enum Answer {
    /// So many bytes were sent or received.
    Done(usize),
    /// The call would have to wait.
    NotNow,
    /// The packet is larger than the kernel takes.
    TooLarge,
    /// The other side has closed the connection, or the connection is broken.
    Closed(io::Error),
}

/// Connects. The user of the process that listens comes with the connection. EAGAIN: somebody listens, and has no room
/// for one more connection.
pub(crate) fn connect(address: &Address) -> io::Result<(OwnFile, u32)> {
    let filled = standard::fill()?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let opened = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    let opened = numbers::above_standard(opened)?;
    drop(filled);
    again(|| connect_to(opened.as_raw_fd(), &address.0))?;
    let user = getsockopt(&opened, PeerCredentials)?.uid();
    Ok((OwnFile::new(opened)?, user))
}

/// Sends one packet. Never raises SIGPIPE.
pub(crate) fn send_packet(connection: &Descriptor, packet: &[u8]) -> Answer {
    let Some(file) = connection.borrow() else { return closed(Errno::EBADF) };
    match again(|| send(file.as_raw_fd(), packet, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)) {
        Ok(length) => Answer::Done(length),
        Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => Answer::NotNow,
        Err(Errno::EMSGSIZE) => Answer::TooLarge,
        Err(errno) => closed(errno),
    }
}

/// Receives one packet.
pub(crate) fn receive_packet(connection: &Descriptor, buffer: &mut [u8]) -> Answer {
    let Some(file) = connection.borrow() else { return closed(Errno::EBADF) };
    match again(|| recv(file.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)) {
        Ok(0) => closed(Errno::ECONNRESET),
        Ok(length) => Answer::Done(length),
        Err(Errno::EAGAIN) => Answer::NotNow,
        Err(errno) => closed(errno),
    }
}

fn closed(errno: Errno) -> Answer {
    Answer::Closed(errno.into())
}

/// Waits until something can be received, or until something can be `sent`, or the connection ends, for so long at
/// most. A signal may end the wait.
pub(crate) fn wait(connection: &Descriptor, sent: bool, bound: Duration) {
    let bound = PollTimeout::from(u16::try_from(bound.as_millis()).unwrap_or(u16::MAX).max(1));
    let Some(file) = connection.borrow() else { return std::thread::sleep(Duration::from_millis(1)) };
    let flags = if sent { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
    if poll(&mut [PollFd::new(file, flags)], bound).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Ends a connection for both sides. Who waits for it is woken.
pub(crate) fn end(connection: &Descriptor) {
    if let Some(file) = connection.borrow() {
        let _ = shutdown(file.as_raw_fd(), Shutdown::Both);
    }
}

/// The user of this process, by whose rights it acts.
pub(crate) fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}
