//! The lock behind which one process at a time, and one thread in it, does a job for all: prunes, compresses or hands over.

use super::files::{self, Creation};
use super::fork;
use super::lock_outcome::LockOutcome;
use super::locks::byte_lock;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::stat::stat;
use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

/// The lock behind which one process at a time, and one thread in it, prunes the files of a pattern, compresses them, or hands them over.
///
/// A POSIX lock, on a file that is opened for each use: a forked child does not inherit it, and a holder that is killed
/// frees it even if a child still has the descriptor (measured; open file description locks and `flock` stay held then).
/// Among the threads of a process it is a word in memory: of a process, anybody's closing of the file ends the lock (`fcntl(2)`),
/// so nobody else may even open it.
#[derive(Debug)]
pub(crate) struct HousekeepingLock {
    file: File,
    generation: u64,
    _in_hand: InHand,
}

/// Which locks threads of this process have in hand: the generation of the process, so that what a forked child inherits here says
/// nothing, and 32 bits that stand for the path.
static IN_HAND: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

#[derive(Debug)]
struct InHand(&'static AtomicU64);

impl InHand {
    /// `None`: another thread has it. Of two that come in the same instant, both may give way.
    fn try_take(path: &Path) -> Option<Self> {
        // Two paths may lead to one directory.
        let directory = path.parent().and_then(|directory| stat(directory).ok());
        let place = directory.map_or(Err(path), |found| Ok((found.st_dev, found.st_ino, path.file_name())));
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(place);
        let (generation, path) = (fork::generation() << 32, hash & u64::from(u32::MAX));
        let claim = |word: &&AtomicU64| {
            let found = word.load(SeqCst);
            let free = found & !u64::from(u32::MAX) != generation;
            free && word.compare_exchange(found, generation | path, SeqCst, SeqCst).is_ok()
        };
        let own = IN_HAND.iter().find(claim).map(Self)?;
        let same = IN_HAND.iter().filter(|word| word.load(SeqCst) == generation | path);
        if same.count() == 1 { Some(own) } else { None }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.store(0, SeqCst);
    }
}

impl HousekeepingLock {
    /// Takes it, or says at once with `None` that somebody else has it.
    pub(crate) fn try_take(path: &Path, creation: Creation<'_>) -> io::Result<Option<Self>> {
        let Some(in_hand) = InHand::try_take(path) else { return Ok(None) };
        let file = files::open_or_create(path, creation)?;
        match fcntl(&file, FcntlArg::F_SETLK(&byte_lock(libc::F_WRLCK as libc::c_int, 0))).into() {
            LockOutcome::Held => Ok(Some(Self { file, generation: fork::generation(), _in_hand: in_hand })),
            LockOutcome::Busy => Ok(None),
            LockOutcome::Unsupported(error) | LockOutcome::Failed(error) => Err(error.into()),
        }
    }

    /// Whether it is this process that has it. Not any more if something in it has opened the lock's file, and closed it; nor in a child that
    /// was forked meanwhile.
    pub(crate) fn is_ours_still(&self) -> bool {
        self.generation == fork::generation()
            && fcntl(&self.file, FcntlArg::F_SETLK(&byte_lock(libc::F_WRLCK as libc::c_int, 0))).is_ok()
    }

    /// Takes it, waiting up to about five seconds for somebody else.
    pub(crate) fn take(path: &Path, creation: Creation<'_>) -> io::Result<Self> {
        for _ in 0..500 {
            if let Some(lock) = Self::try_take(path, creation)? {
                return Ok(lock);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::new(io::ErrorKind::WouldBlock, "somebody else has held the lock for five seconds"))
    }
}

impl Drop for HousekeepingLock {
    fn drop(&mut self) {
        let _ = fcntl(&self.file, FcntlArg::F_SETLK(&byte_lock(libc::F_UNLCK as libc::c_int, 0)));
    }
}
