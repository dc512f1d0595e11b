//! Atomics, and waiting: the standard library's. The model checker (`model/`) puts its own in this module's place.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, compiler_fence, fence};
pub(crate) use std::thread;

/// Tells the threads of a process apart; never 0.
pub(crate) fn this_thread() -> usize {
    thread_local! {
        static PLACE: u8 = const { 0 };
    }
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}
