//! Loom's atomics in the place of the standard library's.

use crate::sys;
use crate::sys::kill;
use loom::sync::atomic as loomed;
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, Ordering};

/// What is broken on purpose, to see that the model finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// No fence does anything.
    Fences,
    /// The kernel says that it has run the barriers, and has not.
    Barriers,
    /// Whoever rolls over finds every count zero.
    Counts,
    /// Lowering a count publishes nothing.
    Releases,
    /// A turn is given to each thread that asks.
    Turns,
    /// Two threads have the same seat.
    Seats,
    /// No exchange publishes anything.
    Exchanges,
}

thread_local! {
    /// All threads of a model run on the one thread that checks it.
    static BROKEN: Cell<Broken> = const { Cell::new(Broken::Nothing) };
}

pub(crate) fn set_broken(what: Broken) {
    BROKEN.set(what);
}

pub(crate) fn is_broken(what: Broken) -> bool {
    BROKEN.get() == what
}

pub(crate) fn fence(order: Ordering) {
    if !is_broken(Broken::Fences) {
        loomed::fence(order);
    }
}

/// Keeps nothing in order but what the compiler does; and that is where the kernel's barrier may interrupt a thread.
pub(crate) fn compiler_fence(_order: Ordering) {
    sys::may_be_interrupted();
}

/// An atomic whose memory may be all zero, as that of a page fresh from the kernel: it is made when it is touched
/// first, by the thread that sets the model up. (Loom itself finds it if another thread should be first.)
macro_rules! atomic {
    ($name:ident, $value:ty, $zero:expr) => {
        #[derive(Debug)]
        pub(crate) struct $name(AtomicPtr<loomed::$name>);

        #[allow(dead_code, reason = "the protocol needs some of each")]
        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                assert!(value as u64 == 0, "memory fresh from the kernel");
                Self(AtomicPtr::new(std::ptr::null_mut()))
            }

            fn get(&self) -> &loomed::$name {
                if self.0.load(Ordering::Relaxed).is_null() {
                    let made = Box::into_raw(Box::new(loomed::$name::new($zero)));
                    self.0.store(made, Ordering::Relaxed);
                }
                // SAFETY: made above, freed on drop. The threads of a model take turns on one thread.
                unsafe { &*self.0.load(Ordering::Relaxed) }
            }

            /// What whoever reads the memory of a dead process finds.
            pub(crate) fn peek(&self) -> $value {
                // SAFETY: the threads of a model take turns on one thread.
                if self.0.load(Ordering::Relaxed).is_null() { $zero } else { unsafe { self.get().unsync_load() } }
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                // Counts are the only integers that are loaded so.
                let ignored = is_broken(Broken::Counts) && order == Ordering::Acquire && size_of::<$value>() == 8;
                let value = self.get().load(order);
                if ignored { $zero } else { value }
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                kill::step();
                let weak = is_broken(Broken::Releases) && order == Ordering::Release;
                self.get().store(value, if weak { Ordering::Relaxed } else { order });
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.get().swap(value, order)
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                kill::step();
                let success = if is_broken(Broken::Exchanges) { Ordering::Relaxed } else { success };
                let outcome = self.get().compare_exchange(current, new, success, failure);
                // The turn to roll over is the only word of its size that is exchanged.
                let given = is_broken(Broken::Turns) && size_of::<$value>() == size_of::<usize>();
                if given { Ok(current) } else { outcome }
            }

            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                new: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.get().fetch_update(success, failure, new)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new($zero)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                let made = *self.0.get_mut();
                if !made.is_null() {
                    // SAFETY: made in `get`, and used by nobody any more.
                    drop(unsafe { Box::from_raw(made) });
                }
            }
        }
    };
}

atomic!(AtomicBool, bool, false);
atomic!(AtomicI32, i32, 0);
atomic!(AtomicI64, i64, 0);
atomic!(AtomicU32, u32, 0);
atomic!(AtomicU64, u64, 0);
atomic!(AtomicUsize, usize, 0);

#[allow(dead_code, reason = "the model has no files that are full")]
impl AtomicU32 {
    #[track_caller]
    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        self.get().fetch_or(value, order)
    }

    #[track_caller]
    pub(crate) fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
        self.get().fetch_and(value, order)
    }
}

impl AtomicU64 {
    #[track_caller]
    pub(crate) fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.get().fetch_add(value, order)
    }
}
