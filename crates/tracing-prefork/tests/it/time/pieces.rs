//! Pieces of a day that count from a time of day, against arithmetic on local times by another library.

use jiff::ToSpan;
use jiff::civil::{DateTime, date};
use proptest::prelude::*;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Rotation, Zone};

use crate::common::{Hand, NOW};

/// A unit below a day: its seconds, how many of it a day has, and the date in a file's name.
const UNITS: [(Rotation, i64, u32, &str); 3] = [
    (Rotation::SECONDLY, 1, 86_400, "%Y-%m-%d-%H-%M-%S"),
    (Rotation::MINUTELY, 60, 1440, "%Y-%m-%d-%H-%M"),
    (Rotation::HOURLY, 3600, 24, "%Y-%m-%d-%H"),
];

/// The local times at which the piece around `local` begins and ends. The pieces are tried one after the other.
fn piece(local: DateTime, seconds: i64, (hour, minute): (i8, i8)) -> (DateTime, DateTime) {
    let today = local.date().at(hour, minute, 0, 0);
    let day = if local < today { today - 1.day() } else { today };
    let (next_day, mut begin) = (day + 1.day(), day);
    while begin + seconds.seconds() <= local && begin + seconds.seconds() < next_day {
        begin += seconds.seconds();
    }
    (begin, next_day.min(begin + seconds.seconds()))
}

fn instant(local: DateTime, east: i32) -> SystemTime {
    let since = local.duration_since(date(1970, 1, 1).at(0, 0, 0, 0)).as_secs() - i64::from(east);
    UNIX_EPOCH + Duration::from_secs(since.try_into().expect("after 1970"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pieces_of_a_day_begin_where_another_library_counts_them(
        (unit, count) in (0..3_usize, any::<u32>()),
        (hour, minute) in (0..24_i8, 0..60_i8),
        minutes_east in -1439..1440_i32,
        seconds in prop::collection::vec(100_000_000..5_000_000_000_i64, 8),
    ) {
        let (unit, length, most, format) = UNITS[unit];
        // A piece of some seconds alone would take the oracle through too many.
        let every = (count % most + 1).max(if length == 1 { 60 } else { 1 });
        let rotation = unit.every(every).at(hour.try_into().expect("small"), minute.try_into().expect("small"));
        let (east, directory) = (minutes_east * 60, tempfile::tempdir().expect("a directory"));
        let builder = Hand::at(NOW).builder().rotation(rotation).zone(Zone::Fixed(east));
        let logs = builder.build(directory.path()).expect("builds");
        for second in seconds {
            let local = date(1970, 1, 1).at(0, 0, 0, 0) + (second + i64::from(east)).seconds();
            let (begin, end) = piece(local, length * i64::from(every), (hour, minute));
            let (start, end) = (instant(begin, east), instant(end, east));
            for inside in [start, instant(local, east), end - Duration::from_nanos(1)] {
                let period = logs.period_at(inside);
                prop_assert_eq!((period.start, period.end), (start, Some(end)), "{} at {}", rotation, local);
                let name = format!("app.{}.log", begin.strftime(format));
                prop_assert!(logs.path_at(inside).ends_with(&name), "{} at {}: not {}", rotation, local, name);
            }
        }
    }
}
