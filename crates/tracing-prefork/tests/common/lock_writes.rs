//! `lock_writes`: each write under a lock, all of a line or nothing.

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{File, OpenOptions};
use std::path::Path;
use tracing_prefork::{Appender, Rotation};

use super::turns::byte;
use super::{Hand, Told, telling};

pub(crate) fn locking(hand: &Hand, directory: &Path) -> (Told, Appender) {
    let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).lock_writes(true));
    (told, builder.build(directory).expect("builds"))
}

pub(crate) fn raw(directory: &Path) -> File {
    OpenOptions::new().append(true).read(true).open(directory.join("app.2026-11-21.log")).expect("opens")
}

/// Takes the write lock, or gives it back, as a process that is stopped in the middle of a write does.
pub(crate) fn lock(file: &File, kind: libc::c_int) {
    lock_byte(file, kind, WRITE_BYTE);
}

/// The bytes of a log file that stand for its locks: the lease, what writers without the write lock hold as well, and
/// the write lock.
pub(crate) const LEASE_BYTE: i64 = 1 << 62;
pub(crate) const UNLOCKED_BYTE: i64 = LEASE_BYTE + 1;
pub(crate) const WRITE_BYTE: i64 = LEASE_BYTE + 2;

/// Sets an open file description lock of that kind on one byte of a log file.
pub(crate) fn lock_byte(file: &File, kind: libc::c_int, start: i64) {
    fcntl(file, FcntlArg::F_OFD_SETLK(&byte(kind, start))).expect("not locked by anybody else");
}
