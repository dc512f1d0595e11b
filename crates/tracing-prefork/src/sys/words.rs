//! [`Words`]: memory that is not touched before it is used, and that a forked child finds filled with zeros.

use super::fork_wiped::wipe_on_fork;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU64;

/// So many words. Where the kernel does not wipe, the child finds its parent's.
#[derive(Debug)]
pub(crate) struct Words {
    memory: NonNull<AtomicU64>,
    count: NonZeroUsize,
}

// SAFETY: it hands out nothing but `&[AtomicU64]`.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    pub(crate) fn new(count: NonZeroUsize) -> io::Result<Self> {
        let size = count.checked_mul(SIZE).ok_or(io::ErrorKind::OutOfMemory)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a private anonymous mapping at an address of the kernel's choice.
        let memory = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_PRIVATE)? };
        wipe_on_fork(memory, size.get());
        Ok(Self { memory: memory.cast(), count })
    }
}

const SIZE: NonZeroUsize = NonZeroUsize::new(size_of::<AtomicU64>()).unwrap();

impl Deref for Words {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: mapped until drop, aligned to a page, and any content is a value.
        unsafe { slice::from_raw_parts(self.memory.as_ptr(), self.count.get()) }
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this size; `&mut self` says that no reference into it is left.
        let _ = unsafe { munmap(self.memory.cast(), self.count.get() * SIZE.get()) };
    }
}
