//! [`LockOutcome`]: the meaning of the kernel's answer to a lock call.

use nix::errno::Errno;
use std::io;

/// The outcome of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockOutcome {
    Held,
    /// Somebody else holds a lock that is in the way.
    Busy,
    /// This file system, or this kernel, has no such locks.
    Unsupported(Errno),
    /// Any other error, such as ENOLCK: the kernel has no memory for a lock, or a network file system cannot reach the
    /// server for locks. Nobody may rely on the lock then. The failure is reported.
    Failed(Errno),
}

impl<T> From<nix::Result<T>> for LockOutcome {
    fn from(answer: nix::Result<T>) -> Self {
        match answer {
            Ok(_) => Self::Held,
            // `fcntl(2)` allows both.
            Err(Errno::EAGAIN | Errno::EACCES) => Self::Busy,
            // EINVAL: a kernel before Linux 3.15 does not know the command.
            Err(error @ (Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP)) => Self::Unsupported(error),
            Err(error) => Self::Failed(error),
        }
    }
}

impl LockOutcome {
    /// Whether the lock is held. An error if the kernel does not tell.
    pub(crate) fn is_held(self) -> io::Result<bool> {
        match self {
            Self::Held => Ok(true),
            Self::Busy | Self::Unsupported(_) => Ok(false),
            Self::Failed(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LockOutcome::{self, Busy, Failed, Held, Unsupported};
    use nix::errno::Errno;

    #[test]
    fn only_the_errors_that_say_so_mean_that_there_are_no_locks() {
        let outcome = |error| LockOutcome::from(Err::<(), _>(error));
        assert_eq!(LockOutcome::from(Ok(0)), Held);
        for error in [Errno::EAGAIN, Errno::EACCES] {
            assert_eq!(outcome(error), Busy);
        }
        for error in [Errno::EINVAL, Errno::ENOSYS, Errno::EOPNOTSUPP] {
            assert_eq!(outcome(error), Unsupported(error));
        }
        for error in [Errno::ENOLCK, Errno::EBADF, Errno::EPERM, Errno::EIO, Errno::ENOMEM, Errno::EDEADLK] {
            assert_eq!(outcome(error), Failed(error));
        }
    }
}
