//! Fills the disk beside the writers, and frees a part of it again.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::disk::{self, Disk};
use crate::faults::{Progress, count, wait_for_more};
use crate::run::Stage;
use harness::journal::{Deed, Journal};
use harness::ledger::Word;

/// How much is freed each time.
const FREED: i64 = 1 << 20;
/// How long a disk may take to be full for all writers, or to have room for all.
const PATIENCE: Duration = Duration::from_secs(20);

/// What takes the room of the disk.
pub(crate) enum Filler {
    /// A file.
    File(File),
    /// A quota of so many bytes, which is all that there is.
    Quota(PathBuf, Cell<i64>),
}

impl Filler {
    pub(crate) fn create(stage: &Stage) -> io::Result<Self> {
        if stage.scenario.disk == Disk::BtrfsQuota {
            return Ok(Self::Quota(stage.attic(), Cell::new(0)));
        }
        let path = stage.attic().join("filler");
        Ok(Self::File(OpenOptions::new().create_new(true).read(true).write(true).open(path)?))
    }

    /// Takes all that is left.
    pub(crate) fn fill(&self) -> io::Result<()> {
        let Self::File(file) = self else { return Ok(()) };
        for part in [16 << 20, 1 << 20, 64 << 10, 4 << 10] {
            loop {
                match fallocate(file, FallocateFlags::empty(), file.metadata()?.len() as i64, part) {
                    Ok(()) => {}
                    Err(Errno::ENOSPC) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    pub(crate) fn free(&self, bytes: i64) -> io::Result<()> {
        match self {
            Self::File(file) => {
                let left = (file.metadata()?.len() as i64).saturating_sub(bytes);
                file.set_len(left.max(0) as u64)?;
                // Some file systems give room back when it is known that it will not be needed again.
                file.sync_all()
            }
            Self::Quota(path, limit) => {
                limit.set(limit.get() + bytes);
                disk::limit(path, limit.get())
            }
        }
    }
}

/// Lets the disk run full again and again: by the writers themselves, and each third time by somebody else at once.
pub fn fill_and_free(stage: &Stage) {
    if let Err(error) = fill(stage) {
        stage.ground.ledger.word(Word::Amiss).fetch_add(1, Relaxed);
        eprintln!("fork-tests: filler: {error}");
    }
}

fn fill(stage: &Stage) -> io::Result<()> {
    let (ledger, clock) = (stage.ground.ledger, stage.ground.clock);
    let mut journal = Journal::create(&stage.journal(), stage.attic())?;
    let filler = Filler::create(stage)?;
    filler.fill()?;
    filler.free(FREED)?;
    for round in 0..stage.scenario.trials {
        let from = clock.time();
        if round % 3 == 2 {
            filler.fill()?;
        }
        // Every process is refused some lines, and the others go on trying.
        if !wait_for_more(stage, count::refused, 5 + round as u64, PATIENCE) {
            eprintln!("fork-tests: the disk is not full for all in round {round}");
        }
        let (progress, since) = (Progress::of(stage, count::acknowledged), Instant::now());
        filler.free(FREED)?;
        // Some processes may have filled it again before others came.
        while !progress.reaches(3, Duration::from_millis(500)) {
            if since.elapsed() > PATIENCE {
                ledger.word(Word::Amiss).fetch_add(1, Relaxed);
                eprintln!("fork-tests: the disk has no room for all in round {round}");
                break;
            }
            filler.free(FREED / 4)?;
        }
        journal.note(&Deed::Obstructed(from, clock.time()))?;
        ledger.word(Word::Trials).fetch_add(1, Relaxed);
    }
    filler.free(4 * FREED)?;
    wait_for_more(stage, count::acknowledged, 100, PATIENCE);
    Ok(())
}
