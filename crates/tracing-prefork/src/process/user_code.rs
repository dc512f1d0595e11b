//! The one guard around the user's code: `on_error`, `header`, `clock`, `on_finished`. A panic ends here and becomes an
//! error. With `panic = "abort"` a panic ends the process.

use crate::sys;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the user's code, with the signal mask of the user's own threads. If the code panics, the error names the
/// `option` that the code was given by, and the panic's message.
#[inline]
pub(crate) fn run<T>(option: &str, code: impl FnOnce() -> T) -> io::Result<T> {
    sys::disturbed(|| catch_unwind(AssertUnwindSafe(code))).map_err(|payload| panicked(option, payload))
}

/// Drops a value whose type may be the user's, so that its `Drop` may panic.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload of that panic may have such a type too.
        std::mem::forget(payload);
    }
}

/// The error of a method that would wait for its own thread: the user's code has called it there.
#[cold]
pub(crate) fn called_back() -> io::Error {
    let text = "it is called by the program's own code (on_finished, on_error, header or clock), on the very thread \
                that is at it";
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
