//! [`Place`]: one file of a pattern, whether it is plain, an archive, or both at the moment.
//!
//! A process that compresses gives the archive its name first, and then removes the plain file. So a file that was
//! listed as plain can be an archive when it is opened. Both are there if a late line has made the plain file anew, or
//! if a process was killed between the two steps. In the second case the plain file begins with the text of the
//! archive's last member, which must not be printed twice.

use crate::logs::content::{Content, GZIP, ZSTD};
use crate::logs::descriptors::{FileId, id_of};
use crate::logs::stamp::Nanos;
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The path of the plain file, also if there is only an archive.
    pub(crate) plain: PathBuf,
    /// The period: `start` belongs to it, `end` does not.
    pub(crate) start: Nanos,
    pub(crate) end: Nanos,
    pub(crate) index: u32,
    /// A process has the plain file open to write to.
    pub(crate) open: bool,
    /// The bytes on the disk.
    pub(crate) bytes: u64,
}

/// A file that was found at a place.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) id: FileId,
    pub(crate) bytes: u64,
    /// The beginning of the text, which is elsewhere, too.
    pub(crate) skip: u64,
}

/// What was found at a place at one moment.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// One as a rule. Two if the kind of compression was changed and a process was killed.
    pub(crate) archives: Vec<Found>,
    pub(crate) plain: Option<Found>,
}

impl Found {
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let found = file.metadata()?;
        // A name of a file may belong to a directory or a pipe.
        if !found.is_file() {
            return Ok(None);
        }
        Ok(Some(Self { path: path.to_owned(), id: id_of(&file)?, bytes: found.len(), file, skip: 0 }))
    }

    pub(crate) fn links(&self) -> io::Result<u64> {
        self.file.metadata().map(|found| found.nlink())
    }

    /// The text of the file, without its beginning if that is elsewhere. `input`: bytes that are read at once.
    pub(crate) fn content(&self, input: usize) -> io::Result<Content> {
        let mut content = Content::new(&self.path, self.file.try_clone()?, input)?;
        content.skip(self.skip)?;
        Ok(content)
    }
}

/// `app.log` for `app.log.gz`.
pub(crate) fn plain_path(path: &Path, compressed: bool) -> PathBuf {
    if compressed { path.with_extension("") } else { path.to_owned() }
}

impl Place {
    pub(crate) fn archives(&self) -> [PathBuf; 2] {
        [GZIP, ZSTD].map(|ending| {
            let mut path = self.plain.clone().into_os_string();
            path.push(".");
            path.push(ending);
            PathBuf::from(path)
        })
    }

    /// Opens what is there.
    pub(crate) fn open(&self) -> io::Result<Files> {
        loop {
            let plain = Found::open(&self.plain)?;
            let mut archives = Vec::new();
            for path in self.archives() {
                archives.extend(Found::open(&path)?);
            }
            let Some(mut plain) = plain else {
                if archives.is_empty() && self.plain.exists() {
                    // A late line has just made it.
                    continue;
                }
                return Ok(Files { archives, plain: None });
            };
            if plain.links()? == 0 && self.archives().iter().any(|path| path.exists()) {
                // It has become part of an archive, perhaps of one that has just been opened, perhaps of a later one.
                continue;
            }
            if let [archive] = &mut archives[..]
                && !is_younger(&plain.file, &archive.file)?
            {
                plain.skip = in_both(&archive.path, &archive.file, &plain.file)?;
            }
            return Ok(Files { archives, plain: Some(plain) });
        }
    }
}

impl Files {
    /// In the order in which they were written.
    pub(crate) fn in_order(self) -> impl Iterator<Item = Found> {
        self.archives.into_iter().chain(self.plain)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.archives.is_empty() && self.plain.is_none()
    }
}

/// Whether the plain file was made after the archive, by their times of birth. If so, it has late lines.
pub(crate) fn is_younger(plain: &File, archive: &File) -> io::Result<bool> {
    let (plain, archive) = (plain.metadata()?, archive.metadata()?);
    Ok(plain.created().ok().zip(archive.created().ok()).is_some_and(|(plain, archive)| plain >= archive))
}

/// The length of the archive's last member, if the plain file begins with the text of that member.
fn in_both(path: &Path, archive: &File, plain: &File) -> io::Result<u64> {
    let mut archive = archive.try_clone()?;
    archive.rewind()?;
    let mut input = BufReader::with_capacity(64 << 10, archive);
    let mut last = 0;
    while !input.fill_buf()?.is_empty() {
        let mut plain = plain.try_clone()?;
        plain.rewind()?;
        let plain = BufReader::with_capacity(64 << 10, plain);
        let compared = match path.extension().and_then(|ending| ending.to_str()) {
            Some(ZSTD) => compare(zstd::stream::read::Decoder::with_buffer(&mut input)?.single_frame(), plain),
            _ => compare(GzDecoder::new(&mut input), plain),
        };
        // An archive that cannot be read to its end is printed as far as it can.
        let Ok(compared) = compared else { return Ok(0) };
        last = compared.unwrap_or_default();
    }
    Ok(last)
}

/// The length of a member, if the plain file begins with its text. Reads the member to its end.
fn compare(mut member: impl Read, mut plain: impl BufRead) -> io::Result<Option<u64>> {
    let (mut piece, mut other, mut length, mut equal) = (vec![0; 64 << 10], vec![0; 64 << 10], 0, true);
    loop {
        let read = member.read(&mut piece)?;
        if read == 0 {
            return Ok(equal.then_some(length));
        }
        equal = equal && plain.read_exact(&mut other[..read]).is_ok() && piece[..read] == other[..read];
        length += read as u64;
    }
}
