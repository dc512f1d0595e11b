//! What administrators, scripts and other programs do to log files that are being written: each of these runs in a
//! process of its own, notes in the journal what it did and when, and gives the writers time to notice between two
//! deeds.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::disk;
use crate::faults::{count, wait_for_more};
use crate::killer::Dice;
use crate::run::Stage;
use harness::journal::{Deed, Journal};
use harness::ledger::Word;
use harness::process::signal;

/// For as long as a machine that is busy may keep a process waiting.
const PATIENCE: Duration = Duration::from_secs(20);
const SECOND: u64 = 1_000_000_000;
/// More files than a period has.
const MOST_FILES: usize = 1000;

/// Somebody at work on the log directory.
pub(crate) struct Hand<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) journal: Journal,
    pub(crate) dice: Dice,
}

impl<'a> Hand<'a> {
    /// One that writes down what it does, in the journal of the run.
    pub(crate) fn create(stage: &'a Stage, dice: Dice) -> io::Result<Self> {
        Ok(Self { stage, journal: Journal::create(&stage.journal(), stage.attic())?, dice })
    }

    /// Does something as often as the scenario says, with a pause of one to three seconds of the run's clock after
    /// each.
    fn repeat(stage: &Stage, mut deed: impl FnMut(&mut Hand<'_>) -> io::Result<()>) {
        let ledger = stage.ground.ledger;
        let mut hand = match Hand::create(stage, Dice::new(0x51ed_270b)) {
            Ok(hand) => hand,
            Err(error) => return amiss(stage, &error.to_string()),
        };
        wait_for_more(stage, count::acknowledged, 10, PATIENCE);
        for _ in 0..stage.scenario.trials {
            if let Err(error) = deed(&mut hand) {
                amiss(stage, &error.to_string());
                break;
            }
            ledger.word(Word::Trials).fetch_add(1, Relaxed);
            let nanos = SECOND + hand.dice.below(2 * SECOND);
            hand.pause_for(nanos);
            wait_for_more(stage, count::acknowledged, 2, PATIENCE);
        }
        // Whoever could not open a file has had the time to try again.
        hand.pause_for(15 * SECOND);
        wait_for_more(stage, count::acknowledged, 10, PATIENCE);
        if let Err(error) = hand.journal.close(&stage.ground.ledger) {
            amiss(stage, &error.to_string());
        }
    }

    /// The run's time.
    pub(crate) fn now(&self) -> u64 {
        self.stage.ground.clock.time()
    }

    /// Waits for so many nanoseconds of the run's time.
    fn pause_for(&self, nanos: u64) {
        sleep(Duration::from_nanos(nanos / self.stage.ground.ticking.speed()));
    }

    /// The name of the file that lines go to now.
    fn current(&self) -> io::Result<PathBuf> {
        let since = Instant::now();
        loop {
            if let Some(name) = self.current_if_there() {
                return Ok(name);
            }
            if since.elapsed() > PATIENCE {
                return Err(io::Error::other("the current file does not come"));
            }
            sleep(Duration::from_micros(200));
        }
    }

    /// The same, when it is there: the last of its period.
    fn current_if_there(&self) -> Option<PathBuf> {
        let ground = &self.stage.ground;
        let key = ground.pattern.key_at(ground.clock.now());
        let is_bounded = self.stage.scenario.setup.max_file_bytes.is_some();
        let mut names = (0..).map(|index| PathBuf::from(ground.pattern.numbered_name(key, index)));
        let is_there = |name: &PathBuf| self.stage.directory.join(name).is_file();
        if is_bounded {
            // The first ones may have been removed.
            let last = names.take(MOST_FILES).filter(is_there).last();
            return last;
        }
        names.next().filter(is_there)
    }

    /// Keeps files from being opened for more than a period, and gives everybody the time to try again.
    fn obstruct(
        &mut self,
        begin: impl Fn(&Stage) -> io::Result<()>,
        end: impl Fn(&Stage) -> io::Result<()>,
    ) -> io::Result<()> {
        let from = self.now();
        begin(self.stage)?;
        self.pause_for(70 * SECOND);
        end(self.stage)?;
        self.journal.note(&Deed::Obstructed(from, self.now()))?;
        self.pause_for(12 * SECOND);
        Ok(())
    }

    /// Moves the current file away; what its name was.
    fn move_current(&mut self) -> io::Result<PathBuf> {
        let name = self.current()?;
        self.move_away(&name)?;
        Ok(name)
    }

    /// Moves the current file away, if it is there; what its name was.
    pub(crate) fn move_current_if_there(&mut self) -> io::Result<Option<PathBuf>> {
        let Some(name) = self.current_if_there() else { return Ok(None) };
        match self.move_away(&name) {
            // Somebody else was faster, or something is mounted over the directory.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::CrossesDevices) => Ok(None),
            moved => moved.map(|()| Some(name)),
        }
    }

    fn move_away(&mut self, name: &Path) -> io::Result<()> {
        let (number, room) = self.journal.room()?;
        let to = room.join(name);
        fs::create_dir_all(to.parent().unwrap_or(&room))?;
        fs::rename(self.stage.directory.join(name), to)?;
        self.journal.note(&Deed::Moved(self.now(), number))
    }

    /// Deletes the current file, if it is there.
    pub(crate) fn delete_current_if_there(&mut self) -> io::Result<()> {
        let Some(name) = self.current_if_there() else { return Ok(()) };
        let (number, room) = self.journal.room()?;
        self.journal.delete(&self.stage.directory, &name, &room)?;
        self.journal.note(&Deed::Deleted(self.now(), number))
    }

    /// Deletes the log directory, in which there are no others.
    pub(crate) fn delete_directory(&mut self) -> io::Result<()> {
        let (number, room) = self.journal.room()?;
        let directory = &self.stage.directory;
        // Writers that notice the first of it make new files meanwhile.
        while let Err(error) = fs::remove_dir(directory) {
            match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => {}
                // It is gone, or something is mounted over it.
                io::ErrorKind::NotFound | io::ErrorKind::ResourceBusy => break,
                _ => return Err(error),
            }
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                let name = PathBuf::from(path.file_name().unwrap_or_default());
                let log = self.stage.ground.pattern.place_of_name(&name.to_string_lossy());
                if log.is_none() || !self.journal.delete(directory, &name, &room)? {
                    let _ = fs::remove_file(&path);
                }
            }
        }
        self.journal.note(&Deed::Deleted(self.now(), number))
    }

    /// Moves the log directory away, if it is there.
    pub(crate) fn move_directory(&mut self) -> io::Result<()> {
        let (number, room) = self.journal.room()?;
        match fs::rename(&self.stage.directory, room.join("logs")) {
            // It is not there, or something is mounted over it.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ResourceBusy) => {
                return Ok(());
            }
            moved => moved?,
        }
        self.journal.note(&Deed::Moved(self.now(), number))
    }
}

/// Waits until everybody has begun to write, or for so long.
pub(crate) fn wait_for_begin(stage: &Stage, patience: Duration) {
    let ledger = stage.ground.ledger;
    let begins = |process: usize| ledger.thread(process, 0).acknowledged() < 3;
    let since = Instant::now();
    while (0..=stage.scenario.start.processes).any(begins) && since.elapsed() < patience {
        sleep(Duration::from_micros(200));
    }
}

/// Notes that something is not as it must be.
pub(crate) fn amiss(stage: &Stage, what: &str) {
    stage.ground.ledger.word(Word::Amiss).fetch_add(1, Relaxed);
    eprintln!("fork-tests: outside: {what}");
}

/// `rm app.log`
pub fn delete_the_file(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        hand.current()?;
        hand.delete_current_if_there()
    });
}

/// `mv app.log elsewhere`, as logrotate does.
pub fn move_the_file(stage: &Stage) {
    Hand::repeat(stage, |hand| hand.move_current().map(drop));
}

/// `: > app.log`
pub fn truncate_the_file(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        let name = hand.current()?;
        OpenOptions::new().write(true).truncate(true).open(hand.stage.directory.join(&name))?;
        hand.journal.note(&Deed::Truncated(hand.now(), name.to_string_lossy().into_owned()))
    });
}

/// `mv app.log elsewhere; mkdir app.log`, and some seconds later `rmdir app.log`.
pub fn put_a_directory_in_the_way(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        let from = hand.now();
        let mut obstacle = stage.directory.join(hand.move_current()?);
        while let Err(error) = fs::create_dir(&obstacle) {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(error);
            }
            obstacle = stage.directory.join(hand.move_current()?);
        }
        let nanos = 2 * SECOND + hand.dice.below(2 * SECOND);
        hand.pause_for(nanos);
        fs::remove_dir(&obstacle)?;
        hand.journal.note(&Deed::Obstructed(from, hand.now()))?;
        hand.pause_for(12 * SECOND);
        Ok(())
    });
}

/// `rm -r logs`
pub fn delete_the_directory(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        hand.current()?;
        hand.delete_directory()
    });
}

/// `mv logs elsewhere`
pub fn move_the_directory(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        hand.current()?;
        hand.move_directory()
    });
}

/// `chmod a-w logs`, and more than a period later `chmod u+w logs`.
pub fn close_the_directory(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        hand.obstruct(|stage| chmod(&stage.directory, 0o555), |stage| chmod(&stage.directory, 0o755))
    });
}

/// Leaves no process a descriptor more than it has, for more than a period.
pub fn withhold_descriptors(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        hand.obstruct(|stage| limit_descriptors(stage, 3), |stage| limit_descriptors(stage, 1024))
    });
}

fn limit_descriptors(stage: &Stage, count: u64) -> io::Result<()> {
    let ledger = stage.ground.ledger;
    for process in 0..ledger.members() {
        let limit = libc::rlimit { rlim_cur: count, rlim_max: 1024 };
        let pid = ledger.member(process).pid();
        // SAFETY: reads `limit` and writes nothing.
        if unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Lets time pass in which some of the processes can open no file at all.
pub fn leave_them_alone(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        hand.journal.note(&Deed::Obstructed(0, u64::MAX / 2))?;
        hand.pause_for(70 * SECOND);
        Ok(())
    });
}

/// `mount /dev/volume logs`, and later `umount -l logs`: a volume that comes late, or goes.
pub fn mount_over_the_directory(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        let (number, room) = hand.journal.room()?;
        hand.current()?;
        disk::cover(&stage.directory, &room)?;
        let nanos = SECOND + hand.dice.below(2 * SECOND);
        hand.pause_for(nanos);
        hand.current()?;
        disk::uncover(&stage.directory)?;
        hand.journal.note(&Deed::Moved(hand.now(), number))
    });
}

/// `fsfreeze -f`, and half a second later `fsfreeze -u`, as for a snapshot. Before, `mount -o remount,ro`, which the
/// kernel refuses as long as a file is open for writing.
pub fn freeze_the_disk(stage: &Stage) {
    Hand::repeat(stage, |hand| {
        let disk = stage.directory.parent().unwrap_or(&stage.directory);
        if disk::becomes_read_only(disk) {
            amiss(stage, "the disk was made read-only although log files were open");
        }
        disk::freeze(disk, true)?;
        sleep(Duration::from_millis(100 + hand.dice.below(400)));
        disk::freeze(disk, false)
    });
}

/// Sends every process a signal, and another one, and so on.
pub fn send_signals(stage: &Stage) {
    let ledger = stage.ground.ledger;
    for _ in 0..stage.scenario.trials {
        for process in 0..ledger.members() {
            signal(ledger.member(process).pid(), Signal::SIGUSR1);
        }
        ledger.word(Word::Trials).fetch_add(1, Relaxed);
        sleep(Duration::from_micros(100));
    }
}

pub(crate) fn chmod(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Deletes the link to the latest file, or puts a file, a directory or another link in its place.
pub fn replace_the_link(stage: &Stage) {
    let Some(name) = stage.scenario.setup.latest_symlink else { return };
    let link = stage.directory.join(name);
    let mut turn = 0;
    Hand::repeat(stage, |hand| {
        let _ = fs::remove_file(&link);
        match turn % 4 {
            0 => {}
            1 => symlink("nowhere", &link).or_else(ignore_existing)?,
            2 => fs::write(&link, "not the library's").or_else(ignore_existing)?,
            _ => fs::create_dir(&link).or_else(ignore_existing)?,
        }
        turn += 1;
        hand.pause_for(2 * SECOND);
        // What is not a link is left as it is, until somebody moves it away.
        let _ = fs::remove_dir(&link);
        if link.is_file() && !link.is_symlink() {
            fs::remove_file(&link)?;
        }
        let (pattern, since) = (&stage.ground.pattern, hand.now());
        let leads =
            |at| fs::read_link(&link).is_ok_and(|target| target == Path::new(&pattern.name(pattern.key_at(at))));
        while !leads(hand.now()) {
            if hand.now() > since + 3 * SECOND {
                amiss(stage, &format!("the link leads to {:?} three seconds later", fs::read_link(&link)));
                break;
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    });
}

/// A writer may have been faster.
fn ignore_existing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}
