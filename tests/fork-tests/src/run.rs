//! A run of a scenario: its processes, and the watch over them.
//!
//! ```text
//! harness (one thread, never logs): watches the ledger, kills what hangs, checks in the end
//! ├── keeper: watches what retention removes
//! ├── faults: stops processes, sets the clock
//! ├── parent: builds, forks, logs
//! │   └── children: log
//! └── last one: builds the appender once more, compresses and prunes, where files are to be counted
//! ```

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use nix::sys::prctl::set_child_subreaper;
use nix::unistd::geteuid;

use crate::chaos::Plan;
use crate::disk::Mount;
use crate::keeper;
use crate::links::{self, Leads};
use crate::peer::Peer;
use crate::prefork::Prefork;
use crate::scenario::{Scenario, Subject};
use crate::speed;
use harness::bad::Simple;
use harness::checker::{Checker, Demands, Keeps};
use harness::clock::{Clock, Ticking};
use harness::handed::Handed;
use harness::journal;
use harness::ledger::{Ledger, Word};
use harness::load::Ground;
use harness::process::Birth;
use harness::process::fork;
use harness::report::Report;
use harness::tree;
use harness::watch;
use harness::writer::Writer;
use harness::zone::Zone;

/// The most lines of one thread.
const ROWS: usize = 1 << 18;
/// The most lines of all threads.
const ALL_ROWS: usize = 1 << 26;

/// A scenario on its way.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What is played.
    pub scenario: Scenario,
    /// Where the log files are.
    pub directory: PathBuf,
    /// Where the ledger is.
    pub record: PathBuf,
    /// What all threads have in common.
    pub ground: Ground,
    /// What the log directory lies on, where that was made for the run.
    mount: Option<Rc<Mount>>,
}

impl Stage {
    /// Sets up a run: an empty log directory and a new ledger in `directory`.
    ///
    /// # Errors
    ///
    /// When they cannot be created.
    pub fn create(scenario: Scenario, directory: &Path) -> io::Result<Self> {
        let start = scenario.start;
        let lasting = start.lasting_threads() as u64;
        let share = scenario.load.lines.div_ceil(lasting);
        let rows = (ROWS.min(ALL_ROWS / (start.members() * start.most_threads()))).max(share as usize * 2);
        if scenario.needs_root && !geteuid().is_root() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "only root can play it"));
        }
        let mount = scenario.disk.mount(directory)?.map(Rc::new);
        let logs = mount.as_ref().map_or(directory, |mount| mount.path()).join("logs");
        std::fs::create_dir_all(&logs)?;
        let record = directory.join("ledger");
        let ledger = Ledger::create(&record, start.members(), start.most_threads(), rows)?;
        Clock::start(scenario.ticking, &ledger);
        if let Ticking::System { .. } = scenario.ticking {
            // The origin of a fast clock; at the speed 1 it has no effect.
            ledger.set(Word::ClockStart, Clock::new(scenario.ticking, ledger).now());
        }
        if let Some(prepare) = scenario.prepare {
            prepare(&logs)?;
        }
        let stage = Self { mount, ..Self::at(scenario, logs, record, ledger, share) };
        std::fs::create_dir_all(stage.attic())?;
        Ok(stage)
    }

    /// The run that another process has set up, as a re-executed one finds it.
    ///
    /// # Errors
    ///
    /// When its ledger cannot be opened.
    pub fn open(scenario: Scenario, directory: &Path) -> io::Result<Self> {
        let record = directory.join("ledger");
        let ledger = Ledger::open(&record)?;
        let share = scenario.load.lines.div_ceil(scenario.start.lasting_threads() as u64);
        Ok(Self::at(scenario, directory.join("logs"), record, ledger, share))
    }

    fn at(scenario: Scenario, directory: PathBuf, record: PathBuf, ledger: Ledger, share: u64) -> Self {
        if let Ticking::System { speed } = scenario.ticking {
            speed::set(speed, ledger.get(Word::ClockStart));
        }
        if let Zone::Local(name, _) = scenario.setup.pattern.zone {
            // SAFETY: the process has one thread.
            unsafe { std::env::set_var("TZ", name) };
        }
        let ground = Ground {
            ledger,
            clock: Clock::new(scenario.ticking, ledger),
            ticking: scenario.ticking,
            pattern: scenario.setup.pattern.clone(),
            load: scenario.load,
            share,
        };
        Self { scenario, directory, record, ground, mount: None }
    }

    /// Plays the scenario and checks what it left.
    ///
    /// # Errors
    ///
    /// When a process cannot be started or a file cannot be read; what the processes do wrong is in
    /// the report.
    pub fn play(&self) -> io::Result<Report> {
        set_child_subreaper(true)?;
        let ledger = self.ground.ledger;
        if let Some(faults) = self.scenario.faults {
            let stage = self.clone();
            watch::conduct(&ledger, || faults(&stage))?;
        }
        let (pattern, setup) = (&self.ground.pattern, &self.scenario.setup);
        // It keeps files open: where files go to make room, there would be none.
        let keeper = match self.scenario.prunes && setup.min_log_files.is_none() {
            true if setup.max_total_bytes.is_some() && self.scenario.plan.is_none() => {
                Some(keeper::weigh(&self.directory, pattern, ledger)?)
            }
            true => Some(keeper::keep(&self.directory, pattern, self.leaves(), ledger, &self.orphans())?),
            false => None,
        };
        fork(|| self.parent())?;
        watch::watch(&ledger);
        if self.scenario.faults.is_some() {
            watch::wait_for_conductor(&ledger);
        }
        ledger.set(Word::Over, 1);
        if let Some(wrong) = keeper.and_then(watch::wait_for) {
            return Err(io::Error::other(format!("the keeper: {wrong}")));
        }
        let began_to_close = self.ground.clock.time();
        self.close()?;
        let mut report = self.check(began_to_close)?;
        watch::tell(&ledger, &mut report);
        Ok(report)
    }

    /// Builds the writer of the run, in the calling process.
    pub(crate) fn build(&self) -> Result<Box<dyn Writer>, Box<dyn Error>> {
        let (setup, ground) = (&self.scenario.setup, &self.ground);
        let (clock, ledger) = (ground.clock, ground.ledger);
        Ok(match self.scenario.subject {
            Subject::Prefork => Box::new(Prefork::build(&self.directory, setup, clock, ledger, &self.handed())?),
            Subject::Peer => Box::new(Peer::build(&self.directory, setup)?),
            Subject::Simple(habit) => {
                let pattern = setup.pattern.clone();
                Box::new(Simple::new(self.directory.clone(), pattern, habit, clock, ledger))
            }
        })
    }

    /// Where files are to be counted, or must be as they are left in the end: one more process builds the appender,
    /// compresses and prunes.
    fn close(&self) -> io::Result<()> {
        let counted = self.scenario.prunes || self.scenario.setup.compress.is_some() || self.scenario.plan.is_some();
        let counted = counted || self.scenario.setup.buffered;
        if !counted || self.scenario.subject != Subject::Prefork {
            return Ok(());
        }
        std::fs::create_dir_all(&self.directory)?;
        links::age_left_behind(&self.directory, self.ground.pattern.depth())?;
        let pid = fork(|| match self.build() {
            Ok(writer) => {
                writer.tidy();
                0
            }
            Err(error) => {
                eprintln!("fork-tests: last process: {error}");
                1
            }
        })?;
        if let Some(died) = watch::wait_for(pid) {
            self.ground.ledger.word(Word::Errors).fetch_add(1, Relaxed);
            eprintln!("fork-tests: last process: {died}");
        }
        Ok(())
    }

    /// Where the files are that were moved away or deleted, on the same file system as the log directory.
    #[must_use]
    pub fn attic(&self) -> PathBuf {
        self.directory.with_file_name("attic")
    }

    /// Where it is noted what somebody did to the files from outside.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.record.with_file_name("journal")
    }

    /// Where the hooks note what they were given.
    fn handed(&self) -> PathBuf {
        self.record.with_file_name("handed")
    }

    /// Holds what the hooks were given against what is promised. Whoever takes files away may take the appender's own
    /// notes, too, and where nothing can be written there are none.
    fn inspect_handed(&self, began_to_close: u64, report: &mut Report) -> io::Result<()> {
        let Some(hook) = self.scenario.setup.hook else { return Ok(()) };
        let plans = |does: fn(&Plan) -> bool| self.scenario.plan.as_ref().is_some_and(does);
        if plans(Plan::obstructs) || self.scenario.subject != Subject::Prefork {
            return Ok(());
        }
        let handed = Handed::read(&self.handed());
        if !plans(Plan::takes_files) {
            handed.inspect_repeated(report);
        }
        let always_fails = hook.fails == 1 || hook.panics == 1;
        if !always_fails && !plans(Plan::steps_the_clock) {
            let pattern = &self.ground.pattern;
            let open = pattern.key_at(began_to_close);
            let is_over = |name: &String| pattern.place_of_name(name).is_some_and(|place| place.key < open);
            let files = tree::entries(&self.directory, pattern.depth())?.into_iter();
            let files = files.filter(|entry| entry.kind.is_file()).map(|entry| entry.name).filter(is_over);
            handed.inspect_missing(&self.directory, files, report);
        }
        Ok(())
    }

    /// Copies the files out of a file system that goes with the run.
    pub fn rescue(&self) {
        let Some(mount) = &self.mount else { return };
        let to = self.record.with_file_name("kept");
        let copied = std::process::Command::new("cp").arg("-a").arg(mount.path()).arg(to).output();
        if copied.is_err() {
            eprintln!("fork-tests: the files could not be copied");
        }
    }

    /// How many later files there must be before one may go. The peer removes one before it makes the next.
    fn leaves(&self) -> usize {
        if self.scenario.plan.is_some() {
            // What several limits leave together is not so simple.
            return 0;
        }
        let count = self.scenario.setup.max_log_files.unwrap_or(0);
        if self.scenario.subject == Subject::Peer { count.saturating_sub(1) } else { count }
    }

    /// Where the keeper puts what it finds.
    fn orphans(&self) -> PathBuf {
        self.record.with_file_name("orphans")
    }

    /// What retention leaves of the files.
    fn keeps(&self, began_to_close: u64) -> Keeps {
        let setup = &self.scenario.setup;
        if let Some(plan) = &self.scenario.plan {
            let ended = self.ground.clock.time();
            return Keeps::Limits(plan.limits(&self.scenario, began_to_close, ended));
        }
        match (setup.min_log_files, setup.max_log_files, setup.max_total_bytes) {
            _ if !self.scenario.prunes => Keeps::All,
            (Some(count), ..) => Keeps::AtLeast(count),
            (_, Some(count), _) => Keeps::Files(count),
            (.., Some(bytes)) => Keeps::Bytes(bytes, setup.max_file_bytes.unwrap_or(0)),
            _ => Keeps::All,
        }
    }

    /// What the files must be like. A writer looks at the size of its file when it has written a 64th of what that may
    /// hold, and each of its threads may have written a 16th of that besides; under the lock a file is never too large.
    fn demands(&self) -> Demands {
        let (setup, start) = (&self.scenario.setup, self.scenario.start);
        let processes = 1 + (start.processes + start.forked) as u64;
        let line = self.scenario.load.sizes.room() as u64;
        // A thread that is kept from running right before its look has the others write as much again before theirs.
        let looks = if start.most_threads() > 1 { 2 } else { 1 };
        let overshoot = |bytes: u64| {
            let interval = (bytes / 64).clamp(16 * 1024, 256 * 1024);
            processes * (looks * interval + start.most_threads() as u64 * (interval / 16 + line))
        };
        let overshoot = |bytes| if setup.lock_writes || setup.buffered { 0 } else { overshoot(bytes) };
        // A full file is written on if the next one cannot be opened.
        let is_bound = self.scenario.plan.as_ref().is_none_or(|plan| !plan.obstructs());
        let largest = |bytes| if is_bound { bytes + overshoot(bytes) } else { u64::MAX };
        Demands { largest: setup.max_file_bytes.map(largest), archive: setup.compress, header: setup.header }
    }

    fn check(&self, began_to_close: u64) -> io::Result<Report> {
        let (scenario, setup) = (&self.scenario, &self.scenario.setup);
        let mut others: Vec<String> = scenario.others.iter().map(|name| (*name).to_owned()).collect();
        others.extend(setup.latest_symlink.map(str::to_owned));
        others.extend(setup.latest_hard_link.map(str::to_owned));
        let checker = Checker {
            ledger: self.ground.ledger,
            pattern: &setup.pattern,
            keeps: self.keeps(began_to_close),
            demands: self.demands(),
            forward: scenario.forward,
            // A coarse system clock is up to 10 ms late.
            slack: match scenario.ticking {
                Ticking::System { speed } => 10_000_000 * speed,
                _ => 0,
            },
            // A buffer hands its lines on after some milliseconds; on a busy machine that takes longer.
            delay: if setup.buffered { 2_000_000_000 * scenario.ticking.speed() } else { 0 },
            orphans: keeper::orphans(&self.orphans()),
            others,
            deeds: journal::deeds(&self.journal()),
            attic: self.attic(),
            allows: scenario.allows,
        };
        // A writer may have left it deleted.
        std::fs::create_dir_all(&self.directory)?;
        let mut report = checker.check(&self.directory)?;
        let leads = match (scenario.subject, scenario.start.birth) {
            (Subject::Peer, _) => Leads::ByAnyTarget,
            (_, Birth::Clone) => Leads::ToSome,
            _ if scenario.plan.as_ref().is_some_and(Plan::steps_the_clock) => Leads::ToSome,
            _ => Leads::ToNewest,
        };
        let mut setup = setup.clone();
        if scenario.plan.as_ref().is_some_and(Plan::takes_files) && scenario.start.replacements > 0 {
            // If its file was taken away, and whoever had renewed it was killed before it noted that, nobody knows that
            // it is one.
            setup.latest_hard_link = None;
        }
        links::inspect(&self.directory, &setup, leads, &mut report);
        self.inspect_handed(began_to_close, &mut report)?;
        let found = scenario.inspect.map(|inspect| inspect(&self.directory));
        for case in found.unwrap_or_default() {
            report.other(case);
        }
        Ok(report)
    }
}
