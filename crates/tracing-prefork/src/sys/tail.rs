//! The end of a log file: a write that fell short leaves a piece of a line there, and whatever comes next must not be glued to it.

use super::identity::{Status, identity};
use super::positioned::{read_at, truncate, write_at};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// How far behind a fragment of ours other writers may have got before we look for it: 256 KiB, some thousands of lines in
/// the microseconds between a write and a look at what it left.
const BEHIND: u64 = 256 * 1024;

/// So much of a fragment, its end, is looked for; the rest is compared where that is found.
const TOLD_BY: usize = 1024;

/// So often the file is looked at: others may have written between the looks that one takes.
const LOOKS: usize = 5;

/// So many first bytes of a line tell that it is one of ours: those of a date.
const BEGINNING: usize = 8;

/// How a file ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// How many bytes the file has.
    pub(crate) size: u64,
    /// It ends in a piece of a line that nobody is about to go on with.
    pub(crate) torn: bool,
}

/// Looks how the file ends.
///
/// While a write is under way the file can end anywhere, and a reader sees that. A write of nothing waits until the one
/// under way is done (each file system takes the inode's lock first; measured on ext4, xfs, btrfs and tmpfs). If the file has not
/// grown after that, its end is what a finished write has left.
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
    // Or others write without a pause, and none of them has found a fragment.
    Ok(Tail { size, torn: false })
}

/// A write of `line` has fallen short after `written` bytes: makes the last of these a newline, so that the next line, or one that
/// another process has written behind it meanwhile, is a line of its own. Says whether that has been done.
///
/// This needs no lock, and no room on the disk but where the file system copies what it overwrites (btrfs), and changes no byte but one that belongs to nobody: that of a fragment at the end of the
/// file, or else of the only text of its kind that is not part of the whole line. Others' lines begin as ours does, with the same second if
/// with nothing else, so where there are several, only one that ends a block and has another line glued to it is ours, or like ours nobody's.
pub(crate) fn end_fragment(file: BorrowedFd<'_>, line: &[u8], written: usize) -> io::Result<bool> {
    if line[..written].last().is_none_or(|&last| last == b'\n') {
        return Ok(true);
    }
    let Some(last) = (0..LOOKS).find_map(|_| find_fragment(file, line, written).transpose()).transpose()? else {
        return Ok(false);
    };

    // Our descriptor appends wherever it is told to write (`pwrite(2)`, BUGS), so this needs another.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let anywhere = super::files::open(path.as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    // Truncated from outside meanwhile, or not the same file (another /proc).
    if anywhere.id() != identity(file)? || self::size(file)? <= last {
        return Ok(false);
    }
    Ok(write_at(anywhere.get()?, b"\n", last)? == 1)
}

/// Where the last byte of the fragment is. `None`: others write on, or nobody can tell.
fn find_fragment(file: BorrowedFd<'_>, line: &[u8], written: usize) -> io::Result<Option<u64>> {
    let (fragment, rest) = line.split_at(written);
    let size = self::size(file)?;
    let start = size.saturating_sub(written as u64 + BEHIND);
    let mut tail = Vec::new();
    tail.try_reserve_exact((size - start) as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
    tail.resize((size - start) as usize, 0);
    let read = read_at(file, &mut tail, start)?;
    tail.truncate(read);
    // Waits for a write that is under way, as in `tail`.
    write_at(file, b"", 0)?;
    let settled = self::size(file)? == size;
    // The whole line, written by somebody else, is not it.
    let is_piece = |&end: &usize| {
        let behind = &tail[end..];
        tail[..end].ends_with(fragment)
            && (behind.is_empty() || !behind.starts_with(&rest[..rest.len().min(behind.len())]))
    };
    // The end of it first: the beginning is a timestamp as a rule, which many lines have.
    let told_by = &fragment[written.saturating_sub(TOLD_BY)..];
    let same = tail.windows(told_by.len()).enumerate().filter(|(_, text)| *text == told_by);
    let mut ends = same.map(|(begin, _)| begin + told_by.len()).filter(is_piece);
    let end = match (ends.next(), ends.next()) {
        _ if settled && tail.ends_with(fragment) => Some(tail.len()),
        (Some(end), None) => Some(end),
        _ => glued(file, &tail, start, line, written)?,
    };
    Ok(end.map(|end| start + end as u64 - 1))
}

/// Where a fragment that many lines begin with ends all the same: a disk is full at the end of a block, where the fragment's line has begun
/// and another of our lines begins.
fn glued(file: BorrowedFd<'_>, tail: &[u8], start: u64, line: &[u8], written: usize) -> io::Result<Option<usize>> {
    let (fragment, beginning) = (&line[..written], &line[..line.len().min(BEGINNING)]);
    let block = fstatvfs(file)?.fragment_size().max(512) as u64;
    let ends = (start.next_multiple_of(block)..start + tail.len() as u64).step_by(block as usize);
    let is_glued = |&end: &usize| {
        let begins =
            tail[..end].strip_suffix(fragment).is_some_and(|before| before.is_empty() || before.ends_with(b"\n"));
        begins && tail[end..].starts_with(beginning)
    };
    Ok(ends.map(|end| (end - start) as usize).filter(is_glued).last())
}

/// How many bytes the file has.
pub(crate) fn size(file: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(Status::of(file)?.size)
}

/// Cuts the last `written` bytes off again, if the file has had `size` before them and nothing has come behind them.
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
    use super::end_fragment;
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
    fn of_many_that_begin_alike_the_one_that_a_block_ends_in_and_a_line_is_glued_to_is_ended() {
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
}
