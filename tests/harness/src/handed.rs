//! What the user's hook has done its work with: each finished file once, and again only if it has changed.
//!
//! The hook notes that itself, in a file beside the record of the run. A process that ends between the hook and the
//! appender's own note leaves a file that another one hands over again: that can be true of the last file of each
//! process, and of no other.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::report::Report;

/// What has changed a file so shortly before the hook was called came perhaps after the appender had looked at it: then
/// the hook is called once more for the same file, as the appender has not seen it. Two ticks of the kernel's clock.
const JUST_NOW: Duration = Duration::from_millis(8);

/// A file as it was at one time: its name, the time of its last change, its size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Version {
    name: String,
    modified: String,
    bytes: u64,
}

impl Version {
    fn of(name: &str, path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        let modified = format!("{}.{:09}", found.mtime(), found.mtime_nsec());
        Ok(Self { name: name.to_owned(), modified, bytes: found.len() })
    }
}

/// Where the hooks of a run note what they were given.
#[derive(Debug)]
pub struct Notes(File);

impl Notes {
    /// `None`: this process may not write there.
    #[must_use]
    pub fn open(path: &Path) -> Option<Self> {
        OpenOptions::new().append(true).create(true).open(path).ok().map(Self)
    }

    /// Calls `hook` for the file `name` at `path`, and notes that if it succeeds.
    ///
    /// # Errors
    ///
    /// Those of the hook.
    pub fn around<E>(&self, name: &str, path: &Path, hook: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let version = Version::of(name, path);
        let changed = fs::symlink_metadata(path).and_then(|found| found.modified());
        let just_now = changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age < JUST_NOW));
        hook()?;
        if let Ok(Version { name, modified, bytes }) = version {
            let when = if just_now { "just" } else { "long" };
            let line = format!("{} {when} {modified} {bytes} {name}\n", std::process::id());
            // In one write: all processes of the run append here.
            let _ = (&self.0).write_all(line.as_bytes());
        }
        Ok(())
    }
}

/// What the hooks of a run have had.
#[derive(Debug, Default)]
pub struct Handed {
    calls: Vec<Call>,
}

/// A call of the hook that has succeeded.
#[derive(Debug)]
struct Call {
    process: u32,
    /// The file had been changed just before.
    just_now: bool,
    version: Version,
}

impl Handed {
    /// Reads the notes; none where there was no hook.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let call = |line: &str| {
            let mut words = line.splitn(5, ' ');
            let (process, just_now) = (words.next()?.parse().ok()?, words.next()? == "just");
            let (modified, bytes) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
            let version = Version { name: words.next()?.to_owned(), modified, bytes };
            Some(Call { process, just_now, version })
        };
        Self { calls: fs::read_to_string(path).unwrap_or_default().lines().filter_map(call).collect() }
    }

    /// Says which files were handed over twice although they had not changed, and the first process had gone on after
    /// it.
    pub fn inspect_repeated(&self, report: &mut Report) {
        let last: HashMap<u32, usize> =
            self.calls.iter().enumerate().map(|(number, call)| (call.process, number)).collect();
        let mut had: HashMap<&Version, u32> = HashMap::new();
        for (number, Call { process, just_now, version }) in self.calls.iter().enumerate() {
            if let Some(before) = had.get(version) {
                report.other(format!("{}: handed over by process {before}, and by {process} again", version.name));
            }
            if last.get(process) != Some(&number) && !just_now {
                had.insert(version, *process);
            }
        }
    }

    /// Says which of these files, which lie in `directory` and are finished, no hook has had as they are.
    pub fn inspect_missing(&self, directory: &Path, finished: impl IntoIterator<Item = String>, report: &mut Report) {
        let had: HashSet<&Version> = self.calls.iter().map(|call| &call.version).collect();
        for name in finished {
            let version = Version::of(&name, &directory.join(&name));
            if !version.is_ok_and(|version| had.contains(&version)) {
                report.other(format!("{name}: was not handed over"));
            }
        }
    }
}
