//! [`RingMap`]: a ring's file in the memory of its process.
//!
//! The mapping alone keeps the file open, and with it the open file description lock that says "the owner lives"
//! (`mmap(2)`: a mapping holds a reference to the open file; tried on Linux 5.10 and 6.1). There is no descriptor that
//! the program could close, or that a child could inherit. The kernel ends the mapping and the lock with the process,
//! however it ends.
//!
//! No forked child has the mapping (`madvise(2)`, MADV_DONTFORK), so no child can write to its parent's ring. A child
//! that a signal handler forks in the middle of a copy into the ring goes on with that copy. For such a child the
//! handler of libc's `fork` puts memory of its own at the place of the mapping ([`replace_in_child`]).

use super::identity::FileId;
use super::numbers;
use super::own_file::OwnFile;
use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, AtomicUsize};

/// So many rings can be mapped in a process at a time.
const MOST: usize = 128;

/// The mappings of this process, for its children.
static MAPPED: [Place; MOST] = [const { Place::free() }; MOST];

#[derive(Debug)]
struct Place {
    /// 0: no mapping.
    address: AtomicUsize,
    /// 0: free.
    length: AtomicUsize,
}

impl Place {
    const fn free() -> Self {
        Self { address: AtomicUsize::new(0), length: AtomicUsize::new(0) }
    }
}

/// The descriptors of rings that this process is making or reading; 0 for none.
static OPEN: [AtomicI32; MOST] = [const { AtomicI32::new(0) }; MOST];

/// A descriptor of a ring, which a forked child closes at once. Otherwise the child would keep the lock on the ring.
#[derive(Debug)]
pub(crate) struct ClosedInChild(Option<&'static AtomicI32>);

impl ClosedInChild {
    pub(crate) fn note(file: &OwnFile) -> Self {
        let number = file.borrow().as_raw_fd();
        Self(OPEN.iter().find(|place| place.compare_exchange(0, number, SeqCst, Relaxed).is_ok()))
    }
}

impl Drop for ClosedInChild {
    fn drop(&mut self) {
        self.0.iter().for_each(|place| place.store(0, SeqCst));
    }
}

/// In a child that has just been forked: closes the descriptors of rings that the parent had open, and puts empty
/// memory in the place of its mappings. Async-signal-safe: this changes atomics, and calls `close(2)` and `mmap(2)`.
pub(super) fn replace_in_child() {
    for number in OPEN.iter().map(|place| place.swap(0, SeqCst)).filter(|number| *number > 0) {
        numbers::give_up(number, true);
    }
    for place in &MAPPED {
        let (address, length) = (place.address.swap(0, SeqCst), place.length.swap(0, SeqCst));
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED | MapFlags::MAP_NORESERVE;
        if let (Some(address), Some(length)) = (NonZeroUsize::new(address), NonZeroUsize::new(length)) {
            // SAFETY: the parent's mapping was there, and the child has nothing in its place (MADV_DONTFORK).
            let _ = unsafe { mmap_anonymous(Some(address), length, BOTH, flags) };
        }
    }
}

/// No page is smaller.
const PAGE: usize = 4096;

const BOTH: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

/// A file whose last part is mapped twice, one behind the other. So whatever lies in that part and goes on at its
/// beginning is one piece of memory.
#[derive(Debug)]
pub(crate) struct RingMap {
    memory: NonNull<u8>,
    file: FileId,
    /// The bytes of the file, and of its last part.
    size: usize,
    last: usize,
    place: &'static Place,
}

// SAFETY: it hands out atomics; bytes are the caller's business (`write`, `read`).
unsafe impl Send for RingMap {}
// SAFETY: as above.
unsafe impl Sync for RingMap {}

impl RingMap {
    /// Maps a new file of `size` zeros, the `last` bytes twice.
    pub(crate) fn new(file: &OwnFile, size: usize, last: usize) -> io::Result<Self> {
        let whole = NonZeroUsize::new(size.saturating_add(last)).unwrap_or(NonZeroUsize::MIN);
        let free = |place: &&Place| place.length.compare_exchange(0, whole.get(), SeqCst, Relaxed).is_ok();
        let place = MAPPED.iter().find(free).ok_or(Errno::EMFILE)?;
        let mapped = file.get().map_err(io::Error::from).and_then(|file| map(file, size, last, whole));
        match &mapped {
            Ok(memory) => place.address.store(memory.addr().get(), SeqCst),
            Err(_) => place.length.store(0, SeqCst),
        }
        Ok(Self { memory: mapped?.cast(), file: file.id(), size, last, place })
    }

    /// The file.
    pub(crate) fn file(&self) -> FileId {
        self.file
    }

    /// Whether this is a child that was forked with this mapping: it has empty memory in its place.
    pub(crate) fn is_of_parent(&self) -> bool {
        self.place.address.load(SeqCst) != self.memory.addr().get()
    }

    /// The `count` words of 64 bits at `offset`, which both lie inside the file.
    pub(crate) fn words(&self, offset: usize, count: usize) -> &[AtomicU64] {
        debug_assert!(offset % 8 == 0 && offset + 8 * count <= self.size, "words inside the file");
        // SAFETY: mapped until drop, aligned, and any content is a value.
        unsafe { slice::from_raw_parts(self.memory.add(offset).cast().as_ptr(), count) }
    }

    /// The same as signed numbers.
    pub(crate) fn signed_words(&self, offset: usize, count: usize) -> &[AtomicI64] {
        debug_assert!(offset % 8 == 0 && offset + 8 * count <= self.size, "words inside the file");
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(self.memory.add(offset).cast().as_ptr(), count) }
    }

    /// Copies `bytes` to a place of the last part. The caller has reserved the place: nobody else writes or reads it.
    #[inline(always)]
    pub(crate) fn write(&self, place: usize, bytes: &[u8]) {
        debug_assert!(place < self.last && bytes.len() <= self.last, "bytes inside the last part");
        // SAFETY: inside the mapping, whose last part has its continuation behind it; `bytes` is memory of the caller.
        unsafe {
            let target = self.memory.add(self.size - self.last + place);
            target.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
    }

    /// The `length` bytes at a place of the last part. The caller knows that nobody writes there as long as it uses
    /// them.
    pub(crate) fn read(&self, place: usize, length: usize) -> &[u8] {
        debug_assert!(place < self.last && length <= self.last, "bytes inside the last part");
        // SAFETY: inside the mapping, initialised by the kernel, and not written to meanwhile.
        unsafe { slice::from_raw_parts(self.memory.add(self.size - self.last + place).as_ptr(), length) }
    }
}

impl Drop for RingMap {
    fn drop(&mut self) {
        self.place.address.store(0, SeqCst);
        // SAFETY: mapped in `new` with this size; `&mut self` says that no reference into it is left.
        let _ = unsafe { munmap(self.memory.cast(), self.size + self.last) };
        self.place.length.store(0, SeqCst);
    }
}

fn map(file: BorrowedFd<'_>, size: usize, last: usize, whole: NonZeroUsize) -> io::Result<NonNull<c_void>> {
    // 1. Room for all, so that the two pieces stand one behind the other.
    // SAFETY: a private anonymous mapping at an address of the kernel's choice.
    let memory =
        unsafe { mmap_anonymous(None, whole, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE)? };
    // 2. The pieces.
    let piece = |at: usize, length: usize, offset: usize| {
        let (address, length) = (memory.addr().saturating_add(at), NonZeroUsize::new(length).ok_or(Errno::EINVAL)?);
        let offset = libc::off_t::try_from(offset).map_err(|_| Errno::EOVERFLOW)?;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED;
        // SAFETY: inside the room above, which is ours.
        unsafe { mmap(Some(address), length, BOTH, flags, file, offset) }
    };
    let mapped = piece(0, size, 0).and_then(|_| piece(size, last, size - last)).and_then(|_| {
        // SAFETY: our own fresh mapping of this size.
        unsafe { madvise(memory, whole.get(), MmapAdvise::MADV_DONTFORK) }
    });
    if let Err(error) = mapped {
        // SAFETY: our own mapping, which nobody uses yet.
        let _ = unsafe { munmap(memory, whole.get()) };
        return Err(error.into());
    }
    // 3. Each page is written to once, in both places. Otherwise the first lap would wait for a page fault at each
    //    page: 112 ns a line instead of 24. (MAP_POPULATE only reads the pages of a shared mapping.)
    for at in (0..whole.get()).step_by(PAGE) {
        // SAFETY: inside the mapping, of a file of zeros that nobody else knows yet.
        unsafe { memory.cast::<u8>().add(at).write_volatile(0) };
    }
    Ok(memory)
}
