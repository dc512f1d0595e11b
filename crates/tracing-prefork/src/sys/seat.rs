//! Seats: a number for each thread that logs, so that it has counts of its own in every appender.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Seats for threads. The last one is shared, by atomic read-modify-writes, among all that find no other.
pub(crate) const SEATS: usize = 64;
pub(crate) const SHARED: usize = SEATS - 1;

/// A bit for each seat that a thread has.
static TAKEN: AtomicU64 = AtomicU64::new(1 << SHARED);

/// What a thread without a seat has instead: it has had no event yet; it is just taking one, or giving it back.
const STANDING: usize = usize::MAX;
const MOVING: usize = usize::MAX - 1;

thread_local! {
    static SEAT_OF_THREAD: Cell<usize> = const { Cell::new(STANDING) };
    static VACATE: Vacate = const { Vacate };
}

/// The seat of this thread, taken at its first event.
#[inline]
pub(crate) fn of_this_thread(may_allocate: impl FnOnce() -> bool) -> usize {
    match SEAT_OF_THREAD.get() {
        seat if seat < SEATS => seat,
        // A signal handler has interrupted that.
        MOVING => SHARED,
        _ => take_seat(may_allocate),
    }
}

#[cold]
fn take_seat(may_allocate: impl FnOnce() -> bool) -> usize {
    if !may_allocate() {
        return SHARED;
    }
    SEAT_OF_THREAD.set(MOVING);
    // Making sure that the seat is given back when the thread ends allocates.
    let seat = VACATE.try_with(|_| ()).ok().and_then(|()| take_free());
    SEAT_OF_THREAD.set(seat.unwrap_or(STANDING));
    seat.unwrap_or(SHARED)
}

fn take_free() -> Option<usize> {
    let mut taken = TAKEN.load(Relaxed);
    while taken != u64::MAX {
        let free = (!taken).trailing_zeros();
        match TAKEN.compare_exchange_weak(taken, taken | 1 << free, Acquire, Relaxed) {
            Ok(_) => return Some(free as usize),
            Err(found) => taken = found,
        }
    }
    None
}

/// In a child that has just been forked: frees the seats of the threads that it does not have.
pub(crate) fn keep_only_own() {
    match SEAT_OF_THREAD.get() {
        // A signal handler has forked in the middle of that: which seat it is nobody knows.
        MOVING => {}
        seat if seat < SHARED => TAKEN.store(1 << SHARED | 1 << seat, Relaxed),
        _ => TAKEN.store(1 << SHARED, Relaxed),
    }
}

/// Gives the seat back when its thread ends. What the thread logs after that goes by way of the shared seat.
struct Vacate;

impl Drop for Vacate {
    fn drop(&mut self) {
        let seat = SEAT_OF_THREAD.replace(MOVING);
        if seat < SHARED {
            TAKEN.fetch_and(!(1 << seat), Release);
        }
        SEAT_OF_THREAD.set(SHARED);
    }
}

/// Tells the threads of a process apart; never 0.
pub(crate) fn this_thread() -> usize {
    thread_local! {
        static PLACE: u8 = const { 0 };
    }
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}
