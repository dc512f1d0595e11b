//! A ring as a killed process leaves it, with bytes that somebody has changed: as in `rings`.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    next: u64,
    place: u32,
    lines: Vec<(u8, u8)>,
    note: Option<(u8, u8)>,
    /// In the head, in the entries, or anywhere.
    changes: Vec<(Place, u8)>,
}

#[derive(Arbitrary, Debug)]
enum Place {
    Head(u8),
    Marks(u8),
    Entry(u16),
    Any(u32),
}

fuzz_target!(|input: Input| {
    let changes = input.changes.into_iter().map(|(place, byte)| match place {
        Place::Head(offset) => (offset.into(), byte),
        Place::Marks(offset) => (1024 + u32::from(offset), byte),
        Place::Entry(offset) => (4096 + u32::from(offset) % 8192, byte),
        Place::Any(offset) => (offset, byte),
    });
    tracing_prefork::check_changed_ring((input.next, input.place), input.lines, input.note, changes.collect());
});
