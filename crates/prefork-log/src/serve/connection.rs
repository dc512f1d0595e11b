//! [`Connection`]: what one client has sent and was told.

use super::listener::Carries;
use super::peer::Peer;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;
use tracing_prefork::protocol::{self, LineTime, Lines, MAX_LINE, MAX_PACKET, Packet, Piece};

/// Room for one packet, and for one byte that tells a longer one.
pub(crate) const ROOM: usize = MAX_PACKET + 1;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    pub(crate) peer: Peer,
    pub(crate) since: Instant,
    pub(crate) carries: Carries,
    /// Whether anything of it was taken.
    pub(crate) heard: bool,
    /// The client, and the number of its next line. `None` before the first one.
    next: Option<(u64, u64)>,
    /// The beginning of a line, whose rest has not come.
    partial: Vec<u8>,
    /// Of a line that comes in pieces: its time and its whole length.
    whole: (LineTime, usize),
    /// The number that the client is to be told, if it has not been told.
    ack: Option<u64>,
}

/// Takes a line: its client and number, its time, its text.
pub(crate) type Add<'a> = dyn FnMut((u64, u64), LineTime, &[u8]) + 'a;

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client has closed it.
    Closed,
    /// The client does not keep to the protocol.
    Malformed(String),
    /// A line is longer than it may be.
    TooLong,
}

/// What a read has brought.
#[derive(Debug)]
pub(crate) enum Got<'a> {
    Bytes(&'a [u8]),
    Nothing,
    End(End),
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd, peer: Peer, carries: Carries) -> Self {
        Self {
            socket,
            peer,
            since: Instant::now(),
            carries,
            heard: false,
            next: None,
            partial: Vec::new(),
            whole: ((0, 0), 0),
            ack: None,
        }
    }

    /// Reads a packet, or a part of the stream. It does not wait.
    pub(crate) fn read<'a>(&self, buffer: &'a mut [u8]) -> Got<'a> {
        // With MSG_TRUNC the kernel says how long the packet was, whatever room there is (recv(2)).
        let flags = match self.carries {
            Carries::Packets => MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC,
            Carries::Lines => MsgFlags::MSG_DONTWAIT,
        };
        match recv(self.socket.as_raw_fd(), buffer, flags) {
            Ok(0) => Got::End(End::Closed),
            Ok(length) => match buffer.get(..length) {
                Some(bytes) if length <= MAX_PACKET || self.carries == Carries::Lines => Got::Bytes(bytes),
                _ => Got::End(End::Malformed(format!("a packet has {length} bytes, and may have {MAX_PACKET}"))),
            },
            Err(Errno::EAGAIN | Errno::EINTR) => Got::Nothing,
            Err(_) => Got::End(End::Closed),
        }
    }

    /// The bytes of a line whose rest has not come.
    pub(crate) fn waiting(&self) -> usize {
        self.partial.capacity()
    }

    /// Takes a packet, and hands its whole lines on, each with its client and its number. Returns how many lines were
    /// sent before, through another connection.
    pub(crate) fn packet(&mut self, packet: &[u8], add: &mut Add<'_>) -> Result<u64, End> {
        let packet = protocol::decode(packet).map_err(|error| End::Malformed(error.to_string()))?;
        match packet {
            Packet::Lines(lines) => self.lines(lines, add),
            Packet::Piece(piece) => self.piece(piece, add),
            _ => Err(End::Malformed("a packet is of a kind that this version does not know".to_owned())),
        }
    }

    fn lines(&mut self, lines: Lines<'_>, add: &mut Add<'_>) -> Result<u64, End> {
        self.expect(lines.client, lines.first)?;
        if !self.partial.is_empty() {
            return Err(End::Malformed("a line comes between the pieces of another".to_owned()));
        }
        for (number, (time, text)) in (lines.first..).zip(lines) {
            add((lines.client, number), time, text);
        }
        self.took(lines.client, lines.first, lines.count.into());
        Ok(if lines.resent { lines.count.into() } else { 0 })
    }

    fn piece(&mut self, piece: Piece<'_>, add: &mut Add<'_>) -> Result<u64, End> {
        self.expect(piece.client, piece.number)?;
        let follows =
            piece.offset == self.partial.len() && (piece.offset == 0 || self.whole == (piece.time, piece.total));
        if !follows {
            return Err(End::Malformed("a piece of a line does not follow the one before".to_owned()));
        }
        self.whole = (piece.time, piece.total);
        self.partial.extend_from_slice(piece.text);
        if self.partial.len() < piece.total {
            return Ok(0);
        }
        add((piece.client, piece.number), piece.time, &self.partial);
        self.partial = Vec::new();
        self.took(piece.client, piece.number, 1);
        Ok(piece.resent.into())
    }

    fn expect(&self, client: u64, number: u64) -> Result<(), End> {
        match self.next {
            Some((known, _)) if known != client => {
                Err(End::Malformed("a connection has the lines of two clients".to_owned()))
            }
            Some((_, next)) if next != number => {
                Err(End::Malformed(format!("line {number} comes where line {next} is due")))
            }
            _ => Ok(()),
        }
    }

    fn took(&mut self, client: u64, first: u64, count: u64) {
        self.heard = true;
        self.next = Some((client, first + count));
        self.ack = Some(first + count - 1);
    }

    /// Takes a part of a stream, and hands its whole lines on.
    pub(crate) fn part(&mut self, part: &[u8], add: &mut dyn FnMut(&[u8])) -> Result<(), End> {
        let mut rest = part;
        if let Some(last) = part.iter().rposition(|byte| *byte == b'\n') {
            let (lines, behind) = part.split_at(last + 1);
            if self.partial.is_empty() {
                add(lines);
            } else {
                self.partial.extend_from_slice(lines);
                add(&self.partial);
                self.partial = Vec::new();
            }
            rest = behind;
            self.heard = true;
        }
        if self.partial.len() + rest.len() > MAX_LINE {
            return Err(End::TooLong);
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// The last line of a stream, which has no newline.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = std::mem::take(&mut self.partial);
        (self.carries == Carries::Lines && !rest.is_empty()).then_some(rest)
    }

    pub(crate) fn has_ack(&self) -> bool {
        self.ack.is_some()
    }

    /// Tells the client what is in the files. `false`: the client reads nothing now. It is told later.
    pub(crate) fn acknowledge(&mut self) -> bool {
        let Some(number) = self.ack else { return true };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = send(self.socket.as_raw_fd(), &protocol::encode_ack(number), flags);
        let is_full = matches!(sent, Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::EINTR));
        if !is_full {
            // If the client is gone, the next read says so.
            self.ack = None;
        }
        !is_full
    }
}
