//! The record of the files that `on_rollover` was given: a hidden file with a line for each, such as
//! `+           1795305599.123456789 app.2026-11-21.log`, of which the time is that of the file's last change.
//!
//! The line is there before the hook is called, with a `?`, which becomes a `+` when the hook has done its work. So nothing is
//! called again and again because the disk is full, and a hook that fails, or is killed, is called again. Only who holds the hook's
//! lock writes here; what others read meanwhile may be a little behind.

use crate::sys::{self, Mode};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// So many lines of files that are gone are kept without writing the record anew.
const STALE: usize = 32;

/// Bytes of a line before the name.
const HEAD: usize = 33;

/// When a file was last changed: seconds since 1970, and nanoseconds.
pub(crate) type Modified = (i64, i64);

/// `None`: it is gone, or not a regular file.
pub(crate) fn modified(path: &Path) -> Option<Modified> {
    let found = path.symlink_metadata().ok().filter(|found| found.is_file())?;
    Some((found.mtime(), found.mtime_nsec()))
}

#[derive(Clone, Copy, Debug)]
struct Line {
    done: bool,
    modified: Modified,
    /// Where it begins.
    at: u64,
}

impl Line {
    fn head(&self) -> String {
        let Self { done, modified: (seconds, nanos), .. } = self;
        format!("{} {seconds:>20}.{nanos:09} ", if *done { '+' } else { '?' })
    }

    /// The name in a line, and what is said of it. What a crash has damaged says nothing.
    fn parse(text: &[u8], at: u64) -> Option<(&str, Self)> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let (head, name) = text.split_at_checked(HEAD)?;
        let (seconds, nanos) = head[1..].trim().split_once('.')?;
        let modified = (seconds.parse().ok()?, nanos.parse().ok()?);
        let line = Self { done: head.starts_with('+'), modified, at };
        (line.head() == head).then_some((name, line))
    }
}

/// What the record says, by the names of the files.
#[derive(Debug, Default)]
pub(crate) struct Record {
    lines: HashMap<String, Line>,
    /// In bytes.
    length: u64,
    /// It does not end in a newline.
    torn: bool,
}

impl Record {
    /// Reads it; empty if there is none.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        sys::open_to_read(path)?.map_or_else(|| Ok(Self::default()), |file| Self::parse(&file))
    }

    fn parse(mut file: &File) -> io::Result<Self> {
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let torn = !text.is_empty() && !text.ends_with(b"\n");
        let mut record = Self { length: text.len() as u64, torn, ..Self::default() };
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            record.lines.extend(Line::parse(line, at).map(|(name, line)| (name.to_owned(), line)));
            at += line.len() as u64;
        }
        Ok(record)
    }

    /// Whether the hook has done its work with that file, as it is since it was last changed.
    pub(crate) fn is_done(&self, name: &str, modified: Modified) -> bool {
        self.lines.get(name).is_some_and(|line| line.done && line.modified == modified)
    }
}

/// The record in the hands of the one who may write it.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    pub(crate) record: Record,
}

impl Writer {
    pub(crate) fn open(path: &Path, mode: Option<Mode>) -> io::Result<Self> {
        let file = sys::open_or_create(path, mode)?;
        Ok(Self { record: Record::parse(&file)?, file })
    }

    /// Notes that the hook is about to be called for a file.
    pub(crate) fn begin(&mut self, name: &str, modified: Modified) -> io::Result<()> {
        let Record { lines, length, torn } = &mut self.record;
        if let Some(line) = lines.get_mut(name) {
            *line = Line { done: false, modified, ..*line };
            return self.file.write_all_at(line.head().as_bytes(), line.at);
        }
        let ending = if *torn { "\n" } else { "" };
        let line = Line { done: false, modified, at: *length + ending.len() as u64 };
        let text = format!("{ending}{}{name}\n", line.head());
        self.file.write_all_at(text.as_bytes(), *length)?;
        (*length, *torn) = (*length + text.len() as u64, false);
        lines.insert(name.to_owned(), line);
        Ok(())
    }

    /// Notes that it has done its work.
    pub(crate) fn done(&mut self, name: &str) -> io::Result<()> {
        let Some(line) = self.record.lines.get_mut(name) else { return Ok(()) };
        line.done = true;
        self.file.write_all_at(line.head().as_bytes(), line.at)
    }

    /// Forgets the files that are gone, when they are many. In place: if somebody is killed in the middle of it, some files are handed over
    /// once more.
    pub(crate) fn forget_all_but(&mut self, there: &HashSet<&str>) -> io::Result<()> {
        let Record { lines, length, torn } = &mut self.record;
        let stale = lines.keys().filter(|name| !there.contains(name.as_str())).count();
        if stale <= STALE.max(lines.len() / 2) {
            return Ok(());
        }
        lines.retain(|name, _| there.contains(name.as_str()));
        let mut text = String::new();
        for (name, line) in lines {
            line.at = text.len() as u64;
            text += &format!("{}{name}\n", line.head());
        }
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)?;
        (*length, *torn) = (text.len() as u64, false);
        Ok(())
    }
}
