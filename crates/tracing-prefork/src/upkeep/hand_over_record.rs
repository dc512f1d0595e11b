//! The record of hand-overs: a hidden file with a line for each file that `on_finished` was called for.
//!
//! ```text
//! + 1795305599.123456789 4096 1 1795305606 app.2026-11-21.log
//! │ │                    │    │ └ when the hook was called last
//! │ │                    │    └ how often the hook was called since the file last changed
//! │ │                    └ the file's size in bytes
//! │ └ when the file last changed
//! └ `?` the hook was called, `+` it has done its work, `-` it has failed
//! ```
//!
//! Each number has columns of its own, so that a line is changed in place.
//!
//! The line is written before the hook is called. So a full disk does not have the hook called again and again for one
//! file, and a process that is killed in the hook leaves a `?` behind. Only the process that has the turn to hand over
//! writes to the record. Whoever reads it meanwhile may see an earlier state.
//!
//! The record is a file of its own. What has its name, and is not a regular file, is too large, or belongs to somebody
//! who cannot have made it, is set aside as `....rollover.bad`. A hard link gives way to a copy, and the other file
//! stays as it is.

use crate::names::hidden;
use crate::sys::{self, Creation, Mode, OwnFile};
use crate::upkeep::schedule::LOOK_AGAIN;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The record keeps this many lines of files that are gone before it is written anew.
const STALE: usize = 32;

/// The hook counts as stuck after this many seconds with one file, or after this many calls that did not end.
const STUCK: i64 = 24 * 3600;
const KILLED: u32 = 10;

/// Bytes of a line before the name.
const HEAD: usize = 79;

/// Bytes of empty lines at the end of the record.
const PADDING: u64 = 4096;

/// The most bytes that a record may have: lines for some 500 000 files.
const LARGEST: u64 = 64 << 20;

/// Tells a file from the same file with late lines: when it last changed, in seconds since 1970 and nanoseconds, and
/// its size. The size tells of lines that came in the same tick of the kernel's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) modified: (i64, i64),
    pub(crate) bytes: u64,
}

/// `None`: the file is gone, or is no regular file.
pub(crate) fn version(path: &Path) -> Option<Version> {
    let found = path.symlink_metadata().ok().filter(|found| found.is_file())?;
    Some(Version { modified: (found.mtime(), found.mtime_nsec()), bytes: found.len() })
}

/// How far the hook has come with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The hook was called, and has not come back, or was killed with its process.
    Begun,
    Failed,
    Done,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Begun, Self::Failed, Self::Done];

    fn sign(self) -> char {
        match self {
            Self::Begun => '?',
            Self::Failed => '-',
            Self::Done => '+',
        }
    }
}

/// What the record says of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) mark: Mark,
    version: Version,
    /// How often the hook was called for this version.
    calls: u32,
    /// The second of the last call.
    called: i64,
    /// Where the line begins in the record.
    at: u64,
}

impl Line {
    fn head(&self) -> String {
        let Self { mark, version: Version { modified: (seconds, nanos), bytes }, calls, called, .. } = self;
        format!("{} {seconds:>20}.{nanos:09} {bytes:>20} {:>3} {called:>20} ", mark.sign(), calls.min(&999))
    }

    /// The name in a line, and what the line says of it. Malformed lines, from a crash or an editor, are ignored.
    fn parse(text: &[u8], at: u64) -> Option<(&str, Self)> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let (head, name) = text.split_at_checked(HEAD)?;
        let mut words = head.split_ascii_whitespace();
        let sign = words.next()?;
        let mark = Mark::ALL.into_iter().find(|mark| sign.starts_with(mark.sign()))?;
        let (seconds, nanos) = words.next()?.split_once('.')?;
        let modified = (seconds.parse().ok()?, nanos.parse().ok()?);
        let version = Version { modified, bytes: words.next()?.parse().ok()? };
        let (calls, called) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let line = Self { mark, version, calls, called, at };
        (line.head() == head).then_some((name, line))
    }

    /// Whether to call the hook again after it has failed, or its process was killed. The first pause is some seconds,
    /// and each pause is twice as long as the one before, whichever process made the call.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        let delay = LOOK_AGAIN.start() << self.calls.saturating_sub(1).min(10);
        !(self.called..self.called.saturating_add(delay.min(*LOOK_AGAIN.end()))).contains(&now)
    }

    #[cfg(test)]
    pub(super) fn example(mark: Mark) -> Self {
        Self { mark, version: Version { modified: (0, 0), bytes: 0 }, calls: 1, called: 0, at: 0 }
    }
}

/// What the record says, by the names of the files.
#[derive(Debug, Default)]
pub(crate) struct HandOverRecord {
    lines: HashMap<String, Line>,
    /// Where the next line goes.
    end: u64,
    /// How long the record is, with the empty lines at its end.
    length: u64,
}

impl HandOverRecord {
    /// Reads the record, and never writes to it. Empty if there is no record, or one that must not be believed.
    pub(crate) fn read(path: &Path, creation: Creation<'_>) -> Self {
        let file = sys::open_to_read(path).ok().flatten();
        let file = file.filter(|file| sys::may_be_ours(file, path, creation).is_ok_and(|ours| ours));
        file.and_then(|file| Self::parse(&file).ok()).unwrap_or_default()
    }

    fn parse(file: &OwnFile) -> io::Result<Self> {
        let mut text = Vec::new();
        if file.reader().take(LARGEST + 1).read_to_end(&mut text)? as u64 > LARGEST {
            return Err(unusable("it is larger than a record can be"));
        }
        let mut record = Self { length: text.len() as u64, ..Self::default() };
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            record.lines.extend(Line::parse(line, at).map(|(name, line)| (name.to_owned(), line)));
            at += line.len() as u64;
            if line != b"\n" {
                record.end = at;
            }
        }
        Ok(record)
    }

    /// The lines one behind the other, as the record is written anew.
    fn text(&mut self) -> String {
        let mut text = String::new();
        for (name, line) in &mut self.lines {
            line.at = text.len() as u64;
            text += &format!("{}{name}\n", line.head());
        }
        (self.end, self.length) = (text.len() as u64, text.len() as u64);
        text
    }

    /// When the hook was called last, and whether it has not come back from that call.
    pub(crate) fn last_call(&self) -> Option<(i64, bool)> {
        self.lines.values().map(|line| (line.called, line.mark == Mark::Begun)).max()
    }

    /// What the record says of a file as the file is now.
    pub(crate) fn line(&self, name: &str, version: Version) -> Option<Line> {
        self.lines.get(name).filter(|line| line.version == version).copied()
    }

    /// Whether the hook had done its work with a file before the file was compressed. An archive keeps the time of its
    /// file's last change.
    pub(crate) fn was_done_plain(&self, name: &str, version: Version) -> bool {
        let line = self.lines.get(name).filter(|line| line.version.modified == version.modified);
        line.is_some_and(|line| line.mark == Mark::Done)
    }

    /// Whether the hook is stuck in a file: it has not come back for a day, or was killed there time and again.
    pub(crate) fn is_stuck(&self, now: i64) -> bool {
        let stuck = |line: &Line| now.saturating_sub(line.called) >= STUCK || line.calls >= KILLED;
        self.lines.values().any(|line| line.mark == Mark::Begun && stuck(line))
    }
}

/// The record must not be written to, whatever it says.
fn unusable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Renames what has the record's name and must not be written to. What was set aside before is lost.
fn set_aside(path: &Path, why: &io::Error) -> io::Result<String> {
    let aside = hidden::set_aside(path);
    match fs::rename(path, &aside) {
        Ok(()) => Ok(format!("{why}; it is {} now, and files may be handed over once more", aside.display())),
        Err(error) => Err(io::Error::new(error.kind(), format!("{why}, and it cannot be renamed: {error}"))),
    }
}

/// The record in the hands of the process that has the turn.
pub(crate) struct Writer {
    path: PathBuf,
    creation: Creation<'static>,
    file: OwnFile,
    pub(crate) record: HandOverRecord,
    /// How many calls of the hook it has noted.
    pub(crate) begun: usize,
}

impl Writer {
    /// Opens the record, or begins a new one. The error says what was wrong with a record that was set aside.
    pub(crate) fn open(path: &Path, creation: Creation<'static>) -> io::Result<(Self, Option<io::Error>)> {
        match Self::open_usable(path, creation) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let told = unusable(&set_aside(path, &error)?);
                Ok((Self::open_usable(path, creation)?, Some(told)))
            }
            opened => opened.map(|writer| (writer, None)),
        }
    }

    fn open_usable(path: &Path, creation: Creation<'static>) -> io::Result<Self> {
        if let Some(kind) = sys::other_than_file(path) {
            return Err(unusable(&format!("it is {kind}, where a regular file is wanted")));
        }
        let file = sys::open_or_create(path, creation).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied if sys::may_replace(path) => unusable(&error.to_string()),
            _ => error,
        })?;
        if !sys::may_be_ours(&file, path, creation)? {
            return Err(unusable("it belongs to a user who has no business here"));
        }
        let mut writer =
            Self { path: path.to_owned(), creation, record: HandOverRecord::parse(&file)?, file, begun: 0 };
        if sys::has_other_names(&writer.file)? {
            writer.copy()?;
        }
        writer.pad()?;
        Ok(writer)
    }

    /// Goes on in a copy, because the file has another name: a snapshot by hard links has it, or it is somebody's file.
    fn copy(&mut self) -> io::Result<()> {
        let copy = sys::Unnamed::create(&self.path, self.creation.now)?;
        let mode = Mode::from_bits_truncate(self.file.metadata()?.mode());
        sys::make_ours(copy.file(), &self.path, self.creation.mode.unwrap_or(mode))?;
        copy.file().write_all(self.record.text().as_bytes())?;
        copy.replace(&self.path)?;
        self.file = sys::open_or_create(&self.path, self.creation)?;
        Ok(())
    }

    /// Reads the record again if it is not as this process left it, and says whether it did so. That happens if
    /// somebody removed the lock's file, so that another process has had a turn, or if the program has closed the
    /// record's descriptor. `name`: the file whose line matters.
    pub(crate) fn reread(&mut self, name: &str) -> io::Result<bool> {
        let is_there = self.file.get().is_ok() && sys::identity_of(&self.path) == Some(self.file.id());
        let same = is_there && self.is_as_left(name)?;
        if !same {
            let begun = self.begun;
            *self = Self::open(&self.path, self.creation)?.0;
            self.begun = begun;
        }
        Ok(!same)
    }

    fn is_as_left(&self, name: &str) -> io::Result<bool> {
        let HandOverRecord { lines, end, length } = &self.record;
        let mut next = [b'\n'];
        let unused = self.file.status()?.size == *length
            && (self.file.with(|file| file.read_at(&mut next, *end))? == 0 || next == *b"\n");
        let Some(line) = lines.get(name) else { return Ok(unused) };
        let mut head = [0; HEAD];
        let read = self.file.with(|file| file.read_at(&mut head, line.at))?;
        Ok(unused && head[..read] == *line.head().as_bytes())
    }

    /// Adds empty lines at the end, so that the next lines find room on a full disk.
    fn pad(&mut self) -> io::Result<()> {
        let HandOverRecord { end, length, .. } = &mut self.record;
        // An empty line behind half a line ends it.
        let torn = *length > 0 && *end == *length;
        if *length < *end + PADDING / 2 {
            match self.file.write_all_at(&[b'\n'; PADDING as usize], *end) {
                Ok(()) => *length = *end + PADDING,
                // There are some already.
                Err(_) if *length > *end => {}
                Err(error) => return Err(error),
            }
            *end += u64::from(torn);
        }
        Ok(())
    }

    /// Notes that the hook is about to be called for a file.
    pub(crate) fn begin(&mut self, name: &str, version: Version, now: i64) -> io::Result<()> {
        let calls = self.record.line(name, version).map_or(0, |line| line.calls) + 1;
        let HandOverRecord { lines, end, .. } = &mut self.record;
        let at = lines.get(name).map_or(*end, |line| line.at);
        let line = Line { mark: Mark::Begun, version, calls, called: now, at };
        if at < *end {
            self.file.write_all_at(line.head().as_bytes(), at)?;
        } else {
            let text = format!("{}{name}\n", line.head());
            self.file.write_all_at(text.as_bytes(), at)?;
            *end += text.len() as u64;
        }
        lines.insert(name.to_owned(), line);
        self.begun += 1;
        // If the disk is full, the call that finds no empty line left fails.
        let _ = self.pad();
        Ok(())
    }

    /// Notes what has come of the call, and the version in which the hook has left the file.
    pub(crate) fn end(&mut self, name: &str, version: Version, mark: Mark) -> io::Result<()> {
        self.reread(name)?;
        let Some(line) = self.record.lines.get_mut(name) else { return Ok(()) };
        (line.mark, line.version) = (mark, version);
        self.file.write_all_at(line.head().as_bytes(), line.at)
    }

    /// Removes the lines of files that are gone, if there are many more lines than `files`. The record is overwritten
    /// in place: if a process is killed in the middle, some files are handed over once more.
    pub(crate) fn forget_unless(&mut self, files: usize, is_there: impl Fn(&str) -> bool) -> io::Result<()> {
        let lines = &mut self.record.lines;
        let before = lines.len();
        if before > 2 * files + STALE {
            lines.retain(|name, _| is_there(name));
        }
        if lines.len() == before {
            return Ok(());
        }
        let text = self.record.text();
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.with(|file| file.set_len(text.len() as u64))?;
        self.pad()
    }
}
