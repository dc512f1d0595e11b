//! The numbers of standard input, output and error, where the program has closed them.
//!
//! The kernel gives the lowest free number to code that opens something. A program that has closed 0, 1 or 2 may still
//! print there. If a log, an archive or a record of ours had that number for a moment, printed text would go into it.
//! So while this library opens a file, it fills each free number of the three with a *plug*: a descriptor for which
//! `write(2)` says EBADF, as for a closed one. The last of the threads that open something closes the plugs.
//!
//! Limits: between the look and the opening, another thread of the program can close one of the three. And while a plug
//! is there, a thread that relies on the lowest number (`close(0); open("/dev/null")`) gets another number, as if other
//! code of the process had just opened a file. `dup2(2)` replaces a plug. Each plug is compared before it is closed, so
//! a file that `dup2(2)` has put there stays open, unless it comes between these two calls.

use super::fork;
use super::identity::{FileId, Status};
use super::patience::wait;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use std::ops::Range;
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};
use std::path::Path;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Duration;

const STANDARD: Range<RawFd> = 0..3;

/// The root directory is there for everybody, and opening it in this way asks for no permission (`open(2)`, O_PATH).
const PLUG: &str = "/";
#[cfg(any(target_os = "linux", target_os = "android"))]
const MARK: OFlag = OFlag::O_PATH;
/// Without O_PATH, only the file tells a plug.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MARK: OFlag = OFlag::O_RDONLY;

/// The most plugs that are made at once. So a thread of the program that closes them again and again does not stop
/// ours.
const PLUGS: usize = 8;

/// The longest wait for a thread that closes the plugs.
const BOUND: Duration = Duration::from_millis(100);

/// Whether a plug has ever been made. This stays set when the plugs are closed. Reason: at a fork the kernel copies the
/// descriptors before the memory, so that a child can have plugs which are closed by what its memory says.
static PLUGGED: AtomicBool = AtomicBool::new(false);
/// The device and the inode of [`PLUG`].
static PLUG_ID: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// In the count of threads that open something: a thread is closing the plugs.
const CLOSING: u32 = 1 << 31;

/// Keeps 0, 1 and 2 from being free until it is dropped.
#[derive(Debug)]
pub(super) struct Filled {
    /// The count of threads that open something. `None`: the program has all three open.
    openers: Option<&'static AtomicU32>,
}

/// Fills the free numbers of the three. If none is free, this takes three system calls.
pub(super) fn fill() -> nix::Result<Filled> {
    if STANDARD.map(found).all(|found| found == Found::Programs) {
        return Ok(Filled { openers: None });
    }
    let filled = Filled { openers: Some(enter()?) };
    for _ in 0..PLUGS {
        if !STANDARD.map(found).any(|found| found == Found::Free) {
            break;
        }
        // The plug is noted first, so that a child that is forked meanwhile closes it.
        let id = Status::at(Path::new(PLUG))?.id;
        for (note, value) in PLUG_ID.iter().zip([id.device, id.inode]) {
            note.store(value, Relaxed);
        }
        PLUGGED.store(true, SeqCst);
        let plug = super::again(|| nix::fcntl::open(PLUG, MARK | OFlag::O_CLOEXEC, Mode::empty()))?;
        let number = plug.into_raw_fd();
        // The program has filled the number meanwhile.
        if !STANDARD.contains(&number) {
            close_plug(number);
        }
    }
    Ok(filled)
}

/// Counts this thread as one that opens something. Waits for a thread that closes the plugs, which needs microseconds,
/// unless it is kept from running.
fn enter() -> nix::Result<&'static AtomicU32> {
    let openers = fork::openers();
    let try_enter = || {
        let found = openers.load(Acquire);
        let entered = found & CLOSING == 0 && openers.compare_exchange(found, found + 1, SeqCst, Relaxed).is_ok();
        entered.then_some(openers)
    };
    wait(BOUND, try_enter).ok_or(Errno::EBUSY)
}

impl Drop for Filled {
    fn drop(&mut self) {
        let Some(openers) = self.openers else { return };
        // The count is 0 in a child that was forked meanwhile.
        let leave = |found: u32| if found == 1 { Some(CLOSING) } else { found.checked_sub(1) };
        if openers.fetch_update(SeqCst, Relaxed, leave) == Ok(1) {
            STANDARD.for_each(close_plug);
            let _ = openers.compare_exchange(CLOSING, 0, Release, Relaxed);
        }
    }
}

/// In a child that has just been forked: closes the plugs of its parent's threads. Async-signal-safe.
pub(super) fn close_in_child() {
    if PLUGGED.load(SeqCst) {
        STANDARD.for_each(close_plug);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Free,
    Plug,
    /// A file of the program.
    Programs,
}

fn found(number: RawFd) -> Found {
    // SAFETY: borrowed for these calls and not kept; a number that is closed gives EBADF.
    let file = unsafe { BorrowedFd::borrow_raw(number) };
    let Ok(flags) = fcntl(file, FcntlArg::F_GETFL) else { return Found::Free };
    let [device, inode] = PLUG_ID.each_ref().map(|note| note.load(Relaxed));
    let plug = FileId { device, inode, birth: 0 };
    match OFlag::from_bits_retain(flags).contains(MARK).then(|| Status::of(file)) {
        Some(Ok(status)) if status.id == plug => Found::Plug,
        // Another thread has just closed a plug.
        Some(Err(_)) => Found::Free,
        _ => Found::Programs,
    }
}

fn close_plug(number: RawFd) {
    if found(number) == Found::Plug {
        let _ = nix::unistd::close(number);
    }
}
