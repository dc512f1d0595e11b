//! Finishing what a process was appending to a log file when it was killed. The model checker (`tests/slot-model`) uses
//! this file too.

use crate::ring::dead::{DeadRing, invalid, read_up_to};
use crate::ring::matching::matched;
use crate::ring::note::Note;
use crate::sys::{self, FileId};
use std::io;
use std::os::fd::BorrowedFd;

/// Lines of others that may have come behind half-written ones: as far as they are searched.
const BEHIND: usize = 1 << 20;

/// If lines of a ring of the dead were being appended to `file`, notes how many of them are in the file. If the file
/// ends in a piece of one, appends the rest of that line. The caller has the write lock of `file`. `false`: another
/// process has the ring.
///
/// The ring has a note at each moment from which the next one can go on: this process may be killed, too.
pub(crate) fn finish_pending(ring: &DeadRing, file: BorrowedFd<'_>, id: FileId) -> io::Result<bool> {
    let Some(_lock) = ring.lock()? else { return Ok(false) };
    let snapshot = ring.read()?;
    let Some(note) = snapshot.head.pending().filter(|note| note.file == id) else { return Ok(true) };
    let lines = snapshot.lines_of(&note).map_err(invalid)?;
    let (text, turn) = (snapshot.text(note.begin, note.end), snapshot.head.turn);
    // 1. Which lines are whole in the file, and how much of the next one is there?
    let matched = matched(&read_from(file, note.size, text.len() + BEHIND)?, &text);
    let reached = |place: u32| place.wrapping_sub(note.begin) as i32 <= matched.bytes as i32;
    let whole = lines.iter().take_while(|line| reached(line.end)).count();
    let Some(line) = lines.get(whole) else {
        ring.set_next(note.next.max(snapshot.head.next))?;
        ring.set_note(turn, None)?;
        return Ok(true);
    };
    let place = note.begin.wrapping_add(matched.bytes as u32);
    let size = sys::size(file)?;
    let ends_in_piece = matched.is_at_end && place != line.begin && size >= note.size;
    ring.set_next(line.index.max(snapshot.head.next))?;
    if !ends_in_piece {
        ring.set_note(turn, None)?;
        return Ok(true);
    }
    // 2. The rest of the line that the file ends in.
    ring.set_note(turn, Some(Note { size, begin: place, end: line.end, next: line.index + 1, ..note }))?;
    let rest = snapshot.text(place, line.end);
    match sys::append(file, &rest)? {
        written if written == rest.len() => {}
        _ => return Err(io::ErrorKind::WriteZero.into()),
    }
    ring.set_next(line.index + 1)?;
    ring.set_note(turn + 1, None)?;
    Ok(true)
}

fn read_from(file: BorrowedFd<'_>, begin: u64, most: usize) -> io::Result<Vec<u8>> {
    let there = sys::size(file)?.saturating_sub(begin);
    let most = usize::try_from(there).unwrap_or(most).min(most);
    read_up_to(|buffer, offset| sys::read_at(file, buffer, offset), begin, most)
}
