//! `lock_writes`: each write under a lock, all of a line or nothing.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{File, OpenOptions};
use std::path::Path;
use tracing_prefork::{Appender, Rotation};

use super::{Hand, Told, telling};

pub(crate) fn locking(hand: &Hand, directory: &Path) -> (Told, Appender) {
    let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).lock_writes(true));
    (told, builder.build(directory).expect("builds"))
}

pub(crate) fn raw(directory: &Path) -> File {
    OpenOptions::new().append(true).read(true).open(directory.join("app.2026-11-21.log")).expect("opens")
}

/// Locks the whole file, or gives it free, as a process that is stopped in the middle of a write does.
pub(crate) fn lock(file: &File, kind: libc::c_int) {
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_whence) = (kind as libc::c_short, libc::SEEK_SET as libc::c_short);
    (lock.l_start, lock.l_len) = ((1 << 62) + 2, 1);
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).expect("not locked by anybody else");
}
