//! The line: what a writing process puts into it and what the checker reads out of it.
//!
//! ```text
//! 2026-11-21T08:33:01.123456789Z |3.1.42 d 20 abcdefghijklmnopqrst 0f3c99aa\n      stamped by the load
//! 2026-11-21T08:33:01.123456Z  INFO load: |3.1.42 l 20 abcdefghijklmnopqrst 0f3c99aa\n   by the timer
//! ```
//!
//! After the bar: process, thread and sequence number, the way it was logged, the length of the
//! padding, the padding, a CRC-32. The checksum of a line that the load stamps covers all of it
//! from its first byte. The timer's stamp is unknown when the payload is made: there it covers
//! everything from the bar on, and what stands before the bar must be exactly a timestamp, the
//! level and the target.

use std::io::Write;

use clap::ValueEnum;

use crate::stamp::Stamp;

/// The way a line is handed to the appender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// An event through the appender's own layer, stamped by its timer.
    Layer,
    /// An event through `fmt::layer()` with the appender's timer and the appender as writer.
    Fmt,
    /// One `write_all` on `&Appender`, stamped by the load.
    Direct,
    /// One `write_all` on a writer from `make_writer()`, stamped by the load.
    Make,
    /// Several `write`s on a writer from `make_writer()`, then `flush` or drop in turn, stamped by the load.
    Pieces,
}

impl Way {
    /// All five.
    pub const ALL: &'static [Self] = &[Self::Layer, Self::Fmt, Self::Direct, Self::Make, Self::Pieces];

    /// Whether the timestamp at the head of the line is the timer's.
    #[must_use]
    pub fn timed(self) -> bool {
        matches!(self, Self::Layer | Self::Fmt)
    }

    fn letter(self) -> u8 {
        match self {
            Self::Layer => b'l',
            Self::Fmt => b'f',
            Self::Direct => b'd',
            Self::Make => b'm',
            Self::Pieces => b'p',
        }
    }
}

/// Who wrote a line, and its place among that thread's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The process, counted from 0 for the one that starts the others.
    pub process: u64,
    /// The thread of that process.
    pub thread: u64,
    /// The number of the line, from 0.
    pub sequence: u64,
}

impl Id {
    /// A number that looks random and is the same for the same line.
    #[must_use]
    pub fn hash(self) -> u64 {
        let mut x = self.process << 48 ^ self.thread << 40 ^ self.sequence;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }
}

/// The longest line, 1 MiB with its newline.
pub const LONGEST: usize = 1 << 20;
/// More than the fields around the padding ever take.
pub(crate) const FIELDS: usize = 160;
/// What the fields around the padding take as a rule, and half of the spread of [`Sizes::About`].
const ABOUT: usize = 67;
/// More than they take in lines of [`Sizes::Between`].
const AROUND: usize = 90;

/// Printable, without blanks and without the bar that begins a payload.
static PADDING: [u8; 8192] = {
    let mut bytes = [0; 8192];
    let mut state = 0x2545_f491_u32;
    let mut at = 0;
    while at < bytes.len() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[at] = b'!' + (state % 91) as u8;
        at += 1;
    }
    bytes
};

/// How long the lines of a load are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// 20 B to 64 KiB of padding, short ones far more often, and now and then a line of 1 MiB.
    Mixed,
    /// 20 B to 64 KiB of padding.
    Moderate,
    /// 20 B to 256 B of padding.
    Short,
    /// Lines of about so many bytes, with all that belongs to them.
    About(usize),
    /// Lines from so many bytes to so many, with all that belongs to them.
    Between(usize, usize),
}

impl Sizes {
    /// The padding of one line, in bytes.
    #[must_use]
    pub fn padding(self, id: Id) -> usize {
        let hash = id.hash();
        let within = |low: u64, high: u64| (low + (hash >> 20) % (high - low + 1)) as usize;
        let longest = id.sequence % 8192 == 3 + id.process % 16 * 512 + id.thread;
        match (self, hash % 256) {
            (Self::About(length), _) => within(0, 10) + length.saturating_sub(ABOUT).max(20),
            (Self::Between(shortest, longest), _) => {
                let low = shortest.saturating_sub(ABOUT).max(20);
                within(low as u64, longest.saturating_sub(AROUND).max(low) as u64)
            }
            (Self::Mixed, _) if longest => LONGEST - FIELDS,
            (Self::Mixed | Self::Moderate, 0) => within(4096, 65_536),
            (Self::Mixed | Self::Moderate, 1..=16) => within(257, 4096),
            _ => within(20, 256),
        }
    }

    /// The room that the longest line of this load needs, in bytes.
    #[must_use]
    pub fn room(self) -> usize {
        match self {
            Self::Mixed => LONGEST + FIELDS,
            Self::Moderate => 65_536 + FIELDS,
            Self::Short => 256 + FIELDS,
            Self::About(length) | Self::Between(_, length) => length + FIELDS,
        }
    }
}

/// The buffer a thread makes its lines in; with room reserved it never allocates again.
#[derive(Debug)]
pub struct Pen(Vec<u8>);

impl Pen {
    /// A pen that has room for every line of `sizes`.
    #[must_use]
    pub fn new(sizes: Sizes) -> Self {
        Self(Vec::with_capacity(sizes.room()))
    }

    /// A whole line with the load's own stamp and its newline.
    pub fn line(&mut self, id: Id, way: Way, stamp: &Stamp, padding: usize) -> &[u8] {
        self.0.clear();
        stamp.write_to(&mut self.0);
        self.0.push(b' ');
        self.payload(id, way, padding);
        self.0.push(b'\n');
        &self.0
    }

    /// The payload of an event, without stamp and newline.
    pub fn message(&mut self, id: Id, way: Way, padding: usize) -> &str {
        self.0.clear();
        self.payload(id, way, padding);
        std::str::from_utf8(&self.0).unwrap_or("not printable")
    }

    fn payload(&mut self, id: Id, way: Way, padding: usize) {
        let Id { process, thread, sequence } = id;
        let way = char::from(way.letter());
        let _ = write!(self.0, "|{process}.{thread}.{sequence} {way} {padding} ");
        let mut left = padding;
        let mut from = id.hash() as usize % 4096;
        while left > 0 {
            let part = left.min(PADDING.len() - from);
            self.0.extend_from_slice(&PADDING[from..from + part]);
            left -= part;
            from = 0;
        }
        let sum = crc32fast::hash(&self.0);
        let _ = write!(self.0, " {sum:08x}");
    }
}

/// A whole line as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Who wrote it.
    pub id: Id,
    /// Whether the timer stamped it.
    pub timed: bool,
    /// The timestamp at its head.
    pub stamp: Stamp,
}

/// Reads a line without its newline; `None` unless every byte of it is right.
#[must_use]
pub fn parse(text: &[u8]) -> Option<Line> {
    let bar = text.iter().take(64).position(|byte| *byte == b'|')?;
    let (head, payload) = text.split_at(bar);
    let (id, rest) = identity(payload)?;
    let [b' ', letter, b' ', rest @ ..] = rest else { return None };
    let way = *Way::ALL.iter().find(|way| way.letter() == *letter)?;
    let (padding, rest) = number(rest)?;
    let rest = rest.strip_prefix(b" ")?;
    let [b' ', sum @ ..] = rest.get(usize::try_from(padding).ok()?..)? else { return None };
    if sum.len() != 8 {
        return None;
    }
    let covered = if way.timed() { payload } else { text };
    let covered = &covered[..covered.len() - 9];
    if format!("{:08x}", crc32fast::hash(covered)).as_bytes() != sum {
        return None;
    }
    let stamp = head.strip_suffix(if way.timed() { b"  INFO load: ".as_slice() } else { b" " })?;
    Some(Line { id, timed: way.timed(), stamp: Stamp::parse(stamp)? })
}

/// The lines whose beginnings can still be recognized in a damaged piece of text.
pub fn recognized(text: &[u8]) -> impl Iterator<Item = Id> + '_ {
    text.split(|byte| *byte == b'|').skip(1).filter_map(|part| {
        let (process, rest) = number(part)?;
        let (thread, rest) = number(rest.strip_prefix(b".")?)?;
        let (sequence, rest) = number(rest.strip_prefix(b".")?)?;
        rest.starts_with(b" ").then_some(Id { process, thread, sequence })
    })
}

fn identity(payload: &[u8]) -> Option<(Id, &[u8])> {
    let (process, rest) = number(payload.strip_prefix(b"|")?)?;
    let (thread, rest) = number(rest.strip_prefix(b".")?)?;
    let (sequence, rest) = number(rest.strip_prefix(b".")?)?;
    Some((Id { process, thread, sequence }, rest))
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    Some((number, &text[digits..]))
}
