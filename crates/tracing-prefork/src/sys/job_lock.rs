//! [`JobLock`]: the lock behind which one thread of one process at a time does a job for all.

use super::files::Creation;
use super::fork;
use super::hidden::open_or_replace;
use super::identity::{FileId, Status, identity_of};
use super::lock_outcome::LockOutcome;
use super::locks::byte_lock;
use super::numbers;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::ofd;
use super::own_file::OwnFile;
use super::patience::Patience;
use super::seat::this_thread;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::stat::{FileStat, fstat, futimens, stat};
use nix::sys::time::TimeSpec;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize};
use std::time::{Duration, SystemTime};

/// The turn of one thread of one process to prune the files of a pattern, to compress them, or to hand them over.
///
/// The lock is three locks, because none of them does the work of the others. Two are on a file, which is opened for
/// each use:
///
/// * A word in memory keeps the threads of a process apart. Only the thread whose turn it is opens the file.
/// * An open file description lock keeps all others apart, also another copy of this library in the same process. If
///   the program itself opens and closes the file, this lock stays, where a POSIX lock would end (`fcntl(2)`). If the
///   holder is killed, a forked child would keep the lock. So a child closes its copy at once ([`close_in_child`]).
/// * A POSIX lock tells the process of the holder.
///
/// The locks belong to an inode. If somebody removes the file, the path leads to another file, and the holder has lost
/// the turn.
#[derive(Debug)]
pub(crate) struct JobLock {
    path: PathBuf,
    file: ManuallyDrop<OwnFile>,
    generation: u64,
    in_hand: InHand,
}

/// The bytes of the file that the two locks are on.
const POSIX_BYTE: u8 = 0;
const OPEN_FILE_BYTE: i64 = 1;

/// [`JobLock::take`] waits for somebody else for this long.
const BOUND: Duration = Duration::from_secs(5);

/// The locks that threads of this process have.
static IN_HAND: [Word; 1024] = [const { Word::free() }; 1024];

#[derive(Debug)]
struct Word {
    /// In the high half the generation of the process, so that a forked child does not count what it inherits. In the
    /// low half 32 bits that stand for the path.
    owner: AtomicU64,
    /// The thread that does the work; 0 for none. The user's code runs there, and calls of it must not wait for the
    /// work.
    thread: AtomicUsize,
    /// The descriptor of the lock's file, 0 for none; and the file's device and inode.
    descriptor: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
}

impl Word {
    const fn free() -> Self {
        Self {
            owner: AtomicU64::new(0),
            thread: AtomicUsize::new(0),
            descriptor: AtomicI32::new(0),
            device: AtomicU64::new(0),
            inode: AtomicU64::new(0),
        }
    }

    fn note(&self, file: &OwnFile) {
        self.device.store(file.id().device, SeqCst);
        self.inode.store(file.id().inode, SeqCst);
        self.descriptor.store(file.borrow().as_raw_fd(), SeqCst);
    }
}

/// In a child that has just been forked: closes the child's copies of its parent's locks. Otherwise the locks would
/// stay when the parent is killed. Async-signal-safe: this changes atomics, and calls `statx(2)` and `close(2)`.
pub(super) fn close_in_child() {
    for word in &IN_HAND {
        let number = word.descriptor.swap(0, SeqCst);
        if number <= 0 {
            continue;
        }
        let id = FileId { device: word.device.load(SeqCst), inode: word.inode.load(SeqCst), birth: 0 };
        // SAFETY: borrowed for one call; a number that leads to nothing is an error.
        let found = Status::of(unsafe { BorrowedFd::borrow_raw(number) });
        // If the program has put another file there since, that file stays open. The owner of the number does not close
        // it after a fork (`JobLock::drop`).
        numbers::give_up(number, found.is_ok_and(|found| found.id == id));
    }
}

#[derive(Debug)]
struct InHand {
    word: &'static Word,
    owner: u64,
}

impl InHand {
    /// An error if a thread of this process has the lock. If two threads come in the same instant, both may be refused.
    fn try_take(path: &Path) -> Result<Self, Holder> {
        // Two paths may lead to one directory.
        let directory = path.parent().and_then(|directory| stat(directory).ok());
        let place = directory.map_or(Err(path), |found| Ok((found.st_dev, found.st_ino, path.file_name())));
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(place);
        let generation = fork::generation() << 32;
        let owner = generation | hash & u64::from(u32::MAX);
        let claim = |word: &&Word| {
            let found = word.owner.load(SeqCst);
            let free = found & !u64::from(u32::MAX) != generation;
            free && word.owner.compare_exchange(found, owner, SeqCst, SeqCst).is_ok()
        };
        let same = || IN_HAND.iter().filter(|word| word.owner.load(SeqCst) == owner);
        if same().any(|word| word.thread.load(SeqCst) == this_thread()) {
            return Err(Holder::ThisThread);
        }
        let own = IN_HAND.iter().find(claim).map(|word| Self { word, owner }).ok_or(Holder::Own)?;
        // In a child that was forked meanwhile, the word may hold a thread of the parent.
        own.word.thread.store(0, SeqCst);
        if same().count() == 1 { Ok(own) } else { Err(Holder::Own) }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        // In a forked child the word may belong to another thread by now.
        let _ = self.word.owner.compare_exchange(self.owner, 0, SeqCst, SeqCst);
    }
}

/// The holder of a turn that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The very thread that asks. It has called the user's code, which has called the appender.
    ThisThread,
    /// Another thread of this process.
    Own,
    Process(libc::pid_t),
    /// The lock does not tell its process, or the process is in another PID namespace.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ThisThread => f.write_str("this thread"),
            Self::Own => f.write_str("another thread of this process"),
            Self::Process(number) => write!(f, "process {number}"),
            Self::Unknown => f.write_str("a process that cannot be seen from here"),
        }
    }
}

/// The refusal of a turn: somebody else has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) holder: Holder,
    /// Differs between this turn and those before and after it.
    pub(crate) turn: i64,
}

impl Refused {
    fn by_thread(holder: Holder) -> Self {
        Self { holder, turn: 0 }
    }

    /// The error for a caller that has waited.
    pub(crate) fn into_error(self) -> io::Error {
        let text = format!("{} has held the lock for five seconds", self.holder);
        io::Error::new(io::ErrorKind::TimedOut, text)
    }

    fn by_holder_of(file: BorrowedFd<'_>) -> Self {
        let holder = posix_holder(file);
        #[allow(clippy::unnecessary_cast, reason = "the widths differ between platforms")]
        let nanos =
            |stat: FileStat| (stat.st_mtime as i64).wrapping_mul(1_000_000_000).wrapping_add(stat.st_mtime_nsec as i64);
        let turn = fstat(file).map_or(0, nanos);
        Self { holder, turn }
    }
}

/// The holder of the POSIX lock.
fn posix_holder(file: BorrowedFd<'_>) -> Holder {
    match posix_lock_in_the_way(file) {
        Ok(Some(process)) if process > 0 => Holder::Process(process),
        _ => Holder::Unknown,
    }
}

/// Marks the beginning of a turn: sets the time of the file's last change.
fn mark(file: &OwnFile) {
    if file.with(|file| file.set_modified(SystemTime::now())).is_err() {
        // Only the owner may set any time; a writer may set the time of now (`utimensat(2)`).
        let _ = file.get().and_then(|file| futimens(file, &TimeSpec::UTIME_OMIT, &TimeSpec::UTIME_NOW));
    }
}

/// Asks for an open file description lock. That also finds a POSIX lock of this very process, which another copy of
/// this library may have.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn posix_lock_in_the_way(file: BorrowedFd<'_>) -> nix::Result<Option<libc::pid_t>> {
    let byte = i64::from(POSIX_BYTE);
    let found = ofd::in_the_way(file, libc::F_WRLCK as libc::c_int, byte..byte + 1)?;
    Ok(found.map(|found| found.process))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn posix_lock_in_the_way(file: BorrowedFd<'_>) -> nix::Result<Option<libc::pid_t>> {
    let mut lock = byte_lock(libc::F_WRLCK as libc::c_int, POSIX_BYTE.into());
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok((lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid))
}

/// Sets the open file description lock. `false`: somebody has it. `true` also where there are no such locks.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_open_file_lock(file: BorrowedFd<'_>, kind: libc::c_int) -> nix::Result<bool> {
    match ofd::set(file, kind, OPEN_FILE_BYTE..OPEN_FILE_BYTE + 1).into() {
        LockOutcome::Held | LockOutcome::Unsupported(_) => Ok(true),
        LockOutcome::Busy => Ok(false),
        LockOutcome::Failed(error) => Err(error),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_open_file_lock(_file: BorrowedFd<'_>, _kind: libc::c_int) -> nix::Result<bool> {
    let _ = OPEN_FILE_BYTE;
    Ok(true)
}

fn set_posix_lock(file: BorrowedFd<'_>, kind: libc::c_int) -> nix::Result<bool> {
    match fcntl(file, FcntlArg::F_SETLK(&byte_lock(kind, POSIX_BYTE.into()))).into() {
        LockOutcome::Held => Ok(true),
        LockOutcome::Busy => Ok(false),
        LockOutcome::Unsupported(error) | LockOutcome::Failed(error) => Err(error),
    }
}

/// Takes the POSIX lock first, so that a process that is refused finds the holder.
fn lock_both(file: &OwnFile) -> nix::Result<bool> {
    const KIND: libc::c_int = libc::F_WRLCK as libc::c_int;
    let file = file.get()?;
    Ok(set_posix_lock(file, KIND)? && set_open_file_lock(file, KIND)?)
}

impl JobLock {
    /// Takes the lock, or says at once who else has it.
    pub(crate) fn try_take(path: &Path, creation: Creation<'_>) -> io::Result<Result<Self, Refused>> {
        for _ in 0..10 {
            let in_hand = match InHand::try_take(path) {
                Ok(in_hand) => in_hand,
                Err(holder) => return Ok(Err(Refused::by_thread(holder))),
            };
            let file = open_or_replace(path, creation)?;
            in_hand.word.note(&file);
            let (path, file) = (path.to_owned(), ManuallyDrop::new(file));
            let lock = Self { path, file, generation: fork::generation(), in_hand };
            if !lock_both(&lock.file)? {
                return Ok(Err(Refused::by_holder_of(lock.file.get()?)));
            }
            if lock.is_at_its_path() {
                mark(&lock.file);
                return Ok(Ok(lock));
            }
        }
        Err(io::Error::other("the file of the lock was removed or replaced each time it had been opened"))
    }

    /// Whether the path still leads to the locked file.
    fn is_at_its_path(&self) -> bool {
        self.file.get().is_ok() && identity_of(&self.path) == Some(self.file.id())
    }

    /// Whether this process still has the lock. It does not if somebody has removed the lock's file. Nor does a child
    /// that was forked meanwhile.
    pub(crate) fn is_ours_still(&self) -> bool {
        self.generation == fork::generation()
            && self.is_at_its_path()
            && lock_both(&self.file).is_ok_and(|locked| locked)
    }

    /// The same, but this process also has the lock if somebody has moved the file away with its directory, and with
    /// the files of the job.
    pub(crate) fn is_ours_where_it_is(&self) -> bool {
        self.generation == fork::generation()
            && self.file.status().is_ok_and(|found| found.links > 0)
            && lock_both(&self.file).is_ok_and(|locked| locked)
    }

    /// Takes the lock, and waits about five seconds for somebody else. If this very thread has the lock, does not wait.
    /// `awaits_own`: waits for another thread of this process for as long as it takes.
    pub(crate) fn take(path: &Path, creation: Creation<'_>, awaits_own: bool) -> io::Result<Result<Self, Refused>> {
        let (mut patience, mut with_own) = (Patience::of(BOUND), Patience::without_end());
        loop {
            match Self::try_take(path, creation)? {
                Err(refused) if awaits_own && refused.holder == Holder::Own && with_own.goes_on() => {}
                Err(refused) if refused.holder != Holder::ThisThread && patience.goes_on() => {}
                taken => return Ok(taken),
            }
        }
    }

    /// Notes that this thread does the work, until what is returned is dropped.
    pub(crate) fn at_work(&self) -> AtWork<'_> {
        self.in_hand.word.thread.store(this_thread(), SeqCst);
        AtWork(self)
    }
}

/// See [`JobLock::at_work`].
#[derive(Debug)]
pub(crate) struct AtWork<'a>(&'a JobLock);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        // In a forked child the word may belong to another thread by now.
        if self.0.generation == fork::generation() {
            self.0.in_hand.word.thread.store(0, SeqCst);
        }
    }
}

impl Drop for JobLock {
    fn drop(&mut self) {
        // A forked child has closed its copy, and may have been given the number for something else.
        if self.generation != fork::generation() {
            return;
        }
        self.in_hand.word.descriptor.store(0, SeqCst);
        // Explicitly, because a child of a raw `clone(2)` has a copy of the descriptor.
        if let Ok(file) = self.file.get() {
            let _ = set_open_file_lock(file, libc::F_UNLCK as libc::c_int);
            let _ = set_posix_lock(file, libc::F_UNLCK as libc::c_int);
        }
        // SAFETY: once, and not used after this.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}
