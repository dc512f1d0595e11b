//! [`Ring`]: a ring, for users to look at. Looking takes no lock and changes nothing.

use crate::names::pattern::Pattern;
use crate::ring::dead::{self, Expected, Found, Snapshot};
use crate::ring::entries::{State, lap};
use crate::ring::found;
use crate::ring::head::Head;
use crate::ring::layout::{HEAD, Layout};
use crate::ring::pending::Rings;
use crate::sys::RingFile;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A ring of a pattern, from [`LogFiles::rings`](crate::LogFiles::rings): a hidden file with lines that are not in a
/// log file yet ([`Builder::buffered`](crate::Builder::buffered)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ring {
    /// The path of the ring.
    pub path: PathBuf,
    /// The id of the process that has made the ring, as that process sees it. In a container that is another number
    /// than outside. `None` if nobody can tell, as in the two fields that follow.
    pub process: Option<u32>,
    /// The tag in the names of the process's log files ([`Builder::tag`](crate::Builder::tag)). `None`: it has none.
    pub tag: Option<String>,
    /// When the ring was made.
    pub made: Option<SystemTime>,
    /// The lines that were waiting in the ring when it was looked at. 0 if nobody can tell.
    pub lines: u64,
    /// The bytes of these lines.
    pub bytes: u64,
    /// Whose the ring is now.
    pub state: RingState,
}

/// What is known of a [`Ring`]. `Display` writes it for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingState {
    /// Its process lives and writes the lines by itself, or another process is recovering the ring.
    InUse,
    /// Its process has ended. [`LogFiles::recover`](crate::LogFiles::recover), and the next process that builds or
    /// rolls over, write its lines.
    Left,
    /// Its process has ended, or not, and the ring is that of another user. The text says whose. A process of that
    /// user, or of root, writes its lines.
    OfAnother(String),
    /// Nothing in the ring can be relied on. The text says why. Whoever recovers gives it a name that ends in
    /// `.ring.bad`. Look at it by hand, and remove it.
    Bad(String),
}

impl fmt::Display for RingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.pad("in use"),
            Self::Left => f.pad("left by a process that has ended"),
            Self::OfAnother(whose) => write!(f, "of another user: {whose}"),
            Self::Bad(why) => write!(f, "not to be relied on: {why}"),
        }
    }
}

/// A ring that changes while it is looked at, because it is being recovered, is looked at again.
const TRIES: usize = 3;

impl Rings {
    /// All rings of the pattern, the oldest first, and those that were set aside.
    pub(crate) fn look(&self, pattern: &Pattern) -> io::Result<Vec<Ring>> {
        let mut rings = Vec::new();
        for path in self.all(pattern)? {
            rings.extend(look(&path, self.expected())?);
        }
        let mut aside = found::set_aside(pattern, None)?;
        if let Some(directory) = &self.directory {
            aside.extend(found::set_aside(pattern, Some(directory))?);
        }
        let reason = "it was set aside; look at it by hand, and remove it";
        rings.extend(aside.into_iter().map(|path| unknown(&path, RingState::Bad(reason.to_owned()))));
        rings.sort_by(|one, other| (one.made, &one.path).cmp(&(other.made, &other.path)));
        rings.dedup_by(|one, other| one.path == other.path);
        Ok(rings)
    }
}

fn unknown(path: &Path, state: RingState) -> Ring {
    Ring { path: path.to_owned(), process: None, tag: None, made: None, lines: 0, bytes: 0, state }
}

/// `None`: there is no such ring any more.
fn look(path: &Path, expected: Expected) -> io::Result<Option<Ring>> {
    let mut tries = 1..TRIES;
    loop {
        let file = match dead::open_trusted(path)? {
            Ok(file) => file,
            Err(Found::Bad(reason)) => return Ok(Some(unknown(path, RingState::Bad(reason)))),
            Err(Found::OfAnother(whose)) => return Ok(Some(unknown(path, RingState::OfAnother(whose)))),
            Err(_) => return Ok(None),
        };
        // The lock comes first: another version of this library may have made a ring that is in use.
        let is_in_use = file.is_locked()?;
        let head = match dead::read_head(&file, expected)? {
            Ok(head) => head,
            Err(_) if is_in_use => return Ok(Some(unknown(path, RingState::InUse))),
            Err(reason) => return Ok(Some(unknown(path, RingState::Bad(reason.to_owned())))),
        };
        let counted = if is_in_use { count(&file, head.layout) } else { count_left(&file, head.layout) };
        let ((lines, bytes), state) = match counted {
            Ok(waiting) => (waiting, if is_in_use { RingState::InUse } else { RingState::Left }),
            Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
            Err(_) if tries.next().is_some() => continue,
            Err(error) => ((0, 0), RingState::Bad(error.to_string())),
        };
        let (path, tag) = (path.to_owned(), head.owner.tag.map(|tag| tag.as_str().to_owned()));
        let (process, made) = (Some(head.owner.process), Some(head.owner.made));
        return Ok(Some(Ring { path, process, tag, made, lines, bytes, state }));
    }
}

/// What waits in a ring whose process has ended.
fn count_left(file: &RingFile, layout: Layout) -> io::Result<(u64, u64)> {
    Ok(Snapshot::of(read(file, layout.size())?).map_err(dead::invalid)?.waiting())
}

/// What waits in a ring that others change meanwhile. The head is read last: then the entries from its next line on
/// have not been freed since they were read.
fn count(file: &RingFile, layout: Layout) -> io::Result<(u64, u64)> {
    let ring = read(file, layout.size())?;
    let head = read(file, HEAD)?;
    let head = Head::read(head.first_chunk().ok_or_else(|| dead::invalid("it is shorter than a ring"))?);
    let head = head.map_err(dead::invalid)?;
    let entry = |index| dead::entry_in(&ring, layout, index);
    let (mut lines, mut bytes) = (0, 0);
    for index in head.next..head.next.saturating_add(layout.entries as u64) {
        let found = entry(index);
        match found.state() {
            _ if found.lap() != lap(index, layout.entries) => break,
            Some(State::Published) => {
                let text = dead::text_in(&ring, layout, entry(index.wrapping_sub(1)).end(), found.end());
                lines += dead::newlines(&text);
                bytes += text.len() as u64;
            }
            Some(State::Reserved | State::GivenUp | State::Void) => {}
            Some(State::Free | State::Sealed) | None => break,
        }
    }
    Ok((lines, bytes))
}

fn read(file: &RingFile, most: usize) -> io::Result<Vec<u8>> {
    dead::read_up_to(|buffer, offset| file.read_at(buffer, offset), 0, most)
}
