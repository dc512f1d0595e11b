//! Letting go of the open files, by hand: for a job, until the next event, or at the end.

use crate::Error;
use crate::process::user_code;
use crate::report::Operation;
use crate::sys::{self, PATIENCE};
use crate::upkeep::job::Job;
use crate::upkeep::occasion::Occasion;
use crate::upkeep::schedule::GRACE;
use crate::write::log::Log;
use std::io;

/// Whoever closes looks for finished files this often at most. The second round finds what others have left during the
/// first one. A hook that logs, or starts a program that logs, makes a further file in each round.
const ROUNDS: usize = 3;

impl Log {
    /// Prunes, compresses or hands over in place. A file of an ended period that only this process has open counts as
    /// finished.
    pub(crate) fn do_now(&self, job: Job) -> Result<usize, Error> {
        self.upkeep.do_now(job, Occasion::ByHand, |at| {
            if let Some(rolling) = self.slots.try_roll() {
                rolling.let_go_of_ended(at, at, GRACE);
                rolling.give_leases_back(at, GRACE);
            }
        })
    }

    /// Closes the open files. The next event opens its file.
    pub(crate) fn release(&self) -> Result<(), Error> {
        let released = sys::wait(PATIENCE, || {
            let is_done = self.slots.try_roll().is_some_and(|rolling| {
                self.look_at_fork();
                rolling.release()
            });
            match is_done {
                true => Some(Ok(())),
                false if self.slots.are_in_use_here() => Some(Err(user_code::called_back())),
                false => None,
            }
        });
        let timed_out = || {
            let text = "another thread has been opening a file, or writing to one, for a second";
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        };
        released.unwrap_or_else(timed_out).map_err(|error| {
            let at = self.site.clock.exact_second();
            self.site.reporter.error(Operation::Release, &self.site.path_at(at, self.index(at)), error)
        })
    }

    /// Closes the open files, and has finished files compressed and handed over. The current file counts as finished if
    /// nobody else has it.
    pub(crate) fn close(&self) -> Result<(), Error> {
        self.release()?;
        for _ in 0..ROUNDS {
            let compressed = self.upkeep.do_now(Job::Compress, Occasion::Closing, |_| {});
            let handed_over = self.upkeep.do_now(Job::HandOver, Occasion::Closing, |_| {});
            // Others who close meanwhile do not wait for long for their turns. They leave their files to this process:
            // look again. Whoever still has the current file does what is left.
            if compressed? + handed_over? == 0 || self.upkeep.is_current_file_held() {
                break;
            }
        }
        Ok(())
    }
}
