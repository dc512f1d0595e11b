//! The clock of a run: the system's, or one that stands or runs in memory all processes share.

use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::time::{Duration, SystemTime};

use crate::ledger::{Ledger, Word};

/// What a run takes the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticking {
    /// The system's clock, `speed` times as fast; 1 is the clock itself.
    System {
        /// How many times as fast.
        speed: u64,
    },
    /// Injected: stands at an instant, in nanoseconds since 1970, until somebody sets it.
    Standing(u64),
    /// Injected: stands at an instant until the load begins, then runs `rate` times as fast as time.
    Running(u64, u64),
}

impl Ticking {
    /// How many times as fast as time the clock runs.
    #[must_use]
    pub fn speed(self) -> u64 {
        match self {
            Self::System { speed } => speed.max(1),
            Self::Standing(_) => 1,
            Self::Running(_, rate) => rate.max(1),
        }
    }
}

/// A handle on the clock of a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    shared: Option<Ledger>,
}

impl Clock {
    /// The clock of a run; the one that creates the ledger also `start`s it.
    #[must_use]
    pub fn new(ticking: Ticking, ledger: Ledger) -> Self {
        let shared = !matches!(ticking, Ticking::System { .. });
        Self { shared: shared.then_some(ledger) }
    }

    /// Sets an injected clock to its first instant.
    pub fn start(ticking: Ticking, ledger: &Ledger) {
        if let Ticking::Standing(at) | Ticking::Running(at, _) = ticking {
            ledger.set(Word::Clock, at);
        }
    }

    /// Lets an injected clock run, if it is one that does.
    pub fn run(&self, ticking: Ticking) {
        if let (Some(ledger), Ticking::Running(_, rate)) = (self.shared, ticking) {
            ledger.set(Word::ClockStart, monotonic());
            ledger.set(Word::ClockRate, rate);
        }
    }

    /// What it shows, in nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.reading().1
    }

    /// The run's time and what the clock shows then: the same, unless the clock has been [stepped](Self::step). The
    /// run's time never goes back, so that all that happens in a run is noted by it.
    #[must_use]
    pub fn reading(&self) -> (u64, u64) {
        let time = self.time();
        let offset = self.shared.map_or(0, |ledger| ledger.word(Word::ClockOffset).load(SeqCst));
        (time, time.wrapping_add(offset))
    }

    /// The run's time.
    #[must_use]
    pub fn time(&self) -> u64 {
        let Some(ledger) = self.shared else {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            return since.map_or(0, |since| since.as_nanos() as u64);
        };
        let standing = ledger.word(Word::Clock).load(SeqCst);
        match ledger.word(Word::ClockRate).load(Acquire) {
            0 => standing,
            rate => standing + (monotonic() - ledger.word(Word::ClockStart).load(Relaxed)) * rate,
        }
    }

    /// Sets an injected clock.
    pub fn set(&self, nanos: u64) {
        if let Some(ledger) = self.shared {
            ledger.word(Word::Clock).store(nanos, SeqCst);
        }
    }

    /// Puts an injected clock forward, whether it stands or runs.
    pub fn skip(&self, nanos: u64) {
        if let Some(ledger) = self.shared {
            ledger.word(Word::Clock).fetch_add(nanos, SeqCst);
        }
    }

    /// Lets an injected clock show so many nanoseconds more, or less, from now on; how far it is from the run's time
    /// then.
    pub fn step(&self, nanos: i64) -> i64 {
        let add = |ledger: Ledger| ledger.word(Word::ClockOffset).fetch_add(nanos as u64, SeqCst) as i64 + nanos;
        self.shared.map_or(0, add)
    }

    /// What `Builder::clock` takes; `None` for the system's clock, which is the library's own business.
    #[must_use]
    pub fn injected(&self) -> Option<impl Fn() -> SystemTime + Send + Sync + use<>> {
        let clock = *self;
        self.shared.map(|_| move || SystemTime::UNIX_EPOCH + Duration::from_nanos(clock.now()))
    }
}

/// Nanoseconds of the monotonic clock, the same for all processes.
#[must_use]
pub fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a timespec that this thread owns.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
