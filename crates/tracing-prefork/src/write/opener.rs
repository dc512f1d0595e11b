//! Opening a log file. The file and its directories are made if they are not there.

use crate::report::Operation;
use crate::sys::{self, Creation, LeaseWanted, LogPath, Opened, PATIENCE, Patience};
use crate::write::header::Header;
use crate::write::log::Log;
use nix::errno::Errno;
use std::cell::{Cell, OnceCell};
use std::io;
use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound};
use std::sync::atomic::Ordering::Relaxed;

impl Log {
    /// Opens a log file. If somebody has removed the file's directory, as pruning does with an empty one, this makes
    /// the directory again.
    pub(crate) fn open(&self, path: &LogPath, at: i64) -> io::Result<Opened> {
        self.leads_through_no_link(path)?;
        // 1. The first line of a new file is asked for once, however often the file is tried.
        let (line, panicked) = (OnceCell::new(), Cell::new(None));
        let ask = |header: &Header| {
            let asked = header.of(self.site.pattern.period_at(at));
            asked.unwrap_or_else(|error| {
                panicked.set(Some(error));
                Vec::new()
            })
        };
        let header = || line.get_or_init(|| self.header.as_ref().map_or_else(Vec::new, ask)).clone();
        // 2. In a raw clone the user's code must not run, and while it runs, its own lines must not ask it again. Such
        //    lines go elsewhere until the file is there: they make no directory for it.
        let may_create = self.header.is_none() || !self.site.process.is_bare() && !Header::is_asking();
        let creation = Creation { mode: self.site.mode, header: &header, now: self.site.clock.now() };
        let opened = self.open_unclaimed(path, at, may_create.then_some(creation))?;
        // 3. Whoever is told may log: the file is there now.
        if let Some(error) = panicked.take() {
            self.site.report(Operation::UserCode, path.as_path(), error);
        }
        if opened.created {
            self.upkeep.file_was_created();
        }
        Ok(opened)
    }

    /// If a process has claimed the file, to compress or to remove it, and there is no other file that could take the
    /// line, this waits until the file is gone, a second at most. One line waits in vain, and no further one.
    fn open_unclaimed(&self, path: &LogPath, at: i64, creation: Option<Creation<'_>>) -> io::Result<Opened> {
        let is_stuck = &self.state.claim_stuck;
        let mut patience = Patience::of(PATIENCE);
        loop {
            let opened = self.open_and_make_directories(path, creation);
            let is_claimed = matches!(&opened, Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32));
            let may_wait = is_claimed && !self.slots.has_other_file(at) && !is_stuck.load(Relaxed);
            if !may_wait || !patience.goes_on() {
                if is_stuck.load(Relaxed) || may_wait {
                    is_stuck.store(is_claimed, Relaxed);
                }
                return opened;
            }
        }
    }

    fn open_and_make_directories(&self, path: &LogPath, creation: Option<Creation<'_>>) -> io::Result<Opened> {
        // Building takes no lease.
        let lease = self.slots.is_built().then_some(LeaseWanted {
            write_mode: self.slots.write_mode(),
            are_supported: !self.slots.is_without_leases(),
        });
        // Making directories allocates, which a raw clone must not do.
        let may_make = creation.is_some() && !self.site.process.is_bare();
        let (mut wait, mut tries) = (self.wait_for_file_lease(), 0..100);
        loop {
            match sys::open_log(path, creation, lease) {
                // A file server has a lease. The attempt has made the kernel ask the server to give the lease back.
                Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) && wait.goes_on() => {}
                Err(error) if error.kind() == NotFound && may_make && tries.next().is_some() => {
                    self.make_directories_of(path)?;
                }
                opened => return opened,
            }
        }
    }

    /// No error if others change the directories meanwhile: the next try to open the file makes them again.
    fn make_directories_of(&self, path: &LogPath) -> io::Result<()> {
        match sys::make_directories(path.directory(), self.site.directory_mode, self.site.clock.now()) {
            // A pruner has removed a directory, which was empty, before the next one was made in it. Or somebody has
            // moved a directory away, although another process has made a file in it.
            Err(error) if matches!(error.kind(), NotFound | AlreadyExists | DirectoryNotEmpty) => Ok(()),
            made => made,
        }
    }

    /// Refuses a symbolic link in the place of a directory of the date, as in the place of the file. Whoever can make
    /// such a link chooses which files are written and removed. And a file that is seen by two names would be removed
    /// by the older one.
    fn leads_through_no_link(&self, path: &LogPath) -> io::Result<()> {
        match path.directories_below().find(|directory| sys::is_link(directory)) {
            None => Ok(()),
            Some(_) if self.site.process.is_bare() => Err(Errno::ELOOP.into()),
            Some(link) => {
                let reason =
                    format!("{} is a symbolic link, which is not followed below the log directory", link.display());
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }
        }
    }
}
