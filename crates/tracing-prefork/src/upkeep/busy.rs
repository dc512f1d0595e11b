//! How long somebody else has had a turn. A holder that has had it for minutes may have been stopped, which is
//! reported.

use crate::sys::{self, Entry, Holder, Refused, fork_wiped};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

fork_wiped! {
    /// The turn of somebody else that was found last, and since when it has lasted. All zero: none.
    #[derive(Debug)]
    pub(crate) struct Busy {
        turn: AtomicI64,
        since: AtomicI64,
    }
}

impl Busy {
    /// Notes that somebody else has a turn, and says since when.
    pub(crate) fn since(&self, refused: Refused, at: i64) -> i64 {
        let since = self.since.load(Relaxed);
        if self.turn.swap(refused.turn, Relaxed) == refused.turn && since <= at {
            return since;
        }
        self.since.store(at, Relaxed);
        at
    }
}

/// Whether a thread of a process runs or waits for a disk (`proc(5)`): then the process has not been stopped. `false`
/// where nobody can tell.
pub(crate) fn is_running(holder: Holder) -> bool {
    let Holder::Process(number) = holder else { return false };
    let threads = PathBuf::from(format!("/proc/{number}/task"));
    let runs = |thread: Entry| {
        let text = sys::read(&threads.join(thread.name).join("stat")).unwrap_or_default();
        // The thread's state follows its name, which is in parentheses and can be any text.
        String::from_utf8_lossy(&text).rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['R', 'D']))
    };
    sys::entries(&threads).is_ok_and(|threads| threads.into_iter().any(runs))
}
