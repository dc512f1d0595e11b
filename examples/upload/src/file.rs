//! A finished log file, as it goes to the store: so many bytes, with this checksum, whatever becomes of the file.

use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much is read at a time for a checksum.
const PIECE: usize = 1 << 16;

/// An open file. A late line can make the file longer while it is being sent: then the hook is called again, and what
/// is sent now ends where the file ended when it was opened.
#[derive(Debug)]
pub(crate) struct Finished {
    file: File,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Finished {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let sha256 = sha256_of_first(&file, bytes)?;
        Ok(Self { file, bytes, sha256 })
    }

    /// The bytes from `begin` on, `length` at most.
    pub(crate) fn part(&self, begin: u64, length: u64) -> io::Result<Vec<u8>> {
        let length = length.min(self.bytes.saturating_sub(begin));
        let mut part = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut part, begin)?;
        Ok(part)
    }

    /// Whether this file begins with all bytes of an object: late lines were added to the file since it was sent.
    pub(crate) fn continues(&self, bytes: u64, sha256: &str) -> io::Result<bool> {
        Ok(bytes < self.bytes && sha256_of_first(&self.file, bytes)? == sha256)
    }
}

fn sha256_of_first(file: &File, bytes: u64) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut piece = [0; PIECE];
    let mut begin = 0;
    while begin < bytes {
        let length = PIECE.min(usize::try_from(bytes - begin).unwrap_or(PIECE));
        file.read_exact_at(&mut piece[..length], begin)?;
        context.update(&piece[..length]);
        begin += length as u64;
    }
    Ok(hexadecimal(context))
}

/// The checksum as text, as `sha256sum` prints it.
pub(crate) fn hexadecimal(context: Context) -> String {
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let text = "x".repeat(PIECE + 3);
        std::fs::write(&path, &text[..PIECE]).expect("written");
        let before = Finished::open(&path).expect("there");
        std::fs::write(&path, &text).expect("written");
        let after = Finished::open(&path).expect("there");
        assert!(after.continues(before.bytes, &before.sha256).expect("readable"));
        assert!(!before.continues(before.bytes, &before.sha256).expect("readable"), "as long, so not longer");
        assert!(!after.continues(before.bytes - 1, &before.sha256).expect("readable"));
        assert_eq!(after.part(PIECE as u64, 100).expect("readable"), b"xxx");
    }

    #[test]
    fn the_checksum_is_that_of_sha256sum() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, "abc").expect("written");
        // FIPS 180-4, the example of one block.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Finished::open(&path).expect("there").sha256, expected);
    }
}
