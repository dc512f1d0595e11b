//! `io::Write` for an appender's handle: whole lines go to the file, and a piece of a line waits for its rest.

use crate::event;
use crate::event::writer::put_pieces;
use crate::process::pieces;
use crate::sink::Sink;
use crate::write::unwritten::Unwritten;
use std::io;

/// The last piece of a line that a handle was given, and the process that the piece was given to.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    process: u64,
    pieces: Vec<u8>,
}

impl Partial {
    /// Writes the whole lines of `buf`, and keeps the rest. If a write falls short, takes only the lines that are in
    /// the file, so that the caller can try the others again. `urgent`: the lines are in the file when this returns.
    pub(crate) fn write(&mut self, sink: &Sink, buf: &[u8], urgent: bool) -> io::Result<usize> {
        let pieces = self.of(sink.site.process.number());
        let before = pieces.len();
        let (lines, rest) = match buf.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => buf.split_at(last + 1),
            None => (&buf[..0], buf),
        };
        if !lines.is_empty() {
            let put = if before == 0 {
                event::put(sink, lines, None, urgent)
            } else {
                pieces::append(pieces, lines)?;
                event::put(sink, pieces, None, urgent)
            };
            pieces.truncate(before);
            if let Err(Unwritten { error, written }) = put {
                // Report the whole lines that are in the file as written.
                let in_file = lines.get(..written.saturating_sub(before)).unwrap_or_default();
                let Some(last) = in_file.iter().rposition(|&byte| byte == b'\n') else { return Err(error) };
                pieces.clear();
                return Ok(last + 1);
            }
            pieces.clear();
        }
        if !rest.is_empty() {
            pieces::append(pieces, rest)?;
        }
        Ok(buf.len())
    }

    /// Ends the piece with a newline, and writes it as a line.
    pub(crate) fn flush(&mut self, sink: &Sink) -> io::Result<()> {
        put_pieces(sink, self.of(sink.site.process.number()), None, false)
    }

    /// The pieces that belong to this process. Pieces that were inherited through a fork belong to the parent, which
    /// writes them.
    fn of(&mut self, process: u64) -> &mut Vec<u8> {
        if self.process != process {
            self.process = process;
            self.pieces.clear();
        }
        &mut self.pieces
    }
}
