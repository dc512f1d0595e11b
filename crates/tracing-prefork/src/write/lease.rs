//! Files that are open without a lease, and how the next line gets one.
//!
//! Building opens the first file and takes no lease on it. Reason: a parent that forks its workers and never logs must
//! not keep the file from being pruned, compressed or handed over. When a job is done by hand, the process gives back
//! its leases on files of ended periods. The descriptors stay open, for a process that may open nothing any more.
//! Before the next line the process takes the lease. If the file has lost its name meanwhile, the process opens it
//! anew.
//!
//! If the kernel refuses the lease, nothing keeps others from removing the file. This is reported, and the process asks
//! for the lease again each second. Meanwhile each line is followed by a look whether the file still has its name. If
//! it has none, the line is written again, to a new file.

use crate::report::Operation;
use crate::sys::{self, LockOutcome};
use crate::time::clock::Second;
use crate::write::log::Log;
use crate::write::pin::Pin;
use crate::write::recheck::Look;
use crate::write::status::UNLEASED;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Whether a file may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    /// The file keeps its name.
    Held,
    /// Others may remove the file at any moment. A writer looks after each line.
    Missing,
    /// The file has been removed, or is about to be.
    Lost,
}

impl Log {
    /// Takes the lease on a slot's file, if there is none.
    pub(crate) fn lease(&self, pin: &Pin<'_>, at: i64) -> Lease {
        if !pin.status().has(UNLEASED) {
            return Lease::Held;
        }
        let lease = match pin.file() {
            Some(file) if !pin.was_refused_lease(at) && pin.is_intact() => self.take_lease(file, at),
            _ => Lease::Missing,
        };
        match lease {
            Lease::Held => pin.status().clear(UNLEASED),
            Lease::Missing => pin.lease_was_refused(at),
            // Each line asks again: whoever has claimed the file can be stopped before it removes the file.
            Lease::Lost => {}
        }
        lease
    }

    /// The same for the file that is open for `at`.
    pub(crate) fn lease_at(&self, at: i64) {
        if let Some(pin) = self.slots.pin(Second::exact(at)) {
            self.lease(&pin, at);
            pin.cancel();
        }
    }

    /// Takes the lease on an open file.
    pub(crate) fn take_lease(&self, file: BorrowedFd<'_>, at: i64) -> Lease {
        let outcome = sys::share_patiently(file, self.slots.write_mode());
        match outcome {
            LockOutcome::Busy if sys::is_claimed(file) => Lease::Lost,
            // Somebody has locked the whole file. That keeps pruners away, too.
            LockOutcome::Busy => Lease::Missing,
            _ if !self.upkeep.keeps_name(file) => Lease::Lost,
            LockOutcome::Held => Lease::Held,
            LockOutcome::Unsupported(_) if self.slots.is_without_leases() => Lease::Held,
            LockOutcome::Unsupported(error) | LockOutcome::Failed(error) => {
                self.report_at(Operation::Lease, at, error.into());
                Lease::Missing
            }
        }
    }

    /// If the path of `at` does not lead to the open file, opens the file at that path. Says whether a file has been
    /// opened.
    pub(crate) fn open_anew(self: &Arc<Self>, at: i64) -> bool {
        match self.look_at_file(at, self.site.clock.exact_second()) {
            Ok(Look::Reopened(_) | Look::OpenedAgain) => {
                self.file_was_opened(at);
                true
            }
            Ok(Look::Lost) => {
                self.report_lost_descriptor(at);
                false
            }
            Ok(Look::AsItWas | Look::NotOpen | Look::Busy) => false,
            Err(error) => {
                self.report_at(Operation::Rollover, at, error);
                false
            }
        }
    }
}
