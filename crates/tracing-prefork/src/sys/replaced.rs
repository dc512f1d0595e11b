//! [`Replaced`]: a value that many threads read and that is replaced now and then.

use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Release};

/// A value that is replaced rarely.
///
/// Reading takes no lock and allocates nothing. So a child that was forked in the middle of a replacement can read: it
/// finds the old value or the new one. Nobody can tell when the last reader of an old value has gone. So all values
/// stay until the whole is dropped.
#[derive(Debug)]
pub(crate) struct Replaced<T> {
    latest: AtomicPtr<Version<T>>,
}

#[derive(Debug)]
struct Version<T> {
    value: T,
    before: *mut Version<T>,
}

// SAFETY: a `Replaced<T>` owns its values, and whoever has it by reference can read and add values from any thread.
unsafe impl<T: Send + Sync> Send for Replaced<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Replaced<T> {}

impl<T> Replaced<T> {
    pub(crate) fn new(value: T) -> Self {
        let first = Version { value, before: ptr::null_mut() };
        Self { latest: AtomicPtr::new(Box::into_raw(Box::new(first))) }
    }

    /// The latest value.
    pub(crate) fn get(&self) -> &T {
        // SAFETY: never null, from `Box::into_raw`, never changed after it was published, and freed only with `self`.
        unsafe { &(*self.latest.load(Acquire)).value }
    }

    /// Replaces the value. If several threads do so at once, each value is the latest for a moment.
    pub(crate) fn replace(&self, value: T) {
        let version = Box::into_raw(Box::new(Version { value, before: self.latest.load(Acquire) }));
        loop {
            // SAFETY: not published yet, so this thread alone has it.
            let before = unsafe { &mut (*version).before };
            match self.latest.compare_exchange(*before, version, Release, Acquire) {
                Ok(_) => return,
                Err(found) => *before = found,
            }
        }
    }
}

impl<T> Drop for Replaced<T> {
    fn drop(&mut self) {
        let mut latest = *self.latest.get_mut();
        while !latest.is_null() {
            // SAFETY: from `Box::into_raw`, each once in the chain; `&mut self` says that nobody reads it any more.
            latest = unsafe { Box::from_raw(latest) }.before;
        }
    }
}
