//! [`Wake`]: waits until something may have changed.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::statfs::{FsType, statfs};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// How long it waits at most.
const WATCHED: Duration = Duration::from_millis(500);
/// The same where inotify sees nothing: on file systems that other machines write to, too.
const UNWATCHED: Duration = Duration::from_millis(100);

pub(super) struct Wake {
    directory: PathBuf,
    inotify: Option<Inotify>,
    watched: HashSet<PathBuf>,
    /// A file was made, renamed or removed.
    changed: bool,
    pause: Duration,
    output: File,
    ends: Arc<AtomicBool>,
}

impl Wake {
    /// Watches a directory, and whether somebody reads the output.
    pub(super) fn new(directory: &Path, output: &File) -> Result<Self, String> {
        let ends = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The first one lets the lines be printed that were read. The second one ends the program at once.
            flag::register_conditional_shutdown(signal, 0, ends.clone())
                .and_then(|_| flag::register(signal, ends.clone()))
                .map_err(|error| format!("cannot wait for signal {signal}: {error}"))?;
        }
        let output = output.try_clone().map_err(|error| error.to_string())?;
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        let watched = HashSet::new();
        let mut wake =
            Self { directory: directory.to_owned(), inotify, watched, changed: true, pause: WATCHED, output, ends };
        if wake.inotify.is_none() || is_remote(directory) || !wake.watch(directory) {
            wake.pause = UNWATCHED;
        }
        Ok(wake)
    }

    fn watch(&self, directory: &Path) -> bool {
        let flags = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE;
        self.inotify.as_ref().is_some_and(|inotify| inotify.add_watch(directory, flags).is_ok())
    }

    /// Watches the directory of a file, too.
    pub(super) fn watch_beside(&mut self, file: &Path) {
        let Some(directory) = file.parent().filter(|directory| *directory != self.directory) else { return };
        if !self.watched.contains(directory) && self.watch(directory) {
            self.watched.insert(directory.to_owned());
        }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// To be called before the directory is listed.
    pub(super) fn forget_changes(&mut self) {
        self.changed = false;
        self.watched.retain(|directory| directory.exists());
        // The directory may be another one than before. Otherwise this changes nothing.
        self.watch(&self.directory);
    }

    pub(super) fn is_told_to_end(&self) -> bool {
        self.ends.load(Relaxed)
    }

    /// Waits until something has changed, but some time at least, and not for ever.
    ///
    /// # Errors
    ///
    /// If nobody reads the output any more.
    pub(super) fn wait(&mut self, least: Duration) -> io::Result<()> {
        thread::sleep(least);
        let timeout = PollTimeout::try_from(self.pause).unwrap_or(PollTimeout::ZERO);
        let mut waited = vec![PollFd::new(self.output.as_fd(), PollFlags::empty())];
        if let Some(inotify) = &self.inotify {
            waited.push(PollFd::new(inotify.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut waited, timeout) {
            Err(Errno::EINTR) => return Ok(()),
            polled => polled?,
        };
        let is_closed = waited[0].revents().is_some_and(|events| events.contains(PollFlags::POLLERR));
        if is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            let grows = |mask: AddWatchFlags| mask == AddWatchFlags::IN_MODIFY;
            self.changed |= events.iter().any(|event| !grows(event.mask));
        }
        Ok(())
    }
}

/// Whether other machines may write there. inotify does not see what they do (`inotify(7)`).
fn is_remote(directory: &Path) -> bool {
    // NFS, SMB, CIFS, SMB2, Ceph, FUSE, 9p: `statfs(2)`, and linux/magic.h.
    const REMOTE: [i64; 7] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400, 0x6573_5546, 0x0102_1997];
    let FsType(kind) = match statfs(directory) {
        Ok(found) => found.filesystem_type(),
        Err(_) => return true,
    };
    #[allow(clippy::unnecessary_cast, reason = "the type differs between C libraries")]
    REMOTE.contains(&(kind as i64))
}
