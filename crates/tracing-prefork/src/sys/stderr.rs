//! Standard error: a write neither waits for a reader nor sends a signal if there is none.

use super::open::open;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

/// Writes a text to standard error in one system call that does not wait. `eprintln!` takes a lock, which a forked
/// child may inherit locked, and may panic. This does neither. `false`: the text could not be written, because the pipe
/// is full, for example.
pub(crate) fn write_to_stderr(text: &str) -> bool {
    // SAFETY: descriptor 2 is borrowed for these calls; if the process has closed it, the kernel says EBADF.
    let stderr = unsafe { BorrowedFd::borrow_raw(2) };
    let Ok(stat) = fstat(stderr) else { return false };
    let written = without_sigpipe(|| match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFSOCK => write_if_ready(stderr, text.as_bytes()),
        SFlag::S_IFIFO | SFlag::S_IFCHR => write_to_pipe(stderr, text.as_bytes()),
        _ => write(stderr, text.as_bytes()),
    });
    written.is_ok()
}

/// Writes to a pipe or a terminal without waiting. Other processes share the flag O_NONBLOCK of the descriptor
/// (`fcntl(2)`), so this opens the pipe once more instead of setting the flag.
fn write_to_pipe(stderr: BorrowedFd<'_>, text: &[u8]) -> nix::Result<usize> {
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    match open("/proc/self/fd/2", flags, Mode::empty()) {
        Ok(again) => write(again.get()?, text),
        // The pipe has no reader (`fifo(7)`).
        Err(Errno::ENXIO) => Err(Errno::EPIPE),
        // No /proc, or another user's pipe.
        Err(_) => write_if_ready(stderr, text),
    }
}

/// Whether a write would not wait. A pipe that is ready takes PIPE_BUF bytes at least, and a socket takes more, unless
/// another process is faster.
fn write_if_ready(stderr: BorrowedFd<'_>, text: &[u8]) -> nix::Result<usize> {
    let mut look = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    poll(&mut look, PollTimeout::ZERO)?;
    match look[0].revents() {
        Some(ready) if ready.contains(PollFlags::POLLOUT) => write(stderr, &text[..text.len().min(libc::PIPE_BUF)]),
        _ => Err(Errno::EAGAIN),
    }
}

/// Writes without a signal. Reason: a write to a pipe without a reader sends SIGPIPE to the thread, and its default
/// action ends the process (`pipe(7)`).
fn without_sigpipe(write: impl FnOnce() -> nix::Result<usize>) -> nix::Result<usize> {
    let mut sigpipe = SigSet::empty();
    sigpipe.add(Signal::SIGPIPE);
    let mask = sigpipe.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    // A signal that is pending already belongs to the program.
    let theirs = is_pending(Signal::SIGPIPE);
    let written = write();
    while written == Err(Errno::EPIPE) && !theirs && is_pending(Signal::SIGPIPE) {
        let _ = sigpipe.wait();
    }
    mask.thread_set_mask()?;
    written
}

fn is_pending(signal: Signal) -> bool {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is filled in if the call succeeds.
    unsafe { libc::sigpending(set.as_mut_ptr()) == 0 && libc::sigismember(set.as_ptr(), signal as libc::c_int) == 1 }
}
