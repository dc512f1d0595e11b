//! SIGKILL: a process ends before any of its steps, and what it has done stays.

use std::cell::RefCell;

thread_local! {
    static OBSERVER: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// A store, or a byte of a file, is about to be written: the process may be killed here.
pub(crate) fn step() {
    OBSERVER.with_borrow_mut(|observer| observer.iter_mut().for_each(|observer| observer()));
}

/// Runs a process. At each of its steps, and at its end, `observer` sees what the process leaves if it is killed there.
pub(crate) fn watch(observer: impl FnMut() + 'static, process: impl FnOnce()) {
    OBSERVER.set(Some(Box::new(observer)));
    process();
    step();
    OBSERVER.set(None);
}
