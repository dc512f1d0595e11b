//! Memory that a forked child finds empty.
//!
//! Some state describes what the *threads of this process* are doing: "somebody rolls over", "three writes are in
//! flight". Such state is wrong in a forked child, where those threads do not exist. In this memory the child finds
//! zero instead, whatever the kind of the fork, and whatever the moment. Nobody has to be told.

use super::fork::libc_forks;
use super::zero_is_empty::ZeroIsEmpty;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A `T` that starts empty and is empty again in every forked child.
///
/// Linux wipes the page itself (`madvise(2)`, MADV_WIPEONFORK, since 4.14), also at a raw `clone`. A look was measured
/// to take 0.6 ns. Elsewhere, and where the kernel refuses the advice, a handler of `pthread_atfork(3)` counts the
/// forks (`at_fork`), and each look compares the count.
#[derive(Debug)]
pub(crate) struct ForkWiped<T: ZeroIsEmpty> {
    page: NonNull<T>,
    /// Where the kernel does not wipe: twice the count of forks that the content belongs to. One is added while a
    /// thread wipes the page.
    counted: Option<AtomicU64>,
}

// SAFETY: it hands out nothing but `&T`, and `T: Sync`.
unsafe impl<T: ZeroIsEmpty> Send for ForkWiped<T> {}
// SAFETY: as above.
unsafe impl<T: ZeroIsEmpty> Sync for ForkWiped<T> {}

impl<T: ZeroIsEmpty> ForkWiped<T> {
    pub(crate) fn new() -> io::Result<Self> {
        let page = map::<T>()?;
        let counted = (!wipe_on_fork(page.cast(), size_of::<T>())).then(|| AtomicU64::new(2 * libc_forks()));
        Ok(Self { page, counted })
    }

    /// Wipes the page where the kernel does not: the first thread of a child that comes here does so, and other threads
    /// wait for that moment. This wait has no bound, because nobody may read the page before. A child that was forked
    /// in that very moment finds another count, and starts over.
    #[cold]
    fn wipe_once(&self, counted: &AtomicU64) {
        let (wiping, wiped) = (2 * libc_forks() + 1, 2 * libc_forks());
        loop {
            let found = counted.load(Acquire);
            if found == wiped {
                return;
            }
            if found == wiping {
                std::thread::yield_now();
            } else if counted.compare_exchange(found, wiping, Acquire, Relaxed).is_ok() {
                // SAFETY: the page is ours and as large as T, and zero is a T. No other thread of this process looks at
                // it before the store below.
                unsafe { self.page.write_bytes(0, 1) };
                counted.store(wiped, Release);
            }
        }
    }
}

impl<T: ZeroIsEmpty> Deref for ForkWiped<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        if let Some(counted) = &self.counted {
            if counted.load(Acquire) != 2 * libc_forks() {
                self.wipe_once(counted);
            }
        }
        // SAFETY: mapped until drop, aligned to a page, and any content is either zero or what `T`'s atomics stored.
        unsafe { self.page.as_ref() }
    }
}

impl<T: ZeroIsEmpty> Drop for ForkWiped<T> {
    fn drop(&mut self) {
        // SAFETY: mapped in `map` with this size; `&mut self` says that no reference into it is left.
        let _ = unsafe { munmap(self.page.cast(), size_of::<T>()) };
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn wipe_on_fork(memory: NonNull<c_void>, size: usize) -> bool {
    // SAFETY: our own fresh mapping of this size.
    unsafe { madvise(memory, size, MmapAdvise::MADV_WIPEONFORK) }.is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn wipe_on_fork(_memory: NonNull<c_void>, _size: usize) -> bool {
    false
}

/// Fresh memory for a `T`: page-aligned and zero.
pub(super) fn map<T: ZeroIsEmpty>() -> io::Result<NonNull<T>> {
    let size = NonZeroUsize::new(size_of::<T>()).unwrap_or(NonZeroUsize::MIN);
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a private anonymous mapping at an address of the kernel's choice.
    let memory = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_PRIVATE)? };
    Ok(memory.cast())
}
