//! What the parent of a run does to itself before it builds: it becomes another user, or sets a limit.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::chown;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{Gid, Uid, dup, geteuid, setgid, setgroups, setuid};

use crate::run::Stage;

/// A user that owns nothing: modes of files are an obstacle to it, as they are not to root.
const NOBODY: u32 = 65_534;

/// Gives the log directory to a user without rights, and becomes that one. Who is not root has none anyway.
///
/// # Errors
///
/// When that is not allowed.
pub fn drop_privileges(stage: &Stage) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    chown(&stage.directory, Some(NOBODY), Some(NOBODY))?;
    setgroups(&[])?;
    setgid(Gid::from_raw(NOBODY))?;
    Ok(setuid(Uid::from_raw(NOBODY))?)
}

/// Files of 256 KiB at most, with the signal ignored that would end the process otherwise.
///
/// # Errors
///
/// When that is not allowed.
pub fn limit_file_size(_: &Stage) -> io::Result<()> {
    // SAFETY: a signal is ignored; no handler of ours runs.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
    Ok(setrlimit(Resource::RLIMIT_FSIZE, 256 << 10, 256 << 10)?)
}

/// Takes descriptors until there are only so many left that the files of one period fit, and none besides.
///
/// # Errors
///
/// When the limit cannot be set.
pub fn use_up_descriptors() -> io::Result<Vec<OwnedFd>> {
    let null = std::fs::File::open("/dev/null")?;
    let limit = null.as_raw_fd() as u64 + 16;
    setrlimit(Resource::RLIMIT_NOFILE, limit, limit)?;
    let mut taken = Vec::new();
    while let Ok(descriptor) = dup(&null) {
        taken.push(descriptor);
    }
    Ok(taken)
}
