//! What must hold of any bytes that somebody reads as a ring, for tests and for the fuzz targets.

use crate::ring::dead::Snapshot;
use crate::ring::entries::{State, lap};
use crate::ring::head::{NEXT, NOTES, Owner, TURN};
use crate::ring::layout::{HEAD, LEAST, Layout};
use crate::ring::note::Note;
use crate::sys::FileId;
use std::time::UNIX_EPOCH;

/// Reads bytes as a ring, and does with them what recovery does. Panics if a line, or a step, is not as it must be.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::of(bytes.to_vec()) else { return };
    let (layout, next) = (snapshot.head.layout, snapshot.head.next);
    assert!(snapshot.first_from(next) >= next && snapshot.first_from(next) - next < layout.entries as u64);
    if let Some(note) = snapshot.head.pending() {
        check_note(&snapshot, &note);
    }
    for most in [1, 100, usize::MAX] {
        let Some(batch) = snapshot.batch(most, |one, other| one == other) else {
            assert!(snapshot.is_empty());
            return;
        };
        assert_eq!(batch.indexes.start, snapshot.first_from(next));
        assert!(batch.indexes.end > batch.indexes.start && batch.length() <= layout.bytes);
        assert!(batch.length() <= most || batch.indexes.end == batch.indexes.start + 1);
        let text = snapshot.text(batch.begin, batch.end);
        assert!(text.len() == batch.length() && text.ends_with(b"\n"));
        let behind = |bytes| snapshot.behind(batch.indexes.clone(), batch.begin, bytes);
        assert_eq!((behind(0), behind(text.len())), (batch.indexes.start, batch.indexes.end));
        assert!((0..text.len().min(100)).all(|bytes| behind(bytes) <= behind(bytes + 1)));
    }
}

fn check_note(snapshot: &Snapshot, note: &Note) {
    let Ok(lines) = snapshot.lines_of(note) else { return };
    let length = note.end.wrapping_sub(note.begin);
    assert_eq!(snapshot.text(note.begin, note.end).len(), length as usize);
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    assert_eq!((last.end, last.index + 1), (note.end, note.next));
    assert!(note.end.wrapping_sub(first.begin) >= length && note.end.wrapping_sub(first.end) < length);
    assert!(lines.windows(2).all(|pair| pair[0].end == pair[1].begin && pair[0].index + 1 == pair[1].index));
}

/// For the fuzz targets: checks any bytes, with zeros behind them up to the size of the smallest ring.
#[cfg(fuzzing)]
pub fn check_ring(bytes: &[u8]) {
    check(bytes);
    let mut whole = bytes.to_vec();
    whole.resize(Layout::of(LEAST).size(), 0);
    check(&whole);
}

/// For the fuzz targets: checks a ring as a process leaves it ([`Plan`]), with changed bytes.
#[cfg(fuzzing)]
pub fn check_changed_ring(
    (next, place): (u64, u32),
    lines: Vec<(u8, u8)>,
    note: Option<(u8, u8)>,
    changes: Vec<(u32, u8)>,
) {
    check(&Plan { next, place, lines, note, changes }.make().1);
}

/// A ring as a process leaves it, and what somebody changes in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The index and the place of the first line that is not known to be in a file.
    pub(crate) next: u64,
    pub(crate) place: u32,
    /// For each line: its state, and its length.
    pub(crate) lines: Vec<(u8, u8)>,
    /// How many of the lines a note is of, and how many bytes of the first of them had been written before.
    pub(crate) note: Option<(u8, u8)>,
    /// Bytes that are changed.
    pub(crate) changes: Vec<(u32, u8)>,
}

impl Plan {
    /// The lines, and the ring. A ring without changes is one that a process can leave.
    pub(crate) fn make(&self) -> (Vec<Vec<u8>>, Vec<u8>) {
        let layout = Layout::of(LEAST);
        let mut bytes = vec![0; layout.size()];
        let mut set = |offset: usize, word: u64| bytes[offset..offset + 8].copy_from_slice(&word.to_ne_bytes());
        let owner = Owner { boot: 0, pattern: 0, id: 0, process: 1, made: UNIX_EPOCH, tag: None };
        owner.words(layout).into_iter().enumerate().for_each(|(index, word)| set(8 * index, word));
        let next = self.next.min(u64::MAX - 2 * layout.entries as u64);
        set(8 * NEXT, next);
        let word = |state: State, index: u64, end: u32| {
            u64::from(end) << 32 | u64::from(lap(index, layout.entries)) << 3 | state as u64
        };
        let place_of = |index: u64| HEAD + 8 * (index as usize & (layout.entries - 1));
        // 1. All entries are free, from the one before the next line on.
        for index in next..next + layout.entries as u64 {
            set(place_of(index), word(State::Free, index, self.place));
        }
        // 2. The lines.
        let (mut place, mut lines, mut texts) = (self.place, Vec::new(), Vec::new());
        let shown = self.lines.iter().take(layout.entries - 1);
        for (index, &(state, length)) in (next..).zip(shown) {
            let states = [State::Published, State::Reserved, State::GivenUp, State::Void];
            let state = states[usize::from(state).min(states.len() - 1)];
            let mut text = vec![b'a' + (index % 26) as u8; usize::from(length)];
            text.push(b'\n');
            texts.push((place, text.clone()));
            place = place.wrapping_add(text.len() as u32);
            set(place_of(index), word(state, index, place));
            set(place_of(index) + 8 * layout.entries, 7);
            lines.push((state, place, text));
        }
        // 3. A note of the first ones.
        let noted = self.note.and_then(|(count, written)| Some((lines.get(..usize::from(count))?, written)));
        let is_line = |lines: &[(State, u32, Vec<u8>)]| lines.iter().all(|line| line.0 == State::Published);
        if let Some((noted, written)) = noted.filter(|(noted, _)| !noted.is_empty() && is_line(noted)) {
            let written = u32::from(written).min(noted[0].2.len() as u32 - 1);
            let note = Note {
                file: FileId { device: 1, inode: 2, birth: 3 },
                size: 4,
                begin: self.place.wrapping_add(written),
                end: noted[noted.len() - 1].1,
                next: next + noted.len() as u64,
                second: 7,
            };
            Note::words(Some(note)).into_iter().enumerate().for_each(|(index, word)| set(8 * (NOTES[1] + index), word));
            set(8 * TURN, 1);
        }
        for (place, text) in texts {
            let offset = |index: usize| layout.lines() + (place as usize + index) % layout.bytes;
            text.iter().enumerate().for_each(|(index, &byte)| bytes[offset(index)] = byte);
        }
        for &(offset, byte) in &self.changes {
            let offset = offset as usize % bytes.len();
            bytes[offset] = byte;
        }
        let published = lines.into_iter().filter(|line| line.0 == State::Published);
        (published.map(|line| line.2).collect(), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn plans(changes: std::ops::Range<usize>) -> impl Strategy<Value = Plan> {
        let index = prop_oneof![0..3000_u64, any::<u64>()];
        let lines = prop_oneof![vec((0..5_u8, any::<u8>()), 0..40), vec((0..5_u8, 0..3_u8), 1020..1030)];
        let note = proptest::option::of((0..6_u8, 0..9_u8));
        // The head, the entries, or anywhere.
        let changes = vec((prop_oneof![0..1400_u32, 4096..5000_u32, any::<u32>()], any::<u8>()), changes);
        (index, any::<u32>(), lines, note, changes).prop_map(|(next, place, lines, note, changes)| Plan {
            next,
            place,
            lines,
            note,
            changes,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_ring_that_a_process_leaves_is_read_line_by_line(plan in plans(0..1)) {
            let (expected, mut bytes) = plan.make();
            let mut found = Vec::new();
            loop {
                check(&bytes);
                let snapshot = Snapshot::of(bytes.clone()).map_err(TestCaseError::fail)?;
                let note = snapshot.head.pending().zip(plan.note);
                if let (Some((note, (count, _))), true) = (note, found.is_empty()) {
                    assert_eq!(snapshot.lines_of(&note).map(|lines| lines.len()), Ok(usize::from(count)));
                }
                let Some(batch) = snapshot.batch(300, |_, _| true) else { break };
                found.extend(snapshot.text(batch.begin, batch.end));
                bytes[8 * NEXT..8 * NEXT + 8].copy_from_slice(&batch.indexes.end.to_ne_bytes());
            }
            prop_assert_eq!(found, expected.concat());
        }

        #[test]
        fn a_ring_with_changed_bytes_is_read_or_refused(plan in plans(1..9)) {
            check(&plan.make().1);
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in vec(any::<u8>(), 0..9000),
            size in prop_oneof![Just(86_016), 0..9000_usize],
        ) {
            let mut bytes = bytes;
            bytes.resize(size, 0);
            check(&bytes);
        }
    }
}
