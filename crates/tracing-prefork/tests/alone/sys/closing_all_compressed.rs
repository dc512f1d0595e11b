//! A program that closes every descriptor while files are compressed, and prints to descriptors that it has closed.

use super::closing_all::{Gate, YESTERDAY, close_everything_beside_the_housekeeping};
use super::descriptors::{descriptors, housekeeping_ends, without_standard_numbers};
use crate::common::all_names;
use crate::common::{Hand, NOW, alone, eventually, log, operations, telling, threads};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use tracing_prefork::Compression;
use tracing_prefork::Rotation;

/// What a program that has closed 0, 1 and 2 prints there all the same.
const PRINTED: &[u8] = b"printed on standard error\n";

/// Does some work while another thread prints to 0, 1 and 2 all the time. Says how often something was printed.
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
        let (told, builder) = telling(builder.latest_symlink("soft").latest_hard_link("hard").on_finished(|_, _| {}));
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
