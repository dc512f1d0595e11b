//! A few seats, which the test gives out.

use super::sync::{Broken, is_broken};
use std::cell::RefCell;
use std::collections::HashMap;

pub(crate) const SEATS: usize = 4;
pub(crate) const SHARED: usize = SEATS - 1;

/// What the test has given to a thread of the model: a number, from 1, and a seat. The thread that sets it up has 0 and
/// 0.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    number: usize,
    seat: usize,
}

thread_local! {
    static GIVEN: RefCell<HashMap<loom::thread::ThreadId, Given>> = RefCell::default();
}

pub(crate) fn give(number: usize, seat: usize) {
    GIVEN.with_borrow_mut(|given| given.insert(loom::thread::current().id(), Given { number, seat }));
}

pub(crate) fn clear() {
    GIVEN.with_borrow_mut(HashMap::clear);
}

fn given() -> Given {
    GIVEN.with_borrow(|given| given.get(&loom::thread::current().id()).copied().unwrap_or_default())
}

pub(crate) fn number_of_this_thread() -> usize {
    given().number
}

/// Never 0.
pub(super) fn this_thread() -> usize {
    number_of_this_thread() + 1
}

pub(crate) fn of_this_thread(_may_allocate: impl FnOnce() -> bool) -> usize {
    let seat = given().seat;
    if is_broken(Broken::Seats) && seat == 2 { 1 } else { seat }
}
