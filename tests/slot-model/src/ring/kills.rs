//! What becomes of the lines of a ring when its process is killed at any step, and whoever recovers them as well, any
//! number of times.
//!
//! A state is what stays when a process is killed: the memory of the ring and the log file. From each state, a process
//! recovers the ring, and another one only logs a line. Each step of these processes is a state too, from which the
//! next ones go on, until no new state comes. In every state, when the ring has been recovered:
//!
//! * Each acknowledged line is in the file exactly once, and no other line more than once.
//! * No line is torn.
//! * The lines of the ring are in their order.

use crate::ring::dead::{DeadRing, Expected, Found, Snapshot};
use crate::ring::entries::{Entries, Freed, Next, Tail};
use crate::ring::finish::finish_pending;
use crate::ring::head::{NEXT, NOTES, Owner, TURN};
use crate::ring::layout::{BYTES, ENTRIES, HEAD, Layout};
use crate::ring::marks::Marks;
use crate::ring::note::{Batch, Note, WORDS};
use crate::sys::sync::{AtomicI64, AtomicU64, Broken, set_broken};
use crate::sys::{self, FileId, disk, kill, no_file};
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

const FILE: FileId = FileId { device: 1, inode: 2, birth: 3 };
const EXPECTED: Expected = Expected { boot: 5, pattern: 6 };
/// What the other process logs. No line of the ring begins so.
const OTHER: &[u8] = b"other\n";

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The owner notes a batch when it has been appended.
    NotedLate,
    /// The owner says that lines are in the file before they are.
    NextEarly,
    /// What whoever recovers notes comes to nothing.
    NotesOfOthers,
    /// What whoever recovers says of the next line comes to nothing.
    NextOfOthers,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    ring: Vec<u8>,
    log: Vec<u8>,
    acknowledged: usize,
}

/// The process of a ring.
struct Process {
    head: Vec<AtomicU64>,
    words: Vec<AtomicU64>,
    seconds: Vec<AtomicI64>,
    tail: Tail,
    freed: Freed,
    text: RefCell<Vec<u8>>,
    acknowledged: RefCell<usize>,
    wrong: Wrong,
}

fn line(number: usize) -> Vec<u8> {
    // Of several lengths.
    format!("{}{number}\n", "x".repeat(number % 3)).into_bytes()
}

impl Process {
    fn new(wrong: Wrong) -> Self {
        let process = Self {
            head: (0..HEAD / 8).map(|_| AtomicU64::new(0)).collect(),
            words: (0..ENTRIES).map(|_| AtomicU64::new(0)).collect(),
            seconds: (0..ENTRIES).map(|_| AtomicI64::new(0)).collect(),
            tail: Tail::new(),
            freed: Freed::new(),
            text: RefCell::new(vec![0; BYTES]),
            acknowledged: RefCell::default(),
            wrong,
        };
        let layout = Layout { entries: ENTRIES, bytes: BYTES };
        let Expected { boot, pattern } = EXPECTED;
        let owner = Owner { boot, pattern, id: 7, process: 8, made: UNIX_EPOCH, tag: None };
        for (word, value) in process.head.iter().zip(owner.words(layout)) {
            word.store(value, std::sync::atomic::Ordering::Release);
        }
        process
    }

    fn marks(&self) -> Marks<'_> {
        Marks { words: &self.head }
    }

    fn entries(&self) -> Entries<'_> {
        let Self { words, seconds, tail, freed, .. } = self;
        Entries { words, seconds, bytes: BYTES as u32, tail, freed }
    }

    /// What it leaves when it is killed now.
    fn state(&self) -> State {
        let words = self.head.iter().chain(&self.words).map(AtomicU64::peek);
        let words = words.chain(self.seconds.iter().map(|second| second.peek() as u64));
        let mut ring: Vec<u8> = words.flat_map(u64::to_ne_bytes).collect();
        ring.extend(&*self.text.borrow());
        State { ring, log: disk::log(), acknowledged: *self.acknowledged.borrow() }
    }

    fn push(&self) {
        let number = *self.acknowledged.borrow();
        let line = line(number);
        let reserved = self.entries().reserve(line.len() as u32).expect("there is room");
        for (offset, &byte) in line.iter().enumerate() {
            kill::step();
            self.text.borrow_mut()[(reserved.begin as usize + offset) % BYTES] = byte;
        }
        assert!(self.entries().publish(reserved, number as i64));
        *self.acknowledged.borrow_mut() += 1;
    }

    /// As `Live::batch` for so many lines.
    fn batch(&self, count: u64) -> Batch {
        let first = self.marks().next();
        let line = |index| match self.entries().look(index) {
            Next::Line(line) => line,
            other => panic!("{other:?} at {index}"),
        };
        let (begin, end) = (line(first).begin, line(first + count - 1).end);
        Batch { indexes: first..first + count, begin, end, second: line(first).second }
    }

    fn text(&self, batch: &Batch) -> Vec<u8> {
        (0..batch.length()).map(|offset| self.text.borrow()[(batch.begin as usize + offset) % BYTES]).collect()
    }

    /// As `Buffer::try_drain`, `Log::put_of_ring` and `OwnJournal` do it. `cut`: the disk is full after so many bytes,
    /// and what has been written is cut off again.
    fn write(&self, count: u64, cut: Option<usize>) {
        let batch = self.batch(count);
        let (text, size) = (self.text(&batch), disk::log().len());
        let (begin, end, next) = (batch.begin, batch.end, batch.indexes.end);
        let note = || self.marks().set_note(Some(Note { file: FILE, size: size as u64, begin, end, next, second: 0 }));
        if self.wrong == Wrong::NextEarly && cut.is_none() {
            self.marks().set_next(next);
        }
        if self.wrong != Wrong::NotedLate {
            note();
        }
        let written = sys::append(no_file(), &text[..cut.unwrap_or(text.len())]).expect("written");
        if self.wrong == Wrong::NotedLate {
            note();
        }
        if cut.is_some() {
            kill::step();
            disk::set_log(disk::log()[..size].to_vec());
            self.marks().set_note(None);
        } else {
            assert_eq!(written, text.len());
            self.marks().set_next(next);
        }
        self.entries().free(self.marks().next());
    }

    fn live(&self) {
        self.push();
        self.write(1, None);
        (0..3).for_each(|_| self.push());
        self.write(2, Some(5));
        self.write(2, None);
        (0..2).for_each(|_| self.push());
        self.write(3, None);
        (0..3).for_each(|_| self.push());
    }
}

/// All states in which a process of a ring can be killed. Before, its ring has gone round once.
fn of_owner(wrong: Wrong) -> Vec<State> {
    let found = std::sync::Arc::new(Mutex::new(Vec::new()));
    let states = found.clone();
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 100_000;
    builder.check(move || {
        set_broken(Broken::Nothing);
        disk::set_log(Vec::new());
        let process = Rc::new(Process::new(wrong));
        for _ in 0..ENTRIES {
            process.push();
            process.write(1, None);
        }
        let (observed, states) = (process.clone(), states.clone());
        kill::watch(move || states.lock().expect("unpoisoned").push(observed.state()), || process.live());
    });
    let found = std::mem::take(&mut *found.lock().expect("unpoisoned"));
    assert!(found.len() > 100, "{} states", found.len());
    found
}

fn open() -> DeadRing {
    match DeadRing::open(Path::new("ring"), EXPECTED).expect("read") {
        Found::Dead(ring) => ring,
        other => panic!("{other:?}"),
    }
}

/// As `Log::end_of_others_under_lock`: finishes a line of the ring that the file ends in, or ends the piece.
fn end_of_others(ring: &DeadRing) {
    finish_pending(ring, no_file(), FILE).expect("finished");
    if disk::log().last().is_some_and(|&byte| byte != b'\n') {
        sys::append(no_file(), b"\n").expect("written");
    }
}

/// As `Log::empty` and `DeadJournal` of `buffer/recovery.rs`.
fn recover() {
    let ring = open();
    for _ in 0..100 {
        let snapshot = ring.read().expect("whole");
        if snapshot.head.pending().is_some() {
            finish_pending(&ring, no_file(), FILE).expect("finished");
            continue;
        }
        let Some(batch) = snapshot.batch(6, |_, _| true) else { return };
        end_of_others(&ring);
        append(&ring, &snapshot, &batch);
    }
    panic!("it has not come to an end");
}

fn append(ring: &DeadRing, snapshot: &Snapshot, batch: &Batch) {
    let text = snapshot.text(batch.begin, batch.end);
    let (size, turn) = (disk::log().len() as u64, ring.read().expect("whole").head.turn);
    let (begin, end, next) = (batch.begin, batch.end, batch.indexes.end);
    ring.set_note(turn, Some(Note { file: FILE, size, begin, end, next, second: batch.second })).expect("noted");
    let written = sys::append(no_file(), &text).expect("written");
    ring.set_next(snapshot.behind(batch.indexes.clone(), begin, written)).expect("noted");
    ring.set_note(turn + 1, None).expect("noted");
}

/// A process that only logs. Its own line is not what is looked at here, so it is not killed within it.
fn log_line() {
    end_of_others(&open());
    disk::set_log([disk::log(), OTHER.to_vec()].concat());
}

impl State {
    /// The same state in one way of several: a note that does not count is written whole before it does, and of the
    /// turn only the parity counts.
    fn plain(mut self) -> Self {
        let turn = self.ring[8 * TURN] & 1;
        self.ring[8 * TURN..][..8].copy_from_slice(&u64::from(turn).to_ne_bytes());
        self.ring[8 * NOTES[usize::from(turn == 0)]..][..8 * WORDS].fill(0);
        self
    }

    fn restore(&self) {
        disk::set_ring(self.ring.clone());
        disk::set_log(self.log.clone());
    }

    /// All states in which a process that begins here can be killed.
    fn after(&self, process: fn()) -> Vec<Self> {
        let (found, acknowledged) = (Rc::new(RefCell::new(Vec::new())), self.acknowledged);
        let states = found.clone();
        self.restore();
        let observer = move || states.borrow_mut().push(Self { ring: disk::ring(), log: disk::log(), acknowledged });
        kill::watch(observer, process);
        found.take()
    }

    fn check(&self) {
        self.restore();
        recover();
        let log = String::from_utf8(disk::log()).expect("text");
        assert!(log.ends_with('\n'), "{log:?} ends in a piece of a line");
        let mut numbers = Vec::new();
        for text in log.lines().filter(|line| line.as_bytes() != OTHER.trim_ascii_end()) {
            let number = text.trim_start_matches('x').parse().unwrap_or_else(|_| panic!("{text:?} is torn in {log:?}"));
            assert_eq!(format!("{text}\n").as_bytes(), line(number), "torn in {log:?}");
            numbers.push(number);
        }
        assert!(numbers.is_sorted_by(|one, other| one < other), "in their order, each once: {log:?}");
        let least = numbers.iter().filter(|&&number| number < self.acknowledged).count();
        assert_eq!(least, self.acknowledged, "all that were acknowledged: {log:?}");
    }
}

fn kill_at_each_step(wrong: Wrong) {
    let word = |index: usize| 8 * index as u64;
    disk::set_deaf(match wrong {
        Wrong::NotesOfOthers => Some((word(NOTES[0]), word(NOTES[1] + WORDS))),
        Wrong::NextOfOthers => Some((word(NEXT), word(TURN))),
        _ => None,
    });
    let mut to_do: Vec<_> = of_owner(wrong).into_iter().map(State::plain).collect();
    let mut known: HashSet<State> = to_do.iter().cloned().collect();
    while let Some(state) = to_do.pop() {
        state.check();
        let mut after = state.after(recover);
        if !state.log.windows(OTHER.len()).any(|window| window == OTHER) {
            after.extend(state.after(log_line));
        }
        to_do.extend(after.into_iter().map(State::plain).filter(|next| known.insert(next.clone())));
    }
    println!("{} states", known.len());
}

#[test]
fn each_line_comes_once_whoever_is_killed_and_whenever() {
    kill_at_each_step(Wrong::Nothing);
}

mod broken_on_purpose {
    use super::*;

    #[test]
    #[should_panic(expected = "each once")]
    fn a_note_that_comes_after_the_write() {
        kill_at_each_step(Wrong::NotedLate);
    }

    #[test]
    #[should_panic]
    fn lines_that_count_as_written_before_they_are() {
        kill_at_each_step(Wrong::NextEarly);
    }

    #[test]
    #[should_panic]
    fn recovery_without_notes() {
        kill_at_each_step(Wrong::NotesOfOthers);
    }

    #[test]
    #[should_panic]
    fn recovery_that_does_not_say_which_line_is_next() {
        kill_at_each_step(Wrong::NextOfOthers);
    }
}
