//! Descriptor numbers that the kernel gives to nobody else in the process.
//!
//! The kernel gives the lowest free number to code that opens something. So a program that closes descriptors it does
//! not know, ours among them, gets low numbers for its own files. Our numbers are high, just below the limit on numbers
//! (`RLIMIT_NOFILE`). Each number is claimed here as long as it is in use. So no descriptor of this library gets the
//! number that another one has, or has lost.

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Our numbers are below this. The kernel's table of descriptors is as long as the highest number, with 8 bytes an
/// entry, and each fork copies the table. With a number of 4000 the table has 32 KiB, and a fork takes 91 us instead of
/// 78 (10th percentile of 300 forks).
const CEILING: usize = 4096;

/// The most high numbers that are tried before a low one is taken.
const TRIES: usize = 64;

/// One bit a number. A forked child inherits the bits with the descriptors.
static CLAIMED: [AtomicU64; CEILING / 64] = [const { AtomicU64::new(0) }; CEILING / 64];

fn bit(number: RawFd) -> Option<(&'static AtomicU64, u64)> {
    let number = usize::try_from(number).ok()?;
    Some((CLAIMED.get(number / 64)?, 1 << (number % 64)))
}

/// Claims a number. `false`: another descriptor has claimed it. Numbers above [`CEILING`] need no claim.
fn claim(number: RawFd) -> bool {
    bit(number).is_none_or(|(word, bit)| word.fetch_or(bit, Relaxed) & bit == 0)
}

/// Gives a claimed number up, and closes it if it is `ours`.
pub(super) fn give_up(number: RawFd, ours: bool) {
    if ours {
        close(number);
    }
    unclaim(number);
}

fn unclaim(number: RawFd) {
    if let Some((word, bit)) = bit(number) {
        word.fetch_and(!bit, Relaxed);
    }
}

/// Moves a file that has just been opened to a number of its own, and returns the number.
pub(super) fn settle(opened: OwnedFd) -> RawFd {
    match settle_high(&opened) {
        Some(number) => {
            close(opened);
            number
        }
        None => settle_low(opened),
    }
}

/// Closes a number, not by the standard library: that ends the process if somebody else has just closed the number.
fn close(file: impl IntoRawFd) {
    let _ = nix::unistd::close(file);
}

/// Makes a high number lead to the file, too. `None`: none of those that were tried is free.
fn settle_high(file: &OwnedFd) -> Option<RawFd> {
    let mut tries = 0..TRIES;
    for number in (3..end()).rev() {
        if tries.is_empty() {
            break;
        }
        if claim(number) {
            if duplicate_as(file, number) {
                return Some(number);
            }
            unclaim(number);
            tries.next();
        }
    }
    None
}

/// Moves the file to the lowest free number that nobody has claimed.
fn settle_low(mut file: OwnedFd) -> RawFd {
    while !claim(file.as_raw_fd()) {
        match above(&file, file.as_raw_fd() + 1) {
            Ok(next) => close(std::mem::replace(&mut file, next)),
            // The file keeps its number. It is open, so nobody else can have that number now.
            Err(_) => break,
        }
    }
    file.into_raw_fd()
}

/// The lowest number that is too high.
fn end() -> RawFd {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    RawFd::try_from(limit).unwrap_or(RawFd::MAX).min(CEILING as RawFd)
}

/// Makes that very number lead to the file. `false`: the number was not free.
fn duplicate_as(file: &OwnedFd, number: RawFd) -> bool {
    let Ok(duplicate) = above(file, number) else { return false };
    let found = duplicate.into_raw_fd();
    if found != number {
        close(found);
    }
    found == number
}

/// Moves a file to a number that is not standard input, output or error.
pub(super) fn above_standard(file: OwnedFd) -> nix::Result<OwnedFd> {
    if file.as_raw_fd() > 2 {
        return Ok(file);
    }
    let moved = above(&file, 3);
    close(file);
    moved
}

/// A copy of the file's descriptor at the first free number from `least` on.
fn above(file: &OwnedFd, least: RawFd) -> nix::Result<OwnedFd> {
    let number = super::again(|| fcntl(file, FcntlArg::F_DUPFD_CLOEXEC(least)))?;
    // SAFETY: a fresh descriptor of ours.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
