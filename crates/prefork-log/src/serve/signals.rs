//! Signals, as something to read.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// SIGTERM, SIGINT.
    End,
    /// SIGHUP.
    Reopen,
}

#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals in this thread, and in all threads that it starts.
    pub(crate) fn new() -> nix::Result<Self> {
        let mask: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
        mask.thread_block()?;
        // At the limit on file sizes a write says EFBIG then, and does not end the program (setrlimit(2)).
        SigSet::from(Signal::SIGXFSZ).thread_block()?;
        Ok(Self(SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// A signal that has come. `None`: none has.
    pub(crate) fn next(&self) -> Option<Wish> {
        let signal = self.0.read_signal().ok().flatten()?;
        let is_hangup = i32::try_from(signal.ssi_signo) == Ok(Signal::SIGHUP as i32);
        Some(if is_hangup { Wish::Reopen } else { Wish::End })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
