//! Whose turn it is: the hidden files behind which one process at a time prunes, compresses and hands over.

use nix::libc;
use std::path::Path;

use super::{all_names, write_files};

pub(crate) fn byte(kind: libc::c_int, start: i64) -> libc::flock {
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_start, lock.l_len) = (kind as libc::c_short, start, 1);
    lock
}

/// The hidden files of the jobs: without the record of names and the settings.
pub(crate) fn hidden(directory: &Path) -> Vec<String> {
    let is_of_jobs =
        |name: &String| name.starts_with('.') && ![".names", ".settings"].iter().any(|end| name.ends_with(end));
    all_names(directory).into_iter().filter(is_of_jobs).collect()
}

pub(crate) fn old_files(directory: &Path, count: usize) -> Vec<String> {
    let names: Vec<_> = (1..=count).map(|day| format!("app.2026-10-{day:02}.log")).collect();
    write_files(directory, &names.iter().map(String::as_str).collect::<Vec<_>>());
    names
}
