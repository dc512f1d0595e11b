//! What the figures were measured on. The program in `performance` uses this file too.

use std::error::Error;
use std::fs;
use std::path::Path;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Processor, kernel, file system of `directory`, load and date, in one line.
pub(crate) fn describe(directory: &Path) -> Result<String, Box<dyn Error>> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let processors = std::thread::available_parallelism()?;
    let host = nix::sys::utsname::uname()?;
    let now = OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?;
    Ok(format!(
        "{processors} x {model}; {} {}; {}; load {}; {now}",
        host.sysname().to_string_lossy(),
        host.release().to_string_lossy(),
        file_system(directory)?,
        load(),
    ))
}

/// The load average of the last minute.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// The type of the mount that holds `directory`: the last one whose mount point is the longest
/// (`proc_pid_mountinfo(5)`).
fn file_system(directory: &Path) -> Result<String, Box<dyn Error>> {
    let directory = fs::canonicalize(directory)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let kind = mounts
        .lines()
        .filter_map(|mount| {
            let (place, kind) = mount.split_once(" - ")?;
            let point = Path::new(place.split(' ').nth(4)?);
            directory.starts_with(point).then_some((point, kind.split(' ').next()?))
        })
        .max_by_key(|(point, _)| point.as_os_str().len())
        .map_or("unknown file system", |(_, kind)| kind);
    Ok(kind.to_owned())
}
