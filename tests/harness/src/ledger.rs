//! The record of a run: who is alive, and of every line when its write began and how it ended.
//!
//! It lies in a mapped file outside the log directory. What stands in it was written by plain
//! stores, so it survives `SIGKILL`; no lock is taken and nothing is allocated to write it.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::time::{Duration, Instant};

use crate::line::Id;
use crate::page;

const HEADER: usize = 64;
const MEMBER: usize = 16;
const THREAD: usize = 16;
/// Set beside the instant at which a line was refused.
const FAILED: u64 = 1 << 63;

/// A word of the header.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
#[allow(missing_docs)]
pub enum Word {
    Members,
    Threads,
    Rows,
    /// The injected clock: what it shows when it stands, else what to add to the running part.
    Clock,
    /// The monotonic reading at which a running injected clock started.
    ClockStart,
    /// How much faster than time a running injected clock is; 0 when it stands.
    ClockRate,
    /// How far what an injected clock shows is from the run's time.
    ClockOffset,
    /// Processes that reached the starting line.
    Ready,
    /// Set when the starting line is lifted.
    Go,
    /// The instant at which the load ends; 0 while it is not fixed.
    End,
    /// Set when the load is to end at once.
    Stop,
    /// Lines that a writer wronged on purpose.
    Wronged,
    /// Errors that an appender reported.
    Errors,
    /// Files that the user's hook was given.
    HandedOver,
    /// Set when all writing has come to its end.
    Over,
    /// The most log files that there were at any time, as far as anybody looked.
    MostFiles,
    /// The most bytes that they took at any time, likewise.
    MostBytes,
    /// Calls to the allocator in raw clones.
    Allocations,
    /// What befell the run, by its number: kills, deletions, times that a disk was full.
    Trials,
    /// Set when the process that brings the faults about has done all that it had to do.
    Conducted,
    /// What the faults found to be other than it must be.
    Amiss,
    /// Log files that were removed when there were too few later ones.
    Early,
    /// Writers that were killed inside a write to a log file.
    Inside,
    /// Kills that left a part of a write in a log file.
    Partial,
    /// Processes that were killed inside a write while they recovered what a dead one had left.
    Recoverers,
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum State {
    /// Not started.
    Unborn = 0,
    /// At the starting line.
    Waiting = 1,
    /// At work.
    Working = 2,
    /// Came to its end.
    Done = 3,
    /// Made no progress and was killed by the harness.
    Hung = 4,
    /// Ended before its end.
    Died = 5,
    /// Killed on purpose.
    Killed = 6,
    /// Was not needed.
    Spared = 7,
}

/// How the write of one line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Never begun.
    Untouched,
    /// Begun before this instant and never ended.
    InFlight(u64),
    /// Refused between these instants; the line may be there or not.
    Failed(u64, u64),
    /// Acknowledged: begun after the first instant, ended before the second.
    Acknowledged(u64, u64),
}

/// The shared record. Copies are handles on the same memory.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    words: &'static [AtomicU64],
    members: usize,
    threads: usize,
    rows: usize,
}

impl Ledger {
    /// A new record for `members` processes of at most `threads` threads with `rows` lines each.
    ///
    /// # Errors
    ///
    /// When the file cannot be created.
    pub fn create(path: &Path, members: usize, threads: usize, rows: usize) -> io::Result<Self> {
        let slots = members * threads;
        let words = HEADER + members * MEMBER + slots * (THREAD + 2 * rows);
        let words = page::create(path, words)?;
        for (word, value) in [(Word::Members, members), (Word::Threads, threads), (Word::Rows, rows)] {
            words[word as usize].store(value as u64, Relaxed);
        }
        Ok(Self { words, members, threads, rows })
    }

    /// The record that another process created.
    ///
    /// # Errors
    ///
    /// When the file cannot be mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let words = page::open(path)?;
        let size = |word: Word| words[word as usize].load(Relaxed) as usize;
        let (members, threads) = (size(Word::Members), size(Word::Threads));
        Ok(Self { words, members, threads, rows: size(Word::Rows) })
    }

    /// The number of processes.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members
    }

    /// The most threads that a process has.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The most lines that a thread writes.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A word of the header.
    #[must_use]
    pub fn word(&self, word: Word) -> &'static AtomicU64 {
        &self.words[word as usize]
    }

    /// A word of the header, read.
    #[must_use]
    pub fn get(&self, word: Word) -> u64 {
        self.word(word).load(Acquire)
    }

    /// A word of the header, written.
    pub fn set(&self, word: Word, value: u64) {
        self.word(word).store(value, Release);
    }

    /// One process of the run.
    #[must_use]
    pub fn member(&self, process: usize) -> Member {
        let at = HEADER + process * MEMBER;
        Member { words: &self.words[at..at + MEMBER] }
    }

    /// One thread of the run.
    #[must_use]
    pub fn thread(&self, process: usize, thread: usize) -> Thread {
        let slot = process * self.threads + thread;
        let at = HEADER + self.members * MEMBER + slot * THREAD;
        let rows = HEADER + self.members * MEMBER + self.members * self.threads * THREAD + slot * 2 * self.rows;
        Thread {
            process: process as u64,
            thread: thread as u64,
            words: &self.words[at..at + THREAD],
            rows: &self.words[rows..rows + 2 * self.rows],
        }
    }

    /// Every thread of the run, whether it wrote or not.
    pub fn all_threads(&self) -> impl Iterator<Item = Thread> + use<> {
        let ledger = *self;
        (0..self.members * self.threads).map(move |slot| ledger.thread(slot / ledger.threads, slot % ledger.threads))
    }

    /// How the write of the line `id` ended; `Untouched` too where no such line can be.
    #[must_use]
    pub fn outcome(&self, id: Id) -> Outcome {
        let known =
            id.process < self.members as u64 && id.thread < self.threads as u64 && id.sequence < self.rows as u64;
        if !known {
            return Outcome::Untouched;
        }
        self.thread(id.process as usize, id.thread as usize).outcome(id.sequence)
    }

    /// Reports at the starting line and waits until it is lifted.
    pub fn wait_for_go(&self) {
        self.word(Word::Ready).fetch_add(1, SeqCst);
        // No system call that takes long to come back: all are to start at the same moment.
        while self.get(Word::Go) == 0 {
            std::thread::yield_now();
        }
    }

    /// Waits until `members` processes are at the starting line, at most a minute, and lifts it.
    pub fn lift(&self, members: usize, end: impl FnOnce() -> u64) {
        let since = Instant::now();
        while self.get(Word::Ready) < members as u64 && since.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.set(Word::End, end());
        self.set(Word::Go, 1);
    }
}

/// One process in the record.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    words: &'static [AtomicU64],
}

impl Member {
    /// How far the process has come.
    #[must_use]
    pub fn state(&self) -> State {
        match self.words[0].load(Acquire) {
            0 => State::Unborn,
            1 => State::Waiting,
            2 => State::Working,
            3 => State::Done,
            4 => State::Hung,
            5 => State::Died,
            6 => State::Killed,
            _ => State::Spared,
        }
    }

    /// Notes how far the process has come.
    pub fn enter(&self, state: State) {
        self.words[0].store(state as u64, Release);
    }

    /// Notes the calling process's id.
    pub fn born(&self) {
        self.words[1].store(u64::from(std::process::id()), Release);
    }

    /// The process id; 0 before it is born.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.words[1].load(Acquire) as i32
    }

    /// Notes that the harness has stopped the process, or lets it go on.
    pub fn pause(&self, paused: bool) {
        self.words[2].store(u64::from(paused) | 2, Release);
    }

    /// Whether the harness has stopped the process, now or before.
    #[must_use]
    pub fn was_paused(&self) -> bool {
        self.words[2].load(Acquire) != 0
    }

    /// Asks the process to stop itself in the middle of an event, or takes that back.
    pub fn ask_to_stop(&self, asked: bool) {
        self.words[3].store(u64::from(asked), Release);
    }

    /// Whether the process is asked to; once.
    #[must_use]
    pub fn is_asked_to_stop(&self) -> bool {
        self.words[3].load(Relaxed) != 0 && self.words[3].swap(0, Relaxed) != 0
    }

    /// Asks the process to fork that child, or takes that back; which child it had not forked until now, 0 for none.
    pub fn ask_to_bear(&self, child: usize) -> usize {
        self.words[4].swap(child as u64, SeqCst) as usize
    }

    /// The child that the process is asked to fork; once.
    #[must_use]
    pub fn is_asked_to_bear(&self) -> Option<usize> {
        let asked = self.words[4].load(Relaxed) != 0;
        asked.then(|| self.ask_to_bear(0)).filter(|child| *child != 0)
    }

    /// Whether the harness has stopped the process.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.words[2].load(Acquire) & 1 != 0
    }
}

/// One thread in the record; only that thread writes here.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// Its process.
    pub process: u64,
    /// Its number within the process.
    pub thread: u64,
    words: &'static [AtomicU64],
    rows: &'static [AtomicU64],
}

impl Thread {
    /// The number of the next line, or how many were begun.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.words[0].load(Acquire)
    }

    /// How many lines were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.words[1].load(Acquire)
    }

    /// A number that changes as long as the thread is not stuck.
    #[must_use]
    pub fn beat(&self) -> u64 {
        self.words[2].load(Relaxed)
    }

    /// Shows that the thread is not stuck.
    pub fn alive(&self) {
        self.words[2].fetch_add(1, Relaxed);
    }

    /// How many times the thread itself went from one period to another.
    #[must_use]
    pub fn rollovers(&self) -> u64 {
        self.words[3].load(Relaxed)
    }

    /// Notes that the thread's next line belongs to another period than its last one.
    pub fn rolled_over(&self) {
        self.words[3].fetch_add(1, Relaxed);
    }

    /// Whether the write of a line is under way.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        self.words[4].load(Acquire) != 0
    }

    /// Begins the next line at the instant `now`; `None` when the record is full.
    pub fn begin(&self, now: u64) -> Option<Id> {
        let sequence = self.begun();
        let row = self.rows.get(2 * sequence as usize)?;
        row.store(now.max(1), Release);
        self.words[0].store(sequence + 1, Release);
        self.words[4].store(1, Release);
        Some(Id { process: self.process, thread: self.thread, sequence })
    }

    /// Ends the line: at the instant `now` if it was acknowledged.
    pub fn end(&self, sequence: u64, now: Option<u64>) {
        match now {
            Some(now) => self.end_as(sequence, true, now),
            None => self.end_as(sequence, false, FAILED - 1),
        }
    }

    /// Ends the line at the instant `now`, whether it was acknowledged or refused.
    pub fn end_as(&self, sequence: u64, acknowledged: bool, now: u64) {
        self.words[4].store(0, Release);
        let ended = if acknowledged { now.max(1) } else { now | FAILED };
        self.rows[2 * sequence as usize + 1].store(ended, Release);
        self.words[if acknowledged { 1 } else { 5 }].fetch_add(1, Release);
        self.alive();
    }

    /// How many lines were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.words[5].load(Acquire)
    }

    /// How the write of one line ended.
    #[must_use]
    pub fn outcome(&self, sequence: u64) -> Outcome {
        let row = 2 * sequence as usize;
        match (self.rows[row].load(Acquire), self.rows[row + 1].load(Acquire)) {
            (0, _) => Outcome::Untouched,
            (before, 0) => Outcome::InFlight(before),
            (before, after) if after & FAILED != 0 => Outcome::Failed(before, after & !FAILED),
            (before, after) => Outcome::Acknowledged(before, after),
        }
    }
}
