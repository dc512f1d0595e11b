//! Closed files become archives, and no line is lost on the way.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tracing_prefork::{Builder, Compression, Rotation};

use super::{Hand, a_tick, operations, telling};

/// What this build has, with the endings of the archives.
pub(crate) const KINDS: &[(Compression, &str)] = &[
    #[cfg(feature = "gzip")]
    (Compression::Gzip, ".gz"),
    #[cfg(feature = "zstd")]
    (Compression::Zstd, ".zst"),
];

pub(crate) const TOMORROW: &str = "app.2026-11-22.log";

pub(crate) fn daily(hand: &Hand, kind: Compression) -> Builder {
    hand.builder().rotation(Rotation::DAILY).compress(kind)
}

pub(crate) fn decompress(archive: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(archive)?;
    let mut content = Vec::new();
    match archive.extension().and_then(|ending| ending.to_str()) {
        #[cfg(feature = "gzip")]
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut content)?,
        #[cfg(feature = "zstd")]
        Some("zst") => zstd::stream::read::Decoder::new(file)?.read_to_end(&mut content)?,
        _ => panic!("{}", archive.display()),
    };
    Ok(content)
}

pub(crate) fn text(archive: &Path) -> String {
    String::from_utf8(decompress(archive).expect("valid")).expect("UTF-8")
}

pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Some lines that compress like a log.
pub(crate) fn lines(count: u64) -> String {
    let mut seed = count + 1;
    (0..count).map(|number| format!("{number} request served in {} us\n", random(&mut seed) % 100_000)).collect()
}

/// Writes a file of the day before [`NOW`], whose period is over.
pub(crate) fn yesterday(directory: &Path, content: &str) -> PathBuf {
    let path = directory.join("app.2026-11-20.log");
    fs::write(&path, content).expect("written");
    a_tick();
    path
}

pub(crate) fn with_ending(plain: &Path, ending: &str) -> PathBuf {
    let mut path = plain.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Lets an appender of the day after `hand` compress, and says how many it did.
pub(crate) fn compress(hand: &Hand, kind: Compression, directory: &Path) -> usize {
    let (told, builder) = telling(daily(hand, kind));
    let count = builder.build(directory).expect("builds").compress().expect("compresses");
    assert_eq!(operations(&told), []);
    count
}

// Killed at random points.

pub(crate) fn numbered(day: u64, number: u64) -> String {
    format!("{day} {number} {:x}\n", (day + 1).wrapping_mul(number + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// How many lines of a day there are: they must be the first so many, in order. A process that is killed within
/// `write(2)` can leave the beginning of the line that comes next, which is ended and stays.
pub(crate) fn count(day: u64, content: &[u8]) -> u64 {
    let text = std::str::from_utf8(content).expect("UTF-8");
    let mut count = 0;
    for line in text.split_inclusive('\n') {
        let (next, piece) = (numbered(day, count), line.trim_end_matches('\n'));
        if piece.len() + 1 < next.len() && next.starts_with(piece) {
            continue;
        }
        assert_eq!(line, next, "day {day}");
        count += 1;
    }
    count
}
