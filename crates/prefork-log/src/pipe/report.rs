//! Reports to standard error. Nobody waits for them: standard error may be a pipe that nobody reads.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Writes a line to standard error, if there is room for it. `false` if there is none.
pub(super) fn tell(text: impl Display) -> bool {
    let stderr = io::stderr();
    let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    let has_room = poll(&mut fds, PollTimeout::ZERO) == Ok(1);
    has_room && stderr.lock().write_all(format!("prefork-log: {text}\n").as_bytes()).is_ok()
}

/// How often standard error is told of a state that lasts.
const SELDOM: Duration = Duration::from_secs(10);

/// Tells of a state that lasts: at once, and then from time to time.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    last: Option<Instant>,
}

impl Seldom {
    /// Tells the text, unless one was told a short time ago. `true` if it is told.
    pub(super) fn tell(&mut self, text: impl FnOnce() -> String) -> bool {
        let told = self.last.is_none_or(|last| last.elapsed() >= SELDOM) && tell(text());
        if told {
            self.last = Some(Instant::now());
        }
        told
    }
}
