//! Who is at the other end of a connection, and whether that process may send.

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;
use std::fmt;
use std::os::fd::AsFd;

/// A process as the kernel knew it when it connected (`unix(7)`, SO_PEERCRED).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    gid: u32,
}

impl Peer {
    pub(crate) fn of(connection: &impl AsFd) -> nix::Result<Self> {
        let found = getsockopt(connection, PeerCredentials)?;
        Ok(Self { pid: found.pid(), uid: found.uid(), gid: found.gid() })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of user {}", self.pid, self.uid)
    }
}

/// Who may send.
#[derive(Debug)]
pub(crate) struct Allowed {
    users: Vec<u32>,
    groups: Vec<u32>,
}

impl Allowed {
    pub(crate) fn new(users: &[u32], groups: &[u32]) -> Self {
        Self { users: users.to_vec(), groups: groups.to_vec() }
    }

    /// Without users and groups, the permissions of the socket's file have decided: the kernel lets nobody connect who
    /// may not write to it.
    pub(crate) fn allows(&self, peer: Peer) -> bool {
        let is_open = self.users.is_empty() && self.groups.is_empty();
        let is_own = peer.uid == 0 || peer.uid == geteuid().as_raw();
        is_open || is_own || self.users.contains(&peer.uid) || self.groups.contains(&peer.gid)
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Peer};

    #[test]
    fn users_and_groups_that_were_named_may_send() {
        let other = u32::MAX - 7;
        let peer = |uid, gid| Peer { pid: 1, uid, gid };
        assert!(Allowed::new(&[], &[]).allows(peer(other, other)), "the permissions have decided");
        let named = Allowed::new(&[other - 1], &[other - 2]);
        assert!(!named.allows(peer(other, other)));
        assert!(named.allows(peer(other - 1, other)));
        assert!(named.allows(peer(other, other - 2)));
        assert!(named.allows(peer(0, other)), "root");
    }
}
