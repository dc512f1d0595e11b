//! The timer: the same bytes as the crate `time` prints, in every zone, at every precision, whatever was cached before.

use proptest::prelude::*;
use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};
use tracing_prefork::{Appender, Precision, Rotation, Timer, Zone};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::common;
use crate::common::{Hand, NOW, names, read};

const PRECISIONS: [(Precision, usize); 4] =
    [(Precision::Seconds, 0), (Precision::Milliseconds, 3), (Precision::Microseconds, 6), (Precision::Nanoseconds, 9)];

thread_local! {
    /// What the clock of an appender from [`appender`] says on this thread.
    static NOW_HERE: Cell<SystemTime> = const { Cell::new(UNIX_EPOCH) };
}

fn appender(zone: Zone, directory: &Path) -> Appender {
    let builder = Appender::builder().rotation(Rotation::DAILY).filename_prefix("app").zone(zone);
    builder.clock(|| NOW_HERE.get()).build(directory).expect("builds")
}

/// The timestamp of an instant on this thread.
fn printed(timer: &Timer, instant: SystemTime) -> String {
    NOW_HERE.set(instant);
    let mut text = String::new();
    timer.format_time(&mut Writer::new(&mut text)).expect("prints");
    text
}

/// What `time` prints, with as many digits: it leaves out zeros at the end of a fraction, which are added here.
fn rfc_3339(instant: SystemTime, offset: i32, digits: usize) -> String {
    let local = OffsetDateTime::from(instant).to_offset(UtcOffset::from_whole_seconds(offset).expect("an offset"));
    let unit = 10_u32.pow(9 - digits as u32);
    let local = local.replace_nanosecond(local.nanosecond() / unit * unit).expect("less than a second");
    let text = local.format(&Rfc3339).expect("a year of four digits");
    let (seconds, rest) = text.split_at("2026-11-21T08:33:01".len());
    let (fraction, offset) = rest.split_at(rest.find(['Z', '+', '-']).expect("an offset"));
    match digits {
        0 => text,
        _ => format!("{seconds}.{:0<digits$}{offset}", fraction.trim_start_matches('.')),
    }
}

#[track_caller]
fn agrees(logs: &Appender, instant: SystemTime, offset: i32) {
    for (precision, digits) in PRECISIONS {
        let timer = logs.timer().with_precision(precision);
        assert_eq!(printed(&timer, instant), rfc_3339(instant, offset, digits), "{precision:?}");
    }
    // Microseconds are what is printed unless something else is asked for.
    assert_eq!(printed(&logs.timer(), instant), rfc_3339(instant, offset, 6));
}

fn instant(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// Any nanosecond of 1970 to 2100; a fraction that ends in zeros in every other case.
fn instants() -> impl Strategy<Value = SystemTime> {
    let fraction = prop_oneof![0..1_000_000_000_u64, (0..1000_u64).prop_map(|milli| milli * 1_000_000), Just(0)];
    (0..4_133_980_800_u64, fraction).prop_map(|(second, nanos)| instant(second * 1_000_000_000 + nanos))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn at_any_fixed_offset_the_bytes_are_those_of_the_crate_time(
        minutes in -1439..1440_i32,
        instants in prop::collection::vec(instants(), 16),
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = appender(Zone::Fixed(minutes * 60), directory.path());
        for instant in instants {
            agrees(&logs, instant, minutes * 60);
        }
    }
}

#[test]
fn the_documented_examples() {
    let directory = tempfile::tempdir().expect("a directory");
    let utc = appender(Zone::Utc, &directory.path().join("utc"));
    let instant = SystemTime::from(datetime!(2026-11-21 08:33:01.123456789 UTC));
    let print = |precision| printed(&utc.timer().with_precision(precision), instant);
    assert_eq!(print(Precision::Seconds), "2026-11-21T08:33:01Z");
    assert_eq!(print(Precision::Milliseconds), "2026-11-21T08:33:01.123Z");
    assert_eq!(print(Precision::Microseconds), "2026-11-21T08:33:01.123456Z");
    assert_eq!(print(Precision::Nanoseconds), "2026-11-21T08:33:01.123456789Z");
    assert_eq!(printed(&utc.timer(), UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    let east = appender(Zone::Fixed(19_800), &directory.path().join("east"));
    assert_eq!(printed(&east.timer(), instant), "2026-11-21T14:03:01.123456+05:30");
    let west = appender(Zone::Fixed(-1800), &directory.path().join("west"));
    assert_eq!(printed(&west.timer(), instant), "2026-11-21T08:03:01.123456-00:30");
    let zero = appender(Zone::Fixed(0), &directory.path().join("zero"));
    assert_eq!(printed(&zero.timer(), instant), "2026-11-21T08:33:01.123456Z");
}

#[test]
fn what_is_cached_for_a_minute_ends_with_that_minute() {
    let directory = tempfile::tempdir().expect("a directory");
    for minutes in [0, 330, -209] {
        let logs = appender(Zone::Fixed(minutes * 60), directory.path());
        let base = NOW - NOW % 60;
        // To and fro: the last nanosecond of a minute, its first, one in the middle, an hour, a day and a year off.
        for second in [0, 59, 60, 59, 0, 61, 3599, 3600, 86_399, 86_400, 30, 31_536_000, 30] {
            for nanos in [0, 999_999_999, 1] {
                agrees(&logs, instant((base + second) * 1_000_000_000 + nanos), minutes * 60);
            }
        }
        for nanos in [0, 1, 999_999_999] {
            agrees(&logs, instant(base * 1_000_000_000 - 1 - nanos), minutes * 60);
        }
    }
}

#[test]
fn appenders_of_different_zones_do_not_take_each_others_cache() {
    let directory = tempfile::tempdir().expect("a directory");
    let zones = [0, 5 * 60 + 45, -3 * 60 - 30, 14 * 60].map(|minutes| {
        (appender(Zone::Fixed(minutes * 60), &directory.path().join(minutes.to_string())), minutes * 60)
    });
    for step in 0..200_u64 {
        let now = instant(NOW * 1_000_000_000 + step * 7_000_000_123);
        for (logs, offset) in &zones {
            agrees(logs, now, *offset);
        }
    }
}

#[test]
fn each_thread_has_its_own_cache() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = appender(Zone::Fixed(-19_800), directory.path());
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let logs = &logs;
            scope.spawn(move || {
                for step in 0..500 {
                    agrees(logs, instant((NOW + thread * 40 + step) * 1_000_000_000 + step), -19_800);
                }
            });
        }
    });
}

/// A field of an event, at whose formatting the clock moves on.
struct MovesOn(Hand, u64, u64);

impl fmt::Display for MovesOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(self.1, self.2);
        f.write_str("formatted late")
    }
}

#[test]
fn at_every_precision_the_printed_reading_chooses_the_file() {
    let midnight = NOW - NOW % common::DAY + common::DAY;
    for (precision, digits) in PRECISIONS {
        let directory = tempfile::tempdir().expect("a directory");
        let hand = Hand::at(NOW);
        let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_timer(logs.timer().with_precision(precision))
            .with_writer(logs.clone());
        tracing::subscriber::with_default(subscriber.finish(), || {
            hand.set(midnight - 1, 999_999_999);
            tracing::info!("{}", MovesOn(hand.clone(), midnight, 0));
            tracing::info!("on time");
            // And back again: the clock was set back while the event was formatted.
            tracing::info!("{}", MovesOn(hand.clone(), midnight - 1, 0));
        });
        assert_eq!(names(directory.path()), ["app.2026-11-21.log", "app.2026-11-22.log"], "{precision:?}");
        let fraction = |digit: &str| if digits == 0 { String::new() } else { format!(".{}", digit.repeat(digits)) };
        let before = read(directory.path(), "app.2026-11-21.log");
        assert_eq!(before.lines().count(), 1, "{precision:?}: {before}");
        assert!(before.starts_with(&format!("2026-11-21T23:59:59{}Z ", fraction("9"))), "{before}");
        let after = read(directory.path(), "app.2026-11-22.log");
        assert_eq!(after.lines().count(), 2, "{precision:?}: {after}");
        assert!(
            after.lines().all(|line| line.starts_with(&format!("2026-11-22T00:00:00{}Z ", fraction("0")))),
            "{after}"
        );
    }
}

#[test]
fn two_layers_write_each_line_where_its_own_timestamp_says() {
    use tracing_subscriber::prelude::*;
    let midnight = NOW - NOW % common::DAY + common::DAY;
    let directory = tempfile::tempdir().expect("a directory");
    let hand = Hand::at(NOW);
    let build = |prefix: &str| {
        hand.builder().rotation(Rotation::DAILY).filename_prefix(prefix).build(directory.path()).expect("builds")
    };
    let (one, other) = (build("one"), build("other"));
    let layer = |logs: &Appender, precision| {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(logs.clone());
        layer.with_timer(logs.timer().with_precision(precision))
    };
    let layers = layer(&one, Precision::Seconds).and_then(layer(&other, Precision::Nanoseconds));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layers), || {
        hand.set(midnight - 1, 0);
        // The first layer's timer reads the second before midnight, the other's the one after it.
        tracing::info!("{}", MovesOn(hand.clone(), midnight, 0));
    });
    for file in names(directory.path()) {
        let day = &file[file.len() - "2026-11-21.log".len()..file.len() - ".log".len()];
        assert!(read(directory.path(), &file).lines().all(|line| line.starts_with(day)), "{file}");
    }
    assert_eq!(read(directory.path(), "one.2026-11-21.log").lines().count(), 1);
    assert_eq!(read(directory.path(), "other.2026-11-22.log").lines().count(), 1);
}

/// A field of an event that prints the time, after the clock has moved on or back.
struct PrintsTime(Timer, MovesOn);

impl fmt::Display for PrintsTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MovesOn(hand, seconds, nanos) = &self.1;
        hand.set(*seconds, *nanos);
        self.0.format_time(&mut Writer::new(f))
    }
}

#[test]
fn of_two_timestamps_in_a_line_the_first_one_chooses_the_file() {
    let midnight = NOW - NOW % common::DAY + common::DAY;
    for (precision, _) in PRECISIONS {
        for is_json in [false, true] {
            let directory = tempfile::tempdir().expect("a directory");
            let hand = Hand::at(NOW);
            let logs = hand.builder().rotation(Rotation::DAILY).build(directory.path()).expect("builds");
            let timer = || logs.timer().with_precision(precision);
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_timer(timer()).with_writer(logs.clone());
            let log = || {
                hand.set(midnight - 1, 0);
                let time = |at| PrintsTime(timer(), MovesOn(hand.clone(), at, 0));
                tracing::info!(at = %time(midnight), "two");
                // The clock has gone on to the next day.
                tracing::info!(at = %time(midnight + 1), again = %time(midnight - 1), "three");
            };
            if is_json {
                tracing::subscriber::with_default(subscriber.json().finish(), log);
            } else {
                tracing::subscriber::with_default(subscriber.finish(), log);
            }
            for (day, message) in [("2026-11-21", "two"), ("2026-11-22", "three")] {
                let text = read(directory.path(), &format!("app.{day}.log"));
                assert_eq!(text.lines().count(), 1, "{precision:?}: {text}");
                let first = text.find("2026-").expect("a timestamp");
                assert!(text[first..].starts_with(day) && text.contains(message), "{precision:?}: {text}");
            }
        }
    }
}

/// What this thread has had of a processor. Not the time of day: what else runs on the machine does not count.
fn processor_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).expect("there is such a clock").into()
}

/// The least processor time that this thread takes for 200 lines, in 20 rounds of both: with `first` before each line,
/// and with `second`.
fn times(mut line: impl FnMut(), mut first: impl FnMut(), mut second: impl FnMut()) -> [Duration; 2] {
    let mut round = |before: &mut dyn FnMut()| {
        let began = processor_time();
        for _ in 0..200 {
            before();
            line();
        }
        processor_time() - began
    };
    (0..20).fold([Duration::MAX; 2], |[one, other], _| [one.min(round(&mut first)), other.min(round(&mut second))])
}

#[test]
fn readings_for_a_console_hardly_slow_the_lines_of_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = Appender::builder().build(directory.path()).expect("builds");
    let line = format!("{}\n", "a line without a timestamp ".repeat(10));
    let (timer, other) = (logs.timer(), tempfile::tempdir().expect("a directory"));
    let elsewhere = Appender::builder().build(other.path()).expect("builds").timer();
    let print = |timer: &Timer| {
        let mut text = String::with_capacity(40);
        timer.format_time(&mut Writer::new(&mut text)).expect("prints");
    };
    let write = || (&logs).write_all(line.as_bytes()).expect("writes");
    // Readings of another appender are compared with no text.
    let [without, with] = times(write, || print(&elsewhere), || print(&timer));
    // Six times as much where each reading is looked for by itself.
    assert!(with < without * 2, "{with:?} for 200 lines instead of {without:?}");
}

#[test]
fn a_timer_outlives_its_appender() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = appender(Zone::Utc, directory.path());
    let timer: Arc<Timer> = Arc::new(logs.timer());
    drop(logs);
    assert_eq!(printed(&timer, instant(0)), "1970-01-01T00:00:00.000000Z");
}

#[cfg(feature = "local-time")]
mod named_zones {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    /// Whole hours, quarters and halves of one, steps of half an hour and of two, summer in winter, a day that was
    /// skipped.
    const ZONES: [&str; 10] = [
        "America/New_York",
        "America/St_Johns",
        "America/Sao_Paulo",
        "Europe/Dublin",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Antarctica/Troll",
        "Pacific/Apia",
        "Pacific/Chatham",
    ];

    /// The appender of a zone, and the zone's rules as `jiff` finds them by itself.
    fn zone(name: &str, directory: &Path) -> (Appender, TimeZone) {
        let data = std::fs::read(Path::new("/usr/share/zoneinfo").join(name)).expect("readable");
        let rules = TimeZone::tzif(name, &data).expect("a zone");
        (appender(Zone::Named(name.to_owned()), &directory.join(name)), rules)
    }

    fn offset(rules: &TimeZone, instant: SystemTime) -> i32 {
        rules.to_offset(Timestamp::try_from(instant).expect("a timestamp")).seconds()
    }

    #[test]
    fn at_any_instant_the_bytes_are_those_of_the_crate_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let zones = ZONES.map(|name| zone(name, directory.path()));
        proptest!(ProptestConfig::with_cases(3000), |(instant in instants())| {
            for (logs, rules) in &zones {
                agrees(logs, instant, offset(rules, instant));
            }
        });
    }

    #[test]
    fn the_offset_changes_at_the_nanosecond_of_a_transition() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ZONES {
            let (logs, rules) = zone(name, directory.path());
            let first = Timestamp::UNIX_EPOCH;
            let last: Timestamp = "2100-01-01T00:00Z".parse().expect("a time");
            let mut transitions = 0;
            for transition in rules.following(first).take_while(|transition| transition.timestamp() < last) {
                let at = transition.timestamp().as_second() as u64;
                // Forth, and back, and forth again, so that whatever is cached is that of the other side.
                for (second, nanos) in
                    [(at - 1, 999_999_999), (at, 0), (at - 60, 0), (at + 59, 1), (at - 1, 0), (at, 1)]
                {
                    let instant = instant(second * 1_000_000_000 + nanos);
                    agrees(&logs, instant, offset(&rules, instant));
                }
                transitions += 1;
            }
            assert!(transitions > 1, "{name}");
        }
    }

    #[test]
    fn an_offset_with_seconds_is_printed_without_them() {
        // Monrovia was 44 minutes and 30 seconds behind until 1972-01-07.
        let directory = tempfile::tempdir().expect("a directory");
        let (logs, _) = zone("Africa/Monrovia", directory.path());
        let second = |instant: OffsetDateTime| SystemTime::from(instant);
        assert_eq!(printed(&logs.timer(), second(datetime!(1971-06-01 12:00 UTC))), "1971-06-01T11:15:30.000000-00:44");
        assert_eq!(
            printed(&logs.timer(), second(datetime!(1971-06-01 12:00:29 UTC))),
            "1971-06-01T11:15:59.000000-00:44"
        );
        assert_eq!(
            printed(&logs.timer(), second(datetime!(1971-06-01 12:00:30 UTC))),
            "1971-06-01T11:16:00.000000-00:44"
        );
        assert_eq!(printed(&logs.timer(), second(datetime!(1973-06-01 12:00 UTC))), "1973-06-01T12:00:00.000000Z");
    }
}
