//! What lies in a log directory beside the lines: the `latest` links, the modes, foreign files.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::prefork::Setup;
use harness::pattern::Place;
use harness::report::Report;
use harness::tree;

/// Which links a run may leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To the newest file, by a relative target.
    ToNewest,
    /// To the newest file, by any target.
    ByAnyTarget,
    /// To some file of the pattern: the last to roll over were raw clones, which leave links to others.
    ToSome,
}

/// Holds the `latest` links and the modes of the files against what was asked for.
pub fn inspect(directory: &Path, setup: &Setup, leads: Leads, report: &mut Report) {
    let entries = tree::entries(directory, setup.pattern.depth()).unwrap_or_default().into_iter();
    let mut files: Vec<(Place, String)> = entries
        .filter(|entry| entry.kind.is_file())
        .filter_map(|entry| Some((setup.pattern.place_of_name(&entry.name)?, entry.name)))
        .collect();
    files.sort();
    let Some((_, newest)) = files.last() else { return };
    if let Some(name) = setup.latest_symlink {
        match fs::read_link(directory.join(name)) {
            Ok(target) if target == Path::new(newest) => {}
            Ok(target) if leads == Leads::ByAnyTarget && target == directory.join(newest) => {}
            Ok(target) if leads == Leads::ToSome && files.iter().any(|(_, file)| target == Path::new(file)) => {}
            other => report.other(format!("{name} leads to {other:?}, the newest file is {newest}")),
        }
    }
    if let Some(name) = setup.latest_hard_link {
        let inode = |name: &str| fs::symlink_metadata(directory.join(name)).map(|file| file.ino());
        let link = inode(name).ok();
        let is_of = |file: &str| link.is_some() && link == inode(file).ok();
        let to_some = leads == Leads::ToSome && files.iter().any(|(_, file)| is_of(file));
        if !is_of(newest) && !to_some {
            report.other(format!("{name} is not the newest file, {newest}"));
        }
    }
    if let Some(mode) = setup.file_mode {
        for (_, name) in &files {
            let found = fs::metadata(directory.join(name)).map(|file| file.mode() & 0o7777);
            if found.as_ref().ok() != Some(&mode) {
                let found = found.map_or_else(|error| error.to_string(), |mode| format!("{mode:o}"));
                report.other(format!("{name} has the mode {found}, not {mode:o}"));
            }
        }
    }
}

/// Makes the hidden names and the empty directories that processes left behind look two minutes old: the next process
/// clears away what is older than one.
///
/// # Errors
///
/// When one cannot be changed.
pub fn age_left_behind(directory: &Path, depth: usize) -> io::Result<()> {
    for entry in tree::entries(directory, depth)? {
        let name = entry.name;
        // A directory in which something stands is no entry, except at the last level.
        if entry.kind.is_dir() && name.matches('/').count() < depth {
            File::open(&entry.path)?.set_modified(SystemTime::now() - Duration::from_secs(120))?;
        }
        let Some((head, nanos)) = name.strip_suffix(".prefork.tmp").and_then(|name| name.rsplit_once('-')) else {
            continue;
        };
        let nanos = u64::from_str_radix(nanos, 16).map_err(io::Error::other)?;
        let aged = format!("{head}-{:016x}.prefork.tmp", nanos.saturating_sub(120_000_000_000));
        fs::rename(directory.join(&name), directory.join(aged))?;
    }
    Ok(())
}

/// Files whose names are like log files' and are none: (name, content).
const FILES: [(&str, &str); 6] = [
    ("app.conf", "workers = 4\n"),
    ("app.log.bak", "kept by hand\n"),
    ("app.log.2026-13-45", "no such day\n"),
    ("application.log.2020-01-01", "of another program\n"),
    ("app.2020-01-01.log", "of a longer period\n"),
    ("app.2020-01-01-00-00-61.log", "no such second\n"),
];
/// A directory and a symbolic link whose names are log files' to the last byte.
const DIRECTORIES: [&str; 2] = ["app.2020-01-01-00-00-00.log", "app.log.2020-01-01"];
const LINKS: [&str; 2] = ["app.2020-01-01-00-00-01.log", "app.log.2020-01-02"];

/// All names that [`plant`] puts into a directory.
pub const FOREIGN: &[&str] = &[
    FILES[0].0,
    FILES[1].0,
    FILES[2].0,
    FILES[3].0,
    FILES[4].0,
    FILES[5].0,
    DIRECTORIES[0],
    DIRECTORIES[1],
    LINKS[0],
    LINKS[1],
];

/// Puts foreign files into the directory, the oldest that it has by every measure.
///
/// # Errors
///
/// When they cannot be created.
pub fn plant(directory: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        fs::write(directory.join(name), content)?;
    }
    for name in DIRECTORIES {
        fs::create_dir(directory.join(name))?;
        fs::write(directory.join(name).join("content"), name)?;
    }
    for name in LINKS {
        symlink("app.conf", directory.join(name))?;
    }
    Ok(())
}

/// Says which of the foreign files are not as they were.
#[must_use]
pub fn missing(directory: &Path) -> Vec<String> {
    let same = |path: &str, content: &str| fs::read_to_string(directory.join(path)).is_ok_and(|found| found == content);
    let files = FILES.iter().filter(|(name, content)| !same(name, content)).map(|(name, _)| *name);
    let directories = DIRECTORIES.iter().filter(|name| !same(&format!("{name}/content"), name)).copied();
    let links = LINKS.iter().copied().filter(|name| {
        let target = fs::read_link(directory.join(name));
        !target.is_ok_and(|target| target == Path::new("app.conf"))
    });
    files.chain(directories).chain(links).map(|name| format!("{name}: foreign, and touched")).collect()
}
