//! A scenario: how processes start, how the appender is built, what they write, what befalls them,
//! and what must be true in the end.

use std::path::Path;
use std::time::Duration;

use crate::chaos::Plan;
use crate::disk::Disk;
use crate::prefork::Setup;
use crate::run::Stage;
use harness::bad::Habit;
use harness::clock::Ticking;
use harness::line::{Sizes, Way};
use harness::load::Load;
use harness::pattern::{Pattern, Unit};
use harness::process::Birth;
use harness::report::Allows;
use harness::zone::Zone;

/// 2027-12-30T22:59:58.5Z: the end of a week, a month and a year is near, and a leap day follows.
pub const START: u64 = 1_830_207_598_500_000_000;

/// When the appender is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// Once, by the parent, which has logged with it already; the children inherit it.
    BeforeFork,
    /// By each process for itself, all at the same moment.
    AfterFork,
}

/// Which writer the load is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The library under test.
    Prefork,
    /// `tracing_appender::rolling`.
    Peer,
    /// One of our own simple ones.
    Simple(Habit),
}

/// How the processes of a run start.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// How the children come into being.
    pub birth: Birth,
    /// When the appender is built.
    pub built: Built,
    /// Children that write until the run ends, or, where the parent is busy and they do not stay, until
    /// three rollovers after their own start.
    pub processes: usize,
    /// Threads of each of them.
    pub threads: usize,
    /// Children that write ten lines and leave by `_exit`.
    pub visitors: usize,
    /// Threads that log in the parent all the time while it forks; 0: the parent has one thread,
    /// which begins to log when all children are there.
    pub busy: usize,
    /// Whether the children stay until the run ends, which the faults then decide.
    pub stay: bool,
    /// Whether the children of a busy parent are born in the moments of rollovers, rather than evenly spread.
    pub at_rollovers: bool,
    /// Children that the faults start in the place of those that they have killed.
    pub replacements: usize,
    /// Children that others fork, threads or not, when the faults ask for it.
    pub forked: usize,
}

impl Start {
    /// All processes, the parent included.
    #[must_use]
    pub fn members(&self) -> usize {
        1 + self.processes + self.visitors + self.replacements + self.forked
    }

    /// The most threads of a process.
    #[must_use]
    pub fn most_threads(&self) -> usize {
        self.threads.max(self.busy).max(1)
    }

    /// The threads that live through the run.
    #[must_use]
    pub fn lasting_threads(&self) -> usize {
        if self.busy > 0 { self.busy } else { 1 + self.processes * self.threads }
    }
}

/// Everything about one run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Which writer it is about.
    pub subject: Subject,
    /// How processes start.
    pub start: Start,
    /// How the appender is built.
    pub setup: Setup,
    /// What the time is taken from.
    pub ticking: Ticking,
    /// What is written.
    pub load: Load,
    /// What befalls the processes, the clock or the files; runs in a process of its own.
    pub faults: Option<fn(&Stage)>,
    /// How often that happens, where it does not go by the clock.
    pub trials: usize,
    /// What the parent does to itself before it builds: limits, another user.
    pub before: Option<fn(&Stage) -> std::io::Result<()>>,
    /// Whether only root can play it.
    pub needs_root: bool,
    /// What each child does to itself before it writes, by its number.
    pub within: Option<fn(usize) -> std::io::Result<()>>,
    /// What the log directory lies on.
    pub disk: Disk,
    /// What the faults bring about, and is not wrong.
    pub allows: Allows,
    /// Puts something into the directory before the run.
    pub prepare: Option<fn(&Path) -> std::io::Result<()>>,
    /// Says what is wrong with the directory after the run.
    pub inspect: Option<fn(&Path) -> Vec<String>>,
    /// Names in the directory that are not log files.
    pub others: &'static [&'static str],
    /// Whether `max_log_files` or `max_total_bytes` is meant to remove files in this run.
    pub prunes: bool,
    /// Whether the clock only goes forward.
    pub forward: bool,
    /// What befalls it and when, where that was drawn.
    pub plan: Option<Plan>,
}

impl Scenario {
    /// 32 children of a parent that built the appender, 40 rollovers on a clock whose seconds take 40 ms, and nothing
    /// out of the ordinary: the others differ from it.
    #[must_use]
    pub fn plain(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            subject: Subject::Prefork,
            start: Start {
                birth: Birth::Fork,
                built: Built::BeforeFork,
                processes: 32,
                threads: 1,
                visitors: 0,
                busy: 0,
                stay: false,
                at_rollovers: false,
                replacements: 0,
                forked: 0,
            },
            setup: Setup {
                pattern: Pattern {
                    prefix: "app".to_owned(),
                    suffix: "log".to_owned(),
                    unit: Unit::Secondly,
                    date: None,
                    zone: Zone::UTC,
                },
                max_log_files: None,
                latest_symlink: None,
                latest_hard_link: None,
                file_mode: None,
                lock_writes: false,
                buffered: false,
                ring_bytes: None,
                min_log_files: None,
                max_file_bytes: None,
                max_total_bytes: None,
                compress: None,
                header: false,
                max_age: None,
                hook: None,
            },
            ticking: Ticking::Running(START, 25),
            load: Load { rollovers: 40, lines: 100_000, ways: Way::ALL, sizes: Sizes::Mixed, rest: Duration::ZERO },
            faults: None,
            before: None,
            needs_root: false,
            within: None,
            trials: 0,
            disk: Disk::Host,
            allows: Allows::default(),
            prepare: None,
            inspect: None,
            others: &[],
            prunes: false,
            forward: true,
            plan: None,
        }
    }

    /// The same for 21 rollovers on the system's clock, which the library reads by itself.
    #[must_use]
    pub fn on_the_systems_clock(mut self) -> Self {
        self.ticking = Ticking::System { speed: 1 };
        self.load.rollovers = 21;
        self
    }

    /// The same for `tracing_appender::rolling`, with the same limit on files and the same symbolic link. It takes no
    /// clock but the system's, and rolls over once a minute at the shortest: for a rollover a second the clock runs 60
    /// times as fast.
    #[must_use]
    pub fn for_peer(mut self) -> Self {
        self.subject = Subject::Peer;
        if self.is_attack() {
            // It is compared for what it does under this one fault.
            if let Ticking::Running(_, rate) = self.ticking {
                self.ticking = Ticking::System { speed: rate };
            }
            self.load.ways = &[Way::Direct];
        }
        self.setup.latest_hard_link = None;
        if self.setup.pattern.unit == Unit::Secondly {
            self.setup.pattern.unit = Unit::Minutely;
            self.ticking = Ticking::System { speed: 60 };
        }
        self
    }

    /// Whether something from outside befalls the files or the processes.
    #[must_use]
    pub fn is_attack(&self) -> bool {
        self.allows != Allows::default() || self.start.replacements > 0
    }

    /// The same for one of our own simple writers, which know nothing of layers, links and modes.
    #[must_use]
    pub fn for_simple(mut self, habit: Habit) -> Self {
        self.subject = Subject::Simple(habit);
        self.load.ways = &[Way::Direct];
        self.setup.latest_symlink = None;
        self.setup.latest_hard_link = None;
        self.setup.file_mode = None;
        if self.plan.is_some() { self.without_options() } else { self }
    }

    /// With names and periods alone.
    fn without_options(mut self) -> Self {
        let pattern = self.setup.pattern;
        self.setup = Self::plain("", "").setup;
        self.setup.pattern = pattern;
        self.prunes = false;
        self
    }
}
