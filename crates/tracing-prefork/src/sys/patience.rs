//! Waiting for somebody else, with a bound.

use std::thread;
use std::time::{Duration, Instant};

/// An event waits for somebody else for this long at most. The holder of a lock needs microseconds, unless the holder
/// has been stopped.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// An event waits this long at most for another thread that is done in a moment. After that the event goes on without
/// that thread's work.
pub(crate) const MOMENT: Duration = Duration::from_millis(10);

/// A wait yields the processor so many times before it sleeps.
const YIELDS: u32 = 20;
const FIRST_PAUSE: Duration = Duration::from_micros(20);
/// A pause becomes no longer than this, or than a thousandth of the bound if that is more.
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// A wait: how long it may last, and how long it has lasted.
#[derive(Debug)]
pub(crate) struct Patience {
    /// `None`: the wait has no bound.
    bound: Option<Duration>,
    yields: u32,
    pause: Duration,
    /// When the yields were over, and the sleeps began.
    began: Option<Instant>,
}

impl Patience {
    pub(crate) fn of(bound: Duration) -> Self {
        Self { bound: Some(bound), ..Self::without_end() }
    }

    pub(crate) fn without_end() -> Self {
        Self { bound: None, yields: 0, pause: FIRST_PAUSE, began: None }
    }

    /// Lets others run for a moment. `false`: the bound is reached.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.yields < YIELDS {
            self.yields += 1;
            thread::yield_now();
            return true;
        }
        let waited = self.began.get_or_insert_with(Instant::now).elapsed();
        if self.bound.is_some_and(|bound| waited > bound) {
            return false;
        }
        thread::sleep(self.pause);
        let longest = self.bound.map_or(LONGEST_PAUSE, |bound| LONGEST_PAUSE.max(bound / 1000));
        self.pause = longest.min(2 * self.pause);
        true
    }
}

/// A wait for somebody who makes progress: the bound counts from the last step on.
#[derive(Debug)]
pub(crate) struct Progress {
    seen: u64,
    bound: Duration,
    patience: Patience,
}

impl Progress {
    pub(crate) fn since(seen: u64, bound: Duration) -> Self {
        Self { seen, bound, patience: Patience::of(bound) }
    }

    /// Lets others run for a moment. `false`: there has been no progress within the bound.
    pub(crate) fn goes_on(&mut self, seen: u64) -> bool {
        if std::mem::replace(&mut self.seen, seen) != seen {
            self.patience = Patience::of(self.bound);
        }
        self.patience.goes_on()
    }
}

/// Asks again and again until the answer is `Some`, for so long at most.
pub(crate) fn wait<T>(bound: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let mut patience = Patience::of(bound);
    loop {
        if let Some(got) = ask() {
            return Some(got);
        }
        if !patience.goes_on() {
            return None;
        }
    }
}
