//! Any bytes as a packet of the socket: reading it never panics, and each line that is read lies in the packet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tracing_prefork::protocol::{MAX_LINE, Packet, decode, decode_ack, encode_ack};

fuzz_target!(|bytes: &[u8]| {
    if let Some(number) = decode_ack(bytes) {
        assert!(encode_ack(number)[8..] == bytes[8..]);
    }
    match decode(bytes) {
        Ok(Packet::Lines(lines)) => {
            let found: Vec<_> = lines.into_iter().collect();
            assert_eq!(found.len(), usize::from(lines.count));
            // 24 bytes before the lines, and 16 before each.
            let length: usize = found.iter().map(|(_, text)| 16 + text.len()).sum();
            assert_eq!(24 + length, bytes.len());
        }
        Ok(Packet::Piece(piece)) => {
            assert!(piece.offset + piece.text.len() <= piece.total && piece.total <= MAX_LINE);
            assert_eq!(44 + piece.text.len(), bytes.len());
        }
        Ok(unknown) => panic!("{unknown:?} is of an unknown kind"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
