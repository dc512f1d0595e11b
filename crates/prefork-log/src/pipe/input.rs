//! Standard input: read in large pieces, and seldom while small ones come.
//!
//! A reader that sleeps in `read(2)` is woken by the next line, and the writer of the line pays for that. So after a
//! small read the reader rests for a moment, in which lines gather in the pipe. A line that comes alone is read at
//! once, because the rest follows the read.

use crate::pipe::signals::Signals;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::thread;
use std::time::Duration;

/// The size of the pipe. The default is 64 KiB, and a user without privileges may ask for a MiB (`pipe(7)`). With a MiB
/// lines no longer stay in the processor's cache from the one copy to the next (`peer-benches pipes`).
pub(super) const PIPE: usize = 256 << 10;
/// A read below this is small: it has a few dozen lines.
const SMALL: usize = 4 << 10;
/// How long a reader rests after a small read.
const REST: Duration = Duration::from_micros(300);

/// What can happen while one waits for input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// There are bytes, or the end.
    Ready,
    Signal,
    /// Neither came in time.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Input {
    from: File,
    is_pipe: bool,
}

impl Input {
    /// Standard input. A pipe is made larger, if the system lets it.
    pub(super) fn standard() -> io::Result<Self> {
        let from = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let is_pipe = from.metadata()?.file_type().is_fifo();
        if is_pipe {
            // A limit for each user, or a lower one for each pipe, may refuse a size.
            let size = |size: usize| i32::try_from(size).unwrap_or(i32::MAX);
            let is_large = |wanted| fcntl(&from, FcntlArg::F_GETPIPE_SZ).is_ok_and(|now| now >= size(wanted));
            let make = |wanted| fcntl(&from, FcntlArg::F_SETPIPE_SZ(size(wanted))).is_ok();
            let _ = [PIPE, PIPE / 2].into_iter().any(|wanted| is_large(wanted) || make(wanted));
        }
        Ok(Self { from, is_pipe })
    }

    /// Waits until there is something to read, or a signal comes.
    pub(super) fn wait(&self, signals: &Signals, at_most: Option<Duration>) -> io::Result<Event> {
        let mut fds = [PollFd::new(self.from.as_fd(), PollFlags::POLLIN), PollFd::new(signals.fd(), PollFlags::POLLIN)];
        let at_most = at_most.map_or(PollTimeout::NONE, |time| time.try_into().unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, at_most) {
            Ok(0) => Ok(Event::Nothing),
            Err(Errno::EINTR) => Ok(Event::Signal),
            Err(error) => Err(error.into()),
            Ok(_) if fds[1].any() == Some(true) => {
                signals.clear();
                Ok(Event::Signal)
            }
            Ok(_) => Ok(Event::Ready),
        }
    }

    /// Reads what is there. 0 is the end.
    pub(super) fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.from.read(to) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A writer of the same terminal or socket has made it non-blocking. `wait` comes next.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                outcome => return outcome,
            }
        }
    }

    /// Follows the work on a read of `length` bytes.
    pub(super) fn rest_after(&self, length: usize) {
        if self.is_pipe && length < SMALL {
            thread::sleep(REST);
        }
    }
}
