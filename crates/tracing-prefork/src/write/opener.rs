//! Opening a log file, which makes it and its directories if need be.

use crate::report::Operation;
use crate::sys::{self, Creation, LogPath, Opened};
use crate::write::header::Header;
use crate::write::log::Log;
use nix::errno::Errno;
use std::cell::{Cell, OnceCell};
use std::io;
use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound};

impl Log {
    /// Opens a log file, making its directory again if somebody has removed it, as pruning does with those that it has
    /// emptied.
    pub(crate) fn open(&self, path: &LogPath, at: i64) -> io::Result<Opened> {
        self.leads_through_no_link(path)?;
        // Asked once, however often the file is tried.
        let (line, panicked) = (OnceCell::new(), Cell::new(None));
        let ask = |header: &Header| {
            let asked = header.of(self.site.pattern.period_at(at));
            asked.unwrap_or_else(|error| {
                panicked.set(Some(error));
                Vec::new()
            })
        };
        let header = || line.get_or_init(|| self.header.as_ref().map_or_else(Vec::new, ask)).clone();
        // In a raw clone the user's code must not run, and what it logs itself must not ask it again. Such lines go
        // elsewhere until the file is there: they make no directory for it.
        let may_create = self.header.is_none() || !self.site.process.is_bare() && !Header::is_asking();
        let creation =
            may_create.then_some(Creation { mode: self.site.mode, header: &header, now: self.site.clock.now() });
        // Building takes none.
        let lease = self.slots.is_built().then_some((self.slots.write_mode, !self.slots.is_without_leases()));
        let mut wait = self.wait_for_file_lease();
        let mut tries = 0..100;
        let opened = loop {
            match sys::open_log(path, creation, lease) {
                // A file server gives its lease back, since it has been asked to by that.
                Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) && wait.goes_on() => {}
                // Not in a raw clone: making directories allocates.
                Err(error)
                    if error.kind() == NotFound
                        && may_create
                        && !self.site.process.is_bare()
                        && tries.next().is_some() =>
                {
                    match sys::make_directories(path.directory(), self.site.mode, self.site.clock.now()) {
                        // One of them was removed again before the next was made in it: empty ones are pruning's to
                        // remove. Or somebody has moved it away, although another process has made a file in it.
                        Err(error) if matches!(error.kind(), NotFound | AlreadyExists | DirectoryNotEmpty) => {}
                        made => made?,
                    }
                }
                opened => break opened?,
            }
        };
        if let Some(error) = panicked.take() {
            self.site.report(Operation::UserCode, path.as_path(), error);
        }
        if opened.created {
            self.upkeep.file_was_created();
        }
        Ok(opened)
    }

    /// A link in the place of a directory of the date is refused, as one in the place of the file is: whoever can make
    /// it chooses which files are written and removed, and what is seen by two names would be removed by the older one.
    fn leads_through_no_link(&self, path: &LogPath) -> io::Result<()> {
        match path.directories_below().find(|directory| sys::is_link(directory)) {
            None => Ok(()),
            Some(_) if self.site.process.is_bare() => Err(nix::errno::Errno::ELOOP.into()),
            Some(link) => {
                let reason =
                    format!("{} is a symbolic link, which is not followed below the log directory", link.display());
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }
        }
    }
}
