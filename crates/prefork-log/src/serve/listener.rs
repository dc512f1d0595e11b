//! The sockets that clients connect to: those of the options, and those of systemd.

use super::options::Sockets;
use super::socket_file::{self, SocketFile};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// What comes through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Packets of the protocol.
    Packets,
    /// Lines that end in newlines.
    Lines,
}

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: OwnedFd,
    pub(crate) carries: Carries,
}

#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) all: Vec<Listener>,
    /// Those that systemd has made are its own.
    _files: Vec<SocketFile>,
}

impl Listeners {
    pub(crate) fn open(options: &Sockets) -> io::Result<Self> {
        let mut all = of_systemd()?;
        let mut files = Vec::new();
        for (path, carries) in [(&options.socket, Carries::Packets), (&options.stream_socket, Carries::Lines)] {
            let Some(path) = path else { continue };
            let kind = if carries == Carries::Packets { SockType::SeqPacket } else { SockType::Stream };
            let (socket, file) = socket_file::open(path, kind, options)?;
            all.push(Listener { socket, carries });
            files.push(file);
        }
        if all.is_empty() {
            return Err(io::Error::other(
                "there is no socket to listen at; give --socket PATH or --stream-socket PATH, or start this program \
                 by a socket unit of systemd",
            ));
        }
        Ok(Self { all, _files: files })
    }
}

/// The sockets that systemd has handed over (`sd_listen_fds(3)`).
fn of_systemd() -> io::Result<Vec<Listener>> {
    let take = |number| -> io::Result<Listener> {
        // SAFETY: systemd has handed the number over to this process, and nobody else here knows of it.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        let carries = match getsockopt(&socket, sockopt::SockType)? {
            SockType::SeqPacket => Carries::Packets,
            SockType::Stream => Carries::Lines,
            _ => {
                return Err(io::Error::other(
                    "systemd has handed over a socket that is neither SOCK_SEQPACKET (ListenSequentialPacket=) nor \
                     SOCK_STREAM (ListenStream=)",
                ));
            }
        };
        let flags = nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&socket, nix::fcntl::FcntlArg::F_SETFL(flags))?;
        Ok(Listener { socket, carries })
    };
    sd_notify::listen_fds()?.map(take).collect()
}
