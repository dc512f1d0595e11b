//! A line that a write did not take whole: the rest is tried again, room is made, and at last the loss is reported.

use crate::report::Operation;
use crate::sys;
use crate::upkeep::room::Wanted;
use crate::write::lines::Lines;
use crate::write::locked::IfFull;
use crate::write::log::Log;
use crate::write::rollover::copy_of;
use crate::write::unwritten::Unwritten;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// So many short writes in a row are followed by another try. If the disk is full, that try says so.
const SHORT_WRITES: u32 = 2;

/// The most bytes that one write takes, less than a page of 64 KiB. The kernel's limit is INT_MAX, rounded down to a
/// page (`write(2)`): 2 147 479 552 bytes where a page has 4 KiB.
const ONE_WRITE: usize = 0x7fff_0000;

/// What follows a try to write some lines.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Another try with the lines behind so many bytes. The lines before them are in the file.
    TryAgain { behind: usize },
    /// The removal of an old file, and then another try with the same lines.
    MakeRoom,
    /// No other try.
    Done,
}

/// Decides what follows a try to write `lines`, after so many short writes in a row.
///
/// | outcome of the try | next | reason |
/// |---|---|---|
/// | all is in the file | done | |
/// | one write does not take the first line | done | another try would leave another piece of the line |
/// | a short write, after less than two | try again | the kernel gives no reason: a full disk or a limit |
/// | a short write, after two | done | a full disk would have said so |
/// | no room on the disk, or a full quota | make room | |
/// | another error | done | |
fn decide(outcome: &io::Result<usize>, lines: &[u8], short_writes: u32) -> Next {
    match outcome {
        Ok(written) if *written == lines.len() || is_cut(lines, *written) || short_writes >= SHORT_WRITES => Next::Done,
        Ok(written) => {
            let last_newline = lines[..*written].iter().rposition(|&byte| byte == b'\n');
            Next::TryAgain { behind: last_newline.map_or(0, |last| last + 1) }
        }
        Err(error) if sys::is_want_of_room(error) => Next::MakeRoom,
        Err(_) => Next::Done,
    }
}

/// Whether the first line is longer than what one write takes.
fn is_cut(lines: &[u8], written: usize) -> bool {
    written >= ONE_WRITE && !lines[..written].contains(&b'\n')
}

impl Log {
    /// The end of each way that a line takes: if the line is not in the file as a whole, tries to get it there. If that
    /// fails, counts and reports the loss, and tells the caller.
    pub(crate) fn settle(&self, outcome: io::Result<usize>, line: Lines<'_>, at: i64) -> Result<(), Unwritten> {
        let (error, written) = match self.write_rest(outcome, line, at) {
            Ok(written) if written == line.len() => return Ok(()),
            Ok(written) => (self.fell_short(&line, written), written),
            Err(error) => (error, 0),
        };
        if line.journal().is_some() {
            // The lines wait in their ring.
            self.site.counters().writes_failed.fetch_add(1, Relaxed);
            return Err(Unwritten { error, written });
        }
        let lost = &line[written..];
        let lines = lost.iter().filter(|&&byte| byte == b'\n').count().max(1);
        self.site.counters().writes_failed.fetch_add(1, Relaxed);
        let error = self.report_lost(lines, lost.len(), at, error);
        Err(Unwritten { error, written })
    }

    /// Where this process makes room for lines: tries again until `line` is in the file, or nothing helps. Lines that
    /// are in the file already are not written again. The outcome is that for the whole of `line`.
    fn write_rest(&self, outcome: io::Result<usize>, line: Lines<'_>, at: i64) -> io::Result<usize> {
        if !self.upkeep.makes_room_for_lines() {
            return outcome;
        }
        let (mut begin, mut outcome, mut short_writes) = (0, outcome, 0);
        loop {
            match decide(&outcome, &line[begin..], short_writes) {
                Next::TryAgain { behind } => {
                    begin += behind;
                    short_writes += 1;
                }
                // As far as `min_log_files` allows.
                Next::MakeRoom if self.upkeep.no_room(Wanted::Line) => short_writes = 0,
                Next::MakeRoom | Next::Done => break,
            }
            outcome = self.try_again(line.behind(begin), at);
        }
        match outcome {
            Ok(written) => Ok(begin + written),
            // The caller is told that the lines before `begin` are in the file, and does not write them again.
            Err(_) if begin > 0 => Ok(begin),
            Err(error) => Err(error),
        }
    }

    /// Writes to the file that takes the next line now. That file may be another one than before.
    fn try_again(&self, lines: Lines<'_>, at: i64) -> io::Result<usize> {
        let (opened, _) = self.open_apart(at, lines.len())?;
        self.write_to(opened.file.borrow(), lines, opened.torn, at, IfFull::Append).outcome()
    }

    /// Why a write to a regular file falls short (`write(2)`): a full disk, a quota or a limit on file sizes; or the
    /// kernel's limit on one write.
    fn fell_short(&self, line: &[u8], written: usize) -> io::Error {
        let kind = io::ErrorKind::WriteZero;
        if !self.site.process.may_allocate() {
            return kind.into();
        }
        let why = if is_cut(line, written) {
            "one write takes no more (write(2)), and the option lock_writes is off, or a process writes without it"
        } else {
            "the disk, a quota or the file-size limit is full"
        };
        io::Error::new(kind, format!("{written} of {} bytes went in: {why}", line.len()))
    }

    /// Counts and reports a line that could go neither into the ring nor into a file.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn lose(&self, error: io::Error, bytes: usize, at: i64) -> io::Error {
        self.report_lost(1, bytes, at, error)
    }

    /// Counts and reports a line that could not be put together. Only the length of its first `bytes` is known.
    pub(crate) fn refuse(&self, error: io::Error, bytes: usize) -> io::Error {
        self.report_lost(1, bytes, self.site.clock.exact_second(), error)
    }

    /// Counts and reports lines that are lost. Returns the error once more, for the caller.
    fn report_lost(&self, lines: usize, bytes: usize, at: i64, error: io::Error) -> io::Error {
        let counters = self.site.counters();
        counters.lines_lost.fetch_add(lines as u64, Relaxed);
        counters.bytes_lost.fetch_add(bytes as u64, Relaxed);
        let copy = copy_of(&error);
        self.report_at(Operation::Write, at, error);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, decide};
    use nix::errno::Errno;
    use std::io;

    #[test]
    fn each_outcome_of_a_try_has_its_next_step() {
        let lines = b"first\nsecond\n";
        let failed = |errno: Errno| Err(errno.into());
        let table: [(io::Result<usize>, u32, Next); 11] = [
            (Ok(13), 0, Next::Done),
            (Ok(13), 2, Next::Done),
            (Ok(0), 0, Next::TryAgain { behind: 0 }),
            (Ok(5), 0, Next::TryAgain { behind: 0 }),
            (Ok(6), 0, Next::TryAgain { behind: 6 }),
            (Ok(9), 1, Next::TryAgain { behind: 6 }),
            (Ok(9), 2, Next::Done),
            (failed(Errno::ENOSPC), 0, Next::MakeRoom),
            (failed(Errno::EDQUOT), 2, Next::MakeRoom),
            (failed(Errno::EFBIG), 0, Next::Done),
            (failed(Errno::EIO), 0, Next::Done),
        ];
        for (outcome, short_writes, next) in table {
            assert_eq!(decide(&outcome, lines, short_writes), next, "{outcome:?} after {short_writes} short writes");
        }
    }
}
