//! A path that is made, opened and compared without an allocation. A short one is on the stack, and a long one in a
//! page of its own.

use super::fork_wiped::map;
use super::zero_is_empty::ZeroIsEmpty;
use nix::errno::Errno;
use nix::sys::mman::munmap;
use std::ffi::{CStr, OsStr};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

/// `PATH_MAX` of Linux, with the final NUL.
const CAPACITY: usize = 4096;

/// A path of up to so many bytes is on the stack. Threads and signal handlers may have little stack.
const SHORT: usize = 256;

/// An absolute path, written with [`Write`]. It ends in NUL, as system calls want it.
#[derive(Debug)]
pub(crate) struct LogPath {
    short: [u8; SHORT],
    /// The page of a longer path.
    long: Option<Page>,
    len: usize,
    /// The place at which the file's name begins, after the directory and its slash.
    name: usize,
}

impl LogPath {
    pub(crate) fn in_directory(directory: &Path) -> io::Result<Self> {
        let mut path = Self { short: [0; SHORT], long: None, len: 0, name: 0 };
        path.write_all(directory.as_os_str().as_bytes())?;
        path.write_all(b"/")?;
        path.name = path.len;
        Ok(path)
    }

    fn bytes(&self) -> &[u8] {
        self.long.as_ref().map_or(&self.short, |long| long.bytes())
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        // There always is a NUL, because `write` never fills the last byte.
        CStr::from_bytes_until_nul(self.bytes()).unwrap_or_default()
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes()[..self.len]))
    }

    /// The directory of the file.
    pub(crate) fn directory(&self) -> &Path {
        self.as_path().parent().unwrap_or(Path::new("/"))
    }

    /// The directories below the log directory that lead to the file, the outermost first.
    pub(crate) fn directories_below(&self) -> impl Iterator<Item = &Path> {
        let slashes = (self.name..self.len).filter(|&at| self.bytes()[at] == b'/');
        slashes.map(|at| Path::new(OsStr::from_bytes(&self.bytes()[..at])))
    }

    pub(crate) fn file_name(&self) -> &[u8] {
        &self.bytes()[self.name..self.len]
    }
}

impl Write for LogPath {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let end = self.len + buf.len();
        if end >= CAPACITY {
            return Err(Errno::ENAMETOOLONG.into());
        }
        if end >= SHORT && self.long.is_none() {
            let mut long = Page::new()?;
            long.bytes_mut()[..self.len].copy_from_slice(&self.short[..self.len]);
            self.long = Some(long);
        }
        let bytes = self.long.as_mut().map_or(&mut self.short[..], Page::bytes_mut);
        bytes[self.len..end].copy_from_slice(buf);
        self.len = end;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// SAFETY: bytes, for which zero is a value.
unsafe impl ZeroIsEmpty for [u8; CAPACITY] {}

/// Memory from the kernel, because a child of a raw `clone` must not call the allocator.
#[derive(Debug)]
struct Page(NonNull<[u8; CAPACITY]>);

impl Page {
    fn new() -> io::Result<Self> {
        map().map(Self)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: mapped until drop, and `&mut self` is needed to change it.
        unsafe { self.0.as_ref() }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped in `map` with this size, and nobody has a reference into it any more.
        let _ = unsafe { munmap(self.0.cast(), CAPACITY) };
    }
}
