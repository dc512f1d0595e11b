//! Seats: each thread that logs has a number, by which it has counts of its own in every appender.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The number of seats. Threads that find no free seat share the last one, by atomic read-modify-writes.
pub(crate) const SEATS: usize = 64;
pub(crate) const SHARED: usize = SEATS - 1;

/// A bit for each seat that a thread has.
static TAKEN: AtomicU64 = AtomicU64::new(1 << SHARED);

/// In the place of a seat: this thread has had no event yet.
const STANDING: usize = usize::MAX;
/// In the place of a seat: this thread is taking a seat, or giving it back.
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
        // A signal handler has interrupted the thread meanwhile.
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
    // `VACATE` gives the seat back when the thread ends. The first look at it allocates.
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
        // A signal handler has forked while the thread took a seat, or gave it back. Nobody knows which seat it was.
        MOVING => {}
        seat if seat < SHARED => TAKEN.store(1 << SHARED | 1 << seat, Relaxed),
        _ => TAKEN.store(1 << SHARED, Relaxed),
    }
}

/// Gives the seat back when its thread ends. Events that the thread logs after that use the shared seat.
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
