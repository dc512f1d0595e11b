//! [`Output`]: standard output, or the last lines only.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

/// Small pieces are gathered up to this size.
const GATHERED: usize = 64 << 10;

/// Where lines go.
pub(super) struct Output {
    file: File,
    buffer: Vec<u8>,
    last: Option<Last>,
}

/// The last lines so far.
struct Last {
    most: usize,
    lines: VecDeque<Vec<u8>>,
    /// The last one has no newline yet.
    open: bool,
}

impl Output {
    pub(super) fn new() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self { file, buffer: Vec::with_capacity(2 * GATHERED), last: None })
    }

    /// From now on, lines wait until it is clear which ones are the last `most`.
    pub(super) fn keep_last(&mut self, most: usize) {
        self.last = Some(Last { most, lines: VecDeque::new(), open: false });
    }

    /// Prints the last lines. Lines that come later are printed at once.
    pub(super) fn print_last(&mut self) -> io::Result<()> {
        let last = self.last.take();
        last.into_iter().flat_map(|last| last.lines).try_for_each(|line| self.write(&line))
    }

    /// Takes lines, or parts of lines.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if let Some(last) = &mut self.last {
            last.take(text);
            return Ok(());
        }
        if self.buffer.len() + text.len() > GATHERED {
            self.flush()?;
            if text.len() > GATHERED / 2 {
                return self.file.write_all(text);
            }
        }
        self.buffer.extend_from_slice(text);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written
    }

    /// Copies the rest of a plain file, without a way through this program's memory where the kernel can do that.
    /// `None`: lines must be looked at.
    pub(super) fn copy(&mut self, from: &mut File) -> Option<io::Result<u64>> {
        if self.last.is_some() {
            return None;
        }
        Some(self.flush().and_then(|()| io::copy(from, &mut self.file)))
    }

    /// Copies the rest of a text. Returns its last byte.
    pub(super) fn pour(&mut self, from: &mut impl Read, piece: &mut [u8]) -> (Option<u8>, io::Result<Poured>) {
        let mut last = None;
        loop {
            match from.read(piece) {
                Ok(0) => return (last, Ok(Poured::Whole)),
                Ok(read) => {
                    last = piece[..read].last().copied();
                    if let Err(error) = self.write(&piece[..read]) {
                        return (last, Err(error));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (last, Ok(Poured::Failed(error))),
            }
        }
    }

    /// Somebody who will be told when nobody reads any more.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

/// How a text ended.
pub(super) enum Poured {
    Whole,
    /// It cannot be read any further.
    Failed(io::Error),
}

impl Last {
    fn take(&mut self, text: &[u8]) {
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match self.lines.back_mut().filter(|_| self.open) {
                Some(open) => open.extend_from_slice(line),
                None => self.lines.push_back(line.to_vec()),
            }
            self.open = !line.ends_with(b"\n");
            if self.lines.len() > self.most {
                self.lines.pop_front();
            }
        }
    }
}
