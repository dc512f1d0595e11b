//! The first line of each new file.

use crate::calendar::Period;
use std::cell::Cell;
use std::fmt;

thread_local! {
    /// This thread is asking for a first line.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// `Builder::header`.
pub(crate) struct Header(Box<dyn Fn(Period) -> String + Send + Sync>);

impl Header {
    pub(crate) fn new(header: impl Fn(Period) -> String + Send + Sync + 'static) -> Self {
        Self(Box::new(header))
    }

    /// Whether this thread is asking for a first line: what the user's code logs then must not begin a file in its turn.
    pub(crate) fn is_asking() -> bool {
        ASKING.get()
    }

    /// The first line of a period's file, with its newline; nothing if the user gives nothing.
    pub(crate) fn of(&self, period: Period) -> Vec<u8> {
        /// Ends it, also if the user's code panics.
        struct Asked;
        impl Drop for Asked {
            fn drop(&mut self) {
                ASKING.set(false);
            }
        }
        ASKING.set(true);
        let asked = Asked;
        let mut line = (self.0)(period).into_bytes();
        drop(asked);
        if !line.is_empty() && !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        line
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Header")
    }
}
