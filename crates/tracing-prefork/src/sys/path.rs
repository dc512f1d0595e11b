//! A path on the stack: made, opened and compared without an allocation.

use std::ffi::{CStr, OsStr};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `PATH_MAX` of Linux, with the final NUL.
const CAPACITY: usize = 4096;

/// An absolute path, ending in NUL as system calls want it. Written with [`Write`].
#[derive(Clone)]
pub(crate) struct LogPath {
    bytes: [u8; CAPACITY],
    len: usize,
    /// Where the file's name begins, after the directory and its slash.
    name: usize,
}

impl LogPath {
    pub(crate) fn in_directory(directory: &Path) -> io::Result<Self> {
        let mut path = Self { bytes: [0; CAPACITY], len: 0, name: 0 };
        path.write_all(directory.as_os_str().as_bytes())?;
        path.write_all(b"/")?;
        path.name = path.len;
        Ok(path)
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        // There is always a NUL, because `write` never fills the last byte.
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes[..self.len]))
    }

    /// The directory that the file itself is in.
    pub(crate) fn directory(&self) -> &Path {
        self.as_path().parent().unwrap_or(Path::new("/"))
    }

    /// The directories below the log directory that lead to the file, the outermost first.
    pub(crate) fn directories_below(&self) -> impl Iterator<Item = &Path> {
        let slashes = (self.name..self.len).filter(|&at| self.bytes[at] == b'/');
        slashes.map(|at| Path::new(OsStr::from_bytes(&self.bytes[..at])))
    }

    pub(crate) fn file_name(&self) -> &[u8] {
        &self.bytes[self.name..self.len]
    }
}

impl Write for LogPath {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let free = CAPACITY - 1 - self.len;
        if buf.len() > free {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        self.bytes[self.len..self.len + buf.len()].copy_from_slice(buf);
        self.len += buf.len();
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
