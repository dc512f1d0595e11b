//! Functions that take the place of the C library's in the program that includes this file. With them, a test need not
//! hit a moment by chance.

#![allow(dead_code, reason = "no program uses all of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

thread_local! {
    /// What this thread does before it gives its next file a name.
    pub(crate) static BEFORE_LINK: std::cell::Cell<Option<Box<dyn FnOnce()>>> = const { std::cell::Cell::new(None) };
}

#[unsafe(no_mangle)]
extern "C" fn linkat(
    from: nix::libc::c_int,
    old: *const nix::libc::c_char,
    to: nix::libc::c_int,
    new: *const nix::libc::c_char,
    flags: nix::libc::c_int,
) -> nix::libc::c_int {
    if let Ok(Some(deed)) = BEFORE_LINK.try_with(std::cell::Cell::take) {
        deed();
    }
    // SAFETY: hands the same arguments on, and answers as `linkat` does.
    unsafe { nix::libc::syscall(nix::libc::SYS_linkat, from, old, to, new, flags) as nix::libc::c_int }
}

thread_local! {
    /// So many of this thread's files without a name are refused, as ext4 refuses one in a directory that has just been
    /// removed.
    pub(crate) static REFUSED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Takes its third argument as a system call does.
#[unsafe(no_mangle)]
extern "C" fn open(
    path: *const nix::libc::c_char,
    flags: nix::libc::c_int,
    mode: nix::libc::mode_t,
) -> nix::libc::c_int {
    let is_unnamed = flags & nix::libc::O_TMPFILE == nix::libc::O_TMPFILE;
    let left = if is_unnamed { REFUSED.try_with(std::cell::Cell::get).unwrap_or(0) } else { 0 };
    if left > 0 {
        REFUSED.set(left - 1);
        nix::errno::Errno::EPERM.set();
        return -1;
    }
    // SAFETY: hands the same arguments on, and answers as `open` does.
    unsafe { nix::libc::syscall(nix::libc::SYS_openat, nix::libc::AT_FDCWD, path, flags, mode) as nix::libc::c_int }
}

/// What comes into the way of a name, and goes again.
pub(crate) type Obstacle = Box<dyn Fn(bool)>;

thread_local! {
    /// That of the name that this thread gives next.
    pub(crate) static IN_THE_WAY: std::cell::Cell<Option<Obstacle>> = const { std::cell::Cell::new(None) };
}

#[unsafe(no_mangle)]
extern "C" fn rename(old: *const nix::libc::c_char, new: *const nix::libc::c_char) -> nix::libc::c_int {
    let deed = IN_THE_WAY.try_with(std::cell::Cell::take).ok().flatten();
    deed.iter().for_each(|deed| deed(true));
    let at = nix::libc::AT_FDCWD;
    // SAFETY: hands the same arguments on, and answers as `rename` does.
    let renamed = unsafe { nix::libc::syscall(nix::libc::SYS_renameat2, at, old, at, new, 0) as nix::libc::c_int };
    let errno = nix::errno::Errno::last();
    deed.iter().for_each(|deed| deed(false));
    errno.set();
    renamed
}

/// What is done when the directory of that path is next brought onto the disk: the archive has its name then, and the
/// plain file has not lost its own.
static AT_SYNC: Mutex<Vec<(PathBuf, Deed)>> = Mutex::new(Vec::new());

type Deed = Box<dyn FnOnce() + Send>;

pub(crate) fn at_sync(directory: &Path, deed: impl FnOnce() + Send + 'static) {
    let directory = directory.canonicalize().expect("there");
    AT_SYNC.lock().expect("unpoisoned").push((directory, Box::new(deed)));
}

#[unsafe(no_mangle)]
extern "C" fn fsync(file: nix::libc::c_int) -> nix::libc::c_int {
    let synced = fs::read_link(format!("/proc/self/fd/{file}")).unwrap_or_default();
    let mut deeds = AT_SYNC.lock().expect("unpoisoned");
    let deed = deeds.iter().position(|(directory, _)| *directory == synced).map(|index| deeds.swap_remove(index));
    drop(deeds);
    if let Some((_, deed)) = deed {
        deed();
    }
    // SAFETY: takes a number, and answers as `fsync` does.
    unsafe { nix::libc::syscall(nix::libc::SYS_fsync, file) as nix::libc::c_int }
}
