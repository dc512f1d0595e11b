//! Descriptors, files and the kernel's barriers, as far as the protocol sees them.

#[path = "../../../crates/tracing-prefork/src/sys/bell.rs"]
mod bell;
pub(crate) mod disk;
pub(crate) mod futex;
pub(crate) mod kill;
pub(crate) mod seat;
pub(crate) mod sync;
#[allow(dead_code, reason = "the model needs less of it than the library")]
#[path = "../../../crates/tracing-prefork/src/sys/turn.rs"]
mod turn;
#[path = "../../../crates/tracing-prefork/src/sys/zero_is_empty.rs"]
mod zero_is_empty;

pub(crate) use bell::Bell;
pub(crate) use disk::{RingFile, RingLock, Trust, append, other_than_file, read_at, size};
pub(crate) use turn::{Taken, Turn};
pub(crate) use zero_is_empty::{ZeroIsEmpty, fork_wiped};

use self::sync::{Broken, is_broken};
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteMode {
    Unlocked,
    #[allow(dead_code, reason = "the protocol asks for it")]
    Locked,
}

/// For the slots: the inode is the number of a period, which stands for its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) birth: u64,
}

#[derive(Debug)]
pub(crate) struct Opened {
    /// What is open is told by its identity.
    pub(crate) file: FileId,
    pub(crate) torn: bool,
    pub(crate) leased: bool,
}

/// A descriptor. Who exchanges its file while another uses it is found out by the cell: it wants each use to come
/// before or after each change, and that to be sure by what the threads have told each other.
#[derive(Debug)]
pub(crate) struct Descriptor(UnsafeCell<Option<FileId>>);

impl Descriptor {
    pub(crate) fn none() -> Self {
        Self(UnsafeCell::new(None))
    }

    fn get(&self) -> Option<FileId> {
        // SAFETY: loom stops the model if somebody changes it meanwhile.
        self.0.with(|file| unsafe { *file })
    }

    fn set(&self, file: Option<FileId>) {
        // SAFETY: as above.
        self.0.with_mut(|place| unsafe { *place = file });
    }

    pub(crate) fn install(&self, file: FileId) {
        self.set(Some(file));
    }

    pub(crate) fn release(&self) {
        self.set(None);
    }

    pub(crate) fn disown(&self) {
        self.set(None);
    }

    pub(crate) fn installed(&self) -> FileId {
        self.get().expect("something is installed")
    }

    pub(crate) fn is_intact(&self) -> bool {
        self.get().is_some()
    }

    pub(crate) fn has_name(&self, _is_named: impl Fn(BorrowedFd<'_>) -> bool) -> bool {
        self.get().is_some() && !NAMELESS.get()
    }

    pub(crate) fn borrow(&self) -> Option<BorrowedFd<'_>> {
        self.get().map(|_| no_file())
    }

    /// The line says of which period it is.
    pub(crate) fn append(&self, line: &[u8]) -> io::Result<usize> {
        let file = self.get().expect("the file of a pinned slot is open");
        assert_eq!(file.inode, u64::from(line[0]), "a line of period {} in the file of {}", line[0], file.inode);
        Ok(line.len())
    }
}

/// Something to borrow; nobody writes to it.
pub(crate) fn no_file() -> BorrowedFd<'static> {
    static NO_FILE: OnceLock<File> = OnceLock::new();
    NO_FILE.get_or_init(|| File::open("/dev/null").expect("opens")).as_fd()
}

thread_local! {
    static NAMELESS: Cell<bool> = const { Cell::new(false) };
    static KERNEL: RefCell<Option<Rc<Kernel>>> = const { RefCell::new(None) };
}

/// From now on no file has a name.
pub(crate) fn remove_all_names(removed: bool) {
    NAMELESS.set(removed);
}

/// Whoever waits lets the others go on.
pub(crate) fn wait<T>(_bound: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..320 {
        let got = ask();
        if got.is_some() {
            return got;
        }
        loom::thread::yield_now();
    }
    None
}

/// There are no leases here.
pub(crate) fn unshare(_file: BorrowedFd<'_>) {}

#[derive(Debug)]
pub(crate) struct ForkWiped<T: ZeroIsEmpty>(Box<T>);

impl<T: ZeroIsEmpty> ForkWiped<T> {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: zero is a value, says the trait.
        Ok(Self(unsafe { Box::new(MaybeUninit::<T>::zeroed()).assume_init() }))
    }
}

impl<T: ZeroIsEmpty> Deref for ForkWiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// `membarrier(2)` as it is defined: before the call returns, each thread of the process has passed a full barrier at
/// some point of its way, or does not run any more.
///
/// Loom's threads cannot be interrupted, so they say where they may be. It is enough that they do so before and after
/// what they do with a slot, and between raising a count and looking whether the slot is open: at any other place a
/// barrier orders the same loads and stores as at one of these.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Whether it agrees to run barriers.
    agrees: bool,
    /// Whether it has agreed and does not any more.
    refuses: bool,
    interrupted: [Interrupted; loom::MAX_THREADS],
}

#[derive(Debug)]
struct Interrupted {
    runs: AtomicBool,
    asked: AtomicUsize,
    done: AtomicUsize,
}

impl Kernel {
    pub(crate) fn boot(agrees: bool, refuses: bool) {
        let interrupted = std::array::from_fn(|_| Interrupted {
            runs: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        });
        KERNEL.set(Some(Rc::new(Self { agrees, refuses, interrupted })));
    }

    pub(crate) fn halt() {
        KERNEL.set(None);
    }
}

fn kernel() -> Rc<Kernel> {
    KERNEL.with_borrow(|kernel| kernel.clone().expect("booted"))
}

pub(crate) fn register_barriers() -> bool {
    kernel().agrees
}

pub(crate) fn barrier_in_all_threads() -> bool {
    let kernel = kernel();
    if kernel.refuses || is_broken(Broken::Barriers) {
        return !kernel.refuses;
    }
    fence(SeqCst);
    let this = seat::number_of_this_thread();
    for (number, other) in kernel.interrupted.iter().enumerate() {
        if number == this || !other.runs.load(Acquire) {
            continue;
        }
        let asked = other.asked.load(Relaxed) + 1;
        other.asked.store(asked, Relaxed);
        while other.runs.load(Acquire) && other.done.load(Acquire) < asked {
            loom::thread::yield_now();
        }
    }
    fence(SeqCst);
    true
}

/// A place where the kernel may run a barrier in this thread.
pub(crate) fn may_be_interrupted() {
    let kernel = kernel();
    if kernel.agrees {
        let this = &kernel.interrupted[seat::number_of_this_thread()];
        let asked = this.asked.load(Relaxed);
        if asked != this.done.load(Relaxed) {
            fence(SeqCst);
            this.done.store(asked, Release);
        }
    }
}

/// The thread of that number is about to be started.
pub(crate) fn thread_begins(number: usize) {
    kernel().interrupted[number].runs.store(true, Release);
}

pub(crate) fn thread_ends() {
    fence(SeqCst);
    kernel().interrupted[seat::number_of_this_thread()].runs.store(false, Release);
}
