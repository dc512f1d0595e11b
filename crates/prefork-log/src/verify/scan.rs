//! [`Scan`]: one pass over the lines of a file.

use super::tally::{Fault, Tally};
use crate::logs::stamp::{Nanos, Stamp, Stamps, Style};
use memchr::{memchr, memmem};
use regex::bytes::Regex;
use serde::de::IgnoredAny;
use std::io::{self, Read};

/// What the lines of all files are held against.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// What each line with a timestamp matches.
    pub(super) line: Option<Regex>,
    /// Each line with a timestamp ends in its checksum.
    pub(super) crc32: bool,
    /// Messages have several lines.
    pub(super) multi_line: bool,
    /// Lines at the beginning of each file that are no messages.
    pub(super) header: u64,
    /// How much earlier a line may be than one before it, in nanoseconds.
    pub(super) tolerance: Nanos,
}

/// The bytes that are read at once. The buffer grows for a line that is longer.
const PIECE: usize = 256 << 10;

/// A longer line is taken for several.
const LONGEST: usize = 64 << 20;

/// One file.
pub(super) struct Scan<'a> {
    rules: &'a Rules,
    start: Nanos,
    end: Nanos,
    tally: Tally,
    stamps: Stamps,
    /// The file's lines are JSON objects.
    is_json: bool,
    /// The latest timestamp in this member of the archive.
    latest: Nanos,
    /// Finds the year in the middle of a line.
    year: Option<([u8; 5], memmem::Finder<'static>)>,
    /// The last line of the text that was looked at before.
    before: Vec<u8>,
    /// Lines without a timestamp before the first one with a timestamp.
    first: Vec<(u64, Vec<u8>)>,
    unstamped: u64,
}

impl<'a> Scan<'a> {
    /// A file of the period from `start` to `end`.
    pub(super) fn new(rules: &'a Rules, (start, end): (Nanos, Nanos), tally: Tally) -> Self {
        Self {
            rules,
            start,
            end,
            tally,
            stamps: Stamps::default(),
            is_json: false,
            latest: Nanos::MIN,
            year: None,
            before: Vec::new(),
            first: Vec::new(),
            unstamped: 0,
        }
    }

    /// Looks at a plain text, or at one member of an archive. `is_finished`: a last line without a newline is cut.
    /// `progress` is told how many bytes were read.
    pub(super) fn member(
        &mut self,
        text: &mut dyn Read,
        buffer: &mut Vec<u8>,
        is_finished: bool,
        progress: &dyn Fn(u64),
    ) -> io::Result<()> {
        // Late lines become a further member, so they may be earlier than those of the member before.
        self.latest = Nanos::MIN;
        buffer.resize(buffer.len().max(PIECE), 0);
        let mut filled = 0;
        let ended = loop {
            let read = match text.read(&mut buffer[filled..]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Err(error),
            };
            progress(read as u64);
            if read == 0 {
                break Ok(());
            }
            let scanned = filled;
            filled += read;
            match memchr::memrchr(b'\n', &buffer[scanned..filled]) {
                Some(newline) => {
                    let whole = scanned + newline + 1;
                    self.lines(&buffer[..whole]);
                    buffer.copy_within(whole..filled, 0);
                    filled -= whole;
                }
                None if filled == buffer.len() && filled < LONGEST => buffer.resize(2 * filled, 0),
                None if filled == buffer.len() => {
                    self.lines(&buffer[..filled]);
                    filled = 0;
                }
                None => {}
            }
        };
        if filled > 0 && (is_finished || ended.is_err()) {
            let at = self.tally.counts.bytes;
            self.tally.note(Fault::Unterminated, at, &buffer[..filled]);
            self.tally.counts.lines += 1;
            self.tally.counts.bytes += filled as u64;
        }
        ended
    }

    /// The archive cannot be read any further.
    pub(super) fn damaged(&mut self, error: &io::Error) {
        let at = self.tally.counts.bytes;
        self.tally.note(Fault::Damaged, at, error.to_string().as_bytes());
    }

    /// What was found.
    pub(super) fn finish(mut self) -> Tally {
        if self.tally.counts.with_timestamp == 0 {
            // Nothing says what a line of this file looks like.
            self.tally.counts.without_timestamp = self.unstamped;
        }
        self.tally
    }

    /// Looks at whole lines.
    fn lines(&mut self, text: &[u8]) {
        let is_clean = memchr(0, text).is_none() && std::str::from_utf8(text).is_ok();
        let (mut at, mut before) = (0, 0..0);
        while at < text.len() {
            let end = memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline + 1);
            let line = &text[at..end];
            let byte = self.tally.counts.bytes;
            self.tally.counts.lines += 1;
            let last = if before.is_empty() { &*self.before } else { &text[before.clone()] };
            if line.len() > 1 && line == last {
                self.tally.note(Fault::Repeated, byte, line);
            }
            self.line(byte, line, is_clean);
            self.tally.counts.bytes += line.len() as u64;
            before = at..end;
            at = end;
        }
        self.before.clear();
        self.before.extend_from_slice(&text[before]);
    }

    #[inline]
    fn line(&mut self, byte: u64, line: &[u8], is_clean: bool) {
        if !is_clean && self.is_unclean(byte, line) {
            return;
        }
        let Some(stamp) = self.stamps.of(line) else { return self.without_stamp(byte, line) };
        if self.tally.counts.with_timestamp == 0 {
            self.begin(line);
        }
        self.tally.counts.with_timestamp += 1;
        if self.is_torn(line, stamp) {
            self.tally.note(Fault::Torn, byte, line);
        } else if stamp.at < self.start || stamp.at >= self.end {
            self.tally.note(Fault::Misplaced, byte, line);
        } else if stamp.at < self.latest {
            let late = self.latest - stamp.at;
            let counts = &mut self.tally.counts;
            counts.latest_by_micros = counts.latest_by_micros.max(late.unsigned_abs() / 1000);
            if late > self.rules.tolerance {
                self.tally.note(Fault::OutOfOrder, byte, line);
            } else {
                counts.slightly_late += 1;
            }
        } else {
            self.latest = stamp.at;
        }
    }

    /// The first line that has a timestamp: it says what the file's lines are like.
    fn begin(&mut self, line: &[u8]) {
        self.is_json = line.starts_with(b"{");
        for (byte, line) in std::mem::take(&mut self.first) {
            self.tally.note(Fault::Piece, byte, &line);
        }
        // Those that were not kept as examples.
        let kept = self.tally.counts.pieces;
        self.tally.counts.pieces += self.unstamped.saturating_sub(kept);
    }

    #[cold]
    fn is_unclean(&mut self, byte: u64, line: &[u8]) -> bool {
        let fault = if memchr(0, line).is_some() {
            Fault::Nul
        } else if std::str::from_utf8(line).is_err() {
            Fault::InvalidUtf8
        } else {
            return false;
        };
        self.tally.note(fault, byte, line);
        true
    }

    #[cold]
    fn without_stamp(&mut self, byte: u64, line: &[u8]) {
        if line == b"\n" {
            return self.tally.note(Fault::Empty, byte, line);
        }
        let counts = &mut self.tally.counts;
        if counts.lines <= self.rules.header {
            counts.headers += 1;
        } else if self.rules.multi_line && counts.with_timestamp > 0 {
            counts.further += 1;
        } else if counts.with_timestamp > 0 {
            self.tally.note(Fault::Piece, byte, line);
        } else {
            self.unstamped += 1;
            if self.first.len() < self.tally.most_examples {
                self.first.push((byte, line[..line.len().min(256)].to_vec()));
            }
        }
    }

    #[inline]
    fn is_torn(&mut self, line: &[u8], stamp: Stamp) -> bool {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if let Some(whole) = &self.rules.line
            && !whole.is_match(text)
        {
            return true;
        }
        if self.rules.crc32 {
            return !has_crc32(text);
        }
        if self.is_json {
            return !text.starts_with(b"{") || serde_json::from_slice::<IgnoredAny>(text).is_err();
        }
        self.has_other_line(line, stamp)
    }

    /// Whether another line begins in this one.
    #[inline]
    fn has_other_line(&mut self, line: &[u8], stamp: Stamp) -> bool {
        let Some(year) = line.get(stamp.begin..).and_then(|text| text.first_chunk::<5>()) else { return false };
        let finder = match &mut self.year {
            Some((known, finder)) if known == year => finder,
            other => &other.insert((*year, memmem::Finder::new(year).into_owned())).1,
        };
        let rest = &line[stamp.end..];
        let mut found = finder.find_iter(rest).map(|at| stamp.end + at);
        found.any(|at| begins_line(line, stamp, at, self.stamps.style))
    }
}

/// Whether a line ends in a blank and the checksum of what stands before the blank.
fn has_crc32(line: &[u8]) -> bool {
    let Some((text, [b' ', digits @ ..])) = line.split_last_chunk::<9>() else { return false };
    let hash = std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
    hash == Some(crc32fast::hash(text))
}

/// Whether a line of the same shape begins around `at`, in the middle of a line.
#[cold]
fn begins_line(line: &[u8], own: Stamp, at: usize, style: Style) -> bool {
    let Some(other) = Stamp::at_start_of(&line[at..]) else { return false };
    if other.end != own.end - own.begin {
        return false;
    }
    if style == Style::Within {
        // What stands before the timestamp tells.
        let before = at.checked_sub(own.begin).map(|begin| &line[begin..at]);
        return before == Some(&line[..own.begin]);
    }
    // A message that speaks of a time has something before it that parts words. A line that was cut has anything.
    let before = line[at - 1];
    let is_glued = before.is_ascii_alphanumeric() || !before.is_ascii() || b".!?%#$&*+~^)]}".contains(&before);
    is_glued || has_level(&line[at + other.end..])
}

/// Whether a text begins with the level of an event, behind blanks.
fn has_level(text: &[u8]) -> bool {
    let level = text.trim_ascii_start();
    let levels: [&[u8]; 5] = [b"TRACE", b"DEBUG", b"INFO", b"WARN", b"ERROR"];
    level.len() < text.len() && levels.iter().any(|name| level.starts_with(name))
}
