//! The one guard around the user's code: `on_error`, `header`, `clock`, `on_rollover`. A panic ends here and becomes an
//! error.
//!
//! With `panic = "abort"` there is nothing to catch: a panic ends the process.

use crate::sys;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs code of the user's, with the signal mask that the user's own threads have. If it panics, the error says which
/// `option` it was given by, and the panic's message.
#[inline]
pub(crate) fn run<T>(option: &str, code: impl FnOnce() -> T) -> io::Result<T> {
    sys::disturbed(|| catch_unwind(AssertUnwindSafe(code))).map_err(|payload| panicked(option, payload))
}

/// Drops a value that may be of a type of the user's: its `Drop` may panic.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload of that panic may be of such a type too.
        std::mem::forget(payload);
    }
}

/// For a method that the user's code calls on the thread that has what the method would wait for.
#[cold]
pub(crate) fn called_back() -> io::Error {
    let text = "it is called by the program's own code (on_rollover, on_error, header or clock), on the very thread that is at it";
    io::Error::new(io::ErrorKind::Deadlock, text)
}

#[cold]
fn panicked(option: &str, payload: Box<dyn Any + Send>) -> io::Error {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a message");
    let error = io::Error::other(format!("{option} has panicked: {text}"));
    discard(payload);
    error
}
