//! Finding the data of a time zone, at build.
//!
//! `jiff` reads the format and knows the rules. Looking for the file is done here, because `jiff` keeps what it finds behind
//! a lock, in which a child forked from a process with other threads could hang at its own build.

use crate::BuildError;
use jiff::tz::TimeZone;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where systems keep the IANA database; `TZDIR` comes first.
const DIRECTORIES: [&str; 4] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];

const LOCALTIME: &str = "/etc/localtime";

/// Whether `text` looks like a name of the database: parts of letters, digits, `_`, `+` and `-` with slashes between.
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
    let mut tried = Vec::new();
    for directory in env::var_os("TZDIR").map(PathBuf::from).into_iter().chain(DIRECTORIES.map(PathBuf::from)) {
        let path = directory.join(name);
        match read(name, &path) {
            Ok(zone) => return Ok(zone),
            Err(problem) => tried.push(format!("{}: {problem}", path.display())),
        }
    }
    Err(error(format!("there is no such zone; looked for {}", tried.join(", "))))
}

/// The system's zone: `TZ` as `tzset(3)` reads it, else `/etc/localtime`.
pub(crate) fn local() -> Result<TimeZone, BuildError> {
    let Some(value) = env::var_os("TZ") else {
        return read(LOCALTIME, Path::new(LOCALTIME)).map_err(|problem| BuildError::Zone {
            value: "local".to_owned(),
            reason: format!("TZ is not set, and {LOCALTIME}: {problem}"),
        });
    };
    let error = |reason: String| BuildError::Zone { value: format!("local (TZ={})", value.to_string_lossy()), reason };
    let text = value.to_str().ok_or_else(|| error("TZ is not UTF-8".to_owned()))?;
    let name = text.strip_prefix(':').unwrap_or(text);
    if name.is_empty() {
        // Set and empty means UTC (tzset(3)).
        return Ok(TimeZone::UTC);
    }
    if Path::new(name).is_absolute() {
        return read(name, Path::new(name)).map_err(error);
    }
    // A rule such as `CET-1CEST,M3.5.0,M10.5.0/3`, if it is not a name.
    named(name).or_else(|unknown| {
        TimeZone::posix(text).map_err(|_| error(format!("neither a zone nor a POSIX rule: {unknown}")))
    })
}

fn read(name: &str, path: &Path) -> Result<TimeZone, String> {
    let data = fs::read(path).map_err(|error| error.to_string())?;
    TimeZone::tzif(name, &data).map_err(|error| error.to_string())
}
