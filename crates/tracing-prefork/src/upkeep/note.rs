//! A note: a hidden file with two numbers in one line, such as `          1795249981           1795336381`.
//!
//! Each number has 20 columns, so the text always has the same length. It is overwritten in place, which takes no room
//! on a full disk. Spaces alone mean that there is nothing to say.

use crate::sys::{self, Creation, OwnFile};
use std::fmt::Display;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

/// Bytes of the text: two numbers, a space between them, and a newline.
const LENGTH: usize = 42;

/// Writes two numbers, or spaces for `None`.
pub(crate) fn write<N: Display>(path: &Path, creation: Creation<'_>, numbers: Option<(N, N)>) -> io::Result<()> {
    let text = match numbers {
        Some((first, second)) => format!("{first:>20} {second:>20}\n"),
        None => format!("{:>1$}", "\n", LENGTH),
    };
    sys::overwrite(path, creation, &text)
}

/// The two numbers of a note. `None`: there is no note, it has nothing to say, or nobody can read it.
pub(crate) fn read<N: FromStr>(path: &Path) -> Option<(N, N)> {
    read_from(&sys::open_to_read(path).ok()??)
}

/// The same, for a note that only somebody who may write to our hidden files can have made.
pub(crate) fn read_ours<N: FromStr>(path: &Path, creation: Creation<'_>) -> Option<(N, N)> {
    let file = sys::open_to_read(path).ok()??;
    let is_ours = sys::may_be_ours(&file, path, creation).unwrap_or(false);
    is_ours.then(|| read_from(&file))?
}

fn read_from<N: FromStr>(file: &OwnFile) -> Option<(N, N)> {
    let mut text = String::new();
    file.reader().take(LENGTH as u64).read_to_string(&mut text).ok()?;
    let (first, second) = text.trim().split_once(' ')?;
    Some((first.parse().ok()?, second.trim().parse().ok()?))
}
