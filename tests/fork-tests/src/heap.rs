//! An allocator that counts what a raw clone allocates.
//!
//! `clone(2)` runs no handler that would put the allocator's lock in order, so a child that
//! allocates may wait for ever for a thread that it does not have. Whether it does is a matter of
//! chance: the count is not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static COUNTS: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, with a count of the calls since [`count`].
#[derive(Debug)]
pub struct Heap;

/// Begins to count, in this process.
pub fn count() {
    COUNT.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
}

/// Calls to the allocator since counting began; none in a program with another allocator.
#[must_use]
pub fn counted() -> u64 {
    COUNT.load(Relaxed)
}

fn note() {
    if COUNTS.load(Relaxed) {
        COUNT.fetch_add(1, Relaxed);
    }
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        note();
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}
