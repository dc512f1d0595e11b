//! The rings of a pattern that are there.

use crate::names::hidden::Hidden;
use crate::names::pattern::Pattern;
use crate::sys;
use std::io;
use std::path::{Path, PathBuf};

/// The path of a ring.
pub(crate) fn path_of(pattern: &Pattern, directory: Option<&Path>, id: u64) -> PathBuf {
    let beside = pattern.hidden(Hidden::Ring(id));
    match (directory, beside.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => beside,
    }
}

/// The end of the name of a ring.
const RING: &str = ".ring";
/// The same of a ring that could not be relied on.
const SET_ASIDE: &str = ".ring.bad";

/// The paths of all rings of the pattern in this directory, or beside the logs, without an order.
pub(crate) fn rings(pattern: &Pattern, directory: Option<&Path>) -> io::Result<Vec<PathBuf>> {
    named(pattern, directory, RING)
}

/// The same of the rings that were set aside.
pub(super) fn set_aside(pattern: &Pattern, directory: Option<&Path>) -> io::Result<Vec<PathBuf>> {
    named(pattern, directory, SET_ASIDE)
}

fn named(pattern: &Pattern, directory: Option<&Path>, ending: &str) -> io::Result<Vec<PathBuf>> {
    let directory = directory.unwrap_or(pattern.directory());
    let entries = match sys::entries(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let is_ring = |name: &str| pattern.is_hidden(name) && name.ends_with(ending);
    let names = entries.into_iter().filter_map(|entry| entry.name.into_string().ok());
    Ok(names.filter(|name| is_ring(name)).map(|name| directory.join(name)).collect())
}
