//! Times on the command line: `--since` and `--until`.

use crate::logs::stamp::Nanos;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp, Unit, ZonedDateTime};
use tracing_prefork::Zone;

/// The zone of jiff.
pub(super) fn time_zone(zone: &Zone) -> Result<TimeZone, String> {
    Ok(match zone {
        Zone::Local => TimeZone::system(),
        Zone::Fixed(east) => TimeZone::fixed(Offset::from_seconds(*east).map_err(|error| error.to_string())?),
        Zone::Named(name) => TimeZone::get(name).map_err(|error| error.to_string())?,
        _ => TimeZone::UTC,
    })
}

/// Reads a time. `now`: what relative times are counted from; its zone is that of times without an offset.
///
/// # Errors
///
/// The text names the value and what can be written.
pub(super) fn instant(text: &str, now: &ZonedDateTime) -> Result<Nanos, String> {
    let refused = || {
        format!(
            "cannot read the time {text:?}: expected a time such as 2026-11-21T08:33:01Z, \"2026-11-21 08:33\", \
             2026-11-21, today, yesterday, now, -2h or \"2 hours ago\""
        )
    };
    let written = text.trim();
    let start_of_day = |day: ZonedDateTime| day.start_of_day().ok();
    let zoned = match written {
        "now" => Some(now.clone()),
        "today" => start_of_day(now.clone()),
        "yesterday" => now.yesterday().ok().and_then(start_of_day),
        _ => None,
    };
    if let Some(zoned) = zoned {
        return nanos(zoned.timestamp()).ok_or_else(refused);
    }
    if let Ok(instant) = written.parse::<Timestamp>() {
        return nanos(instant).ok_or_else(refused);
    }
    if let Ok(civil) = written.parse::<DateTime>() {
        let zoned = civil.to_zoned_datetime(now.time_zone().clone());
        return zoned.ok().and_then(|zoned| nanos(zoned.timestamp())).ok_or_else(refused);
    }
    // A length of time is always one before now.
    let span: Span = written.parse().map_err(|_| refused())?;
    let before = now.checked_sub(span.abs()).map_err(|_| refused())?;
    nanos(before.timestamp()).ok_or_else(refused)
}

fn nanos(at: Timestamp) -> Option<Nanos> {
    Nanos::try_from(at.as_nanosecond()).ok()
}

/// Now, without the nanoseconds.
pub(super) fn now(zone: TimeZone) -> ZonedDateTime {
    let now = Timestamp::now().to_zoned_datetime(zone);
    now.round(Unit::Microsecond).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::{instant, time_zone};
    use jiff::ZonedDateTime;
    use jiff::tz::TimeZone;
    use tracing_prefork::Zone;

    fn seconds(text: &str, now: &ZonedDateTime) -> Option<i64> {
        instant(text, now).ok().map(|nanos| nanos / 1_000_000_000)
    }

    #[test]
    fn a_time_is_read_in_each_way_that_the_page_names() {
        let now: ZonedDateTime = "2026-11-21T08:33:01+00:00[UTC]".parse().expect("a time");
        let at = 1_795_249_981;
        for (text, expected) in [
            ("now", at),
            ("today", at - 30_781),
            ("yesterday", at - 30_781 - 86_400),
            ("2026-11-21T08:33:01Z", at),
            ("2026-11-21T14:03:01+05:30", at),
            ("2026-11-21", at - 30_781),
            ("2026-11-21 08:00", at - 1981),
            ("2026-11-21 08:00:01.5", at - 1980),
            ("2026-11-21T08:00", at - 1981),
            ("2 hours ago", at - 7200),
            ("-2h", at - 7200),
            ("2h", at - 7200),
            ("90s", at - 90),
            ("1d 2h", at - 93_600),
            ("1 day", at - 86_400),
        ] {
            assert_eq!(seconds(text, &now), Some(expected), "{text}");
        }
        for text in ["", "soon", "2026-13-01", "2026-11-21 25:00", "08"] {
            let error = instant(text, &now).expect_err(text);
            assert!(error.contains(&format!("{text:?}")) && error.contains("2 hours ago"), "{error}");
        }
    }

    #[test]
    fn a_time_without_an_offset_is_in_the_zone_of_the_names() {
        let zone = time_zone(&Zone::Named("Asia/Shanghai".to_owned())).expect("known");
        let now: ZonedDateTime = "2026-11-21T08:33:01+00:00[UTC]".parse().expect("a time");
        let there = now.with_time_zone(zone);
        assert_eq!(seconds("2026-11-21 16:33:01", &there), Some(1_795_249_981));
        assert_eq!(time_zone(&Zone::Utc), Ok(TimeZone::UTC));
        assert!(time_zone(&Zone::Named("Nowhere/At all".to_owned())).is_err());
    }
}
