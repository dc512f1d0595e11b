//! [`Ring`]: the lines of a process that the receiver has not acknowledged.
//!
//! A record is a line with its time, in words of eight bytes. Threads put records in at the tail, one thread at a time.
//! The one thread that has the turn to consume reads them, and frees them at the head. All positions are fork-wiped: a
//! forked child finds the ring empty, whatever the threads of its parent were doing.

use crate::socket::protocol::{self, From, HEAD, LINE_HEAD, LineTime, PIECE_HEAD};
use crate::sys::{ForkWiped, PATIENCE, Turn, Words, fork_wiped, wait};
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The first position. It is not zero, so that a thread of a child can tell that a fork has wiped the positions.
const START: u64 = 1 << 40;
const WORD: usize = 8;
/// The words before the text of a record: length and nanoseconds, seconds.
const RECORD_HEAD: u64 = 2;

fork_wiped! {
    /// In words. All zero: no line yet.
    #[derive(Debug)]
    struct Positions {
        /// Putting a record in.
        push: Turn,
        /// The first record that is not acknowledged, and its number.
        head: AtomicU64,
        first: AtomicU64,
        /// The first record that was not sent through this connection, its number, and how many bytes of it were sent
        /// as pieces.
        sent: AtomicU64,
        next: AtomicU64,
        piece: AtomicU64,
        /// The first record that was never sent.
        fresh: AtomicU64,
        tail: AtomicU64,
    }
}

#[derive(Debug)]
pub(super) struct Ring {
    words: Words,
    positions: ForkWiped<Positions>,
}

/// What came of a line that was to go into the ring.
#[derive(Debug)]
pub(super) enum Pushed {
    Yes,
    /// There is no room for it now.
    Full,
    /// A fork has come in between: this is the child, and the parent has the line.
    ByParent,
    Refused(io::Error),
}

/// A line at the head of the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    position: u64,
    pub(super) length: usize,
    pub(super) time: LineTime,
    /// Whether it was sent through any connection.
    pub(super) was_sent: bool,
}

/// A packet that was made, and where the ring is when it has been sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made {
    pub(super) bytes: usize,
    pub(super) resent: bool,
    /// Lines that are sent whole with it.
    pub(super) lines: u64,
    sent: u64,
    piece: u64,
}

impl Ring {
    pub(super) fn new(bytes: usize) -> io::Result<Self> {
        let words = NonZeroUsize::MIN.saturating_add(bytes.saturating_sub(1) / WORD).checked_next_power_of_two();
        Ok(Self { words: Words::new(words.ok_or(io::ErrorKind::OutOfMemory)?)?, positions: ForkWiped::new()? })
    }

    /// The longest line that the ring can take.
    pub(super) fn longest(&self) -> usize {
        self.words.len().saturating_sub(RECORD_HEAD as usize) * WORD
    }

    pub(super) fn is_empty(&self) -> bool {
        let positions = &*self.positions;
        positions.head.load(Acquire) == positions.tail.load(Acquire)
    }

    pub(super) fn is_half_full(&self) -> bool {
        let positions = &*self.positions;
        let used = positions.tail.load(Relaxed).wrapping_sub(positions.head.load(Relaxed));
        used > self.words.len() as u64 / 2
    }

    /// Whether there is a line that was not sent through this connection.
    pub(super) fn has_unsent(&self) -> bool {
        let positions = &*self.positions;
        positions.sent.load(Relaxed) != positions.tail.load(Acquire)
    }

    /// Puts a line in. Waits for a thread that is doing so, which takes microseconds.
    pub(super) fn push(&self, line: &[u8], (secs, nanos): LineTime) -> Pushed {
        let positions = &*self.positions;
        if positions.push.is_taken_here() {
            // A signal handler has interrupted this very thread.
            return Pushed::Refused(io::ErrorKind::Deadlock.into());
        }
        let Some(_turn) = wait(PATIENCE, || positions.push.try_take()) else {
            return Pushed::Refused(io::ErrorKind::TimedOut.into());
        };
        let tail = self.begin(positions);
        let size = size_of_record(line.len());
        if tail + size - positions.head.load(Acquire) > self.words.len() as u64 {
            return Pushed::Full;
        }
        self.word(tail).store(line.len() as u64 | u64::from(nanos) << 32, Relaxed);
        self.word(tail + 1).store(secs as u64, Relaxed);
        self.copy_in(tail + RECORD_HEAD, line);
        match positions.tail.compare_exchange(tail, tail + size, Release, Relaxed) {
            Ok(_) => Pushed::Yes,
            Err(_) => Pushed::ByParent,
        }
    }

    /// The tail. Before the first line of a process, sets the positions.
    fn begin(&self, positions: &Positions) -> u64 {
        let tail = positions.tail.load(Relaxed);
        if tail != 0 {
            return tail;
        }
        for position in [&positions.head, &positions.sent, &positions.fresh] {
            position.store(START, Relaxed);
        }
        positions.first.store(1, Relaxed);
        positions.next.store(1, Relaxed);
        positions.tail.store(START, Release);
        START
    }

    fn word(&self, position: u64) -> &AtomicU64 {
        // The number of words is a power of two.
        &self.words[position as usize & (self.words.len() - 1)]
    }

    fn copy_in(&self, position: u64, bytes: &[u8]) {
        for (at, chunk) in (position..).zip(bytes.chunks(WORD)) {
            let mut word = [0; WORD];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(at).store(u64::from_ne_bytes(word), Relaxed);
        }
    }

    /// Copies a part of a record's text, from an `offset` that is a whole number of words.
    pub(super) fn copy_out(&self, record: Record, offset: usize, bytes: &mut [u8]) {
        let begin = record.position + RECORD_HEAD + (offset / WORD) as u64;
        for (at, chunk) in (begin..).zip(bytes.chunks_mut(WORD)) {
            let word = self.word(at).load(Relaxed).to_ne_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    fn record(&self, position: u64, fresh: u64) -> Record {
        let word = self.word(position).load(Relaxed);
        let time = (self.word(position + 1).load(Relaxed) as i64, (word >> 32) as u32);
        Record { position, length: word as u32 as usize, time, was_sent: position < fresh }
    }

    fn record_before(&self, position: u64, end: u64, fresh: u64) -> Option<Record> {
        (position != end).then(|| self.record(position, fresh))
    }
}

/// For the thread that has the turn to consume.
impl Ring {
    /// The oldest line that is not acknowledged.
    pub(super) fn oldest(&self) -> Option<Record> {
        let positions = &*self.positions;
        let tail = positions.tail.load(Acquire);
        self.record_before(positions.head.load(Relaxed), tail, positions.fresh.load(Relaxed))
    }

    /// The next line to send.
    pub(super) fn next(&self) -> Option<Record> {
        let positions = &*self.positions;
        let tail = positions.tail.load(Acquire);
        self.record_before(positions.sent.load(Relaxed), tail, positions.fresh.load(Relaxed))
    }

    /// Makes a packet of the next lines that fit, or of the next piece of a long one. `None`: all lines were sent.
    pub(super) fn make_packet(&self, client: u64, packet: &mut [u8]) -> Option<Made> {
        let positions = &*self.positions;
        let (first, tail) = (self.next()?, positions.tail.load(Acquire));
        let from = From { client, number: positions.next.load(Relaxed), resent: first.was_sent };
        if positions.piece.load(Relaxed) > 0 || HEAD + LINE_HEAD + first.length > packet.len() {
            return Some(self.make_piece(first, from, packet));
        }
        let (mut at, mut lines, mut position) = (HEAD, 0_u16, first.position);
        while let Some(record) = self.record_before(position, tail, positions.fresh.load(Relaxed)) {
            let end = at + LINE_HEAD + record.length;
            if record.was_sent != first.was_sent || end > packet.len() || lines == u16::MAX {
                break;
            }
            protocol::put_line_head(packet, at, record.time, record.length as u32);
            self.copy_out(record, 0, &mut packet[at + LINE_HEAD..end]);
            (at, lines, position) = (end, lines + 1, position + size_of_record(record.length));
        }
        protocol::put_head(packet, lines, from);
        Some(Made { bytes: at, resent: first.was_sent, lines: lines.into(), sent: position, piece: 0 })
    }

    fn make_piece(&self, record: Record, from: From, packet: &mut [u8]) -> Made {
        let begin = self.positions.piece.load(Relaxed) as usize;
        let room = packet.len().saturating_sub(PIECE_HEAD) / WORD * WORD;
        let length = room.min(record.length - begin);
        protocol::put_piece_head(packet, from, record.time, record.length as u32, begin as u32);
        self.copy_out(record, begin, &mut packet[PIECE_HEAD..PIECE_HEAD + length]);
        let is_last = begin + length == record.length;
        Made {
            bytes: PIECE_HEAD + length,
            resent: from.resent,
            lines: is_last.into(),
            sent: if is_last { record.position + size_of_record(record.length) } else { record.position },
            piece: if is_last { 0 } else { (begin + length) as u64 },
        }
    }

    /// Notes that a packet was sent.
    pub(super) fn was_sent(&self, made: Made) {
        let positions = &*self.positions;
        positions.next.fetch_add(made.lines, Relaxed);
        positions.piece.store(made.piece, Relaxed);
        positions.sent.store(made.sent, Relaxed);
        positions.fresh.fetch_max(made.sent, Relaxed);
    }

    /// Frees the lines up to that number. Returns how many. A number that was not sent is not believed.
    pub(super) fn acknowledge(&self, number: u64) -> u64 {
        let positions = &*self.positions;
        let first = positions.first.load(Relaxed);
        if number < first || number >= positions.next.load(Relaxed) {
            return 0;
        }
        let mut head = positions.head.load(Relaxed);
        for _ in first..=number {
            head += size_of_record(self.record(head, 0).length);
        }
        positions.first.store(number + 1, Relaxed);
        positions.head.store(head, Release);
        number + 1 - first
    }

    /// Frees the oldest line, which is in its file. It was not sent through this connection.
    pub(super) fn free_oldest(&self, oldest: Record) {
        let positions = &*self.positions;
        let head = oldest.position + size_of_record(oldest.length);
        positions.first.fetch_add(1, Relaxed);
        positions.fresh.fetch_max(head, Relaxed);
        positions.head.store(head, Release);
        self.rewind();
    }

    /// A connection has ended: each line that was not acknowledged is to be sent again.
    pub(super) fn rewind(&self) {
        let positions = &*self.positions;
        positions.piece.store(0, Relaxed);
        positions.next.store(positions.first.load(Relaxed), Relaxed);
        positions.sent.store(positions.head.load(Relaxed), Relaxed);
    }

    /// The number of lines in the ring.
    pub(super) fn lines(&self) -> u64 {
        let positions = &*self.positions;
        let (mut at, tail, mut lines) = (positions.head.load(Relaxed), positions.tail.load(Acquire), 0);
        while at != tail {
            at += size_of_record(self.record(at, 0).length);
            lines += 1;
        }
        lines
    }
}

/// In words.
fn size_of_record(length: usize) -> u64 {
    RECORD_HEAD + length.div_ceil(WORD) as u64
}

#[cfg(test)]
mod tests {
    use super::{Pushed, Ring};
    use crate::socket::protocol::{Packet, decode};

    fn sent(ring: &Ring, room: usize) -> Vec<(u64, bool, String)> {
        let (mut packet, mut found) = (vec![0; room], Vec::new());
        let mut long = String::new();
        while let Some(made) = ring.make_packet(99, &mut packet) {
            match decode(&packet[..made.bytes]) {
                Ok(Packet::Lines(lines)) => {
                    let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
                    found.extend(
                        (lines.first..).zip(lines).map(|(number, (_, line))| (number, lines.resent, text(line))),
                    );
                }
                Ok(Packet::Piece(piece)) => {
                    assert_eq!(piece.offset, long.len());
                    long += &String::from_utf8_lossy(piece.text);
                    if long.len() == piece.total {
                        found.push((piece.number, piece.resent, std::mem::take(&mut long)));
                    }
                }
                Err(error) => unreachable!("{error}"),
            }
            ring.was_sent(made);
        }
        found
    }

    #[test]
    fn lines_come_in_order_and_again_until_acknowledged() -> std::io::Result<()> {
        let ring = Ring::new(1 << 12)?;
        let long = "x".repeat(1000);
        for round in 0..100 {
            let first = 3 * round + 1;
            for line in ["one", &long, "three"] {
                assert!(matches!(ring.push(line.as_bytes(), (5, 6)), Pushed::Yes), "round {round}");
            }
            let all = |resent| [(first, resent, "one"), (first + 1, resent, &long), (first + 2, resent, "three")];
            let all = |resent| all(resent).map(|(number, resent, line)| (number, resent, line.to_owned()));
            assert_eq!(sent(&ring, 200), all(false));
            assert!(!ring.has_unsent() && !ring.is_empty());
            ring.rewind();
            assert_eq!(sent(&ring, 1 << 16), all(true));
            assert_eq!(ring.acknowledge(first), 1);
            assert_eq!(ring.acknowledge(first), 0, "once");
            assert_eq!(ring.acknowledge(first + 9), 0, "of lines that were not sent");
            assert_eq!(ring.acknowledge(first + 2), 2);
            assert!(ring.is_empty());
        }
        Ok(())
    }

    #[test]
    fn a_full_ring_takes_lines_again_when_some_were_acknowledged() -> std::io::Result<()> {
        let ring = Ring::new(1 << 12)?;
        let mut pushed = 0;
        while matches!(ring.push(&[b'x'; 100], (0, 0)), Pushed::Yes) {
            pushed += 1;
        }
        assert_eq!(pushed, 4096 / 120);
        assert_eq!(ring.lines(), pushed);
        assert_eq!(sent(&ring, 1 << 16).len() as u64, pushed);
        assert_eq!(ring.acknowledge(1), 1);
        assert!(matches!(ring.push(&[b'x'; 100], (0, 0)), Pushed::Yes));
        assert!(matches!(ring.push(&[b'x'; 100], (0, 0)), Pushed::Full));
        Ok(())
    }
}
