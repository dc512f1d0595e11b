//! [`Compression`]: how finished files are compressed, and how their archives are read.

use crate::names::archive::with_ending;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How [`Builder::compress`](crate::Builder::compress) compresses files. Each kind needs a feature of this crate.
/// Without these features, the enum has no variant.
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

/// How an archive is compressed, by its name. An error if this build lacks that kind.
pub(crate) fn kind_of(archive: &Path) -> io::Result<Compression> {
    let kinds = [
        #[cfg(feature = "gzip")]
        Compression::Gzip,
        #[cfg(feature = "zstd")]
        Compression::Zstd,
    ];
    let name = archive.as_os_str().as_bytes();
    let kind = kinds.into_iter().find(|kind: &Compression| name.ends_with(kind.ending().as_bytes()));
    kind.ok_or_else(|| {
        io::Error::new(io::ErrorKind::Unsupported, "this build lacks the feature `gzip` or `zstd` that reads it")
    })
}

impl Compression {
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
