//! Rotations: how they are written and read, which of them are refused, and what each means, by examples.

use proptest::option;
use proptest::prelude::*;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::macros::datetime;
use tracing_prefork::{Appender, Rotation, Weekday, Zone};

use crate::common;
use crate::common::{Hand, NOW, says};

const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "monday"),
    (Weekday::Tuesday, "tuesday"),
    (Weekday::Wednesday, "wednesday"),
    (Weekday::Thursday, "thursday"),
    (Weekday::Friday, "friday"),
    (Weekday::Saturday, "saturday"),
    (Weekday::Sunday, "sunday"),
];

/// The units that can be counted, and how many of each are the most.
const UNITS: [(Rotation, &str, u32); 6] = [
    (Rotation::SECONDLY, "seconds", 86_400),
    (Rotation::MINUTELY, "minutes", 1440),
    (Rotation::HOURLY, "hours", 24),
    (Rotation::DAILY, "days", 36_500),
    (Rotation::WEEKLY, "weeks", 5200),
    (Rotation::MONTHLY, "months", 1200),
];

/// Any rotation that means something.
fn rotations() -> impl Strategy<Value = Rotation> {
    let parts = (0..UNITS.len(), any::<u32>(), option::of(0..7_usize), option::of((0..24_u8, 0..60_u8)));
    parts.prop_map(|(unit, count, weekday, at)| {
        let (rotation, _, most) = UNITS[unit];
        let rotation = match weekday {
            Some(day) if rotation == Rotation::WEEKLY => Rotation::weekly_on(WEEKDAYS[day].0),
            _ => rotation,
        };
        // One piece in three is a single unit, and the most that there can be comes up as well.
        let rotation = match count % 9 {
            0..3 => rotation,
            3 => rotation.every(most),
            _ => rotation.every(count / 9 % most + 1),
        };
        at.map_or(rotation, |(hour, minute)| rotation.at(hour, minute))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_rotation_is_read_as_it_is_written(rotation in rotations()) {
        let text = rotation.to_string();
        prop_assert_eq!(&text.parse::<Rotation>().expect("read"), &rotation);
        prop_assert_eq!(&text.to_uppercase().parse::<Rotation>().expect("read in capitals"), &rotation);
        prop_assert_eq!(&format!(" {text}\n").parse::<Rotation>().expect("read with space around it"), &rotation);
    }

    #[test]
    fn texts_that_are_read_are_written_so_that_they_are_read_again(
        text in "[0-9wsmhd]{0,2} ?(hour|day|week|month|never|monday|friday)s?( on monday)?\
                 ( at [0-9]{1,2}:[0-9]{1,2})?",
    ) {
        if let Ok(rotation) = text.parse::<Rotation>() {
            prop_assert_eq!(rotation.to_string().parse::<Rotation>().expect("read again"), rotation);
        }
    }
}

#[test]
fn rotations_are_written_in_plain_words() {
    for (rotation, text) in [
        (Rotation::NEVER, "never"),
        (Rotation::SECONDLY, "secondly"),
        (Rotation::MINUTELY.every(5), "5 minutes"),
        (Rotation::HOURLY, "hourly"),
        (Rotation::HOURLY.every(6), "6 hours"),
        (Rotation::HOURLY.every(1), "hourly"),
        (Rotation::HOURLY.every(6).at(4, 0), "6 hours at 04:00"),
        (Rotation::HOURLY.at(0, 30), "hourly at 00:30"),
        (Rotation::MINUTELY.every(15).at(0, 5), "15 minutes at 00:05"),
        (Rotation::DAILY.at(4, 0), "daily at 04:00"),
        (Rotation::DAILY.every(3).at(23, 59), "3 days at 23:59"),
        (Rotation::weekly_on(Weekday::Monday), "monday"),
        (Rotation::weekly_on(Weekday::Monday).at(4, 0), "monday at 04:00"),
        (Rotation::weekly_on(Weekday::Sunday), "weekly"),
        (Rotation::weekly_on(Weekday::Friday).every(2), "2 weeks on friday"),
        (Rotation::MONTHLY.every(3), "3 months"),
    ] {
        assert_eq!(rotation.to_string(), text);
        assert_eq!(text.parse::<Rotation>().expect("read"), rotation, "{text}");
    }
    // One of a unit, and the Sunday, need not be spelt out.
    for (text, rotation) in [
        ("1 hour", Rotation::HOURLY),
        ("1 hours", Rotation::HOURLY),
        ("sunday", Rotation::WEEKLY),
        ("1 week on monday", Rotation::weekly_on(Weekday::Monday)),
        ("2 weeks on sunday", Rotation::WEEKLY.every(2)),
        ("daily at 4:5", Rotation::DAILY.at(4, 5)),
    ] {
        assert_eq!(text.parse::<Rotation>().expect("read"), rotation, "{text}");
    }
    assert_eq!(format!("[{:>8}]", Rotation::HOURLY), "[  hourly]");
}

#[test]
fn the_names_of_rotations_in_python_are_read_in_any_case() {
    let python = [
        ("S", Rotation::SECONDLY),
        ("M", Rotation::MINUTELY),
        ("H", Rotation::HOURLY),
        ("D", Rotation::DAILY),
        ("midnight", Rotation::DAILY),
    ];
    let weekdays = (0..7).map(|number| (format!("W{number}"), Rotation::weekly_on(WEEKDAYS[number].0)));
    for (text, rotation) in python.map(|(text, rotation)| (text.to_owned(), rotation)).into_iter().chain(weekdays) {
        for text in [text.to_lowercase(), text.to_uppercase(), text] {
            assert_eq!(text.parse::<Rotation>().expect("read"), rotation, "{text}");
        }
    }
    assert_eq!("W0 at 04:00".parse::<Rotation>().expect("read"), Rotation::weekly_on(Weekday::Monday).at(4, 0));
}

/// What `build` says to a rotation that means nothing; it must have touched nothing.
fn refused(rotation: Rotation) -> String {
    common::refused(Hand::at(NOW).builder().rotation(rotation))
}

#[test]
fn combinations_that_mean_nothing_are_refused_with_their_value() {
    says(&refused(Rotation::NEVER.at(0, 0)), &["\"never at 00:00\"", "no time of day"]);
    says(&refused(Rotation::HOURLY.every(6).at(24, 0)), &["\"6 hours at 24:00\"", "no such time"]);
    says(&refused(Rotation::DAILY.at(24, 0)), &["\"daily at 24:00\"", "no such time"]);
    says(&refused(Rotation::weekly_on(Weekday::Monday).at(4, 60)), &["\"monday at 04:60\"", "no such time"]);
    says(&refused(Rotation::NEVER.every(2)), &["\"2 never\"", "cannot be counted"]);
    says(&refused(Rotation::NEVER.every(0)), &["\"0 never\"", "every(0)"]);
    for (rotation, counted, most) in UNITS {
        says(&refused(rotation.every(0)), &[&format!("\"0 {counted}\""), "every(0)"]);
        let more = most + 1;
        says(&refused(rotation.every(more)), &[&format!("\"{more} {counted}\""), &format!("at most {most}")]);
        says(&refused(rotation.every(u32::MAX)), &[&format!("\"4294967295 {counted}\""), &format!("at most {most}")]);
    }
}

#[test]
fn texts_that_are_no_rotation_are_refused_with_the_text() {
    for text in [
        "",
        " ",
        "dayly",
        "täglich",
        "w",
        "w7",
        "w-1",
        "w+1",
        "w06",
        "W1.5",
        "2 never",
        "1 never",
        "0 days",
        "-1 days",
        "+5 hours",
        "5  hours",
        "5hours",
        "five hours",
        "25 hours",
        "99999999999 seconds",
        "hours",
        "1.5 hours",
        "daily at",
        "daily at 4",
        "daily at 04:00:00",
        "daily at 24:00",
        "daily at 04:60",
        "daily at +4:00",
        "daily at 004:00",
        "daily at :",
        "daily at 04:00 at 04:00",
        "6 hours at 24:00",
        "never at 04:00",
        "at 04:00",
        "2 days on monday",
        "2 weeks on mon",
        "2 weeks on daily",
        "monday on tuesday",
        "midnight0",
        "daily daily",
        "6 hours\0",
    ] {
        let error = text.parse::<Rotation>().expect_err(text).to_string();
        assert!(error.starts_with("rotation \""), "{error}");
        // Combinations are named as they would be written, other texts as they stand.
        says(&error, &[text.split([' ', '\0']).next().unwrap_or_default()]);
    }
    says(&"dayly".parse::<Rotation>().expect_err("refused").to_string(), &["\"dayly\"", "`daily at 04:00`"]);
    says(&"6 hours at 4:60".parse::<Rotation>().expect_err("refused").to_string(), &["\"6 hours at 4:60\""]);
}

/// An appender that only tells names and periods.
fn schedule(rotation: Rotation, zone: Zone) -> (tempfile::TempDir, Appender) {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().rotation(rotation).zone(zone).build(directory.path()).expect("builds");
    (directory, logs)
}

/// That in each of the intervals, which follow each other, everything goes to the file with that date.
#[track_caller]
fn periods(rotation: Rotation, zone: Zone, from: OffsetDateTime, expected: &[(&str, OffsetDateTime)]) {
    let (_directory, logs) = schedule(rotation, zone);
    let mut start = SystemTime::from(from);
    for &(date, end) in expected {
        let end = SystemTime::from(end);
        let middle = start + end.duration_since(start).expect("in order") / 2;
        for inside in [start, middle, end - Duration::from_nanos(1)] {
            let period = logs.period_at(inside);
            assert_eq!((period.start, period.end), (start, Some(end)), "{rotation}: the period of {date}");
            assert!(logs.path_at(inside).ends_with(format!("app.{date}.log")), "{:?}", logs.path_at(inside));
        }
        start = end;
    }
}

#[test]
fn units_below_a_day_count_from_local_midnight() {
    let hours = Rotation::HOURLY.every(5);
    let (from, end) = (datetime!(2026-11-21 00:00 UTC), datetime!(2026-11-22 05:00 UTC));
    periods(
        hours,
        Zone::Utc,
        from,
        &[
            ("2026-11-21-00", datetime!(2026-11-21 05:00 UTC)),
            ("2026-11-21-05", datetime!(2026-11-21 10:00 UTC)),
            ("2026-11-21-10", datetime!(2026-11-21 15:00 UTC)),
            ("2026-11-21-15", datetime!(2026-11-21 20:00 UTC)),
            // Four hours.
            ("2026-11-21-20", datetime!(2026-11-22 00:00 UTC)),
            ("2026-11-22-00", end),
        ],
    );
    periods(
        hours,
        Zone::Fixed(5 * 3600 + 1800),
        datetime!(2026-11-21 20:00 +05:30),
        &[("2026-11-21-20", datetime!(2026-11-22 00:00 +05:30)), ("2026-11-22-00", datetime!(2026-11-22 05:00 +05:30))],
    );
    periods(
        Rotation::MINUTELY.every(7),
        Zone::Utc,
        datetime!(2026-11-21 23:48 UTC),
        &[
            ("2026-11-21-23-48", datetime!(2026-11-21 23:55 UTC)),
            ("2026-11-21-23-55", datetime!(2026-11-22 00:00 UTC)),
            ("2026-11-22-00-00", datetime!(2026-11-22 00:07 UTC)),
        ],
    );
    // Pieces of minutes go on over the hour.
    periods(
        Rotation::MINUTELY.every(90),
        Zone::Utc,
        datetime!(2026-11-21 01:30 UTC),
        &[("2026-11-21-01-30", datetime!(2026-11-21 03:00 UTC)), ("2026-11-21-03-00", datetime!(2026-11-21 04:30 UTC))],
    );
    periods(
        Rotation::SECONDLY.every(50_000),
        Zone::Utc,
        datetime!(2026-11-21 00:00 UTC),
        &[
            ("2026-11-21-00-00-00", datetime!(2026-11-21 13:53:20 UTC)),
            ("2026-11-21-13-53-20", datetime!(2026-11-22 00:00 UTC)),
        ],
    );
    periods(
        Rotation::HOURLY.every(24),
        Zone::Utc,
        datetime!(2026-11-21 00:00 UTC),
        &[("2026-11-21-00", datetime!(2026-11-22 00:00 UTC))],
    );
}

#[test]
fn pieces_of_a_day_count_from_the_time_that_is_given() {
    let (from, zone) = (datetime!(2026-11-20 22:00 +05:30), Zone::Fixed(5 * 3600 + 1800));
    periods(
        Rotation::HOURLY.every(6).at(4, 0),
        zone.clone(),
        from,
        &[
            ("2026-11-20-22", datetime!(2026-11-21 04:00 +05:30)),
            ("2026-11-21-04", datetime!(2026-11-21 10:00 +05:30)),
            ("2026-11-21-10", datetime!(2026-11-21 16:00 +05:30)),
            ("2026-11-21-16", datetime!(2026-11-21 22:00 +05:30)),
            ("2026-11-21-22", datetime!(2026-11-22 04:00 +05:30)),
        ],
    );
    // The last piece has four hours, and the date of the day on which it begins.
    periods(
        Rotation::HOURLY.every(5).at(4, 0),
        zone,
        datetime!(2026-11-20 19:00 +05:30),
        &[
            ("2026-11-20-19", datetime!(2026-11-21 00:00 +05:30)),
            ("2026-11-21-00", datetime!(2026-11-21 04:00 +05:30)),
            ("2026-11-21-04", datetime!(2026-11-21 09:00 +05:30)),
        ],
    );
    periods(
        Rotation::HOURLY.every(24).at(4, 0),
        Zone::Utc,
        datetime!(2026-11-20 04:00 UTC),
        &[("2026-11-20-04", datetime!(2026-11-21 04:00 UTC)), ("2026-11-21-04", datetime!(2026-11-22 04:00 UTC))],
    );
    periods(
        Rotation::HOURLY.at(0, 30),
        Zone::Utc,
        datetime!(2026-11-20 23:30 UTC),
        &[("2026-11-20-23", datetime!(2026-11-21 00:30 UTC)), ("2026-11-21-00", datetime!(2026-11-21 01:30 UTC))],
    );
    periods(
        Rotation::MINUTELY.every(30).at(0, 15),
        Zone::Utc,
        datetime!(2026-11-20 23:45 UTC),
        &[("2026-11-20-23-45", datetime!(2026-11-21 00:15 UTC)), ("2026-11-21-00-15", datetime!(2026-11-21 00:45 UTC))],
    );
    periods(
        Rotation::SECONDLY.every(50_000).at(1, 0),
        Zone::Utc,
        datetime!(2026-11-20 01:00 UTC),
        &[
            ("2026-11-20-01-00-00", datetime!(2026-11-20 14:53:20 UTC)),
            ("2026-11-20-14-53-20", datetime!(2026-11-21 01:00 UTC)),
        ],
    );
    // A time that is a multiple of the unit changes nothing.
    let ((_one, with), (_other, without)) =
        (schedule(Rotation::HOURLY.at(4, 0), Zone::Utc), schedule(Rotation::HOURLY, Zone::Utc));
    assert_eq!(with.period_at(common::at(NOW)), without.period_at(common::at(NOW)));
}

#[test]
fn days_count_from_1970() {
    // 2026-11-21 is 20 778 days, a multiple of three, after 1970-01-01.
    periods(
        Rotation::DAILY.every(3),
        Zone::Utc,
        datetime!(2026-11-21 00:00 UTC),
        &[("2026-11-21", datetime!(2026-11-24 00:00 UTC)), ("2026-11-24", datetime!(2026-11-27 00:00 UTC))],
    );
    periods(
        Rotation::DAILY.every(10),
        Zone::Fixed(-3 * 3600),
        datetime!(2026-11-13 00:00 -03:00),
        &[("2026-11-13", datetime!(2026-11-23 00:00 -03:00))],
    );
    periods(
        Rotation::DAILY.every(10),
        Zone::Utc,
        datetime!(1969-12-22 00:00 UTC),
        &[("1969-12-22", datetime!(1970-01-01 00:00 UTC)), ("1970-01-01", datetime!(1970-01-11 00:00 UTC))],
    );
}

#[test]
fn lines_before_the_hour_of_a_new_day_belong_to_the_day_before() {
    let (_directory, logs) = schedule(Rotation::DAILY.at(4, 0), Zone::Utc);
    let file = |instant: OffsetDateTime| logs.path_at(instant.into()).file_name().expect("a name").to_owned();
    assert_eq!(file(datetime!(2026-11-21 03:59 UTC)), "app.2026-11-20.log");
    assert_eq!(file(datetime!(2026-11-21 03:59:59.999999999 UTC)), "app.2026-11-20.log");
    assert_eq!(file(datetime!(2026-11-21 04:00 UTC)), "app.2026-11-21.log");
    assert_eq!(file(datetime!(2026-11-22 00:00 UTC)), "app.2026-11-21.log");
    periods(
        Rotation::DAILY.at(23, 59),
        Zone::Fixed(9 * 3600),
        datetime!(2026-11-20 23:59 +09:00),
        &[("2026-11-20", datetime!(2026-11-21 23:59 +09:00))],
    );
    periods(
        Rotation::DAILY.every(3).at(4, 30),
        Zone::Utc,
        datetime!(2026-11-21 04:30 UTC),
        &[("2026-11-21", datetime!(2026-11-24 04:30 UTC))],
    );
}

#[test]
fn weeks_begin_on_their_day_and_count_from_1970() {
    // Saturday, 2026-11-21: the week that it is in began on these days.
    let begun = [16, 17, 18, 19, 20, 21, 15];
    for ((weekday, _), day) in WEEKDAYS.into_iter().zip(begun) {
        let start = datetime!(2026-11-01 00:00 UTC) + time::Duration::days(day - 1);
        let (date, end) = (format!("2026-11-{day}"), start + time::Duration::WEEK);
        periods(Rotation::weekly_on(weekday), Zone::Utc, start, &[(&date, end)]);
    }
    // The first Monday is 1970-01-05, the first Thursday 1970-01-01 itself.
    periods(
        Rotation::weekly_on(Weekday::Monday).every(2),
        Zone::Utc,
        datetime!(1969-12-22 00:00 UTC),
        &[("1969-12-22", datetime!(1970-01-05 00:00 UTC)), ("1970-01-05", datetime!(1970-01-19 00:00 UTC))],
    );
    periods(
        Rotation::weekly_on(Weekday::Thursday).every(2),
        Zone::Utc,
        datetime!(1970-01-01 00:00 UTC),
        &[("1970-01-01", datetime!(1970-01-15 00:00 UTC))],
    );
    periods(
        Rotation::weekly_on(Weekday::Monday).every(3),
        Zone::Utc,
        datetime!(2026-11-16 00:00 UTC),
        &[("2026-11-16", datetime!(2026-12-07 00:00 UTC))],
    );
    periods(
        Rotation::weekly_on(Weekday::Monday).at(4, 0),
        Zone::Utc,
        datetime!(2026-11-16 04:00 UTC),
        &[("2026-11-16", datetime!(2026-11-23 04:00 UTC))],
    );
}

#[test]
fn months_are_as_long_as_they_are_and_count_from_january_1970() {
    periods(
        Rotation::MONTHLY,
        Zone::Utc,
        datetime!(2028-01-01 00:00 UTC),
        &[
            ("2028-01", datetime!(2028-02-01 00:00 UTC)),
            ("2028-02", datetime!(2028-03-01 00:00 UTC)),
            ("2028-03", datetime!(2028-04-01 00:00 UTC)),
        ],
    );
    // Quarters begin with January.
    periods(
        Rotation::MONTHLY.every(3),
        Zone::Utc,
        datetime!(2026-10-01 00:00 UTC),
        &[("2026-10", datetime!(2027-01-01 00:00 UTC)), ("2027-01", datetime!(2027-04-01 00:00 UTC))],
    );
    // Five do not divide the year: 680 months after January 1970.
    periods(
        Rotation::MONTHLY.every(5),
        Zone::Utc,
        datetime!(2026-09-01 00:00 UTC),
        &[("2026-09", datetime!(2027-02-01 00:00 UTC))],
    );
    periods(
        Rotation::MONTHLY.at(4, 0),
        Zone::Fixed(3600),
        datetime!(2026-11-01 04:00 +01:00),
        &[("2026-11", datetime!(2026-12-01 04:00 +01:00))],
    );
    periods(
        Rotation::MONTHLY.every(1200),
        Zone::Utc,
        datetime!(1970-01-01 00:00 UTC),
        &[("1970-01", datetime!(2070-01-01 00:00 UTC))],
    );
}

#[test]
fn every_process_has_the_same_periods_whenever_it_was_started() {
    let rotations = UNITS.map(|(rotation, _, most)| rotation.every(most.min(7)));
    for rotation in rotations {
        let directory = tempfile::tempdir().expect("a directory");
        let built_at = |second| Hand::at(second).builder().rotation(rotation).build(directory.path()).expect("builds");
        let (early, late) = (built_at(NOW - 12_345_678), built_at(NOW + 1));
        for step in 0..500 {
            let time = common::at(NOW + step * 7919);
            assert_eq!(early.period_at(time), late.period_at(time), "{rotation}");
            assert_eq!(early.path_at(time), late.path_at(time), "{rotation}");
        }
    }
}

#[test]
fn the_longest_periods_are_accepted_with_a_date_format_too() {
    let longest = [
        Rotation::DAILY.every(36_500),
        Rotation::DAILY.every(36_500).at(23, 59),
        Rotation::WEEKLY.every(5200),
        Rotation::weekly_on(Weekday::Wednesday).every(5200).at(4, 0),
        Rotation::MONTHLY.every(1200),
        Rotation::HOURLY.every(24),
    ];
    for rotation in longest {
        let format = if rotation == Rotation::HOURLY.every(24) { "%Y%m%d-%H" } else { "%Y%m%d" };
        for year in [1970, 2026, 9000, 9998] {
            let directory = tempfile::tempdir().expect("a directory");
            let now = common::at(((year - 1970) * 31_556_952_i64 + 86_400) as u64);
            let builder = Appender::builder().rotation(rotation).date_format(format).clock(move || now);
            let logs = builder.build(directory.path()).unwrap_or_else(|error| panic!("{rotation} in {year}: {error}"));
            let files = logs.files().expect("listed");
            assert_eq!(files.len(), 1, "{rotation} in {year}: its name leads back to its period");
            assert!(files[0].period.start <= now, "{rotation} in {year}");
        }
    }
}

#[test]
fn short_texts_name_rotations_too() {
    for (text, rotation) in [
        ("30s", Rotation::SECONDLY.every(30)),
        ("15m", Rotation::MINUTELY.every(15)),
        ("2h", Rotation::HOURLY.every(2)),
        ("1d", Rotation::DAILY),
        ("2w", Rotation::WEEKLY.every(2)),
        ("1d at 04:00", Rotation::DAILY.at(4, 0)),
        ("6h at 04:00", Rotation::HOURLY.every(6).at(4, 0)),
        ("weekly on monday", Rotation::weekly_on(Weekday::Monday)),
        ("Weekly on Friday at 18:30", Rotation::weekly_on(Weekday::Friday).at(18, 30)),
    ] {
        assert_eq!(text.parse::<Rotation>().expect(text), rotation);
    }
    for text in ["2x", "h2", "+2h", "2 h", "0h", "25h", "weekly on daily", "weekly on 2h", "é"] {
        let error = text.parse::<Rotation>().expect_err(text);
        says(&error.to_string(), &["rotation", &format!("{text:?}")]);
    }
}

#[test]
fn periods_contain_their_start_and_have_an_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Hand::at(NOW).builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
    let today = logs.period_at(crate::common::at(NOW));
    let tomorrow = logs.period_at(today.end.expect("a day ends"));
    assert!(today.contains(today.start) && !today.contains(tomorrow.start) && today < tomorrow);
    let never = Hand::at(NOW).builder().rotation(Rotation::default()).build(directory.path().join("never"));
    assert!(never.expect("builds").period_at(today.start).contains(tomorrow.start));
}
