//! The first line of each new file.

use crate::process::user_code;
use crate::sys;
use crate::time::calendar::Period;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

thread_local! {
    /// The generation of the process in which this thread asks for a first line; 0 if it does not ask. A child that is
    /// forked meanwhile has another generation, so it does not ask.
    static ASKING: Cell<u64> = const { Cell::new(0) };
}

/// `Builder::header`.
pub(crate) struct Header {
    code: Box<dyn Fn(Period) -> String + Send + Sync>,
    /// The first line must be shorter, so that a line has room behind it (`max_file_bytes`).
    pub(crate) limit: u64,
    /// The length of the last first line.
    length: AtomicU64,
}

impl Header {
    pub(crate) fn new(header: impl Fn(Period) -> String + Send + Sync + 'static) -> Self {
        Self { code: Box::new(header), limit: u64::MAX, length: AtomicU64::new(0) }
    }

    /// Whether this thread is asking for a first line. Lines that the user's code logs meanwhile must not begin a file
    /// in their turn.
    pub(crate) fn is_asking() -> bool {
        ASKING.get() == sys::generation()
    }

    /// The first line of a period's file, with its newline. Empty if the user's code returns nothing. An error if the
    /// user's code panics, or if the line is so long that each line would begin another file.
    pub(crate) fn of(&self, period: Period) -> io::Result<Vec<u8>> {
        let outer = ASKING.replace(sys::generation());
        let line = user_code::run("header", || (self.code)(period));
        ASKING.set(outer);
        let mut line = line?.into_bytes();
        if !line.is_empty() && !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        let length = line.len() as u64;
        if length >= self.limit {
            let limit = self.limit;
            return Err(io::Error::other(format!(
                "a header of {length} bytes leaves no room for a line below max_file_bytes({limit})"
            )));
        }
        self.length.store(length, Relaxed);
        Ok(line)
    }

    /// Whether a file of `size` bytes may hold a first line and nothing else.
    pub(crate) fn is_all_of(&self, size: u64) -> bool {
        size == self.length.load(Relaxed)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Header")
    }
}
