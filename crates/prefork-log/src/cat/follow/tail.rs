//! [`Tail`]: a plain file that is followed.

use crate::logs::descriptors::FileId;
use memchr::memrchr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A plain file.
pub(super) struct Tail {
    /// `None`: closed, because it is idle.
    pub(super) file: Option<File>,
    pub(super) id: FileId,
    pub(super) at: u64,
    /// What is behind this is read later.
    pub(super) until: u64,
    /// The beginning of a line whose newline has not come.
    pub(super) piece: Vec<u8>,
}

impl Tail {
    pub(super) fn new(file: Option<File>, id: FileId, at: u64) -> Self {
        Self { file, id, at, until: at, piece: Vec::new() }
    }
}

/// Where the last line that has a newline ends.
pub(super) fn last_newline(file: &File) -> io::Result<u64> {
    let mut until = file.metadata()?.len();
    let mut piece = vec![0; 64 << 10];
    while until > 0 {
        let from = until.saturating_sub(piece.len() as u64);
        let length = (until - from) as usize;
        file.read_exact_at(&mut piece[..length], from)?;
        if let Some(newline) = memrchr(b'\n', &piece[..length]) {
            return Ok(from + newline as u64 + 1);
        }
        until = from;
    }
    Ok(0)
}
