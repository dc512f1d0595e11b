//! Seats: a number for each thread that logs, so that it has counts of its own in every appender.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Seats for threads. The last one is shared, by atomic read-modify-writes, among all that find no other.
pub(crate) const SEATS: usize = 64;
pub(crate) const SHARED: usize = SEATS - 1;

/// A bit for each seat that a thread has. A forked child inherits the bits of threads that it does not have; those seats
/// stay empty there.
static TAKEN: AtomicU64 = AtomicU64::new(1 << SHARED);

const STANDING: usize = usize::MAX;

thread_local! {
    static SEAT_OF_THREAD: Cell<usize> = const { Cell::new(STANDING) };
    static VACATE: Vacate = const { Vacate };
}

/// The seat of this thread, taken at its first event.
#[inline]
pub(crate) fn of_this_thread(may_allocate: impl FnOnce() -> bool) -> usize {
    match SEAT_OF_THREAD.get() {
        STANDING => take_seat(may_allocate),
        seat => seat,
    }
}

#[cold]
fn take_seat(may_allocate: impl FnOnce() -> bool) -> usize {
    // Making sure that the seat is given back when the thread ends allocates.
    if !may_allocate() || VACATE.try_with(|_| ()).is_err() {
        return SHARED;
    }
    let mut taken = TAKEN.load(Relaxed);
    while taken != u64::MAX {
        let free = (!taken).trailing_zeros();
        match TAKEN.compare_exchange_weak(taken, taken | 1 << free, Acquire, Relaxed) {
            Ok(_) => {
                SEAT_OF_THREAD.set(free as usize);
                return free as usize;
            }
            Err(found) => taken = found,
        }
    }
    SHARED
}

/// Gives the seat back when its thread ends. What the thread logs after that goes by way of the shared seat.
struct Vacate;

impl Drop for Vacate {
    fn drop(&mut self) {
        let seat = SEAT_OF_THREAD.replace(SHARED);
        if seat < SHARED {
            TAKEN.fetch_and(!(1 << seat), Release);
        }
    }
}
