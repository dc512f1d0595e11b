//! [`Output`]: the lines go to the files, and what cannot be written waits, or is dropped and counted.

use crate::failure::Failure;
use crate::pipe::lines::first;
use crate::pipe::report::{Seldom, tell};
use crate::pipe::signals::Signals;
use crate::pipe::stamp::Stamp;
use clap::ValueEnum;
use memchr::memchr_iter;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use tracing_prefork::Appender;

/// What becomes of lines that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WhenFull {
    /// Wait and try again each second; nothing is lost, and the writers wait when the pipe is full
    Wait,
    /// Drop these lines, count them, and read on
    Drop,
    /// End with exit code 1
    Exit,
}

/// How long it takes until lines that wait are tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What could not be written.
#[derive(Debug, Default)]
struct Lost {
    lines: u64,
    bytes: u64,
}

impl Lost {
    fn add(&mut self, lines: &[u8]) {
        self.lines += memchr_iter(b'\n', lines).count() as u64;
        self.bytes += lines.len() as u64;
    }
}

/// The state in which nothing can be written.
#[derive(Debug)]
struct Stuck {
    since: Instant,
    reason: String,
    /// Standard error knows.
    told: bool,
}

#[derive(Debug)]
pub(super) struct Output {
    logs: Appender,
    stamp: Option<Stamp>,
    tee: Option<File>,
    when_full: WhenFull,
    /// The most bytes of one write, so that a file of a bounded size exceeds it little.
    most: usize,
    lost: Lost,
    stuck: Option<Stuck>,
    told: Seldom,
}

impl Output {
    pub(super) fn new(logs: Appender, when_full: WhenFull, most: usize) -> Self {
        let (lost, told) = (Lost::default(), Seldom::default());
        Self { logs, stamp: None, tee: None, when_full, most, lost, stuck: None, told }
    }

    /// Puts the time before each line.
    pub(super) fn stamp(&mut self) {
        self.stamp = Some(Stamp::new(&self.logs));
    }

    /// Writes the lines to this file, too.
    pub(super) fn tee(&mut self, to: File) {
        self.tee = Some(to);
    }

    /// Writes whole lines.
    pub(super) fn put(&mut self, mut lines: &[u8], signals: &Signals) -> Result<(), Failure> {
        while !lines.is_empty() {
            let some = first(lines, self.most);
            match self.try_to_put(some) {
                Ok(length) => {
                    lines = &lines[length..];
                    self.works_again();
                }
                Err(error) if self.when_full == WhenFull::Exit => {
                    self.lost.add(lines);
                    return Err(Failure::at_work(format!("cannot write: {error}")));
                }
                Err(error) if self.gives_up(&error, some, signals) => lines = &lines[some.len()..],
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Writes the lines once. Returns how many bytes of `lines` are in the files, always whole lines.
    fn try_to_put(&mut self, lines: &[u8]) -> io::Result<usize> {
        // The time is that of this try: a line that had to wait is in the file that its stamp names.
        let text = self.stamp.as_mut().map_or(lines, |stamp| stamp.put_before(lines));
        let written = self.logs.write(text)?;
        let whole = text.len() == written;
        write_to(&mut self.tee, &text[..written]);
        if whole {
            return Ok(lines.len());
        }
        let number = memchr_iter(b'\n', &text[..written]).count();
        Ok(number.checked_sub(1).and_then(|last| memchr_iter(b'\n', lines).nth(last)).map_or(0, |end| end + 1))
    }

    /// Waits, or drops lines that cannot be written. `true` if the lines are dropped. Nobody waits after the signal to
    /// end.
    fn gives_up(&mut self, error: &io::Error, lines: &[u8], signals: &Signals) -> bool {
        let stuck =
            self.stuck.get_or_insert_with(|| Stuck { since: Instant::now(), reason: error.to_string(), told: false });
        if self.when_full == WhenFull::Wait && signals.ends() == 0 {
            let seconds = stuck.since.elapsed().as_secs();
            stuck.told |= self.told.tell(|| format!("cannot write, waiting for {seconds} seconds: {error}"));
            wait(signals);
            return false;
        }
        self.lost.add(lines);
        let Lost { lines: number, bytes } = self.lost;
        stuck.told |=
            self.told.tell(|| format!("cannot write, {number} lines ({bytes} bytes) dropped so far: {error}"));
        let text = self.stamp.as_mut().map_or(lines, |stamp| stamp.put_before(lines));
        write_to(&mut self.tee, text);
        true
    }

    fn works_again(&mut self) {
        let Some(Stuck { since, reason, told: true }) = self.stuck.take() else { return };
        let (seconds, Lost { lines, bytes }) = (since.elapsed().as_secs(), &self.lost);
        tell(format_args!(
            "can write again after {seconds} seconds ({reason}); {lines} lines ({bytes} bytes) dropped so far"
        ));
    }

    /// Opens the files anew.
    pub(super) fn reopen(&self) {
        if let Err(error) = self.logs.reopen() {
            tell(error);
        }
    }

    /// Returns when the lines that were buffered are in the files. If they cannot be written, waits as long as lines
    /// are to wait. `false`: they stay in the ring.
    pub(super) fn flush(&mut self, signals: &Signals) -> Result<bool, Failure> {
        let mut waited = false;
        while let Err(error) = self.logs.flush() {
            if self.when_full != WhenFull::Wait || signals.ends() > 0 {
                let text = format!("{error}; they wait in the ring; `prefork-log recover` writes them");
                if self.when_full == WhenFull::Exit {
                    return Err(Failure::at_work(text));
                }
                tell(text);
                return Ok(false);
            }
            let reason = error.to_string();
            let stuck = self.stuck.get_or_insert_with(|| Stuck { since: Instant::now(), reason, told: false });
            let seconds = stuck.since.elapsed().as_secs();
            stuck.told |= self.told.tell(|| format!("cannot write, waiting for {seconds} seconds: {error}"));
            wait(signals);
            waited = true;
        }
        if waited {
            self.works_again();
        }
        Ok(true)
    }

    /// The last report. `false` if lines are lost.
    pub(super) fn end(&self) -> bool {
        let Lost { lines, bytes } = self.lost;
        if lines > 0 {
            tell(format_args!("{lines} lines ({bytes} bytes) were not written"));
        }
        lines == 0
    }
}

/// Waits until lines are tried again, or a signal comes.
fn wait(signals: &Signals) {
    let mut fds = [PollFd::new(signals.fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::try_from(AGAIN).unwrap_or(PollTimeout::ZERO));
    signals.clear();
}

/// Writes the lines to standard output as well, until that fails.
fn write_to(tee: &mut Option<File>, lines: &[u8]) {
    let Some(to) = tee else { return };
    if let Err(error) = to.write_all(lines) {
        tell(format_args!("standard output: {error}; lines go to the files alone"));
        *tee = None;
    }
}
