//! The text that is printed: the machine, a table for each group and shape, and what its columns
//! mean.

use std::{error::Error, fmt::Write, fs, path::Path};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    load::Shape,
    stats::{self, Summary},
    subject::{Group, Kind},
};

pub(crate) const LEGEND: &str = "\
ns          wall-clock time / lines of all writers, over the rounds
x floor     time / time of the floor in the same round: median (10th to 90th percentile); less is better
x peer      speed / speed of the peer in the same round: median (10th to 90th percentile); more is better
a / b       time / time in the same round: median (10th to 90th percentile)";

/// Processor, kernel, file system of `directory`, load and date, in one line.
pub(crate) fn machine(directory: &Path) -> Result<String, Box<dyn Error>> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let processors = std::thread::available_parallelism()?;
    let host = nix::sys::utsname::uname()?;
    let now = OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?;
    Ok(format!(
        "{processors} x {model}; {} {}; {} on {}; load {}; {now}",
        host.sysname().to_string_lossy(),
        host.release().to_string_lossy(),
        directory.display(),
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

/// One row a kind; the ratios are left out where there is nothing to compare with.
pub(crate) fn table(group: Group, shape: Shape, kinds: &[Kind], rounds: &[Vec<f64>]) -> String {
    let floor = kinds.iter().position(|kind| kind.is_floor());
    let peer = kinds.iter().position(|kind| kind.is_peer());
    let mut text = format!("{}, {}\n", group.name(), shape.name());
    row(&mut text, ["", "median ns", "min", "p90", "x floor", "x peer"]);
    for (at, kind) in kinds.iter().enumerate() {
        let Some(summary) = Summary::of(rounds.iter().map(|round| round[at])) else {
            continue;
        };
        let time = floor.and_then(|floor| stats::ratio(rounds, at, floor));
        let speed = peer.and_then(|peer| stats::ratio(rounds, peer, at));
        row(
            &mut text,
            [
                kind.description(),
                &format!("{:.1}", summary.median),
                &format!("{:.1}", summary.min),
                &format!("{:.1}", summary.p90),
                &time.map_or("-".to_owned(), spread),
                &speed.map_or("-".to_owned(), spread),
            ],
        );
    }
    for (at, kind) in kinds.iter().enumerate() {
        let Some(without) = kinds.iter().position(|other| Some(*other) == kind.without_option()) else { continue };
        if let Some(ratio) = stats::ratio(rounds, at, without) {
            let (with, without) = (kind.name(), kinds[without].name());
            writeln!(text, "\n  {with} / {without}: {}", spread(ratio)).expect("a string takes a row");
        }
    }
    text
}

fn spread(ratio: Summary) -> String {
    format!("{:.3} ({:.3}-{:.3})", ratio.median, ratio.p10, ratio.p90)
}

fn row(text: &mut String, cells: [&str; 6]) {
    let [what, median, min, p90, floor, peer] = cells;
    writeln!(text, "  {what:<46}{median:>10}{min:>10}{p90:>10}{floor:>22}{peer:>22}").expect("a string takes a row");
}
