//! A thread that takes lines out sleeps when there are none, and never while there is one.
//!
//! A writer publishes its line and then looks whether the other thread sleeps, without a barrier between the two. The
//! other thread lies down, has a barrier run in all threads, and then looks whether there are lines. If a wake-up were
//! missed, the thread would sleep for ever.

use crate::ring::entries::Next;
use crate::ring::queue::{Ring, run};
use crate::sys::sync::Broken;
use crate::sys::{Bell, may_be_interrupted};
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static BELL: RefCell<Option<Arc<Bell>>> = const { RefCell::new(None) };
}

fn bell() -> Arc<Bell> {
    BELL.with_borrow(|bell| bell.clone().expect("set up"))
}

/// What a thread does.
type Work = dyn Fn(&Ring) + Send + Sync;

fn writers_and_a_sleeper(broken: Broken, tell: fn(&Bell), writers: usize, preemptions: usize) {
    let ring = || {
        let bell = Arc::new(Bell::default());
        // The thread that sets a model up touches all atomics.
        bell.wake();
        BELL.set(Some(bell));
        Ring::new(4, 8)
    };
    let writes = move |ring: &Ring| {
        may_be_interrupted();
        assert!(ring.push(&[1, 0]));
        may_be_interrupted();
        tell(&bell());
        may_be_interrupted();
    };
    let sleeps = move |ring: &Ring| {
        while ring.taken() < writers {
            while ring.take() {}
            if ring.taken() < writers {
                bell().sleep_unless(|| ring.look() != Next::End);
                if matches!(ring.look(), Next::NotYet(_)) {
                    loom::thread::yield_now();
                }
            }
        }
    };
    let mut threads: Vec<Box<Work>> = Vec::new();
    threads.extend((0..writers).map(|_| Box::new(writes) as _));
    threads.push(Box::new(sleeps));
    run(broken, Some(preemptions), ring, threads, |_| BELL.set(None));
}

#[test]
fn a_thread_that_takes_lines_never_sleeps_while_there_is_one() {
    writers_and_a_sleeper(Broken::Nothing, Bell::ring, 1, 3);
    writers_and_a_sleeper(Broken::Nothing, Bell::ring, 2, 1);
    writers_and_a_sleeper(Broken::Nothing, Bell::hurry, 1, 3);
}

#[test]
#[should_panic(expected = "a thread sleeps for ever")]
fn broken_on_purpose_a_kernel_that_runs_no_barriers() {
    writers_and_a_sleeper(Broken::Barriers, Bell::ring, 1, 3);
}
