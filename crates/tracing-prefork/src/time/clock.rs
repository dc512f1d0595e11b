//! The clock of an appender, and instants in whole seconds.

use crate::process::user_code;
use crate::report::{Operation, Reporter};
use crate::sys;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant: whole seconds since 1970-01-01 00:00 UTC, rounded down, and the rest of the second.
///
/// File names depend on the seconds alone, because each boundary in each time zone falls on a whole second. An instant
/// before the year 1 or after the year 9998 counts as the first or the last instant of these years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) secs: i64,
    pub(crate) nanos: u32,
}

/// 0001-01-02 00:00 UTC: one day after the first date that `time` can write, so that each offset fits.
pub(crate) const FIRST: i64 = -62_135_510_400;
/// 9999-01-01 00:00 UTC.
pub(crate) const LAST: i64 = 253_370_764_800;

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let (secs, nanos) = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(LAST), since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                let secs = i64::try_from(before.as_secs()).map_or(FIRST, |secs| -secs);
                match before.subsec_nanos() {
                    0 => (secs, 0),
                    nanos => (secs - 1, 1_000_000_000 - nanos),
                }
            }
        };
        Self { secs: secs.clamp(FIRST, LAST), nanos }
    }
}

#[cfg(feature = "socket")]
impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        system_time(moment.secs) + Duration::from_nanos(moment.nanos.into())
    }
}

/// A time more than this many seconds in the future comes from a wrong clock: the clocks of processes that share a
/// directory differ by less.
pub(crate) const AHEAD: i64 = 3600;

/// The instant `secs` seconds after 1970-01-01 00:00 UTC.
pub(crate) fn system_time(secs: i64) -> SystemTime {
    let distance = Duration::from_secs(secs.unsigned_abs());
    if secs < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

/// How deep the calls of users' clocks on one thread may be nested. A depth of more than 1 is needed: a signal handler
/// may log while its thread asks a clock, and a clock may use an appender with another clock.
const DEEPEST: u32 = 3;

thread_local! {
    /// How many users' clocks this thread is asking.
    static ASKING: Cell<u32> = const { Cell::new(0) };
}

type Custom = dyn Fn() -> SystemTime + Send + Sync;

/// Where an appender reads the time: the user's clock, or the system's clock if the user has given none. If the user's
/// clock panics, the system's clock is read.
#[derive(Default)]
pub(crate) struct Clock {
    custom: Option<Box<Custom>>,
    /// Who reports a panic of the user's clock, and for which directory.
    reporter: OnceLock<(Weak<Reporter>, PathBuf)>,
    /// The first failure before there was a reporter.
    early: OnceLock<String>,
}

impl Clock {
    pub(crate) fn custom(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { custom: Some(Box::new(clock)), ..Self::default() }
    }

    /// From now on, panics of the user's clock are reported for that directory.
    pub(crate) fn report_to(&self, reporter: &Arc<Reporter>, directory: &Path) {
        let _ = self.reporter.set((Arc::downgrade(reporter), directory.to_owned()));
        if let Some(early) = self.early.get() {
            self.report(io::Error::other(early.clone()));
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.ask_user().unwrap_or_else(SystemTime::now)
    }

    /// The same as a moment. The system's time is not read as a `SystemTime`: its conversion to seconds has checks that
    /// cost as much as printing the time.
    #[inline]
    pub(crate) fn moment(&self) -> Moment {
        self.ask_user().map_or_else(Moment::of_the_system, Moment::from)
    }

    /// The time of the user's clock. `None`: there is no such clock, it has panicked, or it calls the appender, which
    /// asks it again.
    #[inline]
    fn ask_user(&self) -> Option<SystemTime> {
        self.custom.as_ref().and_then(|clock| self.ask(clock))
    }

    /// Not inlined: the code of the event path asks the system's clock.
    #[inline(never)]
    fn ask(&self, clock: &Custom) -> Option<SystemTime> {
        let depth = ASKING.get();
        if depth == DEEPEST {
            self.report(io::Error::other("clock calls the appender, which asks the clock for the time"));
            return None;
        }
        ASKING.set(depth + 1);
        let said = user_code::run("clock", clock);
        ASKING.set(depth);
        said.map_err(|error| self.report(error)).ok()
    }

    #[cold]
    fn report(&self, error: io::Error) {
        match self.reporter.get() {
            Some((reporter, directory)) => {
                if let Some(reporter) = reporter.upgrade() {
                    reporter.report(Operation::UserCode, directory, error);
                }
            }
            None => drop(self.early.set(error.to_string())),
        }
    }
}

impl Moment {
    #[inline]
    fn of_the_system() -> Self {
        let (secs, nanos) = sys::now();
        Self { secs: secs.clamp(FIRST, LAST), nanos }
    }
}

/// The second of an instant, and how many seconds it may lag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Second {
    pub(crate) at: i64,
    pub(crate) behind: i64,
}

impl Second {
    #[inline]
    pub(crate) fn exact(at: i64) -> Self {
        Self { at, behind: 0 }
    }
}

impl Clock {
    /// The current second, cheaply. It is good enough to choose a file, unless a boundary is near.
    ///
    /// `time(2)` takes 3 ns, an exact reading 17 ns. The kernel keeps the second of `time(2)` ready and renews it at
    /// its ticks, every 1 to 10 ms. So for one tick after each full second, `time(2)` still says the second before. The
    /// result allows for a lag of a whole second. That is a hundred times what is needed: with both processors kept
    /// busy by six processes, the lag was 9 ms at most in 600 million readings.
    #[inline]
    pub(crate) fn rough_second(&self) -> Second {
        match self.custom {
            None => Second { at: sys::time(), behind: 1 },
            Some(_) => Second::exact(self.exact_second()),
        }
    }

    pub(crate) fn exact_second(&self) -> i64 {
        self.moment().secs
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.custom.is_some() { "custom" } else { "system" })
    }
}
