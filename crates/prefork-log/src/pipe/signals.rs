//! The signals of `pipe`: they set flags, and wake whoever waits.

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// What signals have asked for.
#[derive(Debug)]
pub(super) struct Signals {
    /// How often SIGTERM or SIGINT came.
    ends: Arc<AtomicUsize>,
    /// SIGINT came after one of these.
    at_once: Arc<AtomicBool>,
    /// SIGHUP came.
    reopen: Arc<AtomicBool>,
    /// Has a byte after each signal.
    wake: UnixStream,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        let (wake, other) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (ends, reopen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let at_once = Arc::new(AtomicBool::new(false));
        flag::register(SIGHUP, reopen.clone())?;
        for number in [SIGTERM, SIGINT] {
            let (ends, at_once) = (ends.clone(), at_once.clone());
            // systemd sends SIGTERM twice if the main process of a unit ends before the others. So SIGTERM is patient.
            let count = move || {
                if ends.fetch_add(1, Relaxed) > 0 && number == SIGINT {
                    at_once.store(true, Relaxed);
                }
            };
            // SAFETY: the action does nothing but change atomic numbers.
            #[allow(unsafe_code, reason = "an action of a signal")]
            unsafe {
                low_level::register(number, count)?
            };
        }
        for number in [SIGHUP, SIGTERM, SIGINT] {
            low_level::pipe::register(number, other.try_clone()?)?;
        }
        // A program that starts others can leave signals blocked.
        let all = SigSet::from_iter([Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT]);
        sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&all), None)?;
        // A write beyond the file-size limit is an error, and not the end of this process.
        // SAFETY: no function of this program is installed.
        #[allow(unsafe_code, reason = "to ignore a signal")]
        unsafe {
            signal(Signal::SIGXFSZ, SigHandler::SigIgn)?
        };
        Ok(Self { ends, at_once, reopen, wake })
    }

    pub(super) fn ends(&self) -> usize {
        self.ends.load(Relaxed)
    }

    pub(super) fn at_once(&self) -> bool {
        self.at_once.load(Relaxed)
    }

    /// Whether SIGHUP came since the last call.
    pub(super) fn take_reopen(&self) -> bool {
        self.reopen.swap(false, Relaxed)
    }

    /// Is readable when a signal came.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Waits for the next signal again.
    pub(super) fn clear(&self) {
        while matches!((&self.wake).read(&mut [0; 64]), Ok(1..)) {}
    }
}
