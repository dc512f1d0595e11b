//! Descriptor numbers that nobody else in the process is given.
//!
//! The kernel gives the lowest free number to whoever opens something. A program that closes descriptors which it does not know,
//! ours among them, is therefore given low numbers for its own files. Ours lie high, just below the limit on numbers
//! (`RLIMIT_NOFILE`). Each one is claimed here, so that no two descriptors of this library ever have had the same number.

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Numbers are taken below this. The kernel's table of descriptors is as long as the highest number, with 8 bytes an entry, and each
/// fork copies it: with a number of 4000 it has 32 KiB, and a fork takes 91 us instead of 78 (the 10th percentile of 300).
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

/// Gives a claimed number up. It leads to nothing of ours any more.
pub(super) fn give_up(number: RawFd) {
    if let Some((word, bit)) = bit(number) {
        word.fetch_and(!bit, Relaxed);
    }
}

/// Moves a file to a number of its own, and says which: to `claimed`, which the caller has claimed before, if that is free. Else that
/// one stays claimed.
pub(super) fn settle(file: File, claimed: Option<RawFd>) -> RawFd {
    if let Some(number) = claimed
        && duplicate_as(&file, number)
    {
        return number;
    }
    let mut tries = 0..TRIES;
    for number in (3..end()).rev() {
        if tries.is_empty() {
            break;
        }
        if claim(number) {
            if duplicate_as(&file, number) {
                return number;
            }
            give_up(number);
            tries.next();
        }
    }
    settle_low(file.into())
}

/// No high number is free: takes the lowest one that is free and that nobody has claimed.
fn settle_low(mut file: OwnedFd) -> RawFd {
    while !claim(file.as_raw_fd()) {
        match above(&file, file.as_raw_fd() + 1) {
            Ok(next) => file = next,
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
fn duplicate_as(file: &File, number: RawFd) -> bool {
    let Ok(duplicate) = above(file, number) else { return false };
    let is_right = duplicate.as_raw_fd() == number;
    if is_right {
        let _ = duplicate.into_raw_fd();
    }
    is_right
}

/// The first free number from `least` on.
pub(super) fn above(file: impl AsFd, least: RawFd) -> nix::Result<OwnedFd> {
    let number = super::again(|| fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(least)))?;
    // SAFETY: a fresh descriptor of ours.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
