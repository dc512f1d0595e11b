//! All system calls, and all `unsafe` code. Nothing in here knows about logging.

mod at_fork;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod bell;
mod cells;
mod descriptor;
mod directories;
mod directory;
mod entries;
mod file_system;
mod files;
mod finished_file;
mod fork;
mod fork_wiped;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod futex;
mod hidden;
mod identity;
mod job_lock;
mod lock_outcome;
mod locks;
mod numbers;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod ofd;
mod open;
mod own_file;
mod path;
mod patience;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod per_process;
mod positioned;
mod priority;
mod processor;
mod replaced;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod ring_file;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod ring_map;
pub(crate) mod seat;
mod short_text;
#[cfg(all(feature = "socket", any(target_os = "linux", target_os = "android")))]
pub(crate) mod socket;
mod standard;
mod stderr;
pub(crate) mod sync;
mod tail;
mod turn;
mod unnamed;
#[cfg(all(feature = "socket", any(target_os = "linux", target_os = "android")))]
mod words;
mod zero_is_empty;

pub(crate) use at_fork::watch_forks;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use bell::Bell;
pub(crate) use cells::{CELL_BYTES, TextInUse, texts_in_use, use_text};
pub(crate) use descriptor::{Descriptor, append};
pub(crate) use directories::{make_directories, mode_of_directories};
pub(crate) use directory::Directory;
pub(crate) use entries::{Entry, entries, set_modified, unlink};
pub(crate) use file_system::{Remote, remote_file_system};
pub(crate) use files::{Creation, LeaseWanted, Mode, Opened, Removal, claim_and_remove, hold, is_held, open_log};
pub(crate) use finished_file::FinishedFile;
pub(crate) use fork::{generation, libc_knows, shares_descriptors};
pub(crate) use fork_wiped::ForkWiped;
pub(crate) use hidden::{
    add_to, has_other_names, make_ours, may_be_ours, may_replace, open_only_name, open_or_create, other_than_file,
    overwrite, write_whole,
};
pub(crate) use identity::{FileId, directory_identity, identity, identity_at, identity_of, is_link, names};
pub(crate) use job_lock::{Holder, JobLock, Refused};
pub(crate) use lock_outcome::LockOutcome;
pub(crate) use locks::{
    Claim, Unlocked, WriteLock, WriteMode, has_leases, is_claimed, is_shared, share_patiently, unshare,
};
pub(crate) use open::{open_to_read, read};
pub(crate) use own_file::{OwnFile, Reader};
pub(crate) use path::LogPath;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use patience::Progress;
pub(crate) use patience::{MOMENT, PATIENCE, Patience, wait};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use per_process::PerProcess;
pub(crate) use positioned::{read_at, write_at};
pub(crate) use priority::{Priority, at_priority};
pub(crate) use processor::{barrier_in_all_threads, now, register_barriers, time};
pub(crate) use replaced::Replaced;
#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
pub(crate) use ring_file::steps;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use ring_file::{RingFile, RingLock, Trust, boot, create_ring, random};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use ring_map::RingMap;
pub(crate) use short_text::ShortText;
pub(crate) use stderr::write_to_stderr;
pub(crate) use tail::{cut, end_fragment, end_line, size, tail};
pub(crate) use turn::{Taken, Turn};
pub(crate) use unnamed::{Unnamed, free_bytes};
#[cfg(all(feature = "socket", any(target_os = "linux", target_os = "android")))]
pub(crate) use words::Words;
pub(crate) use zero_is_empty::{ZeroIsEmpty, fork_wiped};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow};
use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes a system call, and makes it again as long as a signal interrupts it.
#[inline(always)]
pub(crate) fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Has `call` called when the process exits by `exit(3)`. It calls nothing that must not be called then.
pub(crate) fn at_exit(call: extern "C" fn()) {
    // SAFETY: a function for the whole life of the process.
    unsafe { nix::libc::atexit(call) };
}

/// Whether a disk or a quota is full.
pub(crate) fn is_want_of_room(error: &io::Error) -> bool {
    const ENOSPC: i32 = Errno::ENOSPC as i32;
    const EDQUOT: i32 = Errno::EDQUOT as i32;
    matches!(error.raw_os_error(), Some(ENOSPC | EDQUOT))
}

/// The end of our temporary hidden names.
const TEMPORARY: &str = ".prefork.tmp";

/// A hidden name beside `path` that no other process and no other thread uses. The process and the nanosecond are in
/// the name: `.app.log.65a2-187a0d6ef0c4a1b2.prefork.tmp`. `now` comes from the clock that will tell the age of the
/// name.
pub(crate) fn unique_hidden(path: &Path, now: SystemTime) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Containers that share a directory may have equal process ids. The clock tells them apart.
    let unique = nanos(now).wrapping_add(COUNT.fetch_add(1, Relaxed).into());
    path.with_file_name(format!(".{name}.{:x}-{unique:016x}{TEMPORARY}", std::process::id()))
}

/// Reads a name that [`unique_hidden`] has made: the name that it stands for, and its age in seconds. Below 0: a clock
/// was ahead.
pub(crate) fn parse_hidden(hidden: &str, now: SystemTime) -> Option<(&str, i64)> {
    let (name, unique) = hidden.strip_prefix('.')?.strip_suffix(TEMPORARY)?.rsplit_once('.')?;
    let (process, nanos) = unique.split_once('-')?;
    let hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if process.is_empty() || nanos.len() != 16 || !hexadecimal(process) || !hexadecimal(nanos) {
        return None;
    }
    let made = u64::from_str_radix(nanos, 16).ok()?;
    let age = self::nanos(now).wrapping_sub(made) as i64;
    Some((name, age.div_euclid(1_000_000_000)))
}

/// Nanoseconds since 1970, modulo 2^64. The distance of two such numbers is right if it is below 292 years.
fn nanos(time: SystemTime) -> u64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as u64,
        Err(before) => (before.duration().as_nanos() as u64).wrapping_neg(),
    }
}

/// Starts a short-lived thread in which no signal handler of the program runs. The stack has the size that std gives,
/// because the user's hook may run there.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let spawn = |builder: thread::Builder, mask| {
        builder.spawn(move || {
            DISTURBED.set(Some(mask));
            work();
        })
    };
    undisturbed(name, spawn).map(drop)
}

thread_local! {
    /// In a thread of [`spawn`], which blocks all signals: the signals that the program had blocked.
    static DISTURBED: Cell<Option<SigSet>> = const { Cell::new(None) };
}

/// Runs the user's code with the caller's signal mask: otherwise SIGTERM would be blocked in the processes
/// that it starts.
/// `work` must not panic. Within `work` the user's code may change the mask, also for code that it calls.
#[inline]
pub(crate) fn disturbed<T>(work: impl FnOnce() -> T) -> T {
    match DISTURBED.take() {
        None => work(),
        Some(mask) => disturbed_by(mask, work),
    }
}

#[cold]
fn disturbed_by<T>(mask: SigSet, work: impl FnOnce() -> T) -> T {
    let own = mask.thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let done = work();
    let _ = own.map(|own| own.thread_set_mask());
    DISTURBED.set(Some(mask));
    done
}

/// Does some work of ours while no signal handler runs in this thread. The user's code is [`disturbed`] all the same.
/// `work` must not panic.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    if DISTURBED.get().is_some() {
        return work();
    }
    let Ok(mask) = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK) else { return work() };
    DISTURBED.set(Some(mask));
    let done = work();
    DISTURBED.set(None);
    let _ = mask.thread_set_mask();
    done
}

fn undisturbed<T>(name: &str, spawn: impl FnOnce(thread::Builder, SigSet) -> io::Result<T>) -> io::Result<T> {
    // A new thread inherits the mask of the thread that starts it (pthread_sigmask(3)).
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // In a thread of ours, too, the user's code is to run with the program's mask.
    let programs = DISTURBED.get().unwrap_or(mask);
    // If the size is given, std does not read RUST_MIN_STACK, and takes no lock of the environment.
    let spawned = spawn(thread::Builder::new().name(name.to_owned()).stack_size(2 * 1024 * 1024), programs);
    mask.thread_set_mask()?;
    spawned
}
