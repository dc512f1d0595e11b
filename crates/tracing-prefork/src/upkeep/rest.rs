//! The rest: which part of a plain file is not in the archive that is there already.
//!
//! An archive has a member for each plain file that it was made from. A plain file stands beside its archive if late
//! lines have made the plain file anew, or if a process was killed after it published the archive and before it removed
//! the plain file. In the second case, late lines may have come to the plain file since.

use crate::sys::{OwnFile, Reader};
use crate::upkeep::compression::Compression;
use std::fs::Metadata;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;

/// How much is read and written at a time.
pub(super) const CHUNK: usize = 64 * 1024;

/// What to do with a plain file beside its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// All of it is in the archive.
    Nothing,
    /// Lines have come to what the last member holds. All of the plain file takes the member's place, behind the first
    /// `behind` bytes of the archive. `torn`: their text ends in the middle of a line.
    Grown { behind: u64, torn: bool },
    /// It is another file, of late lines. All of it becomes a further member, behind the archive.
    Apart { behind: u64, torn: bool },
}

impl Rest {
    pub(super) fn find(
        archive: &OwnFile,
        own: &Metadata,
        plain: &OwnFile,
        before: &Metadata,
        kind: Compression,
    ) -> io::Result<Self> {
        let Members { last, end, torn } = Members::read(archive, plain, kind)?;
        // If somebody has taken rights from the plain file since, the archive must not give them either.
        let protects = own.mode() & !before.mode() & 0o777 == 0;
        let is_whole = last.length == before.len() && modified(before) == modified(own) && protects;
        Ok(match decide(last.begins_plain, is_younger(before, own), is_whole) {
            Decision::Nothing => Self::Nothing,
            Decision::Grown => Self::Grown { behind: last.start, torn: last.torn_before },
            Decision::Apart => Self::Apart { behind: end, torn },
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Nothing,
    Grown,
    Apart,
}

/// Whether the last member was made from the plain file, and whether lines have come to the plain file since.
///
/// | the plain file begins with the member | it was made after the archive | all of it is in the member | |
/// |---|---|---|---|
/// | no | | | apart |
/// | yes | yes: late lines without a timestamp, which repeat the member | | apart |
/// | yes | no | no | grown |
/// | yes | no | yes | nothing |
fn decide(begins_plain: bool, is_younger: bool, is_whole: bool) -> Decision {
    match (begins_plain && !is_younger, is_whole) {
        (false, _) => Decision::Apart,
        (true, false) => Decision::Grown,
        (true, true) => Decision::Nothing,
    }
}

/// Whether the plain file was made after the archive, by their times of birth, which nothing changes later. If both
/// were made in one tick of the kernel's clock, the plain file is the younger: no archive is made in the tick in which
/// its plain file was made (`archiving`).
fn is_younger(plain: &Metadata, archive: &Metadata) -> bool {
    // Where the file system does not tell, it is not younger.
    plain.created().ok().zip(archive.created().ok()).is_some_and(|(plain, archive)| plain >= archive)
}

pub(super) fn modified(file: &Metadata) -> (i64, i64) {
    (file.mtime(), file.mtime_nsec())
}

/// What an archive consists of.
struct Members {
    last: Member,
    /// The bytes of the archive.
    end: u64,
    /// Its text ends in the middle of a line.
    torn: bool,
}

struct Member {
    /// Where the member begins in the archive.
    start: u64,
    /// The bytes of its text.
    length: u64,
    /// The text before it ends in the middle of a line.
    torn_before: bool,
    /// The plain file begins with its text.
    begins_plain: bool,
}

impl Members {
    /// Reads the whole archive, and compares each member with the plain file.
    fn read(archive: &OwnFile, plain: &OwnFile, kind: Compression) -> io::Result<Self> {
        let mut input = Counted { inner: BufReader::with_capacity(CHUNK, archive.reader()), count: 0 };
        let (mut last, mut torn) = (None, false);
        while !input.fill_buf()?.is_empty() {
            let start = input.count;
            let mut comparison = Comparison::with(plain);
            let length = kind.decompress(&mut input, &mut comparison)?;
            last = Some(Member { start, length, torn_before: torn, begins_plain: comparison.equal });
            torn = comparison.last.map_or(torn, |last| last != b'\n');
        }
        let last = last.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Self { last, end: input.count, torn })
    }
}

/// Compares the text that is written to it with the beginning of the plain file.
struct Comparison<'a> {
    plain: BufReader<Reader<'a>>,
    piece: Vec<u8>,
    equal: bool,
    /// The last byte.
    last: Option<u8>,
}

impl<'a> Comparison<'a> {
    fn with(plain: &'a OwnFile) -> Self {
        let plain = BufReader::with_capacity(CHUNK, plain.reader());
        Self { plain, piece: Vec::new(), equal: true, last: None }
    }
}

impl Write for Comparison<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.last = bytes.last().copied().or(self.last);
        if self.equal {
            self.piece.resize(bytes.len(), 0);
            self.equal = match self.plain.read_exact(&mut self.piece) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                read => read.map(|()| self.piece == bytes)?,
            };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts the bytes that were consumed.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.count += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.inner.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, decide};

    #[test]
    fn what_is_not_in_the_archive_follows_from_three_answers() {
        for (begins_plain, is_younger, is_whole, decision) in [
            (false, false, false, Decision::Apart),
            (false, false, true, Decision::Apart),
            (false, true, false, Decision::Apart),
            (false, true, true, Decision::Apart),
            (true, true, false, Decision::Apart),
            (true, true, true, Decision::Apart),
            (true, false, false, Decision::Grown),
            (true, false, true, Decision::Nothing),
        ] {
            assert_eq!(decide(begins_plain, is_younger, is_whole), decision);
        }
    }
}
