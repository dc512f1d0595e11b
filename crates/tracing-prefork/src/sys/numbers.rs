//! Descriptor numbers that nobody else in the process is given.
//!
//! The kernel gives the lowest free number to whoever opens something. A program that closes descriptors which it does
//! not know, ours among them, is therefore given low numbers for its own files. Ours lie high, just below the limit on
//! numbers (`RLIMIT_NOFILE`). Each one is claimed here as long as it is in use, so that no descriptor of this library
//! gets the number that another one has, or has lost.

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Numbers are taken below this. The kernel's table of descriptors is as long as the highest number, with 8 bytes an
/// entry, and each fork copies it: with a number of 4000 it has 32 KiB, and a fork takes 91 us instead of 78 (the 10th
/// percentile of 300).
const CEILING: usize = 4096;

/// So many numbers are tried before a low one is taken.
const TRIES: usize = 64;

/// One bit a number. A forked child inherits the bits with the descriptors.
static CLAIMED: [AtomicU64; CEILING / 64] = [const { AtomicU64::new(0) }; CEILING / 64];

fn bit(number: RawFd) -> Option<(&'static AtomicU64, u64)> {
    let number = usize::try_from(number).ok()?;
    Some((CLAIMED.get(number / 64)?, 1 << (number % 64)))
}

/// Says whether nobody had claimed the number. Nobody claims those above [`CEILING`].
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

/// Moves a file that has just been opened to a number of its own, and says which.
pub(super) fn settle(opened: OwnedFd) -> RawFd {
    match settle_high(&opened) {
        Some(number) => {
            close(opened);
            number
        }
        None => settle_low(opened),
    }
}

/// Not by the standard library, which ends the process if somebody else has just closed the number.
fn close(file: impl IntoRawFd) {
    let _ = nix::unistd::close(file);
}

/// Has a high number lead to the file, too.
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

/// No high number is free: takes the lowest one that is free and that nobody has claimed.
fn settle_low(mut file: OwnedFd) -> RawFd {
    while !claim(file.as_raw_fd()) {
        match above(&file, file.as_raw_fd() + 1) {
            Ok(next) => close(std::mem::replace(&mut file, next)),
            // It is open, at least. Nobody else can have the number now.
            Err(_) => break,
        }
    }
    file.into_raw_fd()
}

/// The first number that is too high.
fn end() -> RawFd {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    RawFd::try_from(limit).unwrap_or(RawFd::MAX).min(CEILING as RawFd)
}

/// Whether the number was free, and leads to the file now.
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

/// The first free number from `least` on.
fn above(file: &OwnedFd, least: RawFd) -> nix::Result<OwnedFd> {
    let number = super::again(|| fcntl(file, FcntlArg::F_DUPFD_CLOEXEC(least)))?;
    // SAFETY: a fresh descriptor of ours.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
