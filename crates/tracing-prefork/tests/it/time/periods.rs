//! Periods and names are a pure function of the instant: properties that hold for every unit, offset and instant.

use proptest::prelude::*;
use std::collections::HashMap;
use std::ffi::OsString;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::macros::format_description;
use tracing_prefork::{Appender, Rotation, Zone};

use crate::common;
use crate::common::{Hand, NOW};

const ROTATIONS: [Rotation; 6] =
    [Rotation::SECONDLY, Rotation::MINUTELY, Rotation::HOURLY, Rotation::DAILY, Rotation::WEEKLY, Rotation::MONTHLY];

const NANOSECOND: Duration = Duration::from_nanos(1);

/// An appender of each rotation in the zone, and the directory that they keep.
fn appenders(zone: &Zone) -> (tempfile::TempDir, Vec<(Rotation, Appender)>) {
    let directory = tempfile::tempdir().expect("a directory");
    let build = |rotation: &Rotation| {
        let builder = Hand::at(NOW).builder().rotation(*rotation).zone(zone.clone());
        (*rotation, builder.build(directory.path().join(rotation.to_string())).expect("builds"))
    };
    let appenders = ROTATIONS.iter().map(build).collect();
    (directory, appenders)
}

/// Any nanosecond of the years 1000 to 9000.
fn instants() -> impl Strategy<Value = SystemTime> {
    (-30_000_000_000..220_000_000_000_i64, 0..1_000_000_000_u64).prop_map(|(seconds, nanos)| {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let second = if seconds < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance };
        second + Duration::from_nanos(nanos)
    })
}

fn name(logs: &Appender, time: SystemTime) -> OsString {
    logs.path_at(time).file_name().expect("a name").to_owned()
}

#[test]
fn times_beyond_all_dates_share_the_first_or_last_days_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    let day = Duration::from_secs(24 * 3600);
    let (first, last) = (UNIX_EPOCH - 719_161 * day, UNIX_EPOCH + 2_932_532 * day);
    let names = [first + day, first, first - NANOSECOND, first - 300_000 * day].map(|time| name(&logs, time));
    assert_eq!(
        names,
        ["0001-01-03", "0001-01-02", "0001-01-02", "0001-01-02"].map(|date| OsString::from(format!("app.{date}.log")))
    );
    let names = [last - NANOSECOND, last, last + day, last + 300_000 * day].map(|time| name(&logs, time));
    assert_eq!(
        names,
        ["9998-12-31", "9999-01-01", "9999-01-01", "9999-01-01"].map(|date| OsString::from(format!("app.{date}.log")))
    );
}

/// The name that the documentation promises, written with another formatter.
fn documented(rotation: &Rotation, zone: &Zone, time: SystemTime) -> String {
    let local = OffsetDateTime::from(time)
        + time::Duration::seconds(if let Zone::Fixed(east) = zone { *east } else { 0 }.into());
    let date = if *rotation == Rotation::WEEKLY {
        local - time::Duration::days(local.weekday().number_days_from_sunday().into())
    } else {
        local
    };
    let day = date.format(format_description!("[year]-[month]-[day]")).expect("formats");
    let units = match rotation.to_string().as_str() {
        "secondly" => format!("{day}-{:02}-{:02}-{:02}", local.hour(), local.minute(), local.second()),
        "minutely" => format!("{day}-{:02}-{:02}", local.hour(), local.minute()),
        "hourly" => format!("{day}-{:02}", local.hour()),
        "monthly" => day[..day.len() - 3].to_owned(),
        _ => day,
    };
    format!("app.{units}.log")
}

fn check(logs: &Appender, rotation: &Rotation, zone: &Zone, time: SystemTime) {
    let period = logs.period_at(time);
    let end = period.end.expect("only NEVER has no end");
    assert!(period.start <= time && time < end, "{rotation} {zone}: {time:?} lies outside of {period:?}");
    for inside in [period.start, period.start + NANOSECOND, time, end - NANOSECOND] {
        assert_eq!(logs.period_at(inside), period, "{rotation} {zone}: {inside:?}");
        assert_eq!(name(logs, inside).to_str(), Some(&*documented(rotation, zone, inside)), "{rotation} {zone}");
        assert_eq!(name(logs, inside), name(logs, time), "{rotation} {zone}: the name changes inside of {period:?}");
    }
    assert_eq!(logs.period_at(end).start, end, "{rotation} {zone}: a gap or an overlap after {period:?}");
    assert_eq!(logs.period_at(period.start - NANOSECOND).end, Some(period.start), "{rotation} {zone}");
    assert_ne!(name(logs, end), name(logs, time), "{rotation} {zone}: two periods share a name");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn periods_partition_time_and_each_has_one_name(
        minutes in -1439..1440_i32,
        instants in prop::collection::vec(instants(), 8),
    ) {
        let zone = Zone::Fixed(minutes * 60);
        let (_directory, appenders) = appenders(&zone);
        for (rotation, logs) in &appenders {
            for &time in &instants {
                check(logs, rotation, &zone, time);
            }
        }
    }
}

#[test]
fn no_two_periods_of_a_leap_year_share_a_name() {
    let (_directory, appenders) = appenders(&Zone::Utc);
    for (rotation, logs) in
        appenders.iter().filter(|(rotation, _)| !matches!(rotation.to_string().as_str(), "secondly" | "minutely"))
    {
        let mut seen = HashMap::new();
        let mut time = UNIX_EPOCH + Duration::from_secs(1_703_000_000);
        let last = time + Duration::from_secs(400 * common::DAY);
        while time < last {
            check(logs, rotation, &Zone::Utc, time);
            assert_eq!(seen.insert(name(logs, time), time), None, "{rotation}");
            time = logs.period_at(time).end.expect("ends");
        }
    }
}

#[test]
fn never_is_one_period_without_an_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().build(directory.path()).expect("builds");
    let period = logs.period_at(common::at(NOW));
    assert_eq!(period.end, None);
    assert!(period.start < UNIX_EPOCH);
    assert_eq!(name(&logs, UNIX_EPOCH), "app.log");
}
