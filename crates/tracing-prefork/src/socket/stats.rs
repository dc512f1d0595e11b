//! [`SocketStats`]: what a process has done with a `SocketWriter`.

use crate::sys::fork_wiped;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What this process has done with a [`SocketWriter`](crate::SocketWriter), in lines. A forked child starts at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Lines handed to the kernel for the receiver. A line that was sent again counts again.
    pub sent: u64,
    /// Lines that the receiver has written to the files.
    pub acknowledged: u64,
    /// Lines sent again, or written by this process, because the receiver ended before it acknowledged them. Each of
    /// them may be in the files twice.
    pub resent: u64,
    /// Lines that this process has written to the files of the [`fallback`](crate::SocketBuilder::fallback).
    pub written_directly: u64,
    /// Lines that were refused. Code that writes to the writer got the error. A macro of `tracing` returns nothing.
    pub dropped: u64,
    /// Connections after the first one.
    pub reconnects: u64,
}

fork_wiped! {
    #[derive(Debug)]
    pub(crate) struct Counts {
        pub(super) sent: AtomicU64,
        pub(super) acknowledged: AtomicU64,
        pub(super) resent: AtomicU64,
        pub(super) written_directly: AtomicU64,
        pub(super) dropped: AtomicU64,
        pub(super) connections: AtomicU64,
    }
}

impl Counts {
    pub(super) fn stats(&self) -> SocketStats {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        SocketStats {
            sent: read(&self.sent),
            acknowledged: read(&self.acknowledged),
            resent: read(&self.resent),
            written_directly: read(&self.written_directly),
            dropped: read(&self.dropped),
            reconnects: read(&self.connections).saturating_sub(1),
        }
    }
}
