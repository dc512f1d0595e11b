//! Looks at what retention removes, and at what is written to files after that.
//!
//! In the end nobody could tell: such lines are gone with the rest of their file. So a process of its
//! own opens each log file when it appears, and once the file has no name any more looks whether there
//! are as many later ones as are to be kept, and watches whether it still grows.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::Pid;

use harness::ledger::{Ledger, Word};
use harness::line::{Id, parse};
use harness::pattern::{Key, Pattern};
use harness::process::fork;
use harness::tree;

/// How often the keeper looks.
const EVERY: Duration = Duration::from_millis(3);
/// How often all files are weighed.
const WEIGHED: Duration = Duration::from_millis(50);

/// Starts the keeper; it ends when the run is over and has then put into the file `orphans` what was written to files
/// after they had lost their names. Those that had to stay, because fewer than `keeps` were later, are counted in the
/// ledger.
///
/// # Errors
///
/// Those of fork(2).
pub fn keep(directory: &Path, pattern: &Pattern, keeps: usize, ledger: Ledger, orphans: &Path) -> io::Result<Pid> {
    fork(|| {
        let mut kept: HashMap<u64, Kept> = HashMap::new();
        while ledger.get(Word::Over) == 0 {
            if look(directory, pattern, keeps, ledger, &mut kept).is_err() {
                return 1;
            }
            sleep(EVERY);
        }
        let tails: io::Result<Vec<Vec<u8>>> = kept.values().map(Kept::tail).collect();
        let written = tails.and_then(|tails| fs::write(orphans, tails.concat()));
        i32::from(written.is_err())
    })
}

/// Starts a process that adds up what all log files take, until the run is over, and notes the most that it has seen in
/// the ledger.
///
/// # Errors
///
/// Those of fork(2).
pub fn weigh(directory: &Path, pattern: &Pattern, ledger: Ledger) -> io::Result<Pid> {
    fork(|| {
        while ledger.get(Word::Over) == 0 {
            let Ok(entries) = tree::entries(directory, pattern.depth()) else { return 1 };
            let ours = entries.iter().filter(|entry| pattern.place_of_name(&entry.name).is_some());
            // One that goes meanwhile has no weight.
            let sizes = ours.filter_map(|entry| fs::symlink_metadata(&entry.path).ok()).map(|file| file.len());
            let (count, bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
            ledger.word(Word::MostFiles).fetch_max(count, SeqCst);
            ledger.word(Word::MostBytes).fetch_max(bytes, SeqCst);
            sleep(WEIGHED);
        }
        0
    })
}

/// The lines that the keeper found; none where there was no keeper.
#[must_use]
pub fn orphans(orphans: &Path) -> HashSet<Id> {
    let text = fs::read(orphans).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n').filter_map(parse);
    lines.map(|line| line.id).collect()
}

/// A log file, open as long as the keeper lives.
struct Kept {
    file: File,
    key: Key,
    /// Its length when it was first seen without a name.
    removed_at: Option<u64>,
}

impl Kept {
    /// What was written after the file had lost its name.
    fn tail(&self) -> io::Result<Vec<u8>> {
        let Some(from) = self.removed_at else { return Ok(Vec::new()) };
        let mut tail = vec![0; (self.file.metadata()?.len() - from) as usize];
        self.file.read_exact_at(&mut tail, from)?;
        Ok(tail)
    }
}

fn look(
    directory: &Path,
    pattern: &Pattern,
    keeps: usize,
    ledger: Ledger,
    kept: &mut HashMap<u64, Kept>,
) -> io::Result<()> {
    let mut removed = Vec::new();
    for kept in kept.values_mut().filter(|kept| kept.removed_at.is_none()) {
        let found = kept.file.metadata()?;
        if found.nlink() == 0 {
            kept.removed_at = Some(found.len());
            removed.push(kept.key);
        }
    }
    let mut named = 0;
    for entry in tree::entries(directory, pattern.depth())? {
        let Some(key) = pattern
            .place_of_name(&entry.name)
            .filter(|place| place.archive().is_none() && entry.kind.is_file())
            .map(|place| place.key)
        else {
            continue;
        };
        named += 1;
        // It may have gone in the meantime.
        let Ok(file) = File::open(entry.path) else { continue };
        kept.entry(file.metadata()?.ino()).or_insert(Kept { file, key, removed_at: None });
    }
    ledger.word(Word::MostFiles).fetch_max(named, SeqCst);
    if removed.is_empty() {
        return Ok(());
    }
    // After the removals: whatever allowed them has been there by now.
    let keys: BTreeSet<Key> = kept.values().map(|kept| kept.key).collect();
    for key in removed {
        let later = keys.range(key + 1..).count();
        if later < keeps {
            eprintln!("fork-tests: {} was removed when there were {later} later ones", pattern.name(key));
            ledger.word(Word::Early).fetch_add(1, SeqCst);
        }
    }
    Ok(())
}
