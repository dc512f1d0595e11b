//! What the processes of a run do to themselves before they build: they become other users, or set limits.

use std::io;
use std::os::unix::fs::chown;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction, signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};

use crate::run::Stage;
use harness::process;

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
    become_user(NOBODY, NOBODY)
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

/// Handles a signal that does nothing, so that it interrupts every system call that it meets.
///
/// # Errors
///
/// When that is not allowed.
pub fn handle_signals(_: &Stage) -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }?;
    Ok(())
}

/// Ends the process when it is told to, as the end of `main` does: without waiting for its other threads.
///
/// # Errors
///
/// When that is not allowed.
pub fn end_when_told(_: usize) -> io::Result<()> {
    extern "C" fn end(_: libc::c_int) {
        process::leave(0)
    }
    let action = SigAction::new(SigHandler::Handler(end), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes one system call, which does not return.
    unsafe { sigaction(Signal::SIGTERM, &action) }?;
    Ok(())
}

/// Becomes a user that may not create files in the log directory, nor open those that are there.
///
/// # Errors
///
/// When that is not allowed.
pub fn become_nobody(_: usize) -> io::Result<()> {
    if geteuid().is_root() { become_user(NOBODY, NOBODY) } else { Ok(()) }
}

/// A group that two users share the directory through.
const GROUP: u32 = 60_000;

/// Lets a group write to the log directory, and nobody else.
///
/// # Errors
///
/// When that is not allowed.
pub fn share_with_group(stage: &Stage) -> io::Result<()> {
    chown(&stage.directory, None, Some(GROUP))?;
    std::fs::set_permissions(&stage.directory, std::os::unix::fs::PermissionsExt::from_mode(0o2770))
}

/// Becomes one of two users of that group, with a umask that keeps others out.
///
/// # Errors
///
/// When that is not allowed.
pub fn become_one_of_two(process: usize) -> io::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    become_user(60_001 + process as u32 % 2, GROUP)
}

fn become_user(user: u32, group: u32) -> io::Result<()> {
    setgroups(&[])?;
    setgid(Gid::from_raw(group))?;
    Ok(setuid(Uid::from_raw(user))?)
}
