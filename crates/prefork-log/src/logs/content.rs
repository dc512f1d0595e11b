//! [`Content`]: the text of one file, plain or compressed.

use crate::logs::descriptors::Descriptor;
use crate::logs::spill::{Extent, Spill};
use flate2::bufread::{GzDecoder, MultiGzDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The endings of archives.
pub(crate) const GZIP: &str = "gz";
pub(crate) const ZSTD: &str = "zst";

/// The text of a file, from its beginning to its end. All members of an archive are read.
pub(crate) enum Content {
    Plain(Descriptor),
    Gzip(Box<MultiGzDecoder<BufReader<Descriptor>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Descriptor>>>),
    /// Unpacked into a file without a name.
    Spilled(Extent),
}

/// What a decoder of gzip takes: the window of 32 KiB, and its tables (`flate2`, measured).
const GZIP_BYTES: u64 = 48 << 10;

impl Content {
    /// The text of an open file. The name of the file says how it is compressed. `input`: bytes that are read at once.
    pub(crate) fn new(path: &Path, file: File, input: usize) -> io::Result<Self> {
        Self::of(path, Descriptor::new(path, file)?, input)
    }

    /// The text of the first `bytes` of a file.
    pub(crate) fn first(path: &Path, file: File, bytes: u64) -> io::Result<Self> {
        let mut descriptor = Descriptor::new(path, file)?;
        descriptor.end = bytes;
        Self::of(path, descriptor, 64 << 10)
    }

    fn of(path: &Path, descriptor: Descriptor, input: usize) -> io::Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(GZIP) => {
                let input = BufReader::with_capacity(input, descriptor);
                Ok(Self::Gzip(Box::new(MultiGzDecoder::new(input))))
            }
            Some(ZSTD) => {
                let input = BufReader::with_capacity(input, descriptor);
                Ok(Self::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(input)?)))
            }
            _ => Ok(Self::Plain(descriptor)),
        }
    }

    /// The memory that a reader of this file takes, in bytes, beyond its buffers.
    pub(crate) fn memory(path: &Path, file: &File) -> u64 {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(GZIP) => GZIP_BYTES,
            Some(ZSTD) => zstd_window(file) + (256 << 10),
            _ => 0,
        }
    }

    /// Puts the whole text into a file without a name, so that its decoder takes no memory any more.
    pub(crate) fn spill(mut self, spill: &Spill) -> io::Result<Self> {
        spill.take(&mut self).map(Self::Spilled)
    }

    /// Passes over this many bytes of text.
    pub(crate) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        if let Self::Plain(descriptor) = self {
            descriptor.at += bytes;
            return Ok(());
        }
        io::copy(&mut self.take(bytes), &mut io::sink()).map(drop)
    }
}

impl Read for Content {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(descriptor) => descriptor.read(to),
            Self::Gzip(decoder) => decoder.read(to),
            Self::Zstd(decoder) => decoder.read(to),
            Self::Spilled(extent) => extent.read(to),
        }
    }
}

/// The window that the first frame asks for (RFC 8878, 3.1.1.1), in bytes.
fn zstd_window(file: &File) -> u64 {
    use std::os::unix::fs::FileExt;
    let mut head = [0; 14];
    let read = file.read_at(&mut head, 0).unwrap_or_default();
    if read < 6 || head[..4] != [0x28, 0xb5, 0x2f, 0xfd] {
        return 0;
    }
    let descriptor = head[4];
    if descriptor & 0x20 == 0 {
        let (exponent, mantissa) = (u64::from(head[5] >> 3), u64::from(head[5] & 7));
        let base = 1 << (10 + exponent);
        return base + base / 8 * mantissa;
    }
    // A single segment: the window is the whole text.
    let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let digits = head.get(at..(at + bytes).min(read)).unwrap_or_default();
    digits.iter().rev().fold(0, |sum, digit| sum << 8 | u64::from(*digit))
}

/// Hands each member of an archive to `look`, which reads it to its end or fails.
pub(crate) fn members(
    path: &Path,
    file: File,
    look: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut input = BufReader::with_capacity(64 << 10, Descriptor::new(path, file)?);
    // An empty archive is none.
    let mut is_empty = true;
    while !input.fill_buf()?.is_empty() {
        is_empty = false;
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(ZSTD) => look(&mut zstd::stream::read::Decoder::with_buffer(&mut input)?.single_frame())?,
            _ => look(&mut GzDecoder::new(&mut input))?,
        }
    }
    if is_empty { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
