//! [`Compression`]: how finished files are compressed, and how their archives are read.

use crate::names::archive::with_ending;
use crate::report::parse_error::{ParseError, What};
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How [`Builder::compress`](crate::Builder::compress) compresses files. Each kind needs a feature of this crate.
/// Without these features, the enum has no variant. `Display` and `FromStr` know them as `gzip` and `zstd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// `NAME.gz`, as `gzip(1)` makes it; `zcat` and `zgrep` read it. Feature `gzip`.
    #[cfg(feature = "gzip")]
    Gzip,
    /// `NAME.zst`, as `zstd(1)` makes it, with a checksum. Several times faster than `Gzip`, and smaller. Feature
    /// `zstd`.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compression {
    type Err = ParseError;

    /// Reads `gzip` and `zstd`, in upper or lower case. An error if this build lacks that kind.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let lower = text.trim().to_ascii_lowercase();
        let kind = KINDS.iter().find(|kind| kind.name() == lower);
        let reason = match lower.as_str() {
            "gzip" => "this program was built without the feature `gzip` of tracing-prefork",
            "zstd" => "this program was built without the feature `zstd` of tracing-prefork",
            _ => "expected `gzip` or `zstd`",
        };
        kind.copied().ok_or_else(|| ParseError::new(What::Option("compress"), text, reason))
    }
}

/// The kinds of this build.
const KINDS: &[Compression] = &[
    #[cfg(feature = "gzip")]
    Compression::Gzip,
    #[cfg(feature = "zstd")]
    Compression::Zstd,
];

/// How an archive is compressed, by its name. An error if this build lacks that kind.
pub(crate) fn kind_of(archive: &Path) -> io::Result<Compression> {
    let name = archive.as_os_str().as_bytes();
    let kind = KINDS.iter().find(|kind| name.ends_with(kind.ending().as_bytes()));
    kind.copied().ok_or_else(|| {
        io::Error::new(io::ErrorKind::Unsupported, "this build lacks the feature `gzip` or `zstd` that reads it")
    })
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => "gzip",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => crate::names::archive::ENDINGS[0],
            #[cfg(feature = "zstd")]
            Self::Zstd => crate::names::archive::ENDINGS[1],
        }
    }

    /// Where the archive of a plain file is.
    pub(crate) fn archive_of(self, plain: &Path) -> PathBuf {
        with_ending(plain, self.ending())
    }

    /// Compresses all of `from` into one member (gzip's word; zstd says frame). Returns the number of bytes in `from`.
    pub(crate) fn compress(self, from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
        #[cfg(not(any(feature = "gzip", feature = "zstd")))]
        let _ = (from, to);
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::default());
                let length = io::copy(from, &mut encoder)?;
                encoder.finish()?;
                Ok(length)
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(to, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                let length = io::copy(from, &mut encoder)?;
                encoder.finish()?;
                Ok(length)
            }
        }
    }

    /// Decompresses one member, and leaves `from` at the beginning of the next. Returns the number of bytes in `to`.
    pub(crate) fn decompress(self, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<u64> {
        #[cfg(not(any(feature = "gzip", feature = "zstd")))]
        let _ = (from, to);
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => io::copy(&mut flate2::bufread::GzDecoder::new(from), to),
            #[cfg(feature = "zstd")]
            Self::Zstd => io::copy(&mut zstd::stream::read::Decoder::with_buffer(from)?.single_frame(), to),
        }
    }
}
