//! Any options that build, any instants and any names: a name that leads to a period is, byte for byte, that period's
//! name; and the name of an instant leads back to the period that the instant is in.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::{Corpus, fuzz_target};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing_prefork::{Appender, Rotation, Weekday, Zone};

#[derive(Arbitrary, Debug)]
struct Input {
    unit: u8,
    every: Option<u16>,
    at: Option<(u8, u8)>,
    zone: AnyZone,
    prefix: Option<String>,
    suffix: Option<String>,
    format: Format,
    now: Instant,
    instants: Vec<Instant>,
    names: Vec<Name>,
}

#[derive(Arbitrary, Debug)]
enum AnyZone {
    Utc,
    Minutes(i16),
    Named(u8),
}

/// Some with odd histories: skipped days, repeated hours across midnight, local mean times, half-hour steps.
const ZONES: [&str; 12] = [
    "America/New_York",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Africa/Monrovia",
    "Asia/Manila",
    "Europe/Dublin",
    "America/Juneau",
    "Africa/El_Aaiun",
    "Asia/Gaza",
];

#[derive(Arbitrary, Debug)]
enum Format {
    Own,
    Any(String),
    Strftime(Vec<u8>),
    Description(Vec<u8>),
}

const STRFTIME: [&str; 40] = [
    "%Y", "%m", "%d", "%H", "%M", "%S", "%z", "%j", "%G", "%V", "%u", "%b", "%B", "%a", "%A", "%I", "%p", "%F", "%T",
    "%y", "%C", "%e", "%D", "%R", "%s", "%U", "%W", "%w", "%k", "%l", "%P", "%%", "-", "/", ".", "_", " ", "0", "+",
    "T",
];

const DESCRIPTION: [&str; 40] = [
    "[year]",
    "[month]",
    "[day]",
    "[hour]",
    "[minute]",
    "[second]",
    "[ordinal]",
    "[offset_hour]",
    "[offset_minute]",
    "[offset_second]",
    "[offset_hour sign:mandatory]",
    "[year base:iso_week]",
    "[week_number]",
    "[weekday]",
    "[weekday repr:monday]",
    "[month repr:short]",
    "[month repr:long]",
    "[month padding:none]",
    "[day padding:none]",
    "[day padding:space]",
    "[hour repr:12]",
    "[hour padding:none]",
    "[period]",
    "[period case:lower]",
    "[year repr:last_two]",
    "[year sign:mandatory]",
    "[unix_timestamp]",
    "[subsecond]",
    "[optional [[hour]]]",
    "[first [[day]] [[hour]]]",
    "[ignore count:1]",
    "[week_number repr:sunday]",
    "-",
    "/",
    ".",
    "_",
    " ",
    "0",
    "+",
    "T",
];

impl Format {
    fn text(&self) -> Option<String> {
        let of = |pieces: &[&str], chosen: &[u8]| {
            chosen.iter().map(|&piece| pieces[usize::from(piece) % pieces.len()]).collect::<String>()
        };
        match self {
            Self::Own => None,
            Self::Any(text) => Some(text.clone()),
            Self::Strftime(chosen) => Some(of(&STRFTIME, chosen)),
            Self::Description(chosen) => Some(of(&DESCRIPTION, chosen)),
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Instant {
    /// Seconds since 1970, nanoseconds.
    Near(i32, u32),
    /// Over the years 1 to 9999, and beyond.
    Far(i64),
    /// So many seconds from 2026-11-21 08:33:01.
    Now(i16),
}

impl Instant {
    fn time(self) -> SystemTime {
        let since = |seconds: i64| {
            let distance = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
        };
        let time = match self {
            Self::Near(seconds, nanos) => {
                since(seconds.into()).map(|second| second + Duration::from_nanos(u64::from(nanos % 1_000_000_000)))
            }
            Self::Far(seconds) => since(seconds % 400_000_000_000),
            Self::Now(seconds) => since(1_795_249_981 + i64::from(seconds)),
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

#[derive(Arbitrary, Debug)]
enum Name {
    Any(String),
    /// A true name, changed in one place.
    Changed {
        of: Instant,
        at: u8,
        how: Change,
    },
}

#[derive(Arbitrary, Debug)]
enum Change {
    Insert(char),
    Remove,
    Replace(char),
    Append(String),
    Prepend(String),
    Swap,
}

fn name(logs: &Appender, directory: &Path, time: SystemTime) -> String {
    let path = logs.path_at(time);
    path.strip_prefix(directory).expect("below the directory").to_str().expect("UTF-8").to_owned()
}

fn changed(name: String, at: u8, how: &Change) -> String {
    let mut characters: Vec<char> = name.chars().collect();
    let at = usize::from(at) % characters.len().max(1);
    match how {
        Change::Insert(character) => characters.insert(at, *character),
        Change::Replace(character) if at < characters.len() => characters[at] = *character,
        Change::Remove if at < characters.len() => drop(characters.remove(at)),
        Change::Swap if at + 1 < characters.len() => characters.swap(at, at + 1),
        Change::Append(text) => characters.extend(text.chars()),
        Change::Prepend(text) => return text.clone() + &name,
        _ => {}
    }
    characters.into_iter().collect()
}

fn rotation(input: &Input) -> Rotation {
    let unit = match input.unit % 14 {
        0 => Rotation::NEVER,
        1 => Rotation::SECONDLY,
        2 => Rotation::MINUTELY,
        3 => Rotation::HOURLY,
        4 => Rotation::DAILY,
        5 => Rotation::MONTHLY,
        6 => Rotation::weekly_on(Weekday::Monday),
        7 => Rotation::weekly_on(Weekday::Tuesday),
        8 => Rotation::weekly_on(Weekday::Wednesday),
        9 => Rotation::weekly_on(Weekday::Thursday),
        10 => Rotation::weekly_on(Weekday::Friday),
        11 => Rotation::weekly_on(Weekday::Saturday),
        _ => Rotation::WEEKLY,
    };
    let counted = input.every.map_or(unit.clone(), |every| unit.every(every.into()));
    input.at.map_or(counted.clone(), |(hour, minute)| counted.at(hour, minute))
}

fuzz_target!(|input: Input| -> Corpus {
    let directory = tempfile::tempdir().expect("a directory");
    let now = input.now.time();
    let had_other_offsets = matches!(input.zone, AnyZone::Named(_));
    let zone = match input.zone {
        AnyZone::Utc => Zone::Utc,
        AnyZone::Minutes(minutes) => Zone::Fixed(i32::from(minutes) * 60),
        AnyZone::Named(index) => Zone::Named(ZONES[usize::from(index) % ZONES.len()].to_owned()),
    };
    let mut builder = Appender::builder().rotation(rotation(&input)).zone(zone).clock(move || now).on_error(|_| {});
    if let Some(prefix) = &input.prefix {
        builder = builder.filename_prefix(prefix);
    }
    if let Some(suffix) = &input.suffix {
        builder = builder.filename_suffix(suffix);
    }
    if let Some(format) = input.format.text() {
        builder = builder.date_format(format);
    }
    let logs = match builder.build(directory.path()) {
        Ok(logs) => logs,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Corpus::Keep;
        }
    };

    for time in input.instants.iter().copied().chain([input.now]).map(Instant::time) {
        let (period, name) = (logs.period_at(time), name(&logs, directory.path(), time));
        // Instants outside the years 1 to 9998 are taken for the first or the last of them.
        let first = UNIX_EPOCH - Duration::from_secs(62_135_510_400);
        let last = UNIX_EPOCH + Duration::from_secs(253_370_764_800);
        let time = time.clamp(first, last);
        assert!(period.start <= time && period.end.is_none_or(|end| time < end), "{period:?} of {time:?}");
        // A format can leave out what no name from now on will need: the minutes of an offset that ended in 1920.
        let found = logs.period_of_name(&name, time);
        if found.is_some() || !had_other_offsets || time >= now {
            assert_eq!(found.as_ref(), Some(&period), "{name:?} of {time:?}");
        }
        assert_eq!(logs.period_at(period.start), period, "its first instant");
        if let Some(end) = period.end.filter(|&end| end < last) {
            assert_eq!(logs.period_at(end - Duration::from_nanos(1)), period, "its last instant");
            assert_eq!(logs.period_at(end).start, end, "the next begins where it ends");
        }
        if period.start > first {
            assert_eq!(logs.period_at(period.start - Duration::from_nanos(1)).end, Some(period.start));
        }
    }
    for wanted in &input.names {
        let text = match wanted {
            Name::Any(text) => text.clone(),
            Name::Changed { of, at, how } => changed(name(&logs, directory.path(), of.time()), *at, how),
        };
        if let Some(period) = logs.period_of_name(&text, now) {
            assert_eq!(name(&logs, directory.path(), period.start), text, "of {period:?}");
            let last = period.end.map_or(period.start, |end| end - Duration::from_nanos(1));
            assert_eq!(name(&logs, directory.path(), last), text, "at the end of {period:?}");
        }
    }
    Corpus::Keep
});
