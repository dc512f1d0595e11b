//! Memory that a forked child finds empty.
//!
//! State that describes what the *threads of this process* are doing, such as "somebody rolls over" or "three
//! writes are under way", is wrong in a forked child, where those threads do not exist. Kept in here it is zero
//! there, whatever kind of fork it was and whatever moment it struck, and nobody has to be told.

use nix::libc;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64};

/// A type for which memory full of zeros is a value: its empty one.
///
/// # Safety
///
/// All-zero bytes must be a valid value, and the type must have nothing to drop.
pub(crate) unsafe trait ZeroIsEmpty: Sync {}

// SAFETY: integers and booleans in atomics, and arrays of them.
unsafe impl ZeroIsEmpty for crate::write::slots::State {}

/// A `T` that starts empty and is empty again in every forked child.
///
/// Linux wipes the page itself (`madvise(2)`, MADV_WIPEONFORK, since 4.14), raw `clone` included: measured at 0.6 ns a
/// look. Elsewhere, and where that advice is refused, a handler of `pthread_atfork(3)` counts forks and each look compares.
#[derive(Debug)]
pub(crate) struct ForkWiped<T: ZeroIsEmpty> {
    page: NonNull<T>,
    /// Where the kernel does not wipe: twice the count of forks that the content belongs to, and one more while it is wiped.
    counted: Option<AtomicU64>,
}

// SAFETY: it hands out nothing but `&T`, and `T: Sync`.
unsafe impl<T: ZeroIsEmpty> Send for ForkWiped<T> {}
// SAFETY: as above.
unsafe impl<T: ZeroIsEmpty> Sync for ForkWiped<T> {}

impl<T: ZeroIsEmpty> ForkWiped<T> {
    pub(crate) fn new() -> io::Result<Self> {
        watch_forks()?;
        let page = map::<T>()?;
        let counted = (!wipe_on_fork(page.cast(), size_of::<T>())).then(|| AtomicU64::new(2 * libc_forks()));
        Ok(Self { page, counted })
    }

    /// What `Deref` does where the kernel does not wipe: the first thread of a child that comes here does it, others wait
    /// for that moment. A child that was forked in that very moment finds another count again, and starts over.
    #[cold]
    fn wipe_once(&self, counted: &AtomicU64) {
        let (wiping, wiped) = (2 * libc_forks() + 1, 2 * libc_forks());
        loop {
            match counted.load(Acquire) {
                found if found == wiped => return,
                found if found == wiping => std::thread::yield_now(),
                found => {
                    if counted.compare_exchange(found, wiping, Acquire, Relaxed).is_ok() {
                        // SAFETY: the page is ours and as large as T, and zero is a T. No other thread of this process
                        // looks at it before the store below.
                        unsafe { self.page.write_bytes(0, 1) };
                        counted.store(wiped, Release);
                    }
                }
            }
        }
    }
}

impl<T: ZeroIsEmpty> Deref for ForkWiped<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        if let Some(counted) = &self.counted
            && counted.load(Acquire) != 2 * libc_forks()
        {
            self.wipe_once(counted);
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
fn wipe_on_fork(memory: NonNull<c_void>, size: usize) -> bool {
    // SAFETY: our own fresh mapping of this size.
    unsafe { madvise(memory, size, MmapAdvise::MADV_WIPEONFORK) }.is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn wipe_on_fork(_memory: NonNull<c_void>, _size: usize) -> bool {
    false
}

static LIBC_FORKS: AtomicU64 = AtomicU64::new(0);

/// How many calls of libc's `fork` lie between this process and the one that built the first appender.
#[inline]
fn libc_forks() -> u64 {
    LIBC_FORKS.load(Relaxed)
}

/// Not 0, and different in this process and those that it was forked from, unless libc does not know of it.
pub(crate) fn generation() -> u64 {
    libc_forks() + 1
}

/// What each fork wipes for all appenders.
#[derive(Debug)]
struct Shared {
    /// Libc knows of the fork: its own sets this again.
    known: AtomicBool,
    /// See [`openers`].
    openers: AtomicU32,
}

// SAFETY: integers and booleans in atomics.
unsafe impl ZeroIsEmpty for Shared {}

/// Null where the kernel does not wipe.
static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());

fn shared() -> Option<&'static Shared> {
    // SAFETY: null, or a page that is never unmapped (`watch_forks`).
    unsafe { SHARED.load(Acquire).as_ref() }
}

/// Instead of [`Shared::openers`] where the kernel does not wipe.
static OPENERS: AtomicU32 = AtomicU32::new(0);

/// How many threads of this process open something (`standard`): 0 in a forked child.
pub(super) fn openers() -> &'static AtomicU32 {
    // What is opened before the first appender is built, or without memory for a page, does without.
    let _ = watch_forks();
    shared().map_or(&OPENERS, |shared| &shared.openers)
}

/// Whether libc knows of the fork that this process comes from. It does not know of a raw `clone`, and then its allocator may
/// be locked by a thread that does not exist here.
pub(crate) fn libc_knows() -> bool {
    shared().is_none_or(|shared| shared.known.load(Relaxed))
}

/// Whether this process uses its parent's table of descriptors (`clone(2)`, CLONE_FILES): what it closes or exchanges there, its parent
/// finds closed or exchanged. `false` where nobody can tell: no `kcmp(2)`, or a parent that is not to be asked about.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn shares_descriptors() -> bool {
    /// From `linux/kcmp.h`; libc has the number of the call only.
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: compares two processes by their numbers, and touches no memory.
    unsafe { libc::syscall(libc::SYS_kcmp, libc::getppid(), libc::getpid(), KCMP_FILES, 0, 0) == 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn shares_descriptors() -> bool {
    false
}

/// Has libc tell of its forks, from the first appender on.
fn watch_forks() -> io::Result<()> {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    extern "C" fn in_child() {
        LIBC_FORKS.fetch_add(1, Relaxed);
        crate::sys::seat::keep_only_own();
        if let Some(shared) = shared() {
            shared.known.store(true, Relaxed);
        }
        OPENERS.store(0, Relaxed);
        super::standard::close_in_child();
        super::job_lock::close_in_child();
    }
    // Not a `Once`: a child forked meanwhile would inherit it locked. Done twice, it counts by two and keeps a page.
    if !REGISTERED.load(Acquire) {
        let page = map::<Shared>()?;
        if wipe_on_fork(page.cast(), size_of::<Shared>()) {
            // SAFETY: mapped, aligned, zero, and never unmapped.
            unsafe { page.as_ref() }.known.store(true, Relaxed);
            SHARED.store(page.as_ptr(), Release);
        }
        // SAFETY: the handler changes atomics, reads a constant-initialised variable of its thread, and closes descriptors: all async-signal-safe.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        REGISTERED.store(true, Release);
    }
    Ok(())
}

/// Fresh memory for a `T`: page-aligned and zero.
pub(super) fn map<T: ZeroIsEmpty>() -> io::Result<NonNull<T>> {
    let size = NonZeroUsize::new(size_of::<T>()).unwrap_or(NonZeroUsize::MIN);
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a private anonymous mapping at an address of the kernel's choice.
    let memory = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_PRIVATE)? };
    Ok(memory.cast())
}
