//! Where the last lines of a row begin.

use super::merge::{Room, Start};
use crate::logs::content::Content;
use crate::logs::listing::Row;
use crate::logs::place::{Files, Place};
use memchr::{memchr_iter, memrchr_iter};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// Cuts the beginning of a row off, so that about `most` lines are left, and no fewer if there are as many.
pub(super) fn last_lines(mut row: Row, most: usize, room: &Room) -> Start {
    let mut missing = most;
    let mut first = row.places.len();
    let mut skip = 0;
    while missing > 0 && first > 0 {
        first -= 1;
        match last_of(&row.places[first], missing, room) {
            Ok((lines, begin)) => {
                missing -= lines;
                skip = begin;
            }
            Err(error) => room.tell(&row.places[first].plain, &error),
        }
    }
    row.places.drain(..first);
    Start { row, skip }
}

/// How many lines were found, `most` at most, and where the first of them begins in the text of the place.
fn last_of(place: &Place, most: usize, room: &Room) -> io::Result<(usize, u64)> {
    let files = place.open()?;
    match files {
        Files { plain: Some(plain), archives } if archives.is_empty() => {
            let end = plain.file.metadata()?.len();
            backwards(&plain.file, end, most)
        }
        files => {
            // Where the last lines begin, and the end of the text.
            let (mut begins, mut at) = (VecDeque::from([0]), 0);
            let mut piece = vec![0; room.buffer];
            for found in files.in_order() {
                let (mut content, bytes) = room.content(&found)?;
                let read = count(&mut content, &mut piece, most, &mut begins, &mut at);
                room.give_back(bytes);
                // The error is told when the lines are printed.
                drop(read);
            }
            if begins.back() == Some(&at) {
                begins.pop_back();
            }
            let lines = begins.len().min(most);
            let first = begins.len() - lines;
            Ok((lines, begins.get(first).copied().unwrap_or_default()))
        }
    }
}

fn count(
    content: &mut Content,
    piece: &mut [u8],
    most: usize,
    begins: &mut VecDeque<u64>,
    at: &mut u64,
) -> io::Result<()> {
    loop {
        let read = content.read(piece)?;
        if read == 0 {
            return Ok(());
        }
        for newline in memchr_iter(b'\n', &piece[..read]) {
            begins.push_back(*at + newline as u64 + 1);
            // The last one may be the end of the text.
            if begins.len() > most + 1 {
                begins.pop_front();
            }
        }
        *at += read as u64;
    }
}

/// The same for a plain file, from its end.
fn backwards(file: &std::fs::File, end: u64, most: usize) -> io::Result<(usize, u64)> {
    const PIECE: u64 = 64 << 10;
    let mut piece = vec![0; PIECE as usize];
    let (mut lines, mut until) = (0, end);
    while until > 0 {
        let from = until.saturating_sub(PIECE);
        let length = (until - from) as usize;
        file.read_exact_at(&mut piece[..length], from)?;
        for newline in memrchr_iter(b'\n', &piece[..length]) {
            let begin = from + newline as u64 + 1;
            if begin < end {
                lines += 1;
                if lines == most {
                    return Ok((lines, begin));
                }
            }
        }
        until = from;
    }
    Ok(if end == 0 { (0, 0) } else { (lines + 1, 0) })
}
