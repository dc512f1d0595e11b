//! What a log file holds, plain or compressed.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::pattern::Archive;

/// The text of a file.
#[derive(Debug, Default)]
pub struct Content {
    /// As `cat`, `zcat` or `zstdcat` shows it, as far as it can be read.
    pub text: Vec<u8>,
    /// Where the text of each member begins, one after the other. (gzip's word; zstd says frame. A plain file has one.)
    pub members: Vec<usize>,
    /// What is wrong with the archive.
    pub damage: Option<String>,
}

impl Content {
    /// Reads a file; of an archive each member with its checksum, to the last byte.
    ///
    /// # Errors
    ///
    /// When it cannot be read from the disk.
    pub fn read(path: &Path, archive: Option<Archive>) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        let Some(kind) = archive else { return Ok(Self { text: bytes, members: vec![0], damage: None }) };
        let mut content = Self::default();
        let mut rest = bytes.as_slice();
        if rest.is_empty() {
            content.damage = Some("it is empty".to_owned());
        }
        while !rest.is_empty() && content.damage.is_none() {
            content.members.push(content.text.len());
            let read = kind.decompress(&mut rest, &mut content.text);
            content.damage = read.err().map(|error| error.to_string());
        }
        Ok(content)
    }

    /// The texts of the members.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.members.iter().skip(1).copied().chain([self.text.len()]);
        self.members.iter().zip(ends).map(|(begin, end)| &self.text[*begin..end])
    }
}

impl Archive {
    /// Reads one member and leaves `from` where the next one begins.
    fn decompress(self, from: &mut &[u8], to: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Gzip => flate2::bufread::GzDecoder::new(from).read_to_end(to),
            Self::Zstd => zstd::stream::read::Decoder::with_buffer(from)?.single_frame().read_to_end(to),
        }
    }
}
