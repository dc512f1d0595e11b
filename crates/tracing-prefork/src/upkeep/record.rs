//! The record of the files that `on_rollover` was given: a hidden file with a line for each, such as `+
//! 1795305599.123456789 4096 1 1795305606 app.2026-11-21.log`, with each number in columns of its own: the time of the
//! file's last change and its size in bytes, how often the hook was called for it, as it is since then, and when last.
//!
//! It is a file of its own, which nobody else writes to: what is not a regular file, too large, or not of somebody who
//! may have made it is set aside under the name `....rollover.bad`, and a hard link gives way to a copy, so that the
//! other file stays as it is.
//!
//! The line is there before the hook is called, with a `?`, which becomes a `+` when the hook has done its work, and a
//! `-` when it has failed. So nothing is called again and again because the disk is full, and who is killed in the hook
//! leaves a `?` behind. Only who holds the hook's lock writes here; what others read meanwhile may be a little behind.

use crate::names::hidden;
use crate::sys::{self, Creation, Mode, OwnFile};
use crate::upkeep::schedule::LOOK_AGAIN;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// So many lines of files that are gone are kept without writing the record anew.
const STALE: usize = 32;

/// After so many seconds in a file the hook is taken for stuck, and after so many calls that were not ended.
const STUCK: i64 = 24 * 3600;
const KILLED: u32 = 10;

/// Bytes of a line before the name.
const HEAD: usize = 79;

/// Bytes of empty lines that the record is given at its end.
const PADDING: u64 = 4096;

/// The most bytes that a record may have: some 500 000 files.
const LARGEST: u64 = 64 << 20;

/// What tells a file from what late lines have made of it: when it was last changed, in seconds since 1970 and
/// nanoseconds, and its size, for what comes in the same tick of the kernel's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) modified: (i64, i64),
    pub(crate) bytes: u64,
}

/// `None`: it is gone, or not a regular file.
pub(crate) fn version(path: &Path) -> Option<Version> {
    let found = path.symlink_metadata().ok().filter(|found| found.is_file())?;
    Some(Version { modified: (found.mtime(), found.mtime_nsec()), bytes: found.len() })
}

/// How far the hook has come with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Begun,
    Failed,
    Done,
}

impl State {
    const ALL: [Self; 3] = [Self::Begun, Self::Failed, Self::Done];

    fn mark(self) -> char {
        match self {
            Self::Begun => '?',
            Self::Failed => '-',
            Self::Done => '+',
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) state: State,
    version: Version,
    calls: u32,
    called: i64,
    /// Where it begins.
    at: u64,
}

impl Line {
    fn head(&self) -> String {
        let Self { state, version: Version { modified: (seconds, nanos), bytes }, calls, called, .. } = self;
        format!("{} {seconds:>20}.{nanos:09} {bytes:>20} {:>3} {called:>20} ", state.mark(), calls.min(&999))
    }

    /// The name in a line, and what is said of it. What a crash, or somebody's editor, has damaged says nothing.
    fn parse(text: &[u8], at: u64) -> Option<(&str, Self)> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let (head, name) = text.split_at_checked(HEAD)?;
        let mut words = head.split_ascii_whitespace();
        let mark = words.next()?;
        let state = State::ALL.into_iter().find(|state| mark.starts_with(state.mark()))?;
        let (seconds, nanos) = words.next()?.split_once('.')?;
        let modified = (seconds.parse().ok()?, nanos.parse().ok()?);
        let version = Version { modified, bytes: words.next()?.parse().ok()? };
        let (calls, called) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let line = Self { state, version, calls, called, at };
        (line.head() == head).then_some((name, line))
    }

    /// Whether it is time to call a hook again that has failed, or whose process was killed: after some seconds first,
    /// then ever more rarely, whichever process it is.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        let delay = LOOK_AGAIN.start() << self.calls.saturating_sub(1).min(10);
        !(self.called..self.called.saturating_add(delay.min(*LOOK_AGAIN.end()))).contains(&now)
    }
}

/// What the record says, by the names of the files.
#[derive(Debug, Default)]
pub(crate) struct Record {
    lines: HashMap<String, Line>,
    /// Where the next line goes; and how long the file is, which is padded with empty lines.
    end: u64,
    length: u64,
}

impl Record {
    /// Reads it, as one who does not write to it. Empty if there is none, or one that must not be believed.
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

    /// Its lines one behind the other, as the record is written anew.
    fn text(&mut self) -> String {
        let mut text = String::new();
        for (name, line) in &mut self.lines {
            line.at = text.len() as u64;
            text += &format!("{}{name}\n", line.head());
        }
        (self.end, self.length) = (text.len() as u64, text.len() as u64);
        text
    }

    /// When a hook was called last, and whether it has not come back from that.
    pub(crate) fn last_call(&self) -> Option<(i64, bool)> {
        self.lines.values().map(|line| (line.called, line.state == State::Begun)).max()
    }

    /// What is known of that file as it is now.
    pub(crate) fn line(&self, name: &str, version: Version) -> Option<Line> {
        self.lines.get(name).filter(|line| line.version == version).copied()
    }

    /// Whether the hook has done its work with that file before it was compressed, which keeps the time of its last
    /// change.
    pub(crate) fn was_done_plain(&self, name: &str, version: Version) -> bool {
        let line = self.lines.get(name).filter(|line| line.version.modified == version.modified);
        line.is_some_and(|line| line.state == State::Done)
    }

    /// Whether the hook does not come back from a file: not for a day, or has been killed in it time and again.
    pub(crate) fn is_stuck(&self, now: i64) -> bool {
        let stuck = |line: &Line| now.saturating_sub(line.called) >= STUCK || line.calls >= KILLED;
        self.lines.values().any(|line| line.state == State::Begun && stuck(line))
    }
}

/// A record that must not be written to, whatever it says.
fn unusable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Renames what has the record's name and must not be written to. Only the last such thing is kept.
fn set_aside(path: &Path, why: &io::Error) -> io::Result<String> {
    let aside = hidden::set_aside(path);
    match fs::rename(path, &aside) {
        Ok(()) => Ok(format!("{why}; it is {} now, and files may be handed over once more", aside.display())),
        Err(error) => Err(io::Error::new(error.kind(), format!("{why}, and it cannot be renamed: {error}"))),
    }
}

/// The record in the hands of the one who may write it.
pub(crate) struct Writer {
    path: PathBuf,
    creation: Creation<'static>,
    file: OwnFile,
    pub(crate) record: Record,
    /// How many calls of the hook were noted.
    pub(crate) begun: usize,
}

impl Writer {
    /// Opens it, or begins a new one. Also says what was wrong with one that has given way to a new one.
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
        let mut writer = Self { path: path.to_owned(), creation, record: Record::parse(&file)?, file, begun: 0 };
        if sys::has_other_names(&writer.file)? {
            writer.copy()?;
        }
        writer.pad()?;
        Ok(writer)
    }

    /// Goes on in a file of its own, because this one has further names: it is in somebody's snapshot by hard links, or
    /// is somebody's file.
    fn copy(&mut self) -> io::Result<()> {
        let copy = sys::Unnamed::create(&self.path, self.creation.now)?;
        let mode = Mode::from_bits_truncate(self.file.metadata()?.mode());
        sys::make_ours(copy.file(), &self.path, self.creation.mode.unwrap_or(mode))?;
        copy.file().write_all(self.record.text().as_bytes())?;
        copy.replace(&self.path)?;
        self.file = sys::open_or_create(&self.path, self.creation)?;
        Ok(())
    }

    /// Reads the record again if it is not what this process has left there. That is so where the lock's file was
    /// removed, and somebody else has had a turn; or where the program has closed the record's descriptor. `name`: the
    /// file whose line matters.
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
        let Record { lines, end, length } = &self.record;
        let mut next = [b'\n'];
        let unused = self.file.status()?.size == *length
            && (self.file.with(|file| file.read_at(&mut next, *end))? == 0 || next == *b"\n");
        let Some(line) = lines.get(name) else { return Ok(unused) };
        let mut head = [0; HEAD];
        let read = self.file.with(|file| file.read_at(&mut head, line.at))?;
        Ok(unused && head[..read] == *line.head().as_bytes())
    }

    /// Has the file end in empty lines, where the next lines find room when the disk is full.
    fn pad(&mut self) -> io::Result<()> {
        let Record { end, length, .. } = &mut self.record;
        // Behind half a line, an empty one ends that.
        let torn = *length > 0 && *end == *length;
        if *length < *end + PADDING / 2 {
            match self.file.write_all_at(&[b'\n'; PADDING as usize], *end) {
                Ok(()) => *length = *end + PADDING,
                // As long as there is some.
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
        let Record { lines, end, .. } = &mut self.record;
        let at = lines.get(name).map_or(*end, |line| line.at);
        let line = Line { state: State::Begun, version, calls, called: now, at };
        if at < *end {
            self.file.write_all_at(line.head().as_bytes(), at)?;
        } else {
            let text = format!("{}{name}\n", line.head());
            self.file.write_all_at(text.as_bytes(), at)?;
            *end += text.len() as u64;
        }
        lines.insert(name.to_owned(), line);
        self.begun += 1;
        // If there is no room, it will show when there is none left.
        let _ = self.pad();
        Ok(())
    }

    /// Notes what has come of it, and as what the hook has left the file.
    pub(crate) fn end(&mut self, name: &str, version: Version, state: State) -> io::Result<()> {
        self.reread(name)?;
        let Some(line) = self.record.lines.get_mut(name) else { return Ok(()) };
        (line.state, line.version) = (state, version);
        self.file.write_all_at(line.head().as_bytes(), line.at)
    }

    /// Forgets what is not there any more, when there are many more lines than `files`. In place: if somebody is killed
    /// in the middle of it, some files are handed over once more.
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
