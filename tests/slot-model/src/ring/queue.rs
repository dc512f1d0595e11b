//! What the queue of a ring promises, with up to two threads beside the one that takes lines out.
//!
//! * A line is read whole, once, and lines of a thread in their order.
//! * A place belongs to one thread until the line is there and has been taken: loom finds any use that is not ordered.
//! * A line is refused only if the ring is full at that moment, or sealed.
//! * A line that is given up goes another way, and only that way, also if the process is killed at that moment.

use crate::ring::entries::{Entries, Freed, Line, Next, Refused, Tail};
use crate::sys::seat;
use crate::sys::sync::{AtomicI64, AtomicU64, Broken, set_broken};
use crate::sys::{Kernel, thread_begins, thread_ends};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use std::cell::RefCell;

/// A ring, and the lines that have left it.
pub(super) struct Ring {
    words: Vec<AtomicU64>,
    seconds: Vec<AtomicI64>,
    tail: Tail,
    freed: Freed,
    /// The memory of the lines. Each byte says who uses it.
    lines: Vec<UnsafeCell<u8>>,
    /// The index of the next line; the thread that takes lines out has it.
    next: UnsafeCell<u64>,
    /// The lines that came out, and those that were to go another way.
    out: RefCell<Vec<Vec<u8>>>,
    otherwise: RefCell<Vec<Vec<u8>>>,
    refused: RefCell<usize>,
}

// SAFETY: the threads of a model take turns on one thread.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

/// The lines of a thread: its name, and a number.
fn line(thread: u8, number: u8) -> Vec<u8> {
    vec![thread, number]
}

impl Ring {
    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let ring = Self {
            words: (0..entries).map(|_| AtomicU64::new(0)).collect(),
            seconds: (0..entries).map(|_| AtomicI64::new(0)).collect(),
            tail: Tail::new(),
            freed: Freed::new(),
            lines: (0..bytes).map(|_| UnsafeCell::new(0)).collect(),
            next: UnsafeCell::new(0),
            out: RefCell::default(),
            otherwise: RefCell::default(),
            refused: RefCell::default(),
        };
        // The thread that sets a model up touches all atomics.
        for index in 0..entries as u64 {
            assert_eq!(ring.entries().look(index), Next::End);
            ring.seconds[index as usize].store(0, std::sync::atomic::Ordering::Relaxed);
        }
        ring.entries().free(0);
        let _ = ring.entries().reserve(bytes as u32 + 1).map_err(|refused| assert_eq!(refused, Refused::Full));
        ring
    }

    fn entries(&self) -> Entries<'_> {
        let Self { words, seconds, tail, freed, lines, .. } = self;
        Entries { words, seconds, bytes: lines.len() as u32, tail, freed }
    }

    fn place(&self, place: u32) -> &UnsafeCell<u8> {
        &self.lines[place as usize % self.lines.len()]
    }

    /// As `Live::push`. What the ring does not take goes another way.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        let reserved = match self.entries().reserve(line.len() as u32) {
            Ok(reserved) => reserved,
            Err(refused) => {
                *self.refused.borrow_mut() += usize::from(refused == Refused::Full);
                self.otherwise.borrow_mut().push(line.to_owned());
                return false;
            }
        };
        for (place, &byte) in (reserved.begin..).zip(line) {
            // SAFETY: loom stops the model if somebody else uses it.
            self.place(place).with_mut(|place| unsafe { *place = byte });
        }
        let published = self.entries().publish(reserved, i64::from(line[0]));
        if !published {
            self.otherwise.borrow_mut().push(line.to_owned());
        }
        published
    }

    fn read(&self, line: Line) -> Vec<u8> {
        let length = line.end.wrapping_sub(line.begin);
        assert!(length as usize <= self.lines.len(), "{line:?} is longer than the ring");
        // SAFETY: as above.
        let byte = |offset| self.place(line.begin.wrapping_add(offset)).with(|byte| unsafe { *byte });
        let text: Vec<u8> = (0..length).map(byte).collect();
        assert_eq!(i64::from(text[0]), line.second, "the second of another line");
        text
    }

    pub(super) fn next(&self) -> u64 {
        // SAFETY: as above.
        self.next.with(|next| unsafe { *next })
    }

    fn set_next(&self, index: u64) {
        // SAFETY: as above.
        self.next.with_mut(|next| unsafe { *next = index });
    }

    pub(super) fn look(&self) -> Next {
        self.entries().look(self.next())
    }

    /// Takes the next line out, if it is there. `ahead`: how many entries too many are freed, as a mistake.
    fn take_freeing(&self, ahead: u64) -> bool {
        let next = self.next();
        match self.entries().look(next) {
            Next::End | Next::NotYet(_) => return false,
            Next::Skip => self.set_next(next + 1),
            Next::Line(line) => {
                self.entries().free(next + ahead);
                let text = self.read(line);
                self.out.borrow_mut().push(text);
                self.set_next(next + 1);
            }
        }
        self.entries().free(next + 1);
        true
    }

    pub(super) fn take(&self) -> bool {
        self.take_freeing(0)
    }

    /// Gives up the next line, if it is being copied.
    fn give_up(&self) -> bool {
        let next = self.next();
        match self.look() {
            Next::NotYet(entry) => self.entries().give_up(next, entry),
            _ => false,
        }
    }

    pub(super) fn taken(&self) -> usize {
        self.out.borrow().len()
    }

    /// Takes what is left, and checks that these lines have come out, each once, by one way or the other.
    fn check(&self, expected: &[Vec<u8>]) {
        while self.take() {}
        let (out, otherwise) = (self.out.borrow(), self.otherwise.borrow());
        let mut all: Vec<_> = out.iter().chain(otherwise.iter()).cloned().collect();
        all.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(all, expected, "each line once");
        for thread in 1..=2 {
            let of_thread: Vec<_> = out.iter().filter(|line| line[0] == thread).collect();
            assert!(of_thread.is_sorted(), "lines of a thread in their order: {of_thread:?}");
        }
    }
}

type Thread = Box<dyn Fn(&Ring) + Send + Sync>;

/// Runs the threads in every interleaving with so many preemptions, and `after` when they are done.
pub(super) fn run(
    broken: Broken,
    preemptions: Option<usize>,
    ring: impl Fn() -> Ring + Send + Sync + 'static,
    threads: Vec<Thread>,
    after: impl Fn(&Ring) + Send + Sync + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    builder.max_branches = 20_000;
    let threads: std::sync::Arc<[Thread]> = threads.into();
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let counted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count_here = counted.clone();
    builder.check(move || {
        count_here.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        seat::clear();
        set_broken(Broken::Nothing);
        Kernel::boot(true, false);
        let ring = Arc::new(ring());
        set_broken(broken);
        let handles: Vec<_> = (0..threads.len())
            .map(|index| {
                let (ring, threads) = (ring.clone(), threads.clone());
                thread_begins(index + 1);
                loom::thread::spawn(move || {
                    seat::give(index + 1, 0);
                    threads[index](&ring);
                    thread_ends();
                })
            })
            .collect();
        for handle in handles {
            handle.join().expect("the thread ends");
        }
        set_broken(Broken::Nothing);
        after(&ring);
        Kernel::halt();
    });
    println!("{name}: {} interleavings", counted.load(std::sync::atomic::Ordering::Relaxed));
}

fn pushes(thread: u8, count: u8) -> Thread {
    Box::new(move |ring| {
        for number in 0..count {
            ring.push(&line(thread, number));
        }
    })
}

fn takes(times: usize) -> Thread {
    Box::new(move |ring| {
        for _ in 0..times {
            if !ring.take() {
                loom::thread::yield_now();
            }
        }
    })
}

fn lines(threads: &[(u8, u8)]) -> Vec<Vec<u8>> {
    threads.iter().flat_map(|&(thread, count)| (0..count).map(move |number| line(thread, number))).collect()
}

/// With two preemptions the longest tests take 40 s each, so CI runs them with one. `cargo test --release -p
/// slot-model` runs them with two.
const PREEMPTIONS: usize = if cfg!(debug_assertions) { 1 } else { 2 };

fn two_threads_and_a_taker(broken: Broken) {
    let all = lines(&[(1, 2), (2, 1)]);
    // Each mutant is found with two.
    let preemptions = if broken == Broken::Nothing { PREEMPTIONS } else { 2 };
    run(
        broken,
        Some(preemptions),
        || Ring::new(4, 8),
        vec![pushes(1, 2), pushes(2, 1), takes(1)],
        move |ring| ring.check(&all),
    );
}

#[test]
fn lines_of_two_threads_come_out_whole_and_in_their_order() {
    two_threads_and_a_taker(Broken::Nothing);
}

#[test]
fn a_full_ring_refuses_and_overwrites_nothing() {
    for (entries, bytes) in [(4, 4), (2, 8), (4, 2)] {
        let all = lines(&[(1, 2), (2, 1)]);
        let threads = vec![pushes(1, 2), pushes(2, 1), takes(1)];
        let check = move |ring: &Ring| ring.check(&all);
        run(Broken::Nothing, Some(PREEMPTIONS), move || Ring::new(entries, bytes), threads, check);
    }
}

#[test]
fn a_ring_that_is_full_to_the_last_entry_is_read_right() {
    for entries in [2, 4, 8] {
        run(
            Broken::Nothing,
            None,
            move || Ring::new(entries, 64),
            vec![],
            |ring| {
                // From each place of the ring.
                let mut all = Vec::new();
                for round in 0..2 * ring.words.len() as u8 {
                    for number in 0..ring.words.len() as u8 {
                        ring.push(&line(1, round * 10 + number));
                        all.push(line(1, round * 10 + number));
                    }
                    assert_eq!(*ring.refused.borrow(), usize::from(round) + 1, "one entry stays free");
                    while ring.take() {}
                }
                ring.check(&all);
            },
        );
    }
}

/// A thread pushes and takes out what is there, so that the ring goes round, while another one is somewhere in a push.
#[test]
fn a_thread_that_was_overtaken_is_not_refused_for_nothing() {
    for (rounds, preemptions) in [(2, PREEMPTIONS), (3, 1)] {
        let goes_round: Thread = Box::new(move |ring| {
            for number in 0..rounds {
                if !matches!(ring.look(), Next::End) {
                    break;
                }
                ring.push(&line(1, number));
                while ring.take() {}
            }
        });
        run(
            Broken::Nothing,
            Some(preemptions),
            || Ring::new(4, 16),
            vec![goes_round, pushes(2, 1)],
            |ring| {
                assert_eq!(*ring.refused.borrow(), 0, "the ring has room for three lines, and had two at most");
                while ring.take() {}
            },
        );
    }
}

#[test]
fn no_line_comes_after_the_seal_and_none_before_it_is_missed() {
    let seal: Thread = Box::new(|ring| {
        let end = ring.entries().seal().expect("the ring is whole");
        assert_eq!(ring.entries().seal(), Some(end), "sealed once");
        while ring.next() < end {
            if !ring.take() {
                loom::thread::yield_now();
            }
        }
    });
    let all = lines(&[(1, 1), (2, 1)]);
    run(
        Broken::Nothing,
        Some(1),
        || Ring::new(4, 8),
        vec![pushes(1, 1), pushes(2, 1), seal],
        move |ring| {
            let before = ring.taken();
            ring.check(&all);
            assert_eq!(ring.taken(), before, "all lines of the ring were there");
        },
    );
}

fn given_up(broken: Broken, is_killed: bool, give_up: fn(&Ring) -> bool) {
    let gives_up: Thread = Box::new(move |ring| {
        // If the process is killed here, the next one looks at the entry again.
        if give_up(ring) && !is_killed {
            ring.set_next(ring.next() + 1);
            ring.entries().free(ring.next());
            while ring.take() {}
        }
    });
    let all = lines(&[(1, 1), (2, 1)]);
    run(broken, Some(2), || Ring::new(4, 8), vec![pushes(1, 1), pushes(2, 1), gives_up], move |ring| ring.check(&all));
}

#[test]
fn a_line_that_is_given_up_goes_the_other_way_alone() {
    given_up(Broken::Nothing, false, Ring::give_up);
}

#[test]
fn a_process_killed_while_it_gives_a_line_up_leaves_no_second() {
    given_up(Broken::Nothing, true, Ring::give_up);
}

#[test]
fn nobody_uses_the_place_of_a_thread_that_comes_back() {
    // The ring is so small that the next lines need that place.
    let gives_up: Thread = Box::new(|ring| {
        if ring.give_up() {
            ring.set_next(ring.next() + 1);
        }
        for _ in 0..2 {
            ring.take();
            ring.push(&line(2, ring.taken() as u8));
        }
    });
    run(
        Broken::Nothing,
        Some(2),
        || Ring::new(4, 4),
        vec![pushes(1, 1), gives_up],
        |ring| {
            while ring.take() {}
            let own = |lines: &[Vec<u8>]| lines.iter().filter(|line| line[0] == 1).count();
            assert_eq!(own(&ring.out.borrow()) + own(&ring.otherwise.borrow()), 1);
        },
    );
}

mod broken_on_purpose {
    use super::*;

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn lines_that_are_published_without_a_barrier() {
        two_threads_and_a_taker(Broken::Exchanges);
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn places_that_are_freed_without_a_barrier() {
        let all = lines(&[(1, 3)]);
        run(Broken::Releases, Some(2), || Ring::new(4, 4), vec![pushes(1, 3), takes(3)], move |ring| ring.check(&all));
    }

    #[test]
    #[should_panic]
    fn an_entry_that_each_thread_is_given() {
        two_threads_and_a_taker(Broken::Turns);
    }

    #[test]
    #[should_panic]
    fn a_taker_that_frees_a_line_before_it_has_read_it() {
        let takes: Thread = Box::new(|ring| while ring.take_freeing(1) {});
        run(Broken::Nothing, Some(2), || Ring::new(2, 2), vec![pushes(1, 3), takes], |_| ());
    }

    /// The entry before the first line says where that line begins.
    #[test]
    #[should_panic]
    fn a_taker_that_frees_the_entry_before_a_line_too_early() {
        run(
            Broken::Nothing,
            None,
            || Ring::new(2, 64),
            vec![],
            |ring| {
                ring.push(&line(1, 0));
                ring.entries().free(1);
                ring.push(&line(1, 1));
                ring.check(&lines(&[(1, 2)]));
            },
        );
    }

    #[test]
    #[should_panic(expected = "each line once")]
    fn a_taker_that_skips_a_line_without_giving_it_up() {
        given_up(Broken::Nothing, false, |ring| matches!(ring.look(), Next::NotYet(_)));
    }
}
