//! The library and a model of it, side by side: each operation is done with both, and then what is on the disk is
//! compared.
//!
//! The model is simple: a line that was acknowledged is in the file of its period, whole and once. If somebody has
//! renamed or removed that file, and no event of a new second has come since, it may be in that one instead. Everything
//! else that the model knows, it finds on the disk: it keeps each file open that ever had one of the appender's names.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Debug};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Period, Rotation, Zone};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) enum Step {
    Nanos(u32),
    Seconds(u8),
    Minutes(u8),
    Hours(u8),
    Days(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) enum How {
    /// `write_all` on `&Appender`.
    Whole,
    /// Through `make_writer`, in two pieces; the clock moves on between them.
    Pieces(Step),
    /// Through `io::Write` of a handle of its own, in two pieces.
    Handle,
    /// With the timer's stamp; the clock moves on between stamp and line.
    Stamped(Step),
}

/// `which`: of the two appenders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) enum Operation {
    Log {
        which: bool,
        how: How,
        length: u8,
    },
    Advance(Step),
    StepBack(Step),
    /// A child writes so many lines and leaves.
    Fork {
        which: bool,
        lines: u8,
    },
    /// Somebody else removes, renames or empties the current file.
    Remove {
        which: bool,
    },
    Rename {
        which: bool,
    },
    Truncate {
        which: bool,
    },
    /// A line when there is room for so many bytes only.
    LogWhenFull {
        which: bool,
        how: How,
        room: u8,
    },
    Prune {
        which: bool,
    },
    Reopen {
        which: bool,
    },
    Rebuild {
        which: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(fuzzing, derive(arbitrary::Arbitrary))]
pub(crate) struct Settings {
    pub(crate) rotation: u8,
    pub(crate) minutes_east: u8,
    pub(crate) lock_writes: bool,
    pub(crate) max_log_files: Option<u8>,
    pub(crate) min_log_files: Option<u8>,
    pub(crate) directories: bool,
}

/// What is wrong on purpose, to see that it is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wrong {
    #[default]
    Nothing,
    /// The writer acknowledges lines in three pieces and loses them.
    Loses,
    /// The writer writes lines with a stamp twice.
    Doubles,
    /// The model thinks that a line goes to the file of the moment in which it is written.
    ForgetsStamps,
    /// The model thinks that pruning keeps one file more.
    KeepsOneMore,
}

const START: u64 = 1_795_249_981_000_000_000;

impl Step {
    fn nanos(self) -> u64 {
        const SECOND: u64 = 1_000_000_000;
        match self {
            Self::Nanos(n) => u64::from(n),
            Self::Seconds(n) => u64::from(n) * SECOND,
            Self::Minutes(n) => u64::from(n) * 60 * SECOND,
            Self::Hours(n) => u64::from(n) * 3600 * SECOND,
            Self::Days(n) => u64::from(n % 64) * 86_400 * SECOND,
        }
    }
}

/// A file that has, or had, a name of an appender's.
struct Seen {
    file: File,
    /// The name that it was first seen under.
    name: String,
}

/// A line that was acknowledged.
struct Line {
    inode: u64,
}

struct Side {
    settings: Settings,
    prefix: &'static str,
    logs: Option<Appender>,
    /// The period of each name that may be in the directory.
    names: HashMap<String, Period>,
    seen: BTreeMap<u64, Seen>,
    lines: BTreeMap<String, Line>,
    /// What there was no room for: pieces of it may be there.
    cut: Vec<String>,
    /// Names that somebody has taken from their file since the appender looked.
    disturbed: BTreeSet<String>,
    /// Files that the housekeeping may have removed between their creation and the line for which they were made again.
    made_again: u64,
    /// The second of the last event that looked.
    checked: i64,
    /// The second of the clock at that time.
    clock_checked: i64,
    /// Since it was built, in this process.
    written: u64,
    lost: u64,
    pruned: u64,
}

pub(crate) struct Machine {
    directory: PathBuf,
    clock: Arc<AtomicU64>,
    sides: [Side; 2],
    count: u64,
    moved: u64,
    wrong: Wrong,
    foreign: BTreeMap<PathBuf, Vec<u8>>,
    /// Of this process, when none prunes.
    threads: usize,
}

/// What is not as the model has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A line is not where it must be: it is nowhere, or in another file.
    Misses,
    /// A line is there more than once.
    Doubles,
    /// A file was removed that had to stay, or stayed and had to go.
    Prunes,
    /// Anything else.
    Other,
}

/// What is wrong, and the same in words.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    text: String,
}

impl Failure {
    /// Says at which operation, too.
    #[cfg_attr(fuzzing, expect(dead_code))]
    pub(crate) fn at(self, number: usize, operation: Operation) -> Self {
        Self { text: format!("operation {number}, {operation:?}: {}", self.text), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Fails with what the test wants to know.
macro_rules! ensure {
    ($condition:expr, $kind:ident, $($text:tt)*) => {
        if !$condition {
            return Err(Failure { kind: Kind::$kind, text: format!($($text)*) });
        }
    };
    ($condition:expr, $($text:tt)*) => {
        ensure!($condition, Other, $($text)*)
    };
}

type Outcome<T = ()> = Result<T, Failure>;

fn told<T, E: Debug>(result: Result<T, E>, what: &str) -> Outcome<T> {
    result.map_err(|error| Failure { kind: Kind::Other, text: format!("{what}: {error:?}") })
}

impl Machine {
    /// Two appenders in one directory, which has files of others in it and some of older periods.
    pub(crate) fn new(directory: &Path, settings: [Settings; 2], wrong: Wrong) -> Outcome<Self> {
        // A limit on the size of files answers with EFBIG then, instead of ending the process.
        // SAFETY: no handler is installed.
        told(unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }, "signal")?;
        let side = |settings, prefix| Side {
            settings,
            prefix,
            logs: None,
            names: HashMap::new(),
            seen: BTreeMap::new(),
            lines: BTreeMap::new(),
            cut: Vec::new(),
            disturbed: BTreeSet::new(),
            made_again: 0,
            checked: 0,
            clock_checked: 0,
            written: 0,
            lost: 0,
            pruned: 0,
        };
        let mut machine = Self {
            directory: directory.to_owned(),
            clock: Arc::new(AtomicU64::new(START)),
            sides: [side(settings[0], "a"), side(settings[1], "b")],
            count: 0,
            moved: 0,
            wrong,
            foreign: BTreeMap::new(),
            threads: threads(),
        };
        for name in ["a.conf", "b.2026-02-30.log", "a.log", "aa.2020-01-01.log", "b.2026-11-21.log.gz", "moved"] {
            machine.plant(&directory.join(name))?;
        }
        for which in [0, 1] {
            machine.build(which)?;
            // Files of older periods.
            for back in [1, 2, 3, 5, 8] {
                machine.plant_old(which, back)?;
            }
        }
        Ok(machine)
    }

    fn plant(&mut self, path: &Path) -> Outcome {
        told(fs::write(path, path.as_os_str().as_encoded_bytes()), "plant")?;
        self.foreign.insert(path.to_owned(), path.as_os_str().as_encoded_bytes().to_owned());
        Ok(())
    }

    fn plant_old(&mut self, which: usize, back: u32) -> Outcome {
        let mut at = self.now();
        for _ in 0..back {
            at = self.sides[which].logs()?.period_at(at).start - Duration::from_nanos(1);
        }
        let name = self.name_at(which, at)?;
        let path = self.directory.join(name);
        if path.exists() {
            return Ok(());
        }
        told(fs::create_dir_all(path.parent().unwrap_or(&path)), "plant")?;
        told(fs::write(path, ""), "plant")
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.clock.load(Relaxed))
    }

    fn move_clock(&self, step: Step, forth: bool) {
        let now = self.clock.load(Relaxed);
        let then = if forth { now.saturating_add(step.nanos()) } else { now.saturating_sub(step.nanos()) };
        // Within the years that nanoseconds can count, and far from their ends.
        self.clock.store(then.clamp(START / 2, START * 2), Relaxed);
    }

    /// The name of the file of `at`, which is noted.
    fn name_at(&mut self, which: usize, at: SystemTime) -> Outcome<String> {
        let side = &mut self.sides[which];
        let logs = side.logs()?;
        let (path, period) = (logs.path_at(at), logs.period_at(at));
        let name = told(path.strip_prefix(&self.directory), "a path below the directory")?.display().to_string();
        side.names.insert(name.clone(), period);
        Ok(name)
    }

    fn build(&mut self, which: usize) -> Outcome {
        let clock = self.clock.clone();
        let side = &mut self.sides[which];
        let settings = side.settings;
        let (rotation, format) = match settings.rotation % 5 {
            0 => (Rotation::DAILY, "%Y/%m/%d"),
            1 => (Rotation::HOURLY, "%Y-%m/%d-%H"),
            2 => (Rotation::MINUTELY, "%Y-%m-%d/%H%M"),
            3 => (Rotation::SECONDLY, "%Y%m%d/%H%M%S"),
            _ => (Rotation::MONTHLY, "%Y/%m"),
        };
        let mut builder = Appender::builder()
            .rotation(rotation)
            .zone(Zone::Fixed(i32::from(settings.minutes_east) * 60))
            .filename_prefix(side.prefix)
            .filename_suffix("log")
            .lock_writes(settings.lock_writes)
            .clock(move || UNIX_EPOCH + Duration::from_nanos(clock.load(Relaxed)))
            .on_error(|_| {});
        if settings.directories {
            builder = builder.date_format(format);
        }
        if let Some(keep) = settings.keep() {
            builder = builder.max_log_files(keep);
        }
        if let Some(keep) = settings.min_log_files {
            // More than `max_log_files` is refused.
            let keep = usize::from(keep % 4) + 1;
            builder = builder.min_log_files(settings.keep().map_or(keep, |most| keep.min(most)));
        }
        side.logs = None;
        let before = self.files(which)?;
        let logs = told(builder.build(&self.directory), "build")?;
        let side = &mut self.sides[which];
        (side.written, side.lost, side.pruned, side.checked, side.clock_checked) = (0, 0, 0, 0, 0);
        side.made_again = 0;
        side.disturbed.clear();
        side.logs = Some(logs);
        let current = self.name_at(which, self.now())?;
        let mut there = before;
        there.insert(current);
        let expected = self.surplus(which, &there, &BTreeSet::new());
        self.look(which, &there, Some(expected))?;
        Ok(())
    }

    /// The appender's files that are there.
    fn files(&self, which: usize) -> Outcome<BTreeSet<String>> {
        let side = &self.sides[which];
        Ok(side.names.keys().filter(|name| self.directory.join(name).is_file()).cloned().collect())
    }

    /// What pruning may remove of `there`, and does unless somebody holds it.
    fn surplus(&self, which: usize, there: &BTreeSet<String>, held: &BTreeSet<u64>) -> BTreeSet<String> {
        let side = &self.sides[which];
        let Some(mut keep) = side.settings.keep() else { return BTreeSet::new() };
        if self.wrong == Wrong::KeepsOneMore {
            keep += 1;
        }
        let mut files: Vec<_> = there.iter().map(|name| (side.names[name].start, name)).collect();
        // Files of the future do not count.
        files.retain(|(start, _)| *start <= self.now() + Duration::from_secs(3600));
        files.sort();
        files.truncate(files.len().saturating_sub(keep));
        let over = |name: &str| side.names[name].end.is_some_and(|end| end <= self.now());
        let is_held =
            |name: &str| fs::metadata(self.directory.join(name)).is_ok_and(|found| held.contains(&found.ino()));
        files.into_iter().map(|(_, name)| name).filter(|name| over(name) && !is_held(name)).cloned().collect()
    }

    /// Waits for pruning threads, then looks at what has come and gone. What has gone must be `expected`, or if nothing
    /// is, must be something that pruning may remove.
    fn look(&mut self, which: usize, before: &BTreeSet<String>, expected: Option<BTreeSet<String>>) -> Outcome {
        settle(self.threads);
        let after = self.files(which)?;
        for name in &after {
            let path = self.directory.join(name);
            let file = told(File::open(&path), "open")?;
            let inode = told(file.metadata(), "stat")?.ino();
            self.sides[which].seen.entry(inode).or_insert_with(|| Seen { file, name: name.clone() });
        }
        let gone: BTreeSet<_> = before.difference(&after).cloned().collect();
        match expected {
            Some(expected) => {
                ensure!(gone == expected, Prunes, "pruning removed {gone:?}, and should have {expected:?}")
            }
            None => {
                let may_go = self.surplus(which, &before.union(&after).cloned().collect(), &BTreeSet::new());
                ensure!(gone.is_subset(&may_go), Prunes, "pruning removed {gone:?}, of which it may remove {may_go:?}");
            }
        }
        self.sides[which].pruned += gone.len() as u64;
        Ok(())
    }

    pub(crate) fn run(&mut self, operation: Operation) -> Outcome {
        match operation {
            Operation::Advance(step) => self.move_clock(step, true),
            Operation::StepBack(step) => self.move_clock(step, false),
            Operation::Log { which, how, length } => self.log(which.into(), how, length, None)?,
            Operation::LogWhenFull { which, how, room } => self.log(which.into(), how, 30, Some(room))?,
            Operation::Fork { which, lines } => self.fork(which.into(), lines % 4)?,
            Operation::Remove { which } => self.disturb(which.into(), |path, _| fs::remove_file(path))?,
            Operation::Rename { which } => self.disturb(which.into(), |path, to| fs::rename(path, to))?,
            Operation::Truncate { which } => self.truncate(which.into())?,
            Operation::Prune { which } => self.prune(which.into())?,
            Operation::Reopen { which } => self.reopen(which.into())?,
            Operation::Rebuild { which } => {
                self.check_stats(which.into())?;
                self.build(which.into())?;
            }
        }
        self.check_stats(0)?;
        self.check_stats(1)
    }

    fn next_line(&mut self, which: usize, length: u8) -> String {
        self.count += 1;
        format!("{} line {} {}", self.sides[which].prefix, self.count, "x".repeat(length.into()))
    }

    fn log(&mut self, which: usize, how: How, length: u8, room: Option<u8>) -> Outcome {
        let text = self.next_line(which, length);
        let before = self.files(which)?;
        let logs = self.sides[which].logs()?.clone();
        // The line, and the moment that it belongs to.
        let (line, at) = match how {
            How::Stamped(step) => {
                let mut stamp = String::new();
                told(logs.timer().format_time(&mut Writer::new(&mut stamp)), "stamp")?;
                let at = self.now();
                self.move_clock(step, true);
                (format!("{stamp} {text}"), if self.wrong == Wrong::ForgetsStamps { self.now() } else { at })
            }
            _ => (text, self.now()),
        };
        let name = self.name_at(which, at)?;
        // The path that will be looked at, if this is the first event of a second.
        let second = told(at.duration_since(UNIX_EPOCH), "time")?.as_secs() as i64;
        let mut limit = room.map(|room| self.limit_sizes(&name, room)).transpose()?;
        let wrong = self.wrong;
        let mut tried_again = false;
        let written = (|| match how {
            How::Whole => (&logs).write_all(format!("{line}\n").as_bytes()),
            How::Pieces(step) => {
                let mut event = logs.make_writer();
                let (first, rest) = line.split_at(line.len() / 2);
                event.write_all(first.as_bytes())?;
                self.move_clock(step, true);
                if wrong == Wrong::Loses {
                    return Ok(());
                }
                event.write_all(rest.as_bytes())?;
                event.flush()
            }
            How::Handle => {
                let mut own = logs.clone();
                let (first, rest) = line.split_at(line.len() / 2);
                own.write_all(first.as_bytes())?;
                let rest = format!("{rest}\n");
                // The piece before it is kept, so that the rest can be tried again.
                own.write_all(rest.as_bytes()).or_else(|_| {
                    tried_again = true;
                    drop(limit.take());
                    own.write_all(rest.as_bytes())
                })
            }
            How::Stamped(_) => {
                if wrong == Wrong::Doubles {
                    (&logs).write_all(format!("{line}\n").as_bytes())?;
                }
                (&logs).write_all(format!("{line}\n").as_bytes())
            }
        })();
        drop(limit);
        drop(logs);
        self.look(which, &before, None)?;
        let now = told(self.now().duration_since(UNIX_EPOCH), "time")?.as_secs() as i64;
        let side = &mut self.sides[which];
        // By the clock the file of a late line is an old one.
        side.made_again += u64::from(now != second);
        let looked = second > side.checked || second < side.checked && now != side.clock_checked;
        if looked {
            (side.checked, side.clock_checked) = (second, now);
        }
        if tried_again {
            ensure!(room.is_some(), "a line was refused");
            side.lost += 1;
        }
        if room.is_some() {
            // If it was cut, and written whole at the next try, too.
            side.cut.push(line.clone());
        }
        match written {
            Ok(()) => {
                side.written += 1;
                if looked {
                    side.disturbed.remove(&name);
                }
                self.acknowledge(which, &name, line)
            }
            Err(error) => {
                ensure!(room.is_some(), "a line was refused: {error}");
                side.lost += 1;
                if looked {
                    side.disturbed.remove(&name);
                }
                Ok(())
            }
        }
    }

    /// Finds the line where it must be.
    fn acknowledge(&mut self, which: usize, name: &str, line: String) -> Outcome {
        let current = fs::metadata(self.directory.join(name)).ok().map(|found| found.ino());
        let side = &mut self.sides[which];
        let mut found = Vec::new();
        for (&inode, seen) in side.seen.iter().filter(|(_, seen)| seen.name == name) {
            let times = read(&seen.file)?.lines().filter(|there| **there == line).count();
            found.extend(std::iter::repeat_n(inode, times));
        }
        let [inode] = found[..] else {
            let kind = if found.is_empty() { Kind::Misses } else { Kind::Doubles };
            return Err(Failure { kind, text: format!("{line:?} is {} times in {name}", found.len()) });
        };
        let undisturbed = !side.disturbed.contains(name);
        let called = !undisturbed || current == Some(inode);
        ensure!(called, Misses, "{line:?} is in a file that is not called {name} any more");
        side.lines.insert(line, Line { inode });
        Ok(())
    }

    /// Lets files grow by so many bytes at most, until the guard goes.
    fn limit_sizes(&self, name: &str, room: u8) -> Outcome<Limit> {
        let size = fs::metadata(self.directory.join(name)).map_or(0, |found| found.len());
        let (soft, hard) = told(getrlimit(Resource::RLIMIT_FSIZE), "getrlimit")?;
        told(setrlimit(Resource::RLIMIT_FSIZE, size + u64::from(room % 64), hard), "setrlimit")?;
        Ok(Limit(soft, hard))
    }

    /// A child that writes some lines at this moment. It has its own count of them, and looks at the path anew.
    fn fork(&mut self, which: usize, lines: u8) -> Outcome {
        let name = self.name_at(which, self.now())?;
        let before = self.files(which)?;
        let texts: Vec<_> = (0..lines).map(|length| self.next_line(which, length)).collect();
        let logs = self.sides[which].logs()?;
        // SAFETY: this process has one thread, since pruning was waited for.
        match told(unsafe { fork() }, "fork")? {
            ForkResult::Child => {
                let written = texts.iter().all(|text| writeln!(&mut &*logs, "{text}").is_ok());
                settle(1);
                let stats = logs.stats();
                let right = written && (stats.writes, stats.lines_lost) == (lines.into(), 0);
                // SAFETY: leaves at once, without running what belongs to the parent.
                unsafe { nix::libc::_exit(if right { 0 } else { 1 }) }
            }
            ForkResult::Parent { child } => {
                let ended = told(waitpid(child, None), "wait")?;
                ensure!(matches!(ended, WaitStatus::Exited(_, 0)), "the child: {ended:?}");
            }
        }
        let pruned = self.sides[which].pruned;
        self.look(which, &before, None)?;
        let side = &mut self.sides[which];
        // Counted by the child.
        side.pruned = pruned;
        let disturbed = std::mem::take(&mut side.disturbed);
        for text in texts {
            self.acknowledge(which, &name, text)?;
        }
        self.sides[which].disturbed = disturbed;
        Ok(())
    }

    fn disturb(&mut self, which: usize, how: impl FnOnce(&Path, &Path) -> io::Result<()>) -> Outcome {
        let name = self.name_at(which, self.now())?;
        let path = self.directory.join(&name);
        if path.is_file() {
            self.moved += 1;
            let to = self.directory.join(format!("moved.{}", self.moved));
            told(how(&path, &to), "disturb")?;
            self.sides[which].disturbed.insert(name);
        }
        Ok(())
    }

    fn truncate(&mut self, which: usize) -> Outcome {
        let name = self.name_at(which, self.now())?;
        if let Ok(file) = OpenOptions::new().write(true).open(self.directory.join(name)) {
            told(file.set_len(0), "truncate")?;
            let inode = told(file.metadata(), "stat")?.ino();
            self.sides[which].lines.retain(|_, line| line.inode != inode);
        }
        Ok(())
    }

    fn prune(&mut self, which: usize) -> Outcome {
        let before = self.files(which)?;
        let expected = self.surplus(which, &before, &held()?);
        let removed = told(self.sides[which].logs()?.prune(), "prune")?;
        let should = expected.len();
        ensure!(removed == should, Prunes, "prune says that it removed {removed} files, and should {expected:?}");
        self.look(which, &before, Some(expected))
    }

    fn reopen(&mut self, which: usize) -> Outcome {
        let name = self.name_at(which, self.now())?;
        let before = self.files(which)?;
        told(self.sides[which].logs()?.reopen(), "reopen")?;
        self.look(which, &before, None)?;
        self.sides[which].disturbed.remove(&name);
        Ok(())
    }

    fn check_stats(&self, which: usize) -> Outcome {
        let side = &self.sides[which];
        let stats = side.logs()?.stats();
        let (is, should) = ((stats.writes, stats.lines_lost), (side.written, side.lost));
        ensure!(is == should, "stats() says {is:?} lines and lost ones, and should {should:?}");
        let (is, should) = (stats.files_pruned, side.pruned);
        let most = should + side.made_again;
        ensure!((should..=most).contains(&is), "stats() says {is} files pruned, and should {should} to {most}");
        Ok(())
    }

    /// At the end: every line that was acknowledged is where it was found, whole and once, and nothing else is there
    /// but pieces of lines that were refused.
    pub(crate) fn finish(mut self) -> Outcome {
        for which in [0, 1] {
            self.sides[which].logs = None;
            let side = &self.sides[which];
            let mut found = BTreeSet::new();
            for (&inode, seen) in &side.seen {
                let text = read(&seen.file)?;
                ensure!(text.is_empty() || text.ends_with('\n'), "{} ends in {:?}", seen.name, text.lines().last());
                for line in text.lines() {
                    match side.lines.get(line) {
                        Some(known) => {
                            ensure!(known.inode == inode, Doubles, "{line:?} is in another file, too");
                            ensure!(found.insert(line.to_owned()), Doubles, "{line:?} is there twice");
                        }
                        None => {
                            let piece = side.cut.iter().any(|cut| cut.starts_with(line));
                            ensure!(piece, "{} has {line:?} in it, which nobody wrote", seen.name);
                            ensure!(!side.settings.lock_writes, "a piece of a line was not cut off: {line:?}");
                        }
                    }
                }
            }
            let lost = side.lines.keys().find(|line| !found.contains(*line));
            ensure!(lost.is_none(), Misses, "{lost:?} was acknowledged and is gone");
        }
        for (path, content) in &self.foreign {
            let found = told(fs::read(path), "a file of others")?;
            ensure!(found == *content, "{} was written to", path.display());
        }
        let moved = (1..=self.moved).filter(|number| self.directory.join(format!("moved.{number}")).exists()).count();
        ensure!(moved <= self.moved as usize, "files that were moved away");
        Ok(())
    }
}

impl Side {
    fn logs(&self) -> Outcome<&Appender> {
        self.logs.as_ref().ok_or_else(|| Failure { kind: Kind::Other, text: "not built".to_owned() })
    }
}

impl Settings {
    fn keep(&self) -> Option<usize> {
        self.max_log_files.map(|keep| usize::from(keep % 4) + 1)
    }
}

/// Sets the limits back.
struct Limit(u64, u64);

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::RLIMIT_FSIZE, self.0, self.1);
    }
}

fn read(file: &File) -> Outcome<String> {
    let size = told(file.metadata(), "stat")?.len() as usize;
    let mut bytes = vec![0; size];
    told(file.read_exact_at(&mut bytes, 0), "read")?;
    told(String::from_utf8(bytes), "text")
}

/// The files on which some descriptor of this process has a lease.
fn held() -> Outcome<BTreeSet<u64>> {
    let mut held = BTreeSet::new();
    for entry in told(fs::read_dir("/proc/self/fd"), "descriptors")?.flatten() {
        let number = entry.file_name().to_string_lossy().into_owned();
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        // A lease (`proc(5)`): `lock: 1: OFDLCK  ADVISORY  READ ...`.
        let has_lease = info.lines().any(|line| line.starts_with("lock:") && line.contains("OFDLCK"));
        if let (true, Ok(found)) = (has_lease, fs::metadata(entry.path())) {
            held.insert(found.ino());
        }
    }
    Ok(held)
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Waits until no thread prunes any more: a thread has its own name only after it has begun, so they are counted.
fn settle(usual: usize) {
    while threads() > usual {
        std::thread::sleep(Duration::from_micros(20));
    }
}
