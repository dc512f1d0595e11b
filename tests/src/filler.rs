//! Fills the disk beside the writers, and frees a part of it again.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::faults::{count, wait_for_more};
use crate::journal::{Deed, Journal};
use crate::ledger::Word;
use crate::run::Stage;

/// How much is freed each time.
const FREED: i64 = 1 << 20;
/// How long a disk may take to be full for all writers, or to have room for all.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file that takes the room of the disk.
struct Filler(File);

impl Filler {
    fn create(stage: &Stage) -> io::Result<Self> {
        let path = stage.attic().join("filler");
        Ok(Self(OpenOptions::new().create_new(true).read(true).write(true).open(path)?))
    }

    fn size(&self) -> io::Result<i64> {
        Ok(self.0.metadata()?.len() as i64)
    }

    /// Takes all that is left.
    fn fill(&self) -> io::Result<()> {
        for part in [16 << 20, 1 << 20, 64 << 10, 4 << 10] {
            loop {
                match fallocate(&self.0, FallocateFlags::empty(), self.size()?, part) {
                    Ok(()) => {}
                    Err(Errno::ENOSPC | Errno::EDQUOT) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn free(&self, bytes: i64) -> io::Result<()> {
        self.0.set_len((self.size()? - bytes).max(0) as u64)?;
        // Some file systems give room back when it is known that it will not be needed again.
        self.0.sync_all()
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
    let mut journal = Journal::create(stage)?;
    let filler = Filler::create(stage)?;
    filler.fill()?;
    filler.free(FREED)?;
    for round in 0..stage.scenario.trials {
        let from = clock.now();
        if round % 3 == 2 {
            filler.fill()?;
        }
        // Every process is refused some lines, and the others go on trying.
        if !wait_for_more(stage, count::refused, 5 + round as u64, PATIENCE) {
            eprintln!("fork-tests: the disk is not full for all in round {round}");
        }
        filler.free(FREED)?;
        if !wait_for_more(stage, count::acknowledged, 20, PATIENCE) {
            ledger.word(Word::Amiss).fetch_add(1, Relaxed);
            eprintln!("fork-tests: the disk has no room for all in round {round}");
        }
        journal.note(&Deed::Obstructed(from, clock.now()))?;
        ledger.word(Word::Trials).fetch_add(1, Relaxed);
    }
    filler.free(i64::MAX)?;
    wait_for_more(stage, count::acknowledged, 100, PATIENCE);
    Ok(())
}
