//! Local time: every zone of the machine, every transition, every rotation; and a table made by another program.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Builder, Rotation, Weekday, Zone};

use crate::common::{Hand, NOW};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn instant(second: i64) -> SystemTime {
    let distance = Duration::from_secs(second.unsigned_abs());
    if second < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

fn name(logs: &Appender, time: SystemTime) -> PathBuf {
    PathBuf::from(logs.path_at(time).file_name().expect("a name"))
}

/// That periods partition time around `time`, and that each has one name, other than its neighbours'.
fn check(logs: &Appender, what: &dyn Fn() -> String, time: SystemTime) {
    let period = logs.period_at(time);
    let end = period.end.expect("only NEVER has no end");
    assert!(period.start <= time && time < end, "{}: {time:?} lies outside of {period:?}", what());
    let own = name(logs, time);
    for inside in [period.start, end - NANOSECOND] {
        assert_eq!(logs.period_at(inside), period, "{}: at {inside:?}", what());
        assert_eq!(name(logs, inside), own, "{}: the name changes inside of {period:?}", what());
    }
    let (before, after) = (period.start - NANOSECOND, end);
    assert_eq!(logs.period_at(before).end, Some(period.start), "{}: before {period:?}", what());
    assert_eq!(logs.period_at(after).start, end, "{}: after {period:?}", what());
    assert_ne!(name(logs, before), own, "{}: before {period:?}", what());
    assert_ne!(name(logs, after), own, "{}: after {period:?}", what());
}

/// The zones of the machine, one of each that have the same data.
fn zones() -> Vec<String> {
    fn walk(directory: &Path, above: &str, found: &mut BTreeMap<Vec<u8>, String>) {
        for entry in fs::read_dir(directory).expect("readable") {
            let entry = entry.expect("readable");
            let name = format!("{above}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                if !matches!(&*name, "posix" | "right") {
                    walk(&entry.path(), &format!("{name}/"), found);
                }
            } else if !matches!(&*name, "posixrules" | "localtime") {
                let data = fs::read(entry.path()).unwrap_or_default();
                if data.starts_with(b"TZif") {
                    found.insert(data, name);
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(Path::new("/usr/share/zoneinfo"), "", &mut found);
    found.into_values().collect()
}

fn rotations() -> Vec<Rotation> {
    vec![
        Rotation::SECONDLY,
        Rotation::MINUTELY.every(7).at(23, 59),
        Rotation::HOURLY.every(6).at(4, 0),
        Rotation::HOURLY.every(5).at(2, 30),
        Rotation::MINUTELY,
        Rotation::MINUTELY.every(7),
        Rotation::HOURLY,
        Rotation::HOURLY.every(5),
        Rotation::DAILY,
        Rotation::DAILY.every(3),
        Rotation::DAILY.at(2, 30),
        Rotation::WEEKLY,
        Rotation::weekly_on(Weekday::Wednesday).at(23, 45),
        Rotation::weekly_on(Weekday::Monday).every(2),
        Rotation::MONTHLY,
        Rotation::MONTHLY.every(5).at(0, 1),
    ]
}

#[test]
fn periods_partition_time_around_the_transitions_of_all_zones() {
    let zones = zones();
    assert!(zones.len() > 250, "only {} zones: is tzdata installed?", zones.len());
    let directory = tempfile::tempdir().expect("a directory");
    let queue = Mutex::new(zones);
    let checked = std::thread::scope(|scope| {
        let work = || {
            let mut checked = 0;
            loop {
                let Some(zone) = queue.lock().expect("unpoisoned").pop() else { return checked };
                checked += check_zone(&zone, directory.path());
            }
        };
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().expect("no zone fails")).into_iter().sum::<u64>()
    });
    println!("{checked} instants checked");
    assert!(checked > 1_000_000, "{checked}");
}

fn check_zone(zone: &str, directory: &Path) -> u64 {
    let data = fs::read(Path::new("/usr/share/zoneinfo").join(zone)).expect("readable");
    let rules = TimeZone::tzif(zone, &data).expect("a zone");
    let first = Timestamp::UNIX_EPOCH;
    let last: Timestamp = "2038-01-01T00:00Z".parse().expect("a time");
    let transitions: Vec<_> = rules
        .following(first)
        .take_while(|transition| transition.timestamp() < last)
        .map(|it| it.timestamp().as_second())
        .collect();
    let mut checked = 0;
    for (index, rotation) in rotations().into_iter().enumerate() {
        let builder = Hand::at(NOW).builder().rotation(rotation).zone(Zone::Named(zone.to_owned()));
        // Weeks that begin on Monday have the names of ISO 8601.
        let iso = rotation.to_string().ends_with("monday").then_some("%G-W%V");
        let builder = iso.into_iter().fold(builder, Builder::date_format);
        let logs = builder.build(directory.join(index.to_string())).expect("builds");
        for &transition in &transitions {
            let offset = |at| rules.to_offset(Timestamp::from_second(at).expect("a time")).seconds();
            let step = i64::from(offset(transition) - offset(transition - 1)).abs();
            for distance in [0, 1, 60, step, 3600, 43_200, 86_400] {
                for at in
                    [transition - distance - 1, transition - distance, transition + distance, transition + distance - 1]
                {
                    check(
                        &logs,
                        &|| format!("{rotation} in {zone}, {distance} s from the transition at {transition}"),
                        instant(at),
                    );
                    checked += 1;
                }
            }
        }
    }
    checked
}

#[test]
fn names_and_boundaries_agree_with_an_independent_oracle() {
    let table = include_str!("../../common/oracle.tsv");
    let directory = tempfile::tempdir().expect("a directory");
    let mut appenders: BTreeMap<(&str, &str), Appender> = BTreeMap::new();
    let mut cases = std::collections::BTreeSet::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').collect();
        let [zone, rotation, start, end, date, why] = columns[..] else { panic!("six columns: {line:?}") };
        cases.insert((zone, why));
        let logs = appenders.entry((zone, rotation)).or_insert_with(|| {
            let zone = Zone::Named(zone.to_owned());
            let rotation = rotation.parse().expect("a rotation");
            Hand::at(NOW).builder().rotation(rotation).zone(zone).build(directory.path()).expect("builds")
        });
        let [start, end] = [start, end].map(|second| second.parse().expect("a second"));
        let middle = instant((start + end) / 2);
        let (start, end) = (instant(start), instant(end));
        let expected = PathBuf::from(format!("app.{date}.log"));
        for inside in [start, middle, end - NANOSECOND] {
            let period = logs.period_at(inside);
            assert_eq!((period.start, period.end), (start, Some(end)), "{line}");
            assert_eq!(name(logs, inside), expected, "{line}");
        }
    }
    assert!(cases.len() >= 25, "{} cases", cases.len());
}
