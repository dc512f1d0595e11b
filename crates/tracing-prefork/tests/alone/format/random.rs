//! Random events in random spans: our layers print the same bytes as those of `fmt`.

use super::callsites;
use super::draws::Draws;
use super::pairs::{self, Kept, Pairs};
use super::script::{self, EVENTS, Material};
use crate::common::{Hand, NOW, alone};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use tracing::metadata::Kind;
use tracing_prefork::{Appender, Rotation};
use tracing_subscriber::prelude::*;

/// Events and spans between two comparisons.
const STEPS: u64 = 300;

/// The first seed; `PREFORK_FORMAT_SEED` is another one.
const SEED: u64 = 15;

fn compare(directory: &Path, wanted: u64, is_json: bool, pairs: fn(&Appender, &Kept) -> Pairs) {
    let (hand, kept) = (Hand::at(NOW), Kept::default());
    let logs = hand.builder().rotation(Rotation::NEVER).on_error(|_| {}).build(directory).expect("builds");
    let pairs = pairs(&logs, &kept);
    let count = pairs.count();
    tracing_subscriber::registry().with(pairs).init();
    // The panics of values are not to be told of. `serde_json` panics if a `Display` returns an error.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.to_string();
        if !text.contains("a Display that panics") && !text.contains("there should be an error") {
            hook(panic);
        }
    }));

    let mut draws = Draws::new(1);
    let events = callsites::draw(&mut draws, &Kind::EVENT, 400);
    let spans = callsites::draw(&mut draws, &Kind::SPAN, 200);
    let material = Material { events, spans, hand, is_json };
    let first: u64 = std::env::var("PREFORK_FORMAT_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    let mut file = std::fs::File::open(logs.path()).expect("there");
    let mut bytes = 0;
    for seed in first.. {
        // In threads with names of different lengths, and without a name.
        let mut thread = std::thread::Builder::new();
        if seed % 3 > 0 {
            thread = thread.name("worker ".repeat((seed % 7) as usize));
        }
        std::thread::scope(|scope| {
            let thread = thread.spawn_scoped(scope, || {
                for is_ours in [true, false] {
                    pairs::turn_to(seed as usize % count, is_ours);
                    script::run(&material, seed, STEPS);
                }
            });
            thread.expect("starts").join().expect("ends");
        });
        let mut ours = Vec::new();
        file.read_to_end(&mut ours).expect("read");
        let theirs = kept.take();
        bytes += ours.len();
        expect_equal(&without_times(&ours), &without_times(&theirs), seed);
        if EVENTS.load(Relaxed) / 2 >= wanted {
            break;
        }
    }
    assert!(bytes as u64 > 50 * wanted, "{bytes} bytes");
}

/// How long a span was entered differs.
fn without_times(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).expect("UTF-8");
    let mut pieces = text.split(" time.busy=").flat_map(|piece| piece.split("\"time.busy\":\""));
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept += " TIMES ";
        let end = piece.find(['\n', '}']).unwrap_or(piece.len());
        let is_of_span = piece[..end].contains("time.idle");
        kept += if is_of_span { &piece[end..] } else { piece };
    }
    kept.into_bytes()
}

/// Says where two texts begin to differ.
fn expect_equal(ours: &[u8], theirs: &[u8], seed: u64) {
    if ours != theirs {
        let at =
            ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs).unwrap_or(ours.len().min(theirs.len()));
        let around = |text: &[u8]| {
            let begin = text[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
            let end = text[at..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |newline| at + newline);
            String::from_utf8_lossy(&text[begin.max(at.saturating_sub(2000))..end]).into_owned()
        };
        panic!("PREFORK_FORMAT_SEED={seed}\n  ours: {:?}\ntheirs: {:?}", around(ours), around(theirs));
    }
}

#[test]
fn a_hundred_thousand_events_have_the_bytes_of_fmt() {
    alone(|directory| compare(directory, 100_000, false, pairs::full));
}

#[test]
fn compact_events_have_the_bytes_of_fmt() {
    alone(|directory| compare(directory, 100_000, false, pairs::compact));
}

#[test]
fn a_hundred_thousand_json_events_have_the_bytes_of_fmt() {
    alone(|directory| compare(directory, 100_000, true, pairs::json));
}
