//! The end of a log file. A write that fell short leaves a fragment there, and the next line must not be glued to it.

use super::identity::{Status, identity};
use super::open::open;
use super::positioned::{read_at, truncate, write_at};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// A fragment is searched for in the last 256 KiB of a file. Other writers may write behind it before the search: some
/// thousands of lines in the microseconds between a write and the search for its fragment.
const BEHIND: u64 = 256 * 1024;

/// At each place where a fragment may end, so many bytes of its beginning, of its end, and of the line's rest are
/// compared first. Where they agree, the whole fragment is compared.
const TOLD_BY: usize = 1024;

/// The most places at which the whole fragment is compared. If more places look alike, nobody can tell which is ours: a
/// line of one repeated byte looks alike at each place.
const ALIKE: usize = 8;

/// The bytes of a file that are read at a time to compare a whole fragment.
const CHUNK: usize = 64 * 1024;

/// The most searches for a fragment. Others may write between the looks of a search.
const LOOKS: usize = 5;

/// The first bytes of a line that tell that it is one of ours: those of a date.
const BEGINNING: usize = 8;

/// How a file ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// How many bytes the file has.
    pub(crate) size: u64,
    /// The file ends in a fragment, and no write is under way that would go on with it.
    pub(crate) torn: bool,
}

/// Looks how the file ends.
///
/// While a write is under way, the file can end anywhere, and a reader sees that. A write of nothing waits until that
/// write is done: each file system takes the inode's lock first (measured on ext4, xfs, btrfs and tmpfs). If the file
/// has not grown after that, a finished write has left its end.
pub(crate) fn tail(file: BorrowedFd<'_>) -> io::Result<Tail> {
    let mut size = self::size(file)?;
    for _ in 0..100 {
        let mut last = [b'\n'];
        if size > 0 {
            read_at(file, &mut last, size - 1)?;
        }
        if last == *b"\n" {
            break;
        }
        write_at(file, b"", 0)?;
        let now = self::size(file)?;
        if now == size {
            return Ok(Tail { size, torn: true });
        }
        size = now;
    }
    // The file ends in a newline. Or others write without a pause, and none of them has found a fragment.
    Ok(Tail { size, torn: false })
}

/// For a write of `line` that has fallen short after `written` bytes: makes the last of these bytes a newline. So the
/// next line is a line of its own, and so is a line that another process has written behind the fragment meanwhile.
/// Says whether that has been done.
///
/// This needs no lock. It needs no room on the disk, except where the file system copies what it overwrites (btrfs).
///
/// This changes one byte, which belongs to nobody: the last byte of a fragment. A fragment at the end of the file is
/// ours. Elsewhere a text that agrees with the fragment, and does not go on as the line does, is ours if it is the only
/// one. If there are several, they may be the beginnings of others' lines, which have the same second. Then only a text
/// that ends a block of the disk and has another line glued to it is a fragment: ours, or one that belongs to nobody as
/// ours does.
pub(crate) fn end_fragment(file: BorrowedFd<'_>, line: &[u8], written: usize) -> io::Result<bool> {
    if line[..written].last().is_none_or(|&last| last == b'\n') {
        return Ok(true);
    }
    let Some(last) = (0..LOOKS).find_map(|_| find_fragment(file, line, written).transpose()).transpose()? else {
        return Ok(false);
    };

    // Our descriptor appends, whatever the offset says (`pwrite(2)`, BUGS). So this needs another descriptor.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let anywhere = open(path.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    // Somebody has truncated the file meanwhile, or this is not the same file (another /proc).
    if anywhere.id() != identity(file)? || self::size(file)? <= last {
        return Ok(false);
    }
    Ok(write_at(anywhere.get()?, b"\n", last)? == 1)
}

/// The place of the fragment's last byte. `None`: others write meanwhile, or nobody can tell.
fn find_fragment(file: BorrowedFd<'_>, line: &[u8], written: usize) -> io::Result<Option<u64>> {
    let size = self::size(file)?;
    let read = |buffer: &mut [u8], offset| read_at(file, buffer, offset);
    let Some(search) = Search::new(read, line, written, size)? else { return Ok(None) };
    // This waits for a write that is under way, as in `tail`.
    write_at(file, b"", 0)?;
    let settled = self::size(file)? == size;
    let end = search.find(settled, || Ok(fstatvfs(file)?.fragment_size().max(512) as u64))?;
    Ok(end.map(|end| end - 1))
}

/// A search for a fragment in the last [`BEHIND`] bytes of a file. It keeps 600 KiB in memory, and reads the file a
/// bounded number of times, however long the line is.
struct Search<'a, R> {
    read: R,
    line: &'a [u8],
    /// How many bytes of the line are in the file.
    written: usize,
    /// How many bytes the file has.
    size: u64,
    /// The first place where the fragment may end.
    first: u64,
    /// The part of the file in which the fragment may begin, and the byte before it.
    begins: Part,
    /// The part of the file in which the fragment may end.
    ends: Part,
}

/// A part of a file.
struct Part {
    start: u64,
    bytes: Vec<u8>,
}

impl Part {
    fn read(read: &impl Fn(&mut [u8], u64) -> io::Result<usize>, start: u64, end: u64) -> io::Result<Self> {
        let length = (end - start) as usize;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(length, 0);
        let mut filled = 0;
        while filled < length {
            match read(&mut bytes[filled..], start + filled as u64)? {
                // Somebody has truncated the file meanwhile.
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        Ok(Self { start, bytes })
    }

    /// The bytes before that place, and the bytes from there on.
    fn split(&self, at: u64) -> (&[u8], &[u8]) {
        let at = at.checked_sub(self.start).and_then(|at| self.bytes.split_at_checked(at as usize));
        at.unwrap_or_default()
    }
}

impl<'a, R: Fn(&mut [u8], u64) -> io::Result<usize>> Search<'a, R> {
    /// `None`: somebody has truncated the file.
    fn new(read: R, line: &'a [u8], written: usize, size: u64) -> io::Result<Option<Self>> {
        let length = written as u64;
        let Some(last) = size.checked_sub(length) else { return Ok(None) };
        let first = length.max(size.saturating_sub(BEHIND));
        let told_by = length.min(TOLD_BY as u64);
        let begins = Part::read(&read, (first - length).saturating_sub(1), last + told_by)?;
        let ends = Part::read(&read, first - told_by, size)?;
        Ok(Some(Self { read, line, written, size, first, begins, ends }))
    }

    /// The place where the fragment ends. `settled`: the file has not grown since it was read. `block` returns the size
    /// of the disk's blocks.
    fn find(&self, settled: bool, block: impl FnOnce() -> io::Result<u64>) -> io::Result<Option<u64>> {
        if settled && self.is_alike(self.size) && self.is_whole(self.size)? {
            return Ok(Some(self.size));
        }
        let alike = (self.first..=self.size).filter(|end| self.is_alike(*end) && !self.goes_on(*end));
        let alike: Vec<_> = alike.take(ALIKE + 1).collect();
        if alike.len() <= ALIKE {
            let mut ends = Vec::new();
            for end in alike {
                if self.is_whole(end)? {
                    ends.push(end);
                }
            }
            if let [end] = ends[..] {
                return Ok(Some(end));
            }
        }
        self.glued(block()?)
    }

    /// Where a fragment that many lines begin with ends all the same: a disk is full at the end of a block, where the
    /// fragment's line has begun and another of our lines begins.
    fn glued(&self, block: u64) -> io::Result<Option<u64>> {
        let first = self.first.next_multiple_of(block);
        let beginning = &self.line[..self.line.len().min(BEGINNING)];
        let blocks = (0..self.size.saturating_sub(first).div_ceil(block)).rev().map(|number| first + number * block);
        let is_glued = |end: &u64| {
            let before = self.begins.split(end - self.written as u64).0;
            let begins = *end == self.written as u64 || before.ends_with(b"\n");
            begins && self.is_alike(*end) && self.ends.split(*end).1.starts_with(beginning)
        };
        for end in blocks.filter(is_glued).take(ALIKE) {
            if self.is_whole(end)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Whether a text that ends there begins and ends as the fragment does. The end is compared first: the beginning is
    /// a timestamp as a rule, which many lines have.
    fn is_alike(&self, end: u64) -> bool {
        let fragment = &self.line[..self.written];
        let told_by = self.written.min(TOLD_BY);
        self.ends.split(end).0.ends_with(&fragment[self.written - told_by..])
            && self.begins.split(end - self.written as u64).1.starts_with(&fragment[..told_by])
    }

    /// Whether the text goes on there as the line does. Then it is the same line, which somebody else has written
    /// whole.
    fn goes_on(&self, end: u64) -> bool {
        let (behind, rest) = (self.ends.split(end).1, &self.line[self.written..]);
        !behind.is_empty() && behind.starts_with(&rest[..rest.len().min(behind.len()).min(TOLD_BY)])
    }

    /// Whether a text that is alike agrees with the whole fragment.
    fn is_whole(&self, end: u64) -> io::Result<bool> {
        let start = end - self.written as u64;
        let middle = TOLD_BY..self.written.saturating_sub(TOLD_BY).max(TOLD_BY);
        for begin in middle.clone().step_by(CHUNK) {
            let own = &self.line[begin..middle.end.min(begin + CHUNK)];
            let begin = start + begin as u64;
            if Part::read(&self.read, begin, begin + own.len() as u64)?.bytes != own {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// How many bytes the file has.
pub(crate) fn size(file: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(Status::of(file)?.size)
}

/// Cuts the last `written` bytes off, if the file had `size` bytes before them and nothing has come behind them. Says
/// whether they are cut off.
pub(crate) fn cut(file: BorrowedFd<'_>, size: u64, written: usize) -> io::Result<bool> {
    if self::size(file)? != size + written as u64 {
        return Ok(false);
    }
    truncate(file, size)?;
    Ok(true)
}

/// Appends a newline.
pub(crate) fn end_line(file: impl AsFd) -> io::Result<()> {
    match super::append(file, b"\n")? {
        1 => Ok(()),
        _ => Err(Errno::ENOSPC.into()),
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::{BEHIND, CHUNK, Search, TOLD_BY, end_fragment};
    use std::cell::Cell;
    use std::fs::{self, OpenOptions};
    use std::os::fd::AsFd;

    /// What a file becomes when a writer ends the fragment of its line in it.
    fn ended(before: &str, line: &str, written: usize) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        fs::write(&path, before).expect("written");
        let file = OpenOptions::new().read(true).append(true).open(&path).expect("opens");
        end_fragment(file.as_fd(), line.as_bytes(), written).expect("no failure");
        fs::read_to_string(&path).expect("there")
    }

    #[test]
    fn a_fragment_is_ended_where_it_is_the_only_one_or_at_the_end() {
        assert_eq!(ended("08:33 a\n08:33 ab", "08:33 abc\n", 8), "08:33 a\n08:33 a\n");
        assert_eq!(ended("08:33 abc\n08:33 ab08:33 x\n", "08:33 abc\n", 8), "08:33 abc\n08:33 a\n08:33 x\n");
        assert_eq!(ended("08:33 abc\nabc", "abc\n", 3), "08:33 abc\nab\n");
        let long = "x".repeat(5000);
        let ended = ended(&format!("{long}other\n"), &format!("{long}\n"), 5000);
        assert_eq!(ended, format!("{}\nother\n", &long[1..]), "told by all of it, not by its end");
    }

    #[test]
    fn of_lines_alike_the_fragment_at_the_end_of_a_block_is_ended() {
        let line = |number: u32| format!("2026-11-21T08:33:{number:02} a line of some length ......\n");
        let many = |bytes: usize| (0..).map(|number| line(number % 60)).take(bytes / line(0).len()).collect::<String>();
        for written in [2, 8, 14, 17] {
            // Blocks are no larger than a page on the file systems that tests run on.
            let mut before = many(8192 - written - line(0).len());
            before += &format!("{}\n", "x".repeat(8192 - written - before.len() - 1));
            let behind = line(30) + &line(31) + &many(6000);
            let ours = line(29);
            let expected = format!("{before}{}\n{behind}", &ours[..written - 1]);
            assert_eq!(ended(&format!("{before}{}{behind}", &ours[..written]), &ours, written), expected);
            // Not at the end of a block.
            let moved = format!("x{before}{}{behind}", &ours[..written]);
            assert_eq!(ended(&moved, &ours, written), moved);
        }
    }

    #[test]
    fn a_line_that_begins_as_the_fragment_does_stays_as_it_is() {
        for file in ["08:308:33 b\n08:33 c\n", "08:33 b\n08:33 08:33 c\n", "08:33 b\nx08:308:33 c\n08:33 d\n"] {
            assert_eq!(ended(file, "08:33 a\n", 4), file);
        }
    }
    /// Where the fragment of `line` ends in a file of `size` bytes that has that byte at each place, and how much is
    /// read for that, in calls and in bytes.
    fn found(
        byte: impl Fn(u64) -> u8,
        size: u64,
        line: &[u8],
        written: usize,
        settled: bool,
    ) -> (Option<u64>, u64, u64) {
        let (calls, bytes) = (Cell::new(0), Cell::new(0));
        let read = |buffer: &mut [u8], offset: u64| {
            calls.set(calls.get() + 1);
            bytes.set(bytes.get() + buffer.len() as u64);
            assert!(buffer.len() as u64 <= BEHIND + TOLD_BY as u64 + 1, "{} bytes at a time", buffer.len());
            buffer.iter_mut().zip(offset..).for_each(|(place, offset)| *place = byte(offset));
            Ok(buffer.len())
        };
        let search = Search::new(read, line, written, size).expect("read").expect("long enough");
        let end = search.find(settled, || Ok(4096)).expect("read");
        (end, calls.get(), bytes.get())
    }

    #[test]
    fn the_end_of_a_huge_fragment_is_found_by_reading_it_once() {
        const WRITTEN: usize = 16 << 20;
        let line = [vec![b'x'; WRITTEN + 1000], vec![b'\n']].concat();
        let edges = 2 * (BEHIND + TOLD_BY as u64 + 1);
        let once = (2 + WRITTEN.div_ceil(CHUNK) as u64, WRITTEN as u64 + edges);
        // At the end of the file, behind other lines.
        let begin = 5000;
        let size = begin + WRITTEN as u64;
        let byte = |offset| if offset < begin { b'\n' } else { b'x' };
        let (end, calls, bytes) = found(byte, size, &line, WRITTEN, true);
        assert_eq!(end, Some(size));
        assert!(calls <= once.0 && bytes <= once.1, "{calls} {bytes}");
        // Others have written behind it, and write on.
        let behind = b"2026-11-21 another line\n";
        let other = |offset: u64| {
            let place = offset.checked_sub(size).map(|place| behind[place as usize % behind.len()]);
            place.unwrap_or_else(|| byte(offset))
        };
        let (end, calls, bytes) = found(other, size + 100 * behind.len() as u64, &line, WRITTEN, false);
        assert_eq!(end, Some(size));
        assert!(calls <= once.0 && bytes <= once.1, "{calls} {bytes}");
        // A file of nothing else: each place looks alike.
        let line = [vec![b'x'; WRITTEN], b"y\n".to_vec()].concat();
        let (end, calls, bytes) = found(|_| b'x', 4 * size, &line, WRITTEN, false);
        assert_eq!((end, calls), (None, 2), "nobody can tell");
        assert!(bytes <= edges, "{bytes}");
    }
}
