//! A program that closes every descriptor while the housekeeping has files open, and opens files of its own.

use super::descriptors::{
    UNCHANGED, close_from_3, database, descriptors, housekeeping_ends, is_at, without_standard_numbers,
};
use crate::common::{DAY, Hand, NOW, alone, eventually, log, names, operations, telling, threads};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::SeqCst};
use tracing_prefork::{Appender, Builder, Rotation};

/// Where a thread of the housekeeping stops in the middle of its work, so that the program closes descriptors there.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicU8>);

impl Gate {
    const ARMED: u8 = 1;
    const REACHED: u8 = 2;

    fn arm(&self) {
        self.0.store(Self::ARMED, SeqCst);
    }

    /// Stops whoever comes first after [`arm`](Self::arm), until [`open`](Self::open).
    fn pass(&self) {
        if self.0.compare_exchange(Self::ARMED, Self::REACHED, SeqCst, SeqCst).is_ok() {
            eventually("the gate is opened", || self.0.load(SeqCst) != Self::REACHED);
        }
    }

    fn wait(&self) {
        eventually("the gate is reached", || self.0.load(SeqCst) == Self::REACHED);
    }

    fn open(&self) {
        self.0.store(0, SeqCst);
    }

    /// A clock that is a gate for threads of that name.
    fn clock(&self, hand: &Hand, thread: &'static str) -> Builder {
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
fn close_everything_beside_the_housekeeping(directory: &Path, idle: usize, go_on: impl FnOnce()) {
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

const YESTERDAY: &str = "app.2026-11-20.log";

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
        let builder = hand.builder().rotation(Rotation::DAILY).on_rollover(move |_, _| {
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

/// What a program that has closed 0, 1 and 2 prints there all the same.
#[cfg(feature = "gzip")]
const PRINTED: &[u8] = b"printed on standard error\n";

/// Does some work while another thread prints to 0, 1 and 2 all the time. Says how often something was printed.
#[cfg(feature = "gzip")]
fn while_printing(work: impl FnOnce()) -> usize {
    let (ended, printed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(SeqCst) {
                for number in 0..3 {
                    // SAFETY: writes a constant to a number, whatever it leads to.
                    let wrote = unsafe { nix::libc::write(number, PRINTED.as_ptr().cast(), PRINTED.len()) };
                    printed.fetch_add(usize::from(wrote > 0), SeqCst);
                }
            }
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        ended.store(true, SeqCst);
        done.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
    });
    printed.into_inner()
}

#[cfg(feature = "gzip")]
mod compressing {
    use super::*;
    use crate::common::all_names;
    use std::io::Read;
    use tracing_prefork::Compression;

    fn closes_everything(directory: &Path, gate: &Gate, at_work: impl FnOnce()) {
        // So much that making the archive takes some tenths of a second.
        let mut seed = 88_172_645_463_325_252_u64;
        let mut content = Vec::new();
        while content.len() < 4 << 20 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            content.extend_from_slice(format!("{seed:020}\n").as_bytes());
        }
        fs::write(directory.join(YESTERDAY), &content).expect("written");
        let (idle, hand) = (threads(), Hand::at(NOW));
        let builder = gate.clock(&hand, "log-compression").compress(Compression::Gzip).background_priority(false);
        let logs = builder.build(directory).expect("builds");
        log(&logs, "line");
        at_work();
        close_everything_beside_the_housekeeping(directory, idle, || gate.open());
        // The archive is made by a later try.
        for second in 0..3 {
            hand.set(NOW + 3600 + second, 0);
            log(&logs, "line");
            housekeeping_ends(idle);
        }
        let archive = File::open(directory.join(format!("{YESTERDAY}.gz"))).expect("there");
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(archive).read_to_end(&mut unpacked).expect("an archive");
        assert!(unpacked == content, "{} bytes of {}", unpacked.len(), content.len());
        assert!(!all_names(directory).contains(&YESTERDAY.to_owned()));
    }

    #[test]
    fn text_for_a_closed_standard_output_goes_into_no_file() {
        alone(|directory| {
            const ROUNDS: u64 = 300;
            let (idle, hand) = (threads(), Hand::at(NOW));
            let builder = hand.builder().rotation(Rotation::SECONDLY).header(|_| "# header".to_owned());
            let builder = builder.compress(Compression::Gzip).background_priority(false).max_log_files(1000);
            let (told, builder) =
                telling(builder.latest_symlink("soft").latest_hard_link("hard").on_rollover(|_, _| {}));
            let mut printed = 0;
            let mut expected = Vec::new();
            let open = without_standard_numbers(|| {
                let logs = builder.build(directory).expect("builds");
                printed = while_printing(|| {
                    for round in 0..ROUNDS {
                        hand.set(NOW + round, 0);
                        for number in 0..3 {
                            expected.push(format!("line {round} {number}"));
                            log(&logs, &expected[expected.len() - 1]);
                        }
                        if round % 20 == 19 {
                            logs.compress().expect("compresses");
                            logs.hand_over().expect("hands over");
                            logs.prune().expect("prunes");
                        }
                    }
                });
                housekeeping_ends(idle);
            });
            let mut lines = Vec::new();
            for name in all_names(directory).into_iter().filter(|name| name != "soft" && name != "hard") {
                let raw = fs::read(directory.join(&name)).expect("read");
                let strange = raw.windows(PRINTED.len()).filter(|text| *text == PRINTED).count();
                assert_eq!(strange, 0, "what was printed is in {name}");
                let mut text = String::new();
                if name.ends_with(".gz") {
                    let unpacked = flate2::read::MultiGzDecoder::new(&raw[..]).read_to_string(&mut text);
                    unpacked.unwrap_or_else(|error| panic!("{name}: {error}"));
                } else if !name.starts_with('.') {
                    text = String::from_utf8(raw).unwrap_or_else(|error| panic!("{name}: {error}"));
                } else {
                    continue;
                }
                assert_eq!(text.lines().next(), Some("# header"), "{name}");
                lines.extend(text.lines().skip(1).map(str::to_owned));
            }
            lines.sort();
            expected.sort();
            assert_eq!(lines, expected);
            assert_eq!((printed, open, operations(&told)), (0, vec![], vec![]));
        });
    }

    #[test]
    fn a_program_that_closes_all_before_an_archive_keeps_its_files() {
        alone(|directory| {
            let gate = Gate::default();
            gate.arm();
            closes_everything(directory, &gate, || gate.wait());
        });
    }

    #[test]
    fn a_program_that_closes_all_during_an_archive_keeps_its_files() {
        alone(|directory| {
            let is_begun = |(number, path): (RawFd, String)| {
                let bytes = fs::metadata(format!("/proc/self/fd/{number}")).map_or(0, |found| found.len());
                // Without a name, or with a hidden one.
                let is_archive = path.ends_with(" (deleted)") || path.ends_with(".prefork.tmp");
                is_archive && bytes > 0
            };
            closes_everything(directory, &Gate::default(), || {
                eventually("an archive is written", || descriptors(directory).into_iter().any(is_begun));
            });
        });
    }
}
