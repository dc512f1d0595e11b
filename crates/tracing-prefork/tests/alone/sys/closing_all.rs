//! A program that closes every descriptor while the housekeeping has files open, and opens files of its own.

use super::descriptors::{UNCHANGED, close_from_3, database, descriptors, housekeeping_ends, is_at};
use crate::common::{DAY, Hand, NOW, alone, eventually, log, names, telling, threads};
use std::fs::{self};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use tracing_prefork::{Appender, Builder, Rotation};

/// Where a thread of the housekeeping stops in the middle of its work, so that the program closes descriptors there.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<AtomicU8>);

impl Gate {
    const ARMED: u8 = 1;
    const REACHED: u8 = 2;

    pub(super) fn arm(&self) {
        self.0.store(Self::ARMED, SeqCst);
    }

    /// Stops whoever comes first after [`arm`](Self::arm), until [`open`](Self::open).
    pub(super) fn pass(&self) {
        if self.0.compare_exchange(Self::ARMED, Self::REACHED, SeqCst, SeqCst).is_ok() {
            eventually("the gate is opened", || self.0.load(SeqCst) != Self::REACHED);
        }
    }

    pub(super) fn wait(&self) {
        eventually("the gate is reached", || self.0.load(SeqCst) == Self::REACHED);
    }

    pub(super) fn open(&self) {
        self.0.store(0, SeqCst);
    }

    /// A clock that is a gate for threads of that name.
    pub(super) fn clock(&self, hand: &Hand, thread: &'static str) -> Builder {
        let (gate, hand) = (self.clone(), hand.clone());
        Appender::builder().rotation(Rotation::DAILY).filename_prefix("app").filename_suffix("log").clock(move || {
            if std::thread::current().name() == Some(thread) {
                gate.pass();
            }
            hand.now()
        })
    }
}

/// Closes everything, opens files of its own, has the housekeeping go on, and looks at the files when that has ended.
pub(super) fn close_everything_beside_the_housekeeping(directory: &Path, idle: usize, go_on: impl FnOnce()) {
    close_from_3();
    let name = |number: usize| format!("database.{number}");
    let own: Vec<_> = (0..20).map(|number| database(directory, &name(number))).collect();
    go_on();
    housekeeping_ends(idle);
    for number in 0..own.len() {
        let content = fs::read(directory.join(name(number))).expect("read");
        let text = String::from_utf8_lossy(&content[..content.len().min(200)]);
        assert!(content == UNCHANGED.as_bytes(), "file {number} has {} bytes: {text}", content.len());
    }
    for (number, file) in own.iter().enumerate() {
        assert!(is_at(file.as_raw_fd(), file), "descriptor {number} leads elsewhere");
        let mut file = file;
        let position = std::io::Seek::stream_position(&mut file);
        assert_eq!(position.expect("descriptor is open"), UNCHANGED.len() as u64, "file {number}");
    }
}

pub(super) const YESTERDAY: &str = "app.2026-11-20.log";

#[test]
fn a_program_that_closes_all_during_pruning_keeps_its_files() {
    alone(|directory| {
        let (idle, hand, gate) = (threads(), Hand::at(NOW), Gate::default());
        let logs = gate.clock(&hand, "log-retention").max_log_files(2).build(directory).expect("builds");
        for day in 0..4 {
            hand.set(NOW + day * DAY, 0);
            log(&logs, "line");
            housekeeping_ends(idle);
        }
        gate.arm();
        hand.set(NOW + 4 * DAY, 0);
        log(&logs, "line");
        gate.wait();
        close_everything_beside_the_housekeeping(directory, idle, || gate.open());
        hand.set(NOW + 5 * DAY, 0);
        log(&logs, "line");
        housekeeping_ends(idle);
        logs.prune().expect("prunes");
        let logs = names(directory).into_iter().filter(|name| name.starts_with("app."));
        assert_eq!(logs.collect::<Vec<_>>(), ["app.2026-11-25.log", "app.2026-11-26.log"]);
    });
}

#[test]
fn a_program_that_closes_all_during_a_listing_keeps_its_files() {
    alone(|directory| {
        // So many that a look at all of them takes some milliseconds.
        let days = (1..=12).flat_map(|month| (1..=28).map(move |day| (month, day)));
        for (month, day) in days {
            (1980..2010).for_each(|year| {
                let name = format!("app.{year}-{month:02}-{day:02}.log");
                fs::write(directory.join(name), "").expect("written");
            });
        }
        let (idle, hand) = (threads(), Hand::at(NOW));
        let (told, builder) = telling(hand.builder().rotation(Rotation::DAILY).max_log_files(100_000));
        let logs = builder.build(directory).expect("builds");
        hand.set(NOW + DAY, 0);
        log(&logs, "line");
        let is_listed = || descriptors(directory).iter().any(|(_, path)| Path::new(path) == directory);
        while !is_listed() && threads() > idle {}
        close_everything_beside_the_housekeeping(directory, idle, || ());
        hand.set(NOW + 2 * DAY, 0);
        log(&logs, "line");
        housekeeping_ends(idle);
        let panics = told.lock().expect("unpoisoned").iter().filter(|(_, text)| text.contains("panicked")).count();
        assert_eq!(panics, 0, "{told:?}");
    });
}

#[test]
fn a_program_that_closes_all_during_a_hook_keeps_its_files() {
    alone(|directory| {
        fs::write(directory.join(YESTERDAY), "line\n").expect("written");
        let (idle, hand, gate) = (threads(), Hand::at(NOW), Gate::default());
        let calls = Arc::new(AtomicUsize::new(0));
        let (hook_gate, hook_calls) = (gate.clone(), calls.clone());
        let builder = hand.builder().rotation(Rotation::DAILY).on_finished(move |_, _| {
            hook_calls.fetch_add(1, SeqCst);
            hook_gate.pass();
        });
        let logs = builder.build(directory).expect("builds");
        gate.arm();
        log(&logs, "line");
        gate.wait();
        close_everything_beside_the_housekeeping(directory, idle, || gate.open());
        assert_eq!(logs.hand_over().expect("hands over"), 0);
        assert_eq!(calls.load(SeqCst), 1, "the hook has had the file");
    });
}
