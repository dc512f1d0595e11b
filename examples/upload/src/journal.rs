//! What the processes note for the test: how many events each one has logged, and which one is inside the hook. A kill
//! leaves the notes as they are. Without `--journal` nothing is noted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process;

#[derive(Clone, Debug)]
pub(crate) struct Journal(Option<PathBuf>);

/// The number of events that a worker has logged.
#[derive(Debug)]
pub(crate) struct Count(Option<File>);

impl Journal {
    pub(crate) fn new(directory: Option<&Path>) -> Self {
        Self(directory.map(Path::to_owned))
    }

    /// This process is inside the hook.
    pub(crate) fn begins(&self) -> io::Result<()> {
        let Some(directory) = &self.0 else { return Ok(()) };
        fs::write(directory.join("hook"), process::id().to_string())
    }

    /// This process has left the hook.
    pub(crate) fn ends(&self, was_there: bool) -> io::Result<()> {
        let Some(directory) = &self.0 else { return Ok(()) };
        if was_there {
            let mut calls = OpenOptions::new().create(true).append(true).open(directory.join("was-there"))?;
            calls.write_all(b".")?;
        }
        fs::remove_file(directory.join("hook"))
    }

    /// The count of this worker.
    pub(crate) fn count(&self) -> io::Result<Count> {
        let Some(directory) = &self.0 else { return Ok(Count(None)) };
        File::create(directory.join(format!("worker-{}", process::id()))).map(|file| Count(Some(file)))
    }
}

impl Count {
    /// The event of this number was logged.
    pub(crate) fn logged(&self, event: u64) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |file| file.write_all_at(&event.to_le_bytes(), 0))
    }
}
