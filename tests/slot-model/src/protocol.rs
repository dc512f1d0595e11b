//! What the slots promise, with up to three threads beside the one that sets up.
//!
//! In every model:
//!
//! * A pinned slot keeps its file: the descriptor's cell (`sys`) finds any exchange that is not ordered before or after
//!   the write.
//! * A line goes to the file of its own period: the descriptor compares.
//! * One thread rolls over at a time: it is counted.
//! * Nobody waits for ever: loom finds it if no thread can go on.

use crate::process::Process;
use crate::sys::seat::{self, SHARED};
use crate::sys::sync::{Broken, set_broken};
use crate::sys::{self, FileId, Kernel, Opened, WriteMode};
use crate::time::calendar::Span;
use crate::time::clock::Second;
use crate::write::rolling::{Rolling, Takes};
use crate::write::slots::Slots;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// Seconds; the period `n` begins at `n * LENGTH`.
const LENGTH: i64 = 10;
const GRACE: i64 = 5;

fn time(period: usize) -> Second {
    Second::exact(period as i64 * LENGTH + 1)
}

fn span(period: usize) -> Span {
    let start = period as i64 * LENGTH;
    Span { start, end: start + LENGTH }
}

fn file(period: usize) -> Opened {
    Opened { file: FileId { device: 1, inode: period as u64, birth: 1 }, torn: false, leased: true }
}

/// An appender, as far as the model needs it, with the files of the periods 0 and 1 open.
struct Logs {
    slots: Slots,
    rolling: std::sync::atomic::AtomicUsize,
    /// Lines that went through a slot, and those that needed a descriptor of their own.
    through_slots: AtomicUsize,
    apart: AtomicUsize,
    /// What is done under the write lock.
    under_lock: UnsafeCell<usize>,
}

/// How a model is set up.
#[derive(Clone, Copy)]
struct Setup {
    broken: Broken,
    /// The kernel runs the barriers, and the writers none.
    expedited: bool,
    /// The kernel has agreed to, and then refuses.
    refuses: bool,
    /// The process has not asked the kernel yet.
    late: bool,
    /// Somebody has removed the names of all files.
    nameless: bool,
    /// Preemptions in one interleaving; `None` for any number.
    preemptions: Option<usize>,
}

const FENCED: Setup = Setup {
    broken: Broken::Nothing,
    expedited: false,
    refuses: false,
    late: false,
    nameless: false,
    preemptions: Some(2),
};
const EXPEDITED: Setup = Setup { expedited: true, ..FENCED };
const BOTH: [Setup; 2] = [FENCED, EXPEDITED];

/// A thread of a model: which seat it has, and what it does.
type Thread = (usize, fn(&Logs));

impl Setup {
    /// Runs the threads in every interleaving, and `after` when they are done.
    fn run<const N: usize>(self, threads: [Thread; N], after: fn(&Logs)) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(self.preemptions);
        builder.max_branches = 10_000;
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = count.clone();
        builder.check(move || {
            counted.fetch_add(1, Relaxed);
            // What an interleaving that has failed has left.
            seat::clear();
            set_broken(self.broken);
            Kernel::boot(self.expedited, self.refuses);
            let logs = Arc::new(Logs::new());
            sys::remove_all_names(self.nameless);
            if self.expedited && !self.late {
                logs.slots.state.in_flight.expedite();
            }
            let threads: Vec<_> = threads
                .into_iter()
                .enumerate()
                .map(|(index, (seat, work))| {
                    let logs = logs.clone();
                    sys::thread_begins(index + 1);
                    loom::thread::spawn(move || {
                        seat::give(index + 1, seat);
                        work(&logs);
                        sys::thread_ends();
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("the thread ends");
            }
            after(&logs);
            Kernel::halt();
        });
        println!("{name}{}: {} interleavings", if self.expedited { ", expedited" } else { "" }, count.load(Relaxed));
    }

    fn with(self, broken: Broken) -> Self {
        Self { broken, ..self }
    }

    fn preempted(self, times: usize) -> Self {
        Self { preemptions: Some(times), ..self }
    }
}

impl Logs {
    fn new() -> Self {
        let slots = Slots::new(WriteMode::Unlocked, std::sync::Arc::new(Process)).expect("made");
        let logs = Self {
            slots,
            rolling: Default::default(),
            through_slots: AtomicUsize::new(0),
            apart: AtomicUsize::new(0),
            under_lock: UnsafeCell::new(0),
        };
        for period in [0, 1] {
            logs.roll(|rolling| assert!(rolling.install(span(period), 0, file(period), Takes::Lines)));
            drop(logs.slots.pin(time(period)).expect("open").try_turn());
        }
        logs
    }

    /// With the right to exchange files, if no other thread has it.
    fn roll<T>(&self, work: impl FnOnce(&Rolling<'_>) -> T) -> Option<T> {
        let rolling = self.slots.try_roll()?;
        assert_eq!(self.rolling.fetch_add(1, Relaxed), 0, "two threads roll over at once");
        let done = work(&rolling);
        self.rolling.fetch_sub(1, Relaxed);
        drop(rolling);
        Some(done)
    }

    /// Through the slot of its period, if it is open.
    fn try_log(&self, period: usize) -> bool {
        sys::may_be_interrupted();
        let pinned = self.slots.pin_plain(time(period)).or_else(|| self.slots.pin(time(period)));
        let Some(pin) = pinned else {
            sys::may_be_interrupted();
            return false;
        };
        sys::may_be_interrupted();
        assert_eq!(pin.append(&[period as u8]).expect("written"), 1);
        drop(pin);
        self.through_slots.fetch_add(1, Relaxed);
        sys::may_be_interrupted();
        true
    }

    /// As `write_at_boundary` and `roll_over` do it.
    fn log(&self, period: usize) {
        if self.try_log(period) {
            return;
        }
        self.roll(|rolling| {
            if !rolling.has(time(period).at) {
                rolling.install(span(period), 0, file(period), Takes::Lines);
            }
        });
        if !self.try_log(period) {
            self.apart.fetch_add(1, Relaxed);
        }
    }

    fn let_go(&self, period: usize) {
        let later = time(period).at + LENGTH;
        self.roll(|rolling| rolling.let_go_of_ended(later, later, GRACE));
    }

    fn lines(&self) -> usize {
        let done = self.slots.state.in_flight.done() as usize;
        // Setting up has pinned twice.
        assert_eq!(done - 2, self.through_slots.load(Relaxed), "the count of lines");
        self.through_slots.load(Relaxed) + self.apart.load(Relaxed)
    }
}

const TRY_LATE: fn(&Logs) = |logs| {
    logs.try_log(0);
};

/// Every line was written once, and no pin is left.
fn all_written(logs: &Logs, lines: usize) {
    assert_eq!(logs.lines(), lines);
    for slot in 0..2 {
        assert!(logs.slots.state.in_flight.is_unused(slot), "a pin was left");
    }
}

fn late_line_and_rollover(setup: Setup) {
    setup.run([(1, |logs| logs.log(0)), (2, |logs| logs.log(2))], |logs| all_written(logs, 2));
}

#[test]
fn a_late_line_and_the_rollover_that_wants_its_slot_never_meet() {
    for setup in BOTH {
        late_line_and_rollover(setup.preempted(3));
    }
}

#[test]
fn two_late_lines_and_a_rollover() {
    let late: fn(&Logs) = |logs| {
        if !logs.try_log(0) {
            logs.apart.fetch_add(1, Relaxed);
        }
    };
    for setup in [FENCED, EXPEDITED.preempted(1)] {
        setup.run([(1, late), (2, late), (3, |logs| logs.log(2))], |logs| all_written(logs, 3));
    }
}

#[test]
fn two_rollovers_to_different_periods() {
    for setup in BOTH {
        setup.run([(1, |logs| logs.log(2)), (2, |logs| logs.log(3))], |logs| all_written(logs, 2));
    }
}

#[test]
fn a_file_that_is_full_and_the_next_of_its_period() {
    let move_on: fn(&Logs) = |logs| {
        logs.roll(|rolling| rolling.install(span(1), 1, file(1), Takes::Lines));
        logs.let_go(0);
    };
    for setup in BOTH {
        setup.run([(1, |logs| logs.log(1)), (2, move_on)], |logs| all_written(logs, 1));
        setup.run([(1, |logs| logs.log(0)), (2, move_on)], |logs| all_written(logs, 1));
    }
}

#[test]
fn threads_without_a_seat_of_their_own_share_one() {
    let threads: [Thread; 3] = [(SHARED, TRY_LATE), (SHARED, TRY_LATE), (1, |logs| logs.log(2))];
    for setup in [FENCED, EXPEDITED.preempted(1)] {
        setup.run(threads, |logs| assert!(logs.lines() <= 3));
    }
}

#[test]
fn letting_go_waits_for_a_late_line_and_a_rollover_for_both() {
    for setup in BOTH {
        setup.run([(1, |logs| logs.log(0)), (2, |logs| logs.let_go(1))], |logs| all_written(logs, 1));
        setup.run([(1, |logs| logs.log(2)), (2, |logs| logs.let_go(1))], |logs| all_written(logs, 1));
    }
}

#[test]
fn a_slot_that_could_not_be_closed_is_open_again() {
    let roll: fn(&Logs) = |logs| {
        logs.roll(|rolling| {
            let installed = rolling.install(span(2), 0, file(2), Takes::Lines);
            // Nobody else changes a slot meanwhile, so this is not a matter of luck.
            assert_eq!(logs.try_log(0), !installed);
            assert_eq!(logs.try_log(2), installed);
        });
    };
    for setup in BOTH {
        setup.run([(1, TRY_LATE), (2, roll)], |logs| {
            let (before, after) = (logs.try_log(0), logs.try_log(2));
            assert!(before != after, "one of the two periods has the slot");
            assert!(logs.try_log(1), "the other slot was not touched");
        });
    }
}

#[test]
fn nothing_is_exchanged_when_the_kernel_refuses_its_barriers() {
    let setup = Setup { refuses: true, ..EXPEDITED };
    let roll: fn(&Logs) = |logs| {
        let installed = logs.roll(|rolling| rolling.install(span(2), 0, file(2), Takes::Lines));
        assert_eq!(installed, Some(false));
    };
    // Setting up rolls over before the kernel has agreed.
    setup.run([(1, TRY_LATE), (2, roll)], |logs| {
        assert!(logs.try_log(0) && logs.try_log(1), "both are open again");
        logs.log(2);
        assert!(logs.try_log(2), "the next rollover goes without the kernel");
    });
}

#[test]
fn a_process_may_register_for_barriers_while_it_writes() {
    // The first rollover of a forked child does so while its other threads write.
    let setup = Setup { late: true, ..EXPEDITED };
    let register: fn(&Logs) = |logs| {
        logs.roll(|_| logs.slots.state.in_flight.expedite());
        logs.log(2);
    };
    setup.run([(1, |logs| logs.log(0)), (2, register)], |logs| all_written(logs, 2));
}

#[test]
fn closed_descriptors_are_forgotten_while_others_write() {
    for setup in BOTH {
        let forget: fn(&Logs) = |logs| {
            logs.roll(|rolling| rolling.forget());
        };
        setup.run([(1, |logs| logs.log(1)), (2, forget)], |logs| {
            logs.log(1);
            all_written(logs, 2);
        });
    }
}

#[test]
fn a_file_without_a_name_closes_only_when_nobody_writes_to_it() {
    let abandon: fn(&Logs) = |logs| {
        logs.roll(|rolling| rolling.abandon_nameless(time(1).at, |_| true));
    };
    for setup in BOTH {
        let setup = Setup { nameless: true, ..setup };
        setup.run([(1, |logs| logs.log(1)), (2, abandon)], |logs| all_written(logs, 1));
    }
}

#[test]
fn a_line_that_goes_anywhere_keeps_the_slot_that_it_finds() {
    let anywhere: fn(&Logs) = |logs| {
        let pin = logs.slots.pin_any(time(1).at, |_| true).expect("one of the two is never closed");
        assert!(pin.file().is_some());
    };
    for setup in BOTH {
        setup.run([(1, anywhere), (2, |logs| logs.log(2))], |_| ());
    }
}

#[test]
fn the_turn_to_write_under_the_lock_is_one_threads_at_a_time() {
    let take_turn: fn(&Logs) = |logs| {
        let pin = logs.slots.pin(time(1)).expect("open");
        if let Some(_turn) = pin.try_turn() {
            // SAFETY: loom stops the model if two are here at once.
            logs.under_lock.with_mut(|lines| unsafe { *lines += 1 });
        }
    };
    FENCED.run([(1, take_turn), (2, take_turn)], |_| ());
}

#[test]
fn a_tear_that_comes_while_another_is_mended_is_not_forgotten() {
    let tear: fn(&Logs) = |logs| logs.slots.pin(time(1)).expect("open").status().tear();
    let mend: fn(&Logs) = |logs| {
        let pin = logs.slots.pin(time(1)).expect("open");
        let torn = pin.status().torn();
        // Nothing was torn when this mended the file, so a tear must stay.
        if torn == 0 {
            pin.status().mended(torn);
        }
    };
    FENCED.run([(1, tear), (2, mend)], |logs| {
        assert_ne!(logs.slots.pin(time(1)).expect("open").status().torn(), 0);
        assert!(logs.slots.pin_plain(time(1)).is_none(), "a write takes more than one system call");
    });
}

#[test]
fn a_tear_outlives_a_rollover_that_does_not_come_about() {
    let tear: fn(&Logs) = |logs| {
        if let Some(pin) = logs.slots.pin(time(0)) {
            pin.status().tear();
            logs.apart.fetch_add(1, Relaxed);
        }
    };
    let roll: fn(&Logs) = |logs| {
        logs.roll(|rolling| rolling.install(span(2), 0, file(2), Takes::Lines));
    };
    for setup in BOTH {
        setup.run([(1, tear), (2, roll)], |logs| {
            if let Some(pin) = logs.slots.pin(time(0)) {
                assert_eq!(pin.status().torn() != 0, logs.apart.load(Relaxed) == 1, "the file of the tear");
            } else {
                assert_eq!(logs.slots.pin(time(2)).expect("installed").status().torn(), 0, "another file");
            }
        });
    }
}

/// What the memory model does not promise: a writer that has not heard yet that the kernel refuses its barriers issues
/// none, and the rollover after the one that was refused does not know of its pin. A store would have to wait in that
/// writer's processor for as long as a refused system call and a second rollover take, some microseconds.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_rollover_right_after_a_refused_barrier_relies_on_time() {
    let setup = Setup { refuses: true, ..EXPEDITED };
    let roll_twice: fn(&Logs) = |logs| {
        for _ in 0..2 {
            logs.roll(|rolling| rolling.install(span(2), 0, file(2), Takes::Lines));
        }
    };
    setup.run([(1, TRY_LATE), (2, roll_twice)], |_| ());
}

mod broken_on_purpose {
    //! The model finds what is wrong.

    use super::*;

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn writers_without_fences() {
        late_line_and_rollover(FENCED.with(Broken::Fences));
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn a_kernel_that_only_says_that_it_runs_barriers() {
        late_line_and_rollover(EXPEDITED.with(Broken::Barriers));
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn a_rollover_that_does_not_look_at_the_counts() {
        late_line_and_rollover(FENCED.with(Broken::Counts));
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn a_rollover_that_runs_barriers_but_ignores_the_counts() {
        late_line_and_rollover(EXPEDITED.with(Broken::Counts));
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn counts_that_are_lowered_without_publishing_what_was_done() {
        late_line_and_rollover(FENCED.with(Broken::Releases));
    }

    #[test]
    #[should_panic(expected = "two threads roll over at once")]
    fn a_right_to_roll_over_that_everybody_is_given() {
        FENCED.with(Broken::Turns).run([(1, |logs| logs.log(2)), (2, |logs| logs.log(3))], |_| ());
    }

    #[test]
    #[should_panic]
    fn two_threads_with_one_seat() {
        let threads: [Thread; 3] = [(1, TRY_LATE), (2, TRY_LATE), (3, |logs| logs.log(2))];
        FENCED.with(Broken::Seats).run(threads, |logs| assert!(logs.lines() <= 3));
    }
}
