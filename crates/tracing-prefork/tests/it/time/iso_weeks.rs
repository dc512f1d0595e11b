//! Names of ISO weeks, against the definition: a week belongs to the year that has its Thursday.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Builder, Rotation, Weekday, Zone};

use crate::common::{Hand, NOW, dated, files, write_files};

const MONDAYS: Rotation = Rotation::weekly_on(Weekday::Monday);
const DAY: i64 = 86_400;

fn day_number(day: Date) -> i64 {
    date(1970, 1, 1).duration_until(day).as_secs() / DAY
}

fn instant(second: i64) -> SystemTime {
    let distance = Duration::from_secs(second.unsigned_abs());
    if second < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

/// The name of the week of that Monday, by the definition.
fn name(monday: Date) -> String {
    let thursday = monday + 3.days();
    format!("{:04}-W{:02}", thursday.year(), (thursday.day_of_year() - 1) / 7 + 1)
}

fn weekly(rotation: Rotation, format: &str) -> Builder {
    dated(&Hand::at(NOW), rotation, format)
}

fn built(builder: Builder) -> (tempfile::TempDir, Appender) {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = builder.build(directory.path()).expect("builds");
    (directory, logs)
}

#[test]
fn weeks_of_130_years_have_the_names_that_iso_8601_gives_them() {
    for format in ["%G-W%V", "[year base:iso_week]-W[week_number]"] {
        let (_directory, logs) = built(weekly(MONDAYS, format));
        let (mut monday, mut seen) = (date(1969, 12, 29), HashSet::new());
        while monday.year() < 2100 {
            let (start, end) = (instant(day_number(monday) * DAY), instant((day_number(monday) + 7) * DAY));
            let expected = name(monday);
            for inside in [start, start + Duration::from_secs(300_000), end - Duration::from_nanos(1)] {
                assert!(logs.path_at(inside).ends_with(&expected), "{monday}: {:?}", logs.path_at(inside));
                assert_eq!((logs.period_at(inside).start, logs.period_at(inside).end), (start, Some(end)), "{monday}");
            }
            assert!(seen.insert(expected), "{monday}: the name is given twice");
            monday += 7.days();
        }
        assert_eq!(seen.len(), 6784);
    }
    // Known weeks at New Year: of 53 weeks, and of days that belong to another year.
    for (monday, expected) in [
        (date(1970, 12, 28), "1970-W53"),
        (date(2004, 12, 27), "2004-W53"),
        (date(2008, 12, 29), "2009-W01"),
        (date(2021, 1, 4), "2021-W01"),
        (date(2024, 12, 30), "2025-W01"),
        (date(2026, 12, 28), "2026-W53"),
    ] {
        assert_eq!(name(monday), expected);
    }
}

#[test]
fn only_the_names_of_weeks_lead_to_periods_each_to_its_own() {
    for every in [1, 2, 3, 52] {
        let directory = tempfile::tempdir().expect("a directory");
        let weeks = (0..900).map(|week| date(2010, 1, 4) + (7 * week).days());
        let first = |monday: &Date| (day_number(*monday) - 4) / 7 % i64::from(every) == 0;
        let ours: Vec<_> = weeks.clone().filter(first).collect();
        let all: Vec<_> = weeks.map(name).collect();
        write_files(directory.path(), &all.iter().map(String::as_str).collect::<Vec<_>>());
        // 2025 has 52 weeks.
        let none = ["2025-W53", "2025-W00", "2025-W54", "2025-W7", "2025-W007", "2025-W07-1", "25-W07", "2025-W+7"];
        write_files(directory.path(), &none);
        let logs = weekly(MONDAYS.every(every), "%G-W%V").build(directory.path()).expect("builds");
        let found = logs.files().expect("listed");
        // The current file may be one of those that were there.
        let found: Vec<_> = found.iter().map(|file| (file.path.clone(), file.period.start)).collect();
        let expected = ours.iter().map(|monday| (directory.path().join(name(*monday)), day_number(*monday) * DAY));
        let expected: Vec<_> = expected.map(|(path, second)| (path, instant(second))).collect();
        assert_eq!(found, expected, "every {every}");
    }
}

#[test]
fn retention_counts_weeks_over_new_year() {
    let directory = tempfile::tempdir().expect("a directory");
    write_files(directory.path(), &["2024-W51", "2024-W52", "2025-W01", "2025-W02"]);
    // 2025-01-15 is in the third week.
    let hand = Hand::at(1_736_899_200);
    let builder = dated(&hand, MONDAYS, "%G-W%V").max_log_files(3);
    builder.build(directory.path()).expect("builds");
    assert_eq!(files(directory.path()), ["2025-W01", "2025-W02", "2025-W03"]);
}

#[cfg(feature = "local-time")]
#[test]
fn the_local_date_chooses_the_week_in_zones_with_odd_days() {
    // Missing and repeated midnights, a skipped day, half an hour, two hours.
    for zone in ["America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "Australia/Lord_Howe", "Antarctica/Troll"] {
        let data = std::fs::read(format!("/usr/share/zoneinfo/{zone}")).expect("readable");
        let rules = jiff::tz::TimeZone::tzif(zone, &data).expect("a zone");
        let (_directory, logs) = built(weekly(MONDAYS, "%G-W%V").zone(Zone::Named(zone.to_owned())));
        // Each 50 minutes of 20 years.
        for second in (946_684_800..1_577_836_800).step_by(3000) {
            let local = rules.to_datetime(jiff::Timestamp::from_second(second).expect("a time")).date();
            let monday = local - i64::from(local.weekday().to_monday_zero_offset()).days();
            assert!(logs.path_at(instant(second)).ends_with(name(monday)), "{zone}: {local}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rows_of_weeks_begin_where_the_definition_says(
        every in 1..200_u32,
        (hour, minute) in (0..24_u8, 0..60_u8),
        minutes_east in -1439..1440_i32,
        seconds in prop::collection::vec(-30_000_000_000..220_000_000_000_i64, 8),
    ) {
        let rotation = MONDAYS.every(every).at(hour, minute);
        let (_directory, logs) = built(weekly(rotation, "%G-W%V").zone(Zone::Fixed(minutes_east * 60)));
        let shift = i64::from(minutes_east) * 60 - i64::from(hour) * 3600 - i64::from(minute) * 60;
        for second in seconds {
            // The first Monday is the fifth day of 1970.
            let week = (second + shift - 4 * DAY).div_euclid(7 * DAY);
            let first = week - week.rem_euclid(every.into());
            let (start, end) = (first * 7 + 4, (first + i64::from(every)) * 7 + 4);
            let period = logs.period_at(instant(second));
            let bounds = (instant(start * DAY - shift), Some(instant(end * DAY - shift)));
            prop_assert_eq!((period.start, period.end), bounds, "{} at {}", rotation, second);
            let expected = name(date(1970, 1, 1) + start.days());
            prop_assert!(logs.path_at(instant(second)).ends_with(&expected), "{} at {}", rotation, second);
        }
    }
}
