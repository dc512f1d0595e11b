//! What goes through the socket of `prefork-log serve`: packets of lines one way, acknowledgements the other way.
//!
//! The page on the socket (`docs/socket.md`) has the layout of each packet, and the rules for both sides. This module
//! is for receivers and clients in Rust: it reads packets, and reads and writes acknowledgements.
//!
//! ```
//! use tracing_prefork::protocol::{Packet, decode, decode_ack, encode_ack};
//!
//! let mut packet = b"PFL1\x01\x00\x01\x00".to_vec(); // one whole line, which was not sent before
//! packet.extend(99_u64.to_le_bytes()); // the client
//! packet.extend(7_u64.to_le_bytes()); // the number of the line
//! packet.extend(1_795_249_981_i64.to_le_bytes()); // its second
//! packet.extend(0_u32.to_le_bytes()); // its nanoseconds
//! packet.extend(6_u32.to_le_bytes()); // its length
//! packet.extend(b"a line");
//! let Ok(Packet::Lines(lines)) = decode(&packet) else { unreachable!() };
//! assert_eq!((lines.client, lines.first, lines.count), (99, 7, 1));
//! assert_eq!(lines.into_iter().next(), Some(((1_795_249_981, 0), b"a line".as_slice())));
//! assert_eq!(decode_ack(&encode_ack(7)), Some(7));
//! ```

/// The most bytes of a packet.
pub const MAX_PACKET: usize = 65_536;
/// The most bytes of a line.
pub const MAX_LINE: usize = 1 << 20;
/// The bytes of an acknowledgement.
pub const ACK_BYTES: usize = 16;

/// The bytes before the lines of a packet.
pub(crate) const HEAD: usize = 24;
/// The bytes before the text of a line.
pub(crate) const LINE_HEAD: usize = 16;
/// The bytes before a piece.
pub(crate) const PIECE_HEAD: usize = 44;

const MAGIC: [u8; 4] = *b"PFL1";
const ACK_MAGIC: [u8; 4] = *b"PFA1";
const LINES: u8 = 1;
const PIECE: u8 = 2;
const RESENT: u8 = 1;

/// The time of a line: seconds since 1970, and nanoseconds.
pub type LineTime = (i64, u32);

/// A packet that was received. A later version may know more kinds: take one that you do not know for malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// Whole lines.
    Lines(Lines<'a>),
    /// A piece of a line.
    Piece(Piece<'a>),
}

/// A packet of whole lines. Its lines come from `into_iter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lines<'a> {
    /// The client.
    pub client: u64,
    /// The number of the first line.
    pub first: u64,
    /// How many lines there are.
    pub count: u16,
    /// Whether these lines were sent before, through a connection that has ended.
    pub resent: bool,
    body: &'a [u8],
}

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece<'a> {
    /// The client.
    pub client: u64,
    /// The number of the line.
    pub number: u64,
    /// Whether the line was sent before, through a connection that has ended.
    pub resent: bool,
    /// The time of the line.
    pub time: LineTime,
    /// The length of the whole line.
    pub total: usize,
    /// Where in the line the piece begins.
    pub offset: usize,
    /// The piece.
    pub text: &'a [u8],
}

/// Why a packet cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// It does not begin with `PFL1`, or its kind is unknown.
    Head,
    /// A length does not fit.
    Length,
    /// A time has more than 999 999 999 nanoseconds.
    Time,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Head => "a packet does not begin as one of this protocol (PFL1)",
            Self::Length => "a length in a packet does not fit",
            Self::Time => "a time in a packet is none",
        })
    }
}

impl std::error::Error for Malformed {}

/// Takes the first `N` bytes off.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_le_bytes)
}

fn take_time(bytes: &mut &[u8]) -> Option<LineTime> {
    Some((take(bytes).map(i64::from_le_bytes)?, take_u32(bytes)?))
}

/// Takes a line off: its time and its text.
fn take_line<'a>(bytes: &mut &'a [u8]) -> Option<(LineTime, &'a [u8])> {
    let time = take_time(bytes)?;
    let length = take_u32(bytes)? as usize;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((time, text))
}

/// Reads a packet. Each length in it is checked.
///
/// # Errors
///
/// If it is no packet of this protocol.
pub fn decode(packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    let mut rest = packet;
    let magic: [u8; 4] = take(&mut rest).ok_or(Malformed::Head)?;
    let [kind, flags] = take(&mut rest).ok_or(Malformed::Head)?;
    if magic != MAGIC || flags & !RESENT != 0 {
        return Err(Malformed::Head);
    }
    let resent = flags == RESENT;
    let count = take(&mut rest).map(u16::from_le_bytes).ok_or(Malformed::Length)?;
    let client = take(&mut rest).map(u64::from_le_bytes).ok_or(Malformed::Length)?;
    let number = take(&mut rest).map(u64::from_le_bytes).ok_or(Malformed::Length)?;
    match kind {
        LINES => lines(Lines { client, first: number, count, resent, body: rest }).map(Packet::Lines),
        PIECE => piece(client, number, resent, rest).map(Packet::Piece),
        _ => Err(Malformed::Head),
    }
}

/// Checks the lines of a packet.
fn lines(lines: Lines<'_>) -> Result<Lines<'_>, Malformed> {
    let mut rest = lines.body;
    for _ in 0..lines.count {
        let ((_, nanos), text) = take_line(&mut rest).ok_or(Malformed::Length)?;
        if nanos >= 1_000_000_000 {
            return Err(Malformed::Time);
        }
        if text.is_empty() {
            return Err(Malformed::Length);
        }
    }
    let fits = lines.count > 0 && rest.is_empty() && lines.first.checked_add(lines.count.into()).is_some();
    if fits { Ok(lines) } else { Err(Malformed::Length) }
}

fn piece(client: u64, number: u64, resent: bool, mut rest: &[u8]) -> Result<Piece<'_>, Malformed> {
    let time = take_time(&mut rest).ok_or(Malformed::Length)?;
    let total = take_u32(&mut rest).ok_or(Malformed::Length)? as usize;
    let offset = take_u32(&mut rest).ok_or(Malformed::Length)? as usize;
    if time.1 >= 1_000_000_000 {
        return Err(Malformed::Time);
    }
    let fits = !rest.is_empty() && total <= MAX_LINE && offset <= total && rest.len() <= total - offset;
    if fits && number < u64::MAX {
        Ok(Piece { client, number, resent, time, total, offset, text: rest })
    } else {
        Err(Malformed::Length)
    }
}

impl<'a> IntoIterator for Lines<'a> {
    type Item = (LineTime, &'a [u8]);
    type IntoIter = LinesIter<'a>;

    fn into_iter(self) -> LinesIter<'a> {
        LinesIter { rest: self.body }
    }
}

/// The lines of a packet, each with its time.
#[derive(Clone, Debug)]
pub struct LinesIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for LinesIter<'a> {
    type Item = (LineTime, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        take_line(&mut self.rest)
    }
}

/// An acknowledgement of all lines up to `number`.
#[must_use]
pub fn encode_ack(number: u64) -> [u8; ACK_BYTES] {
    let mut ack = [0; ACK_BYTES];
    ack[..4].copy_from_slice(&ACK_MAGIC);
    ack[8..].copy_from_slice(&number.to_le_bytes());
    ack
}

/// Reads an acknowledgement. `None`: it is none.
#[must_use]
pub fn decode_ack(mut packet: &[u8]) -> Option<u64> {
    let (magic, _reserved): ([u8; 4], [u8; 4]) = (take(&mut packet)?, take(&mut packet)?);
    let number = take(&mut packet).map(u64::from_le_bytes)?;
    (magic == ACK_MAGIC && packet.is_empty()).then_some(number)
}

/// Who sends a packet, the number of its first line, and whether that was sent before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From {
    pub(crate) client: u64,
    pub(crate) number: u64,
    pub(crate) resent: bool,
}

/// Writes the head of a packet of so many whole lines.
pub(crate) fn put_head(packet: &mut [u8], count: u16, from: From) {
    put(packet, 0, &MAGIC);
    put(packet, 4, &[if count == 0 { PIECE } else { LINES }, u8::from(from.resent)]);
    put(packet, 6, &count.to_le_bytes());
    put(packet, 8, &from.client.to_le_bytes());
    put(packet, 16, &from.number.to_le_bytes());
}

/// Writes what stands before the text of a line.
pub(crate) fn put_line_head(packet: &mut [u8], at: usize, (secs, nanos): LineTime, length: u32) {
    put(packet, at, &secs.to_le_bytes());
    put(packet, at + 8, &nanos.to_le_bytes());
    put(packet, at + 12, &length.to_le_bytes());
}

/// Writes what stands before a piece.
pub(crate) fn put_piece_head(packet: &mut [u8], from: From, time: LineTime, total: u32, offset: u32) {
    put_head(packet, 0, from);
    put_line_head(packet, HEAD, time, total);
    put(packet, HEAD + LINE_HEAD, &offset.to_le_bytes());
}

/// The caller has seen to it that there is room.
fn put(packet: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = packet.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        From, HEAD, LINE_HEAD, Malformed, PIECE_HEAD, Packet, decode, decode_ack, encode_ack, put_head, put_line_head,
        put_piece_head,
    };

    fn two_lines() -> Vec<u8> {
        let mut packet = vec![0; HEAD];
        put_head(&mut packet, 2, From { client: 99, number: 7, resent: true });
        for (secs, text) in [(-1, "one\n"), (1_795_249_981, "two")] {
            let at = packet.len();
            packet.resize(at + LINE_HEAD, 0);
            put_line_head(&mut packet, at, (secs, 5), text.len() as u32);
            packet.extend_from_slice(text.as_bytes());
        }
        packet
    }

    #[test]
    fn what_is_written_is_read() {
        let packet = two_lines();
        let Ok(Packet::Lines(lines)) = decode(&packet) else { unreachable!("two lines") };
        assert_eq!((lines.client, lines.first, lines.count, lines.resent), (99, 7, 2, true));
        let lines: Vec<_> = lines.into_iter().collect();
        assert_eq!(lines, [((-1, 5), b"one\n".as_slice()), ((1_795_249_981, 5), b"two")]);
        assert_eq!(decode_ack(&encode_ack(9)), Some(9));
        let mut piece = vec![b'x'; PIECE_HEAD + 10];
        put_piece_head(&mut piece, From { client: 99, number: 3, resent: false }, (5, 6), 30, 20);
        let Ok(Packet::Piece(read)) = decode(&piece) else { unreachable!("a piece") };
        assert_eq!((read.number, read.time, read.total, read.offset), (3, (5, 6), 30, 20));
        assert_eq!(read.text, b"xxxxxxxxxx");
    }

    #[test]
    fn no_packet_that_is_cut_or_longer_is_read() {
        let packet = two_lines();
        for length in 0..packet.len() {
            assert!(decode(&packet[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(decode(&[&packet[..], b"x"].concat()), Err(Malformed::Length));
        let mut piece = vec![b'x'; PIECE_HEAD + 11];
        put_piece_head(&mut piece, From { client: 99, number: 3, resent: false }, (5, 6), 30, 20);
        assert_eq!(decode(&piece), Err(Malformed::Length), "beyond the end of its line");
    }

    #[test]
    fn no_changed_byte_makes_a_packet_read_beyond_its_end() {
        let packet = two_lines();
        for at in 0..packet.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = packet.clone();
                changed[at] = value;
                if let Ok(Packet::Lines(lines)) = decode(&changed) {
                    let bytes: usize = lines.into_iter().map(|(_, text)| LINE_HEAD + text.len()).sum();
                    assert_eq!(HEAD + bytes, changed.len());
                }
            }
        }
    }
}
