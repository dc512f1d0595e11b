//! The lines and names that everything else relies on.

use harness::line::{Id, LONGEST, Pen, Sizes, Way, parse, recognized};
use harness::pattern::{Pattern, Unit};
use harness::stamp::{Stamp, date_of_day, day_of_date};
use harness::zone::Zone;

const ID: Id = Id { process: 3, thread: 1, sequence: 42 };
/// 2026-11-21T08:33:01.123456789Z.
const AT: u64 = 1_795_249_981_123_456_789;

fn line() -> Vec<u8> {
    Pen::new(Sizes::Short).line(ID, Way::Direct, &Stamp::at(AT, 0), 30).to_vec()
}

#[test]
fn a_line_is_read_as_it_was_written() {
    let line = line();
    let text = std::str::from_utf8(&line).unwrap();
    assert!(text.starts_with("2026-11-21T08:33:01.123456789Z |3.1.42 d 30 "), "{text}");
    let read = parse(line.strip_suffix(b"\n").unwrap()).unwrap();
    assert_eq!((read.id, read.timed, read.stamp.instant()), (ID, false, AT));
}

#[test]
fn a_line_with_any_byte_changed_or_missing_is_not_read() {
    let line = line();
    let line = line.strip_suffix(b"\n").unwrap();
    for at in 0..line.len() {
        let mut changed = line.to_vec();
        changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
        assert!(parse(&changed).is_none(), "byte {at} changed");
        changed.remove(at);
        assert!(parse(&changed).is_none(), "byte {at} missing");
        changed.insert(at, line[at]);
        changed.insert(at, line[at]);
        assert!(parse(&changed).is_none(), "byte {at} twice");
    }
}

#[test]
fn an_event_is_read_with_the_stamp_of_its_timer() {
    let mut pen = Pen::new(Sizes::Short);
    let message = pen.message(ID, Way::Fmt, 20).to_owned();
    let read = |head: &str| parse(format!("{head}{message}").as_bytes());
    let line = read("2026-11-21T14:03:01.123456+05:30  INFO load: ").unwrap();
    assert_eq!((line.id, line.timed, line.stamp.instant()), (ID, true, AT / 1000 * 1000));
    for head in ["", "2026-11-21T14:03:01.123456Z ", "2026-11-21 14:03:01.123456Z  INFO load: "] {
        assert!(read(head).is_none(), "{head}");
    }
}

#[test]
fn lines_are_recognized_in_what_is_left_of_them() {
    let line = line();
    let mixed = [&line[..60], &line[..50], b"|3.1.4"].concat();
    assert_eq!(recognized(&mixed).collect::<Vec<_>>(), [ID, ID]);
}

#[test]
fn the_pen_never_needs_more_room_than_it_reserved() {
    for sizes in [Sizes::Mixed, Sizes::Moderate, Sizes::Short] {
        let mut pen = Pen::new(sizes);
        let (mut longest, mut shortest) = (0, usize::MAX);
        for sequence in 0..8192 {
            let id = Id { process: 1, thread: 0, sequence };
            let padding = sizes.padding(id);
            longest = longest.max(padding);
            shortest = shortest.min(padding);
            let way = Way::ALL[sequence as usize % 5];
            let length = pen.line(id, way, &Stamp::at(AT, 19_800), padding).len();
            assert!(length <= sizes.room() && length <= LONGEST);
        }
        assert_eq!(shortest, 20);
        assert_eq!(longest >= LONGEST - 200, sizes == Sizes::Mixed, "{longest}");
        assert_eq!(longest > 60_000, sizes != Sizes::Short, "{longest}");
    }
}

#[test]
fn dates_follow_the_calendar() {
    let mut number = day_of_date(1970, 1, 1);
    assert_eq!(number, 0);
    for year in 1970..2110_i64 {
        let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
        let february = if leap { 29 } else { 28 };
        for (month, days) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
            for day in 1..=days {
                let date = (year, month as u32 + 1, day);
                assert_eq!(date_of_day(number), date);
                assert_eq!(day_of_date(date.0, date.1, date.2), number);
                number += 1;
            }
        }
    }
}

#[test]
fn a_file_is_named_by_the_digits_of_the_timestamp() {
    let cases = [
        (Unit::Never, "app.log"),
        (Unit::Secondly, "app.2026-11-21-08-33-01.log"),
        (Unit::Minutely, "app.2026-11-21-08-33.log"),
        (Unit::Hourly, "app.2026-11-21-08.log"),
        (Unit::Daily, "app.2026-11-21.log"),
        (Unit::Weekly, "app.2026-11-15.log"),
        (Unit::Monthly, "app.2026-11.log"),
    ];
    for (unit, name) in cases {
        let (prefix, suffix) = ("app".to_owned(), "log".to_owned());
        let pattern = Pattern { prefix, suffix, unit, date: None, zone: Zone::UTC };
        let key = pattern.key_at(AT);
        assert_eq!(pattern.name(key), name);
        assert_eq!(pattern.key_of_name(name), Some(key), "{name}");
        if unit == Unit::Never {
            continue;
        }
        let next = pattern.next_boundary(AT);
        assert_eq!(pattern.key_at(next - 1), key, "{name}");
        assert_ne!(pattern.key_at(next), key, "{name}");
    }
}

#[test]
fn names_that_are_no_log_files_have_no_period() {
    let (prefix, suffix) = ("app".to_owned(), "log".to_owned());
    let pattern = Pattern { prefix, suffix, unit: Unit::Daily, date: None, zone: Zone::UTC };
    for name in [
        "app.log",
        "app.2026-13-45.log",
        "app.2026-02-29.log",
        "app.2026-11-21.log.gz",
        "app.2026-11-21-08.log",
        "app.2026-11.log",
        "app.20261121.log",
        "apps.2026-11-21.log",
        "app..log",
        "app.+026-11-21.log",
    ] {
        assert_eq!(pattern.key_of_name(name), None, "{name}");
    }
    assert_eq!(pattern.key_of_name("app.2028-02-29.log"), Some(20_280_229));
}

#[test]
fn names_with_dates_of_any_pattern_lead_back_to_their_periods() {
    let cases = [
        (Unit::Secondly, "%Y/%m/%d/%H-%M/app-%S", "2026/11/21/08-33/app-01"),
        (Unit::Secondly, "%Y-%m-%d/%H-%M/%S/app", "2026-11-21/08-33/01/app"),
        (Unit::Hourly, "%Y-%m-%dT%H%z", "2026-11-21T08+0000"),
        (Unit::Daily, "%d.%m.%Y", "21.11.2026"),
        (Unit::Weekly, "%Y/%m%d", "2026/1115"),
        (Unit::Monthly, "%m/%Y", "11/2026"),
    ];
    for (unit, date, name) in cases {
        let (prefix, suffix) = (String::new(), String::new());
        let pattern = Pattern { prefix, suffix, unit, date: Some(date), zone: Zone::UTC };
        let key = pattern.key_at(AT);
        assert_eq!(pattern.name(key), name);
        assert_eq!(pattern.key_of_name(name), Some(key), "{name}");
        assert_eq!(pattern.depth(), name.matches('/').count(), "{name}");
        assert!(key < pattern.key_at(pattern.next_boundary(AT)), "{name}");
        for other in [&name[1..], &name[..name.len() - 1], &format!("{name}0"), &name.replace("11", "13")] {
            assert_eq!(pattern.key_of_name(other), None, "{other}");
        }
    }
}

#[test]
fn the_offset_in_names_makes_each_pass_a_period() {
    const HOUR: u64 = 3_600_000_000_000;
    let (prefix, suffix) = (String::new(), String::new());
    let pattern = Pattern { prefix, suffix, unit: Unit::Hourly, date: Some("%Y%m%d-%H%z"), zone: Zone::new_york() };
    let back = Stamp::parse(b"2024-11-03T06:00:00.000000Z").unwrap().instant();
    let names = ["20241103-00-0400", "20241103-01-0400", "20241103-01-0500", "20241103-02-0500"];
    let mut at = back - 2 * HOUR;
    for name in names {
        let key = pattern.key_at(at);
        assert_eq!(pattern.name(key), name);
        assert_eq!(pattern.key_of_name(name), Some(key), "{name}");
        assert_eq!(pattern.next_boundary(at), at + HOUR, "{name}");
        assert!(key < pattern.key_at(at + HOUR), "{name}");
        at += HOUR;
    }
    for name in ["20241103-00-0500", "20241103-02-0400", "20241103-01-0300", "20241103-01"] {
        assert_eq!(pattern.key_of_name(name), None, "{name}");
    }
}

#[test]
fn an_offset_moves_the_boundaries() {
    let (prefix, suffix) = (String::new(), String::new());
    let pattern = Pattern { prefix, suffix, unit: Unit::Daily, date: None, zone: Zone::Fixed(19_800) };
    // 18:30 UTC is midnight at +05:30.
    let midnight = AT / 86_400_000_000_000 * 86_400_000_000_000 + 66_600_000_000_000;
    assert_eq!(pattern.next_boundary(AT), midnight);
    assert_eq!(pattern.name(pattern.key_at(midnight - 1)), "2026-11-21");
    assert_eq!(pattern.name(pattern.key_at(midnight)), "2026-11-22");
}

#[test]
fn the_hour_of_a_change_of_the_clocks_follows_the_zone() {
    const HOUR: u64 = 3_600_000_000_000;
    let pattern =
        |unit| Pattern { prefix: String::new(), suffix: String::new(), unit, date: None, zone: Zone::new_york() };
    let (hourly, daily) = (pattern(Unit::Hourly), pattern(Unit::Daily));
    let (january, zone) = (day_of_date(2024, 1, 1) as u64 * 24 * HOUR, Zone::new_york());
    let instant = |text: &str| Stamp::parse(text.as_bytes()).unwrap().instant();

    let forth = zone.next_change(january);
    assert_eq!(forth, instant("2024-03-10T07:00:00.000000Z"));
    assert_eq!(hourly.name(hourly.key_at(forth - 1)), "2024-03-10-01");
    assert_eq!(hourly.name(hourly.key_at(forth)), "2024-03-10-03");
    assert_eq!(hourly.next_boundary(forth - 1), forth);
    assert_eq!(hourly.next_boundary(forth), forth + HOUR);
    // A day of 23 hours.
    let midnight = forth - 2 * HOUR;
    assert_eq!(daily.next_boundary(midnight - 1), midnight);
    assert_eq!(daily.next_boundary(midnight), midnight + 23 * HOUR);

    let back = zone.next_change(forth);
    assert_eq!(back, instant("2024-11-03T06:00:00.000000Z"));
    // Both passes of the hour from one to two have the same name.
    let hour = hourly.key_at(back - HOUR);
    assert_eq!(hourly.name(hour), "2024-11-03-01");
    assert!([back - 1, back, back + HOUR - 1].iter().all(|at| hourly.key_at(*at) == hour));
    assert_eq!(hourly.next_boundary(back - HOUR), back + HOUR);
    assert_eq!(hourly.name(hourly.key_at(back + HOUR)), "2024-11-03-02");
    // A day of 25 hours.
    let midnight = back - 2 * HOUR;
    assert_eq!(daily.next_boundary(midnight - 1), midnight);
    assert_eq!(daily.next_boundary(midnight), midnight + 25 * HOUR);
}
