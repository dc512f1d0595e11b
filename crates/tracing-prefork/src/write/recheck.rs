//! A look, once a second or by hand, whether the files are still in their places.
//!
//! Others rename, remove and replace log files and the links to them. And the program closes descriptors that it does
//! not know. To notice that, each look takes one `statx(2)` for each name and one for each descriptor. A look at every
//! event would cost more than the event itself.

use crate::Error;
use crate::process::user_code;
use crate::report::Operation;
use crate::sys::{self, PATIENCE};
use crate::upkeep::schedule::GRACE;
use crate::write::log::Log;
use crate::write::rollover::Rolled;
use crate::write::seconds::Begun;
use nix::errno::Errno;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What a look at the file has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The path leads to the open file.
    AsItWas,
    /// No file is open for that second. The rollover is about to open one.
    NotOpen,
    /// The path led to nothing, or to another file. The file at the path is open now.
    Reopened(io::ErrorKind),
    /// The program has closed our descriptor. The next event opens the file.
    Lost,
    /// As `Reopened`, but the file had no lease, so that others were free to remove it. Or a file is open now where
    /// none was.
    OpenedAgain,
    /// Another thread rolls over, or writes to the slot that is to take the file.
    Busy,
}

impl Log {
    /// Runs at each event whose second differs from that of the event before. Looks once for each second.
    #[cold]
    pub(crate) fn each_second(self: &Arc<Self>, at: i64) {
        let now = self.site.clock.exact_second();
        let Some(begun) = self.state.seconds.begin(at, now) else { return };
        let clock_was_set_back = begun == Begun::Earlier || !self.site.process.has_started();
        let in_doubt = self.upkeep.are_links_in_doubt(clock_was_set_back);
        // Before this process prunes by itself.
        self.lease_at(at);
        let looked = self.look_at_file(at, now);
        let in_place = matches!(looked, Ok(Look::AsItWas)).then(|| self.current(at));
        match looked {
            Ok(Look::Reopened(found)) => {
                self.report_at(Operation::Reopen, at, found.into());
                self.file_was_opened(at);
            }
            Ok(Look::OpenedAgain) => self.file_was_opened(at),
            Ok(Look::Lost) => self.report_lost_descriptor(at),
            Ok(Look::Busy) => self.state.seconds.look_again(),
            Ok(Look::AsItWas | Look::NotOpen) => {}
            Err(error) => self.report_at(Operation::Rollover, at, error),
        }
        self.upkeep.second_has_begun(at, in_place, in_doubt);
    }

    /// If the path of `at` does not lead to the file that is open for `at`, opens the file at that path. If that fails,
    /// lines go to the open file as long as the open file has a name.
    pub(crate) fn look_at_file(&self, at: i64, now: i64) -> io::Result<Look> {
        let Some(rolling) = self.slots.try_roll() else { return Ok(Look::Busy) };
        rolling.let_go_of_ended(at, now, GRACE);
        if !rolling.are_intact() {
            return Ok(if rolling.forget() { Look::Lost } else { Look::Busy });
        }
        let Some(open) = rolling.file(at) else { return Ok(Look::NotOpen) };
        let path = self.site.pattern.path_at(at, self.index(at))?;
        // If the kernel does not tell (a directory that is closed to us), the file counts as in its place.
        let found = sys::identity_at(&path).unwrap_or(Some(open));
        if found == Some(open) {
            return Ok(Look::AsItWas);
        }
        if self.state.retry.may_open(at).is_err() {
            rolling.abandon_nameless(at, |file| self.upkeep.keeps_name(file));
            return Ok(Look::AsItWas);
        }
        let was_leased = rolling.is_leased(at);
        match self.fill_slot(&rolling, at) {
            Ok(true) => {
                rolling.let_go_of_ended(at, now, GRACE);
                self.site.counters().files_reopened.fetch_add(1, Relaxed);
                let found = found.map_or(io::ErrorKind::NotFound, |_| io::ErrorKind::AlreadyExists);
                Ok(if was_leased { Look::Reopened(found) } else { Look::OpenedAgain })
            }
            Ok(false) => Ok(Look::Busy),
            Err(error) => {
                rolling.abandon_nameless(at, |file| self.upkeep.keeps_name(file));
                Err(error)
            }
        }
    }

    /// The program has closed a descriptor of ours, and may use its number for a file of its own.
    pub(crate) fn report_lost_descriptor(&self, at: i64) {
        self.site.counters().files_reopened.fetch_add(1, Relaxed);
        self.report_at(Operation::Reopen, at, Errno::EBADF.into());
    }

    /// Does at once what each second does: looks at the file, and opens it anew if need be.
    pub(crate) fn reopen(self: &Arc<Self>) -> Result<(), Error> {
        let at = self.site.clock.exact_second();
        self.state.retry.succeeded();
        let looked = sys::wait(PATIENCE, || match self.look_and_open(at) {
            Ok(Look::Busy) if self.slots.are_in_use_here() => Some(Err(user_code::called_back())),
            Ok(Look::Busy) => None,
            looked => Some(looked),
        });
        let failed = match looked {
            Some(Ok(_)) => {
                self.file_was_opened(at);
                return Ok(());
            }
            Some(Err(error)) => error,
            None => {
                let text = "another thread has been opening a file, or writing to the file before, for a second";
                io::Error::new(io::ErrorKind::TimedOut, text)
            }
        };
        let path = self.site.path_at(at, self.index(at));
        Err(self.site.reporter.error(Operation::Rollover, &path, failed))
    }

    /// As [`look_at_file`](Self::look_at_file), but opens the file of `at` if none is open: no event of the period has
    /// come yet, or the program has closed our descriptor.
    fn look_and_open(&self, at: i64) -> io::Result<Look> {
        let looked = self.look_at_file(at, at)?;
        match looked {
            Look::NotOpen => {}
            Look::Lost => _ = self.site.counters().files_reopened.fetch_add(1, Relaxed),
            _ => return Ok(looked),
        }
        let Some(rolling) = self.slots.try_roll() else { return Ok(Look::Busy) };
        if rolling.has(at) {
            return Ok(Look::AsItWas);
        }
        match self.roll_over_with(rolling, at)? {
            Rolled::Forward => {}
            Rolled::Back => self.upkeep.earlier_file_was_opened(self.current(at)),
            Rolled::No => return Ok(Look::Busy),
        }
        Ok(Look::OpenedAgain)
    }

    /// Tells the other rooms that a file has been opened for lines to come.
    #[cold]
    pub(crate) fn file_was_opened(self: &Arc<Self>, at: i64) {
        self.site.look_at_record();
        self.site.look_at_settings();
        self.upkeep.file_was_opened(self.current(at));
    }
}
