//! `date_format`: what it accepts, and what it refuses and why; and the hour that comes twice.

use tracing_prefork::{Rotation, Weekday, Zone};

use crate::common;
use crate::common::{Hand, NOW, at, below, dated, files, says, write_files};

/// 2026-11-21 08:33:01 UTC, a Saturday, in each format; all of them tell the periods of their rotation apart.
fn formats() -> Vec<(Rotation, &'static str, &'static str)> {
    let monday = Rotation::weekly_on(Weekday::Monday);
    vec![
        (Rotation::DAILY, "%Y%m%d", "20261121"),
        (Rotation::DAILY, "%Y-%j", "2026-325"),
        (Rotation::DAILY, "%d%b%Y", "21Nov2026"),
        (Rotation::DAILY, "%A, %d. %B %Y", "Saturday, 21. November 2026"),
        (Rotation::DAILY, "app_%F_100%%.log", "app_2026-11-21_100%.log"),
        (Rotation::DAILY, "[year][month][day]", "20261121"),
        (Rotation::DAILY, "[year]-[ordinal].log", "2026-325.log"),
        (Rotation::DAILY, "[day] [month repr:short] [year]", "21 Nov 2026"),
        (Rotation::DAILY, "%Y/%m/app-%d.log", "2026/11/app-21.log"),
        (Rotation::DAILY, "[year]/[month]/[day]/app", "2026/11/21/app"),
        (Rotation::DAILY.at(4, 0), "%Y%m%d", "20261121"),
        (Rotation::DAILY.at(9, 0), "%Y%m%d", "20261120"),
        (Rotation::DAILY.every(7), "%Y%m%d", "20261119"),
        (Rotation::HOURLY, "%Y%m%d%H", "2026112108"),
        (Rotation::HOURLY, "%Y-%m-%d-%I%p", "2026-11-21-08AM"),
        (Rotation::HOURLY, "[year]-[month]-[day] [hour repr:12 padding:none] [period case:lower]", "2026-11-21 8 am"),
        (Rotation::HOURLY, "%Y-%m-%dT%H%z", "2026-11-21T08+0000"),
        (Rotation::HOURLY.every(6), "%Y%m%d%H", "2026112106"),
        (Rotation::HOURLY.every(6).at(4, 0), "%Y%m%d%H", "2026112104"),
        (Rotation::HOURLY.every(6).at(4, 30), "%Y%m%d%H", "2026112104"),
        // A format that shows the minute shows when the file begins.
        (Rotation::HOURLY.every(6).at(4, 30), "%Y%m%d-%H%M", "20261121-0430"),
        (Rotation::HOURLY.at(0, 30), "%Y%m%dT%H%M%S", "20261121T083000"),
        (Rotation::MINUTELY.every(30).at(0, 15), "%Y%m%d%H%M", "202611210815"),
        (Rotation::MINUTELY, "%Y%m%d/%H%M", "20261121/0833"),
        (Rotation::SECONDLY, "%Y%m%dT%H%M%S", "20261121T083301"),
        (Rotation::WEEKLY, "%Y%m%d", "20261115"),
        (monday, "%G-W%V-%u", "2026-W47-1"),
        (monday, "%Y%m%d", "20261116"),
        (monday, "%G-W%V", "2026-W47"),
        (monday, "[year base:iso_week]-W[week_number]", "2026-W47"),
        (monday, "%G/W%V/app.log", "2026/W47/app.log"),
        (monday, "%Y/%m/%G-W%V", "2026/11/2026-W47"),
        (monday.at(4, 0), "%GW%V", "2026W47"),
        (monday.every(2), "%G-W%V", "2026-W46"),
        (Rotation::MONTHLY, "%Y%m", "202611"),
        (Rotation::MONTHLY, "%Y/%b", "2026/Nov"),
        (Rotation::MONTHLY.every(3), "%Y-%m-%d", "2026-10-01"),
    ]
}

#[test]
fn names_are_written_in_strftime_or_as_the_crate_time_does() {
    for (rotation, format, name) in formats() {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = dated(&Hand::at(NOW), rotation, format).build(directory.path()).expect(format);
        assert_eq!(logs.path(), directory.path().join(name), "{format}");
        assert_eq!(files(directory.path()), [name], "{format}");
    }
}

#[test]
fn a_prefix_and_a_suffix_stand_around_the_whole_date() {
    let directory = tempfile::tempdir().expect("a directory");
    let build =
        |format: &str| Hand::at(NOW).builder().rotation(Rotation::DAILY).date_format(format).build(directory.path());
    assert_eq!(build("%Y%m%d").expect("builds").path(), directory.path().join("app.20261121.log"));
    assert_eq!(build("%Y/%m/%d").expect("builds").path(), directory.path().join("app.2026/11/21.log"));
}

#[test]
fn every_name_leads_to_its_period_and_the_oldest_files_go() {
    for (rotation, format, _) in formats() {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let logs = dated(&hand, rotation, format).build(directory.path()).expect(format);
        // Enough periods to go over the ends of days, months and years.
        let mut starts = vec![at(NOW)];
        for _ in 0..60 {
            starts.push(logs.period_at(starts[starts.len() - 1]).end.expect("ends"));
        }
        for start in &starts {
            write_files(directory.path(), &[&below(directory.path(), &logs.path_at(*start))]);
        }
        assert_eq!(files(directory.path()).len(), 61, "{format}: a name was given twice");
        drop(logs);
        let last = starts[60].duration_since(at(0)).expect("after 1970").as_secs();
        hand.set(last, 0);
        for keep in [40, 3, 1] {
            let builder = dated(&hand, rotation, format).max_log_files(keep);
            let logs = builder.build(directory.path()).expect(format);
            let newest = starts[61 - keep..].iter().map(|start| below(directory.path(), &logs.path_at(*start)));
            let mut newest: Vec<_> = newest.collect();
            newest.sort();
            assert_eq!(files(directory.path()), newest, "{format}");
        }
    }
}

/// What is refused, in a directory that must stay empty.
fn refused(rotation: Rotation, format: &str) -> String {
    common::refused(dated(&Hand::at(NOW), rotation, format))
}

#[test]
fn a_format_with_one_name_for_several_periods_is_refused() {
    let lacks = |rotation: Rotation, format: &str, what: &str| {
        says(&refused(rotation, format), &["date_format", &format!("{format:?}"), what]);
    };
    lacks(Rotation::HOURLY, "%Y-%m-%d", "shows no hour");
    lacks(Rotation::HOURLY, "[year]-[month]-[day]", "shows no hour");
    lacks(Rotation::HOURLY.every(6), "%Y%m%d", "shows no hour");
    lacks(Rotation::HOURLY, "%Y-%m-%d-%I", "AM or PM");
    lacks(Rotation::MINUTELY, "%Y-%m-%d-%H", "shows no minute");
    lacks(Rotation::MINUTELY, "%Y-%m-%d-%M", "shows no hour");
    lacks(Rotation::SECONDLY, "%Y%m%d%H%M", "shows no second");
    lacks(Rotation::DAILY, "%Y-%m", "shows no day");
    lacks(Rotation::WEEKLY, "%Y-%m", "shows no day");
    lacks(Rotation::DAILY, "%G-W%V", "shows no day");
    lacks(Rotation::WEEKLY, "%G-W%V", "ISO weeks begin on Monday");
    lacks(Rotation::weekly_on(Weekday::Tuesday), "[year base:iso_week]-W[week_number]", "ISO weeks begin on Monday");
    lacks(Rotation::weekly_on(Weekday::Monday), "%Y-W%V", "the year of an ISO week is %G");
    lacks(Rotation::weekly_on(Weekday::Monday), "%G", "all units down to the rotation's");
    lacks(Rotation::weekly_on(Weekday::Monday), "W%V", "no year of four digits");
    lacks(Rotation::MONTHLY, "%Y", "shows no month");
    lacks(Rotation::DAILY, "%m-%d", "no year of four digits");
    lacks(Rotation::DAILY, "%y-%m-%d", "no year of four digits");
    lacks(Rotation::DAILY, "[year repr:last_two]-[month]-[day]", "no year of four digits");
    lacks(Rotation::HOURLY, "%H", "no year of four digits");
    lacks(Rotation::DAILY, "100%%", "no year of four digits");
    // The same month, before and after the clocks are changed.
    lacks(Rotation::MONTHLY, "[year]-[month]-[unix_timestamp]", "no offset");
    lacks(Rotation::SECONDLY, "[unix_timestamp]", "no year of four digits");
    // Whole hours do not tell +05:30 from +05:00.
    let hours = "[year]-[month]-[day] [hour] [offset_hour sign:mandatory]";
    let build = dated(&Hand::at(NOW), Rotation::HOURLY, hours).zone(Zone::Fixed(19_800));
    let directory = tempfile::tempdir().expect("a directory");
    says(&build.build(directory.path()).expect_err("refused").to_string(), &[hours, "offset with hours and minutes"]);
}

#[test]
fn a_text_that_is_no_format_is_refused_with_what_was_expected() {
    for text in ["", "daily", "YYYY-MM-DD", "app.log"] {
        says(
            &refused(Rotation::DAILY, text),
            &["date_format", &format!("{text:?}"), "%Y-%m-%d", "[year]-[month]-[day]"],
        );
    }
    for text in ["%Q", "%Y-%m-%d-%", "[yeer]", "[year", "[year]-[month foo:bar]"] {
        says(&refused(Rotation::DAILY, text), &["date_format", &format!("{text:?}: ")]);
    }
    says(&refused(Rotation::NEVER, "%Y-%m-%d"), &["never rolls over has no date"]);
}

#[test]
fn a_format_that_leads_out_of_the_directory_is_refused() {
    for text in [
        "/%Y-%m-%d",
        "/tmp/%Y-%m-%d",
        "../%Y-%m-%d",
        "%Y/../%m-%d",
        "%Y-%m-%d/..",
        "./%Y-%m-%d",
        "%Y//%m-%d",
        "%Y-%m-%d/",
        "%Y-%m-%d\0",
        "../[year]-[month]-[day]",
    ] {
        says(&refused(Rotation::DAILY, text), &["date_format", "is not a path below the log directory"]);
    }
    says(&refused(Rotation::DAILY, &format!("%Y-%m-%d{}", "x".repeat(250))), &["255 bytes"]);
    says(&refused(Rotation::DAILY, &format!("{}/%Y-%m-%d", "x".repeat(250))), &["255 bytes"]);
}

/// 2024-11-03, when New York sets its clock back: 01:00 to 02:00 comes twice, at 05:00 and at 06:00 UTC.
#[cfg(feature = "local-time")]
mod repeated_hour {
    use super::*;
    use common::{log, read};
    use std::path::Path;
    use time::OffsetDateTime;
    use time::macros::datetime;
    use tracing_prefork::{Appender, Builder};

    fn new_york(hand: &Hand, rotation: Rotation, format: &str) -> Builder {
        dated(hand, rotation, format).zone(Zone::Named("America/New_York".to_owned()))
    }

    fn second(instant: OffsetDateTime) -> u64 {
        instant.unix_timestamp().try_into().expect("after 1970")
    }

    /// Logs at 04:30, 05:30, 06:30 and 07:30 UTC, which are 00:30, twice 01:30, and 02:30.
    fn log_through_the_hours(hand: &Hand, builder: Builder, directory: &Path) -> Appender {
        hand.set(second(datetime!(2024-11-03 04:30 UTC)), 0);
        let logs = builder.build(directory).expect("builds");
        for (hour, text) in [(4, "before"), (5, "first pass"), (6, "second pass"), (7, "after")] {
            hand.set(second(datetime!(2024-11-03 00:30 UTC)) + hour * 3600, 0);
            log(&logs, text);
        }
        logs
    }

    #[test]
    fn both_passes_share_a_file_unless_names_show_the_offset() {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::default();
        let logs = log_through_the_hours(&hand, new_york(&hand, Rotation::HOURLY, "%Y-%m-%d-%H"), directory.path());
        assert_eq!(files(directory.path()), ["2024-11-03-00", "2024-11-03-01", "2024-11-03-02"]);
        assert_eq!(read(directory.path(), "2024-11-03-01"), "first pass\nsecond pass\n");
        let period = logs.period_at(datetime!(2024-11-03 05:30 UTC).into());
        assert_eq!(period.start, datetime!(2024-11-03 05:00 UTC));
        assert_eq!(period.end, Some(datetime!(2024-11-03 07:00 UTC).into()));
        // The first file, and two more.
        assert_eq!(logs.stats().rollovers, 3);
    }

    #[test]
    fn with_the_offset_each_pass_has_a_file_of_its_own() {
        for (format, between) in
            [("%Y-%m-%d-%H%z", ""), ("[year]-[month]-[day]-[hour][offset_hour sign:mandatory]:[offset_minute]", ":")]
        {
            let directory = tempfile::tempdir().expect("a directory");
            let hand = Hand::default();
            let logs = log_through_the_hours(&hand, new_york(&hand, Rotation::HOURLY, format), directory.path());
            let name = |hour: &str, offset: &str| format!("2024-11-03-{hour}{offset}{between}00");
            assert_eq!(
                files(directory.path()),
                [name("00", "-04"), name("01", "-04"), name("01", "-05"), name("02", "-05"),]
            );
            assert_eq!(read(directory.path(), &name("01", "-04")), "first pass\n");
            assert_eq!(read(directory.path(), &name("01", "-05")), "second pass\n");
            for hour in [5, 6] {
                let start = datetime!(2024-11-03 00:00 UTC) + time::Duration::hours(hour);
                let period = logs.period_at((start + time::Duration::MINUTE).into());
                assert_eq!(period.start, start);
                assert_eq!(period.end, Some((start + time::Duration::HOUR).into()));
            }
        }
    }

    #[test]
    fn names_with_the_offset_split_the_day_on_which_it_changes() {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::default();
        drop(log_through_the_hours(&hand, new_york(&hand, Rotation::DAILY, "%Y%m%d%z"), directory.path()));
        assert_eq!(files(directory.path()), ["20241103-0400", "20241103-0500"]);
        assert_eq!(read(directory.path(), "20241103-0400"), "before\nfirst pass\n");
    }

    #[test]
    fn pruning_keeps_the_newest_files_of_a_repeated_hour() {
        // What is there at 07:30 UTC, oldest first; a name that the zone does not have at that offset is not ours.
        for (format, ours, foreign) in [
            (
                "%Y-%m-%d-%H%z",
                vec!["2024-11-03-00-0400", "2024-11-03-01-0400", "2024-11-03-01-0500", "2024-11-03-02-0500"],
                vec![
                    "2024-11-03-00-0500",
                    "2024-11-03-02-0400",
                    "2024-11-03-01-0300",
                    "2024-11-03-01",
                    "2024-03-10-02-0500",
                ],
            ),
            (
                "%Y-%m-%d-%H",
                vec!["2024-11-02-23", "2024-11-03-00", "2024-11-03-01", "2024-11-03-02"],
                // New York had no such hour.
                vec!["2024-03-10-02", "2024-11-03-01-0400"],
            ),
        ] {
            for keep in 1..=ours.len() {
                let directory = tempfile::tempdir().expect("a directory");
                write_files(directory.path(), &ours);
                write_files(directory.path(), &foreign);
                let hand = Hand::at(second(datetime!(2024-11-03 07:30 UTC)));
                drop(
                    new_york(&hand, Rotation::HOURLY, format)
                        .max_log_files(keep)
                        .build(directory.path())
                        .expect("builds"),
                );
                let mut expected = [&ours[ours.len() - keep..], &foreign].concat();
                expected.sort_unstable();
                assert_eq!(files(directory.path()), expected, "{format}, {keep} kept");
            }
        }
    }

    #[test]
    fn the_file_of_a_repeated_hour_is_current_in_both_passes() {
        for now in [datetime!(2024-11-03 05:30 UTC), datetime!(2024-11-03 06:30 UTC)] {
            let directory = tempfile::tempdir().expect("a directory");
            write_files(directory.path(), &["2024-11-03-00", "2024-11-03-01", "2024-11-03-02"]);
            let hand = Hand::at(second(now));
            let builder = new_york(&hand, Rotation::HOURLY, "%Y-%m-%d-%H").max_log_files(1);
            drop(builder.build(directory.path()).expect("builds"));
            // A later one never goes.
            assert_eq!(files(directory.path()), ["2024-11-03-01", "2024-11-03-02"], "at {now}");
        }
    }

    #[test]
    fn a_name_that_comes_back_is_the_same_file_written_on() {
        // Troll has 01:00 to 03:00 twice, at +02:00 and then at +00:00.
        let (first, last) = (datetime!(2024-10-26 23:00 UTC), datetime!(2024-10-27 02:59:59 UTC));
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(second(first));
        let builder = dated(&hand, Rotation::HOURLY, "%Y-%m-%d-%H").zone(Zone::Named("Antarctica/Troll".to_owned()));
        let logs = builder.max_log_files(2).build(directory.path()).expect("builds");
        let mut file_of = Vec::new();
        let mut now = first;
        while now <= last {
            hand.set(second(now), 0);
            log(&logs, &format!("{now}"));
            let name = below(directory.path(), &logs.path_at(now.into()));
            assert!(files(directory.path()).contains(&name), "the file of {now} was removed");
            assert!(read(directory.path(), &name).ends_with(&format!("{now}\n")));
            file_of.push(name);
            now += time::Duration::minutes(20);
        }
        file_of.dedup();
        assert_eq!(file_of, ["2024-10-27-01", "2024-10-27-02", "2024-10-27-01", "2024-10-27-02"]);
    }
}
