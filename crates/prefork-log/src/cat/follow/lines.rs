//! [`LineTimes`]: the times of the lines that come at a place.

use super::batch::Batch;
use crate::logs::place::Place;
use crate::logs::stamp::{Nanos, Stamps};
use memchr::memchr;

/// The times of a place's lines.
pub(super) struct LineTimes {
    stamps: Stamps,
    latest: Nanos,
    /// The time of the last line that has a timestamp.
    at: Nanos,
    end: Nanos,
}

impl LineTimes {
    pub(super) fn of(place: &Place) -> Self {
        Self { stamps: Stamps::default(), latest: place.start, at: place.start, end: place.end }
    }

    pub(super) fn take(&mut self, line: &[u8], batch: &mut Batch) {
        if let Some(stamp) = self.stamps.of(line) {
            self.at = stamp.at;
            self.latest = self.latest.max(stamp.at.min(self.end.saturating_sub(1)));
        }
        batch.take(self.latest, self.at, line);
    }

    /// Takes the lines of a text. The beginning of a line whose newline has not come stays in `piece`.
    pub(super) fn take_all(&mut self, mut text: &[u8], piece: &mut Vec<u8>, batch: &mut Batch) {
        while let Some(newline) = memchr(b'\n', text) {
            let (line, rest) = text.split_at(newline + 1);
            if piece.is_empty() {
                self.take(line, batch);
            } else {
                piece.extend_from_slice(line);
                self.take(piece, batch);
                piece.clear();
            }
            text = rest;
        }
        piece.extend_from_slice(text);
    }
}
