//! Options, clocks and faults drawn by a seed, all together: several processes write, and what befalls them comes in no
//! order that anybody has thought of.
//!
//! The same seed draws the same [`Plan`]: the options of the appender, how processes start, what befalls them, and
//! when. What the machine makes of it differs from run to run, since nobody tells it which process runs next.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::disk::{self, Disk};
use crate::filler::Filler;
use crate::killer::{self, Dice};
use crate::limits;
use crate::outside::{self, Hand};
use crate::prefork::Hook;
use crate::run::Stage;
use crate::scenario::{Built, Scenario};
use harness::bad::Habit;
use harness::clock::Ticking;
use harness::journal::Deed;
use harness::ledger::{State, Word};
use harness::limited::Limits;
use harness::line::{Sizes, Way};
use harness::pattern::{Archive, Pattern, Unit};
use harness::process::{Birth, signal};
use harness::report::Allows;
use harness::zone::Zone;
use nix::sys::signal::Signal;

/// 2027-12-30T22:59:58.5Z: the end of a week, a month and a year is near, and a leap day follows.
const START: u64 = 1_830_207_598_500_000_000;
/// 2024-01-01T00:00:00Z.
const YEAR: u64 = 1_704_067_200_000_000_000;
const SECOND: u64 = 1_000_000_000;
/// Periods in a second of real time.
const RATE: u64 = 25;

/// What befalls a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// One process is killed, and another started in its place.
    Kill,
    /// One process is stopped, and goes on later: the stop of this number.
    Stop(usize),
    GoOn(usize),
    /// One process forks a child, whatever its threads are doing.
    Fork,
    /// The current file is moved away, or deleted.
    Move,
    Delete,
    /// The log directory is.
    MoveDirectory,
    DeleteDirectory,
    /// The log directory may not be written, and may be again.
    Close,
    Open,
    /// The current file is moved away, a directory put in its place, and taken away again.
    Block,
    Unblock,
    /// Something is mounted over the log directory, and goes.
    Cover,
    Uncover,
    /// The disk is full, and has room again.
    Fill,
    Free,
    /// The clock shows so many nanoseconds more, or less.
    Step(i64),
    /// The link to the latest file is deleted.
    Unlink,
}

/// What was drawn.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By what.
    pub seed: u64,
    acts: Vec<(Duration, Act)>,
    length: Duration,
}

impl Plan {
    /// Whether the clock does not only run.
    #[must_use]
    pub fn steps_the_clock(&self) -> bool {
        self.has(|act| matches!(act, Act::Step(_)))
    }

    fn has(&self, which: impl Fn(Act) -> bool) -> bool {
        self.acts.iter().any(|(_, act)| which(*act))
    }

    fn count(&self, which: Act) -> usize {
        self.acts.iter().filter(|(_, act)| *act == which).count()
    }

    /// Whether somebody takes files away.
    #[must_use]
    pub fn takes_files(&self) -> bool {
        self.has(|act| {
            matches!(act, Act::Move | Act::Delete | Act::MoveDirectory | Act::DeleteDirectory | Act::Block | Act::Cover)
        })
    }

    /// Whether files cannot be opened or written at times.
    #[must_use]
    pub fn obstructs(&self) -> bool {
        self.has(|act| matches!(act, Act::Close | Act::Block | Act::Fill))
    }

    /// What retention may do in this run.
    #[must_use]
    pub(crate) fn limits(&self, scenario: &Scenario, began_to_close: u64, ended: u64) -> Limits {
        let setup = &scenario.setup;
        let files = [setup.max_log_files, setup.min_log_files.filter(|_| self.has(|act| act == Act::Fill))];
        let is_exact = setup.hook.is_none() && !self.steps_the_clock() && setup.max_log_files.is_some();
        Limits {
            files: files.into_iter().flatten().min(),
            counts: is_exact && scenario.prunes,
            age: setup.max_age.map(|age| age.as_nanos() as u64),
            bytes: setup.max_total_bytes.map(|bytes| bytes.saturating_sub(setup.max_file_bytes.unwrap_or(0))),
            file_bytes: setup.max_file_bytes,
            sizes: scenario.load.sizes,
            gaps: setup.hook.is_some() || self.takes_files() || self.obstructs() || !scenario.forward,
            cleans: scenario.prunes || setup.compress.is_some(),
            kills: self.has(|act| act == Act::Kill),
            began_to_close,
            ended,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, act) in &self.acts {
            write!(f, "{}:{act:?} ", at.as_millis())?;
        }
        write!(f, "{}:end", self.length.as_millis())
    }
}

/// A run in one line each: options, and what befalls it.
#[must_use]
pub fn describe(scenario: &Scenario) -> String {
    let (start, setup) = (scenario.start, &scenario.setup);
    let plan = scenario.plan.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{start:?}\n{setup:?}\n{:?} on {:?}, {:?}\n{plan}", scenario.ticking, scenario.disk, scenario.load)
}

/// Plays so many runs, each in a process of its own, and says of each what was wrong; whether nothing was.
///
/// # Errors
///
/// When this program cannot be executed.
pub fn play(runs: u64, seed: Option<u64>, habit: Option<Habit>, show: bool) -> io::Result<bool> {
    let first = seed.unwrap_or_else(|| RandomState::new().hash_one(std::process::id()) >> 32);
    let (begin, mut wrong, mut skipped) = (Instant::now(), Vec::new(), 0);
    for seed in first..first + runs {
        if show {
            println!("seed {seed}\n{}", describe(&scenario(seed)));
            continue;
        }
        let habit =
            habit.and_then(|habit| habit.to_possible_value()).map(|habit| format!("--habit={}", habit.get_name()));
        let arguments = ["run".to_owned(), "chaos".to_owned(), format!("--seed={seed}")];
        println!("chaos: seed {seed}");
        let output = Command::new(std::env::current_exe()?).args(arguments).args(habit.clone()).output()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        skipped += u64::from(told.contains("skipped: "));
        if !output.status.success() || told.contains("skipped: ") {
            print!("{told}");
        }
        if !output.status.success() {
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            println!("{}", describe(&scenario(seed)));
            println!("chaos: again by: fork-tests run chaos --seed={seed} {}", habit.unwrap_or_default());
            wrong.push(seed);
        }
    }
    let (each, count) = (begin.elapsed().as_secs_f64() / runs.max(1) as f64, wrong.len());
    println!(
        "chaos: {runs} runs from seed {first}, {skipped} skipped, {count} wrong {wrong:?}, {each:.1} seconds each"
    );
    Ok(wrong.is_empty())
}

/// What is drawn from.
struct Draw(Dice);

impl Draw {
    fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high - low + 1)
    }

    fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.below(from.len() as u64) as usize]
    }

    fn some<T>(&mut self, percent: u64, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| draw(self))
    }
}

/// The run that this seed draws.
#[must_use]
pub fn scenario(seed: u64) -> Scenario {
    let mut scenario = Scenario::plain("chaos", "options, clocks and faults drawn by a seed (--seed), all together");
    // Neighbouring seeds are to draw different plans.
    let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mut draw = Draw(Dice::new(mixed ^ mixed >> 31));
    for _ in 0..8 {
        draw.0.below(1);
    }
    let seconds = names(&mut scenario, &mut draw);
    start(&mut scenario, &mut draw);
    let kind = draw.one_of(&[
        Kind::Processes,
        Kind::Outside,
        Kind::Outside,
        Kind::Full,
        Kind::Closed,
        Kind::Retention,
        Kind::Retention,
    ]);
    options(&mut scenario, &mut draw, kind);
    let plan = Plan { seed, ..acts(&mut scenario, &mut draw, kind, seconds) };
    scenario.start.replacements = plan.count(Act::Kill);
    scenario.start.forked = plan.count(Act::Fork);
    if let Some(hook) = &mut scenario.setup.hook {
        hook.clock_steps = plan.steps_the_clock();
    }
    // Files of one name that were taken away have no order among them, nor have files that stood in for others.
    scenario.forward &= !plan.takes_files() && !plan.obstructs();
    let kills = scenario.start.replacements > 0;
    let fills = plan.count(Act::Fill) > 0;
    let setup = &scenario.setup;
    scenario.prunes = setup.max_log_files.is_some() || setup.max_total_bytes.is_some() || setup.max_age.is_some();
    let hook_fails = setup.hook.is_some_and(|hook| hook.fails + hook.panics > 0);
    scenario.allows = Allows {
        refused: plan.obstructs(),
        fragments: kills || fills,
        glued: kills && !setup.lock_writes,
        late: plan.obstructs() || scenario.prunes || setup.compress.is_some(),
        // A lock may be held by whoever was stopped or killed.
        errors: plan.takes_files()
            || plan.obstructs()
            || hook_fails
            || plan.count(Act::Unlink) > 0
            || setup.lock_writes
            // Files of a future that the clock has left.
            || plan.steps_the_clock() && scenario.prunes,
    };
    scenario.start.stay = true;
    scenario.faults = Some(conduct);
    scenario.plan = Some(plan);
    scenario
}

/// What the plan is mostly about: some faults do not go together, since nobody could tell whose doing a loss is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Processes,
    Outside,
    Full,
    Closed,
    Retention,
}

/// Draws rotation, zone and names; how many seconds a period has.
fn names(scenario: &mut Scenario, draw: &mut Draw) -> u64 {
    let units = [
        (Unit::Secondly, 1, &[None, Some("%Y%m%d/%H%M/%S"), Some("%Y-%m-%d-%H-%M/app-%S")][..]),
        (Unit::Minutely, 60, &[None, Some("%Y/%m/%d/%H%M")][..]),
        (Unit::Hourly, 3600, &[None, Some("%Y-%m-%d/%H"), Some("%Y/%m/%d-%H"), Some("%Y-%m-%d-%H%z")][..]),
        (Unit::Daily, 86_400, &[None, Some("%Y/%m/app-%d"), Some("%Y%m%d")][..]),
        (Unit::Weekly, 604_800, &[None, Some("%Y/%m-%d")][..]),
        (Unit::Monthly, 2_629_800, &[None, Some("%Y/%m")][..]),
    ];
    let (unit, seconds, formats) = draw.one_of(&units);
    let zone = match draw.between(0, 3) {
        0 if matches!(unit, Unit::Hourly | Unit::Daily) => Zone::new_york(),
        0 | 1 => Zone::Fixed(draw.one_of(&[19_800, -12_600, 3600, 45_900, -3600])),
        _ => Zone::UTC,
    };
    let mut date = draw.one_of(formats);
    let start = match &zone {
        Zone::Local(..) => {
            // Twelve periods before the clocks are put forth, or back.
            let (forth, back) = draw.one_of(&[(true, false), (false, true)]);
            let change = zone.next_change(YEAR);
            let change = if back && !forth { zone.next_change(change) } else { change };
            change - 12 * seconds * SECOND
        }
        Zone::Fixed(_) => {
            date = date.filter(|date| !date.ends_with("%z"));
            START
        }
    };
    scenario.ticking = Ticking::Running(start, seconds * RATE);
    let (prefix, suffix) =
        draw.one_of(&[("app", "log"), ("app", "log"), ("", "log"), ("app.log", ""), ("a-b", "x.y"), ("", "")]);
    scenario.setup.pattern = Pattern { prefix: prefix.to_owned(), suffix: suffix.to_owned(), unit, date, zone };
    seconds
}

/// Draws how processes start, and what they write.
fn start(scenario: &mut Scenario, draw: &mut Draw) {
    let start = &mut scenario.start;
    (start.birth, start.built) = draw.one_of(&[
        (Birth::Fork, Built::BeforeFork),
        (Birth::Fork, Built::AfterFork),
        (Birth::Exec, Built::AfterFork),
    ]);
    start.processes = draw.between(2, 5) as usize;
    start.threads = draw.between(1, 3) as usize;
    let load = &mut scenario.load;
    load.lines = 0;
    load.rest = Duration::from_micros(draw.one_of(&[500, 1000, 3000]));
    load.sizes = draw.one_of(&[Sizes::Short, Sizes::Moderate, Sizes::About(120), Sizes::Between(120, 4096)]);
    load.ways = draw.one_of(&[Way::ALL, Way::ALL, &[Way::Layer, Way::Fmt, Way::Direct], &[Way::Direct]]);
}

/// Draws the options of the appender.
fn options(scenario: &mut Scenario, draw: &mut Draw, kind: Kind) {
    let setup = &mut scenario.setup;
    setup.lock_writes = draw.chance(30);
    setup.header = draw.chance(25);
    setup.file_mode = draw.some(25, |draw| draw.one_of(&[0o600, 0o640, 0o644, 0o664]));
    setup.latest_symlink = draw.some(40, |_| "latest");
    setup.latest_hard_link = draw.some(30, |_| "latest.log");
    setup.compress = draw.some(30, |draw| draw.one_of(&[Archive::Gzip, Archive::Zstd]));
    if draw.chance(35) {
        setup.max_file_bytes = Some(draw.one_of(&[16 << 10, 64 << 10, 256 << 10]));
        scenario.load.sizes = Sizes::Between(120, 2048);
    }
    let hook = |draw: &mut Draw| Hook {
        fails: draw.one_of(&[0, 0, 1, 3]),
        panics: draw.one_of(&[0, 0, 4]),
        hangs: draw.one_of(&[0, 0, 2]),
        clock_steps: false,
    };
    setup.hook = draw.some(25, hook);
    if kind == Kind::Retention {
        setup.max_log_files = draw.some(60, |draw| draw.between(1, 8) as usize);
        let period = scenario.ticking.speed() * SECOND / RATE;
        setup.max_age = draw.some(30, |draw| Duration::from_nanos(period * draw.between(1, 10)));
        let least = setup.max_file_bytes.unwrap_or(16 << 10) * 2;
        setup.max_total_bytes = draw.some(30, |draw| draw.one_of(&[least, least * 4, 1 << 20]).max(least));
    }
    if kind == Kind::Full {
        setup.min_log_files = draw.some(40, |draw| draw.between(1, 5) as usize);
    }
}

/// Draws what befalls the run, and when.
fn acts(scenario: &mut Scenario, draw: &mut Draw, kind: Kind, seconds: u64) -> Plan {
    let length = Duration::from_millis(draw.between(900, 1600));
    let mut acts: Vec<(Duration, Act)> = Vec::new();
    let end = length.as_millis() as u64;
    let at = |draw: &mut Draw| Duration::from_millis(draw.between(10, end - 250));
    let mut stops = 0;
    for _ in 0..draw.between(0, 6) {
        let begin = at(draw);
        match draw.between(0, 2) {
            0 => acts.push((begin, Act::Kill)),
            1 => acts.push((begin, Act::Fork)),
            _ => {
                let lasts = Duration::from_millis(draw.one_of(&[1, 10, 60, 150, 240]));
                acts.extend([(begin, Act::Stop(stops)), (begin + lasts, Act::GoOn(stops))]);
                stops += 1;
            }
        }
    }
    if draw.chance(35) {
        let period = (seconds * SECOND) as i64;
        for _ in 0..draw.between(1, 4) {
            let begin = at(draw);
            let far = period / 10 * draw.between(1, 60) as i64;
            let ahead = draw.chance(50);
            acts.push((begin, Act::Step(if ahead { far } else { -far })));
            // And back.
            if ahead && draw.chance(70) {
                let lasts = Duration::from_millis(draw.between(1, 150));
                acts.push((begin + lasts, Act::Step(-far)));
            }
        }
        scenario.forward = false;
    }
    // The names of a repeated hour come again.
    scenario.forward &= matches!(scenario.setup.pattern.zone, Zone::Fixed(_));
    windows(scenario, draw, kind, end, &mut acts);
    acts.sort_by_key(|(at, _)| *at);
    Plan { seed: 0, acts, length }
}

/// Draws what somebody does to the files.
fn windows(scenario: &mut Scenario, draw: &mut Draw, kind: Kind, end: u64, acts: &mut Vec<(Duration, Act)>) {
    let setup = &mut scenario.setup;
    let every = |acts: &mut Vec<(Duration, Act)>, draw: &mut Draw, begins: Act, ends: Act| {
        let mut at = draw.between(50, 200);
        while at + 250 < end {
            let lasts = draw.between(5, 120);
            acts.extend([(Duration::from_millis(at), begins), (Duration::from_millis(at + lasts), ends)]);
            at += lasts + draw.between(100, 500);
        }
    };
    match kind {
        Kind::Processes | Kind::Retention => {}
        Kind::Closed => {
            scenario.before = Some(limits::drop_privileges);
            scenario.within = Some(limits::become_nobody);
            // A program that is executed by a user without rights cannot open the record of the run.
            scenario.start.birth = Birth::Fork;
            every(acts, draw, Act::Close, Act::Open);
        }
        Kind::Full => {
            scenario.disk = Disk::Tmpfs;
            scenario.start.birth = Birth::Fork;
            // So that the lines alone do not fill it.
            scenario.load.sizes = draw.one_of(&[Sizes::Short, Sizes::About(120)]);
            scenario.load.rest = Duration::from_millis(3);
            every(acts, draw, Act::Fill, Act::Free);
        }
        Kind::Outside => {
            // The files of a pattern with directories are found one by one.
            let flat = setup.pattern.depth() == 0;
            let deeds: &[Act] = match draw.between(0, 3) {
                0 => &[Act::Move],
                1 if flat => &[Act::Delete, Act::DeleteDirectory],
                1 => &[Act::Delete],
                2 => &[Act::MoveDirectory, Act::Move],
                _ => &[Act::Move, Act::Delete, Act::MoveDirectory],
            };
            for _ in 0..draw.between(1, 6) {
                let at = Duration::from_millis(draw.between(20, end - 150));
                acts.push((at, draw.one_of(deeds)));
            }
            if setup.latest_symlink.is_some() && draw.chance(50) {
                acts.push((Duration::from_millis(draw.between(20, end - 250)), Act::Unlink));
            }
            if setup.max_file_bytes.is_none() && draw.chance(20) {
                every(acts, draw, Act::Block, Act::Unblock);
            } else if draw.chance(15) {
                scenario.disk = Disk::Covered;
                scenario.forward = false;
                every(acts, draw, Act::Cover, Act::Uncover);
            }
        }
    }
}

/// Lets happen what the plan says.
fn conduct(stage: &Stage) {
    if let Err(error) = Conductor::play(stage) {
        outside::amiss(stage, &error.to_string());
    }
}

struct Conductor<'a> {
    hand: Hand<'a>,
    /// The processes that have been stopped, by the number of the stop.
    stopped: Vec<Option<usize>>,
    /// The next process to take the place of one that was killed, and the next to be forked.
    next: usize,
    fork: usize,
    /// Since when files cannot be opened.
    since: u64,
    /// What is in the way.
    obstacle: Option<std::path::PathBuf>,
    /// The room that a mounted directory is.
    room: Option<usize>,
    filler: Option<Filler>,
}

impl<'a> Conductor<'a> {
    fn play(stage: &'a Stage) -> io::Result<()> {
        let Some(plan) = &stage.scenario.plan else { return Ok(()) };
        let start = stage.scenario.start;
        let next = 1 + start.processes;
        let mut conductor = Self {
            hand: Hand::create(stage, Dice::new(plan.seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))?,
            stopped: Vec::new(),
            next,
            fork: next + start.replacements,
            since: 0,
            obstacle: None,
            room: None,
            filler: None,
        };
        // Whoever is slow to begin does not keep the others waiting for long.
        outside::wait_for_begin(stage, Duration::from_secs(5));
        let performed = conductor.perform_all(plan);
        performed.and(conductor.finish())
    }

    fn perform_all(&mut self, plan: &Plan) -> io::Result<()> {
        let begin = Instant::now();
        for (at, act) in &plan.acts {
            std::thread::sleep(at.saturating_sub(begin.elapsed()));
            self.perform(*act)?;
            self.hand.stage.ground.ledger.word(Word::Trials).fetch_add(1, Relaxed);
        }
        std::thread::sleep(plan.length.saturating_sub(begin.elapsed()));
        Ok(())
    }

    fn perform(&mut self, act: Act) -> io::Result<()> {
        let stage = self.hand.stage;
        let directory = &stage.directory;
        match act {
            Act::Kill => self.kill()?,
            Act::Stop(_) => self.stop(),
            Act::GoOn(number) => self.go_on(number),
            Act::Fork => self.ask_for_child(),
            Act::Move => drop(self.hand.move_current_if_there()?),
            Act::Delete => self.hand.delete_current_if_there()?,
            Act::MoveDirectory => self.hand.move_directory()?,
            Act::DeleteDirectory => self.hand.delete_directory()?,
            Act::Close => {
                self.since = self.hand.now();
                outside::chmod(directory, 0o555)?;
            }
            Act::Open => {
                outside::chmod(directory, 0o755)?;
                self.note_obstruction()?;
            }
            Act::Block => self.block()?,
            Act::Unblock => {
                if let Some(obstacle) = self.obstacle.take() {
                    // Somebody may have moved it away with the directory that it was in.
                    let _ = std::fs::remove_dir(obstacle);
                    self.note_obstruction()?;
                }
            }
            Act::Cover if directory.is_dir() => {
                let (number, room) = self.hand.journal.room()?;
                disk::cover(directory, &room)?;
                self.room = Some(number);
            }
            Act::Cover => {}
            Act::Uncover => {
                if let Some(room) = self.room.take() {
                    disk::uncover(directory)?;
                    let at = self.hand.now();
                    self.hand.journal.note(&Deed::Moved(at, room))?;
                }
            }
            Act::Fill => {
                self.since = self.hand.now();
                let filler = match self.filler.take() {
                    Some(filler) => filler,
                    None => Filler::create(stage)?,
                };
                filler.fill()?;
                self.filler = Some(filler);
            }
            Act::Free => {
                if let Some(filler) = &self.filler {
                    filler.free(i64::MAX)?;
                    self.note_obstruction()?;
                }
            }
            Act::Step(nanos) => {
                let before = self.hand.now();
                let offset = stage.ground.clock.step(nanos);
                let after = self.hand.now();
                self.hand.journal.note(&Deed::Stepped(before, after, offset))?;
            }
            Act::Unlink => {
                let link = stage.scenario.setup.latest_symlink.unwrap_or_default();
                let _ = std::fs::remove_file(directory.join(link));
            }
        }
        Ok(())
    }

    fn note_obstruction(&mut self) -> io::Result<()> {
        let at = self.hand.now();
        self.hand.journal.note(&Deed::Obstructed(self.since, at))
    }

    /// Moves the current file away and puts a directory in its place, if nobody is faster.
    fn block(&mut self) -> io::Result<()> {
        self.since = self.hand.now();
        let Some(name) = self.hand.move_current_if_there()? else { return Ok(()) };
        let obstacle = self.hand.stage.directory.join(name);
        if std::fs::create_dir(&obstacle).is_ok() {
            self.obstacle = Some(obstacle);
        }
        Ok(())
    }

    /// The processes that write, or have been stopped while they did.
    fn at_work(&self) -> Vec<usize> {
        let ledger = self.hand.stage.ground.ledger;
        let writes = |process: &usize| {
            let member = ledger.member(*process);
            member.state() == State::Working && ledger.thread(*process, 0).acknowledged() > 0
        };
        (0..ledger.members()).filter(writes).collect()
    }

    fn choose(&mut self, from: impl Fn(usize) -> bool) -> Option<usize> {
        let all: Vec<usize> = self.at_work().into_iter().filter(|process| from(*process)).collect();
        if all.is_empty() {
            return None;
        }
        Some(all[self.hand.dice.below(all.len() as u64) as usize])
    }

    fn kill(&mut self) -> io::Result<()> {
        let stage = self.hand.stage;
        // The parent is needed to the end.
        let Some(process) = self.choose(|process| process > 0) else { return Ok(()) };
        let member = stage.ground.ledger.member(process);
        member.enter(State::Killed);
        signal(member.pid(), Signal::SIGKILL);
        self.next += 1;
        killer::replace(stage, self.next - 1)
    }

    fn stop(&mut self) {
        let ledger = self.hand.stage.ground.ledger;
        let process = self.choose(|process| !ledger.member(process).paused());
        if let Some(process) = process {
            ledger.member(process).pause(true);
            signal(ledger.member(process).pid(), Signal::SIGSTOP);
        }
        self.stopped.push(process);
    }

    fn go_on(&mut self, number: usize) {
        let ledger = self.hand.stage.ground.ledger;
        if let Some(process) = self.stopped.get_mut(number).and_then(Option::take) {
            signal(ledger.member(process).pid(), Signal::SIGCONT);
            ledger.member(process).pause(false);
        }
    }

    fn ask_for_child(&mut self) {
        let ledger = self.hand.stage.ground.ledger;
        if let Some(process) = self.choose(|_| true) {
            let child = self.fork;
            self.fork += 1;
            // Whoever has not done it until now never will.
            let before = ledger.member(process).ask_to_bear(child);
            if before != 0 {
                ledger.member(before).enter(State::Spared);
            }
        }
    }

    /// Ends the run: nobody waits for processes that were never started.
    fn finish(mut self) -> io::Result<()> {
        let stage = self.hand.stage;
        let ledger = stage.ground.ledger;
        (0..self.stopped.len()).for_each(|number| self.go_on(number));
        // What the plan has not ended, because it could not be played to its end.
        for act in [Act::Uncover, Act::Unblock, Act::Free] {
            self.perform(act)?;
        }
        ledger.set(Word::Stop, 1);
        for process in 0..ledger.members() {
            let child = ledger.member(process).ask_to_bear(0);
            if child != 0 {
                ledger.member(child).enter(State::Spared);
            }
        }
        let unborn = |process: &usize| ledger.member(*process).pid() == 0;
        let since = Instant::now();
        while (0..ledger.members()).filter(unborn).any(|process| ledger.member(process).state() != State::Spared)
            && since.elapsed() < Duration::from_millis(500)
        {
            let never = (0..ledger.members()).filter(unborn);
            never.filter(|process| ledger.member(*process).state() == State::Unborn).for_each(|process| {
                ledger.member(process).enter(State::Spared);
            });
            std::thread::sleep(Duration::from_millis(5));
        }
        // Forked at the very end by somebody who was killed before.
        (0..ledger.members()).filter(unborn).for_each(|process| ledger.member(process).enter(State::Spared));
        self.hand.journal.close(&stage.ground.ledger)
    }
}
