//! The first line of each new file.

use crate::calendar::Period;
use crate::{sys, user_code};
use std::cell::Cell;
use std::fmt;
use std::io;

thread_local! {
    /// The generation of the process in which this thread is asking for a first line: a child that is forked meanwhile is not. 0 for none.
    static ASKING: Cell<u64> = const { Cell::new(0) };
}

/// `Builder::header`.
pub(crate) struct Header(Box<dyn Fn(Period) -> String + Send + Sync>);

impl Header {
    pub(crate) fn new(header: impl Fn(Period) -> String + Send + Sync + 'static) -> Self {
        Self(Box::new(header))
    }

    /// Whether this thread is asking for a first line: what the user's code logs then must not begin a file in its turn.
    pub(crate) fn is_asking() -> bool {
        ASKING.get() == sys::generation()
    }

    /// The first line of a period's file, with its newline; nothing if the user gives nothing. An error if the user's code panics.
    pub(crate) fn of(&self, period: Period) -> io::Result<Vec<u8>> {
        let outer = ASKING.replace(sys::generation());
        let line = user_code::run("header", || (self.0)(period));
        ASKING.set(outer);
        let mut line = line?.into_bytes();
        if !line.is_empty() && !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        Ok(line)
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Header")
    }
}
