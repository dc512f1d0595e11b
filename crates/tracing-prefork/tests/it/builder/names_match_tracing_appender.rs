//! Whoever moves over from `tracing-appender` keeps the names of the files: for every unit, prefix
//! and suffix that it has, our file is called as theirs.
//!
//! Theirs reads the real clock when it is built. Both are therefore built between two readings of
//! the clock, and once more if a minute ended in between.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use time::{OffsetDateTime, macros::datetime};
use tracing_appender::rolling as theirs;
use tracing_prefork::{Appender, Rotation, rolling as ours};
use tracing_subscriber::fmt::MakeWriter;

/// A unit as both libraries call it.
const UNITS: [(Rotation, theirs::Rotation); 5] = [
    (Rotation::MINUTELY, theirs::Rotation::MINUTELY),
    (Rotation::HOURLY, theirs::Rotation::HOURLY),
    (Rotation::DAILY, theirs::Rotation::DAILY),
    (Rotation::WEEKLY, theirs::Rotation::WEEKLY),
    (Rotation::NEVER, theirs::Rotation::NEVER),
];

/// Prefixes and suffixes alike.
const PARTS: [Option<&str>; 11] = [
    None,
    Some(""),
    Some("log"),
    Some("app.log"),
    Some("my-app"),
    Some("my app"),
    Some(".hidden"),
    Some("ends."),
    Some("Журнал-日誌"),
    Some("2020-02-01"),
    Some("17"),
];

const LINE: &[u8] = b"a line\n";

/// Name and content of each log file in a directory; our lock file is none.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("the directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("a name in UTF-8"));
    names
        .filter(|name| {
            !(name.starts_with('.') && ([".lock", ".names", ".settings"].iter().any(|end| name.ends_with(end))))
        })
        .map(|name| (name.clone(), fs::read(directory.join(name)).expect("a file")))
        .collect()
}

fn minute(instant: SystemTime) -> u64 {
    instant.duration_since(UNIX_EPOCH).expect("after 1970").as_secs() / 60
}

/// Builds ours and theirs in the same minute (UTC), in an empty directory each, writes a line
/// through both and demands the same names and the same contents.
fn expect_same_files<T>(what: &str, ours: impl Fn(&Path) -> Appender, theirs: impl Fn(&Path) -> T) -> String
where
    T: for<'a> MakeWriter<'a>,
{
    loop {
        let directories = tempfile::tempdir().expect("a temporary directory");
        let [left, right] = ["ours", "theirs"].map(|name| directories.path().join(name));
        let before = SystemTime::now();
        let appender = ours(&left);
        appender.make_writer().write_all(LINE).expect("our line");
        let path = appender.path();
        theirs(&right).make_writer().write_all(LINE).expect("their line");
        if minute(before) != minute(SystemTime::now()) {
            continue;
        }
        let expected = files(&right);
        let (name, content) = expected.first_key_value().expect("their file");
        assert_eq!((expected.len(), content.as_slice()), (1, LINE), "{what}: theirs");
        assert_eq!(files(&left), expected, "{what}");
        assert_eq!(path, left.join(name), "{what}: path()");
        return name.clone();
    }
}

#[test]
fn every_unit_prefix_and_suffix_names_files_as_theirs() {
    let mut names = BTreeMap::new();
    for (ours, theirs) in &UNITS {
        for prefix in PARTS {
            for suffix in PARTS.into_iter().filter(|suffix| *suffix != Some(".hidden")) {
                let what = format!("{theirs:?} {prefix:?} {suffix:?}");
                let name = expect_same_files(
                    &what,
                    |directory| built(ours, prefix, suffix, directory),
                    |directory| {
                        let mut builder = theirs::Builder::new().rotation(theirs.clone());
                        if let Some(prefix) = prefix {
                            builder = builder.filename_prefix(prefix);
                        }
                        if let Some(suffix) = suffix {
                            builder = builder.filename_suffix(suffix);
                        }
                        builder.build(directory).expect("theirs")
                    },
                );
                names.insert(what, name);
            }
        }
    }
    assert_eq!(names.len(), UNITS.len() * PARTS.len() * (PARTS.len() - 1));
    assert_eq!(names[r#"Rotation(Never) Some("app.log") None"#], "app.log");
}

#[test]
fn a_suffix_that_begins_with_a_dot_is_refused() {
    let suffixed = Appender::builder().rotation(Rotation::DAILY).filename_prefix("app");
    let directory = tempfile::tempdir().expect("a temporary directory");
    suffixed.filename_suffix(".log").build(directory.path()).expect_err("refused");
    let name = expect_same_files(
        "two dots",
        |directory| {
            let builder = Appender::builder().rotation(Rotation::DAILY).filename_prefix("app");
            builder.date_format("%Y-%m-%d.").filename_suffix("log").build(directory).expect("ours")
        },
        |directory| {
            let builder = theirs::Builder::new().rotation(theirs::Rotation::DAILY).filename_prefix("app");
            builder.filename_suffix(".log").build(directory).expect("theirs")
        },
    );
    assert!(name.ends_with("..log"), "{name}");
}

fn built(rotation: &Rotation, prefix: Option<&str>, suffix: Option<&str>, directory: &Path) -> Appender {
    let mut builder = Appender::builder().rotation(*rotation);
    if let Some(prefix) = prefix {
        builder = builder.filename_prefix(prefix);
    }
    if let Some(suffix) = suffix {
        builder = builder.filename_suffix(suffix);
    }
    builder.build(directory).expect("ours")
}

#[test]
fn the_functions_of_rolling_name_their_files_as_theirs() {
    for prefix in PARTS.into_iter().flatten() {
        type Both = (fn(&Path, &str) -> Appender, fn(&Path, &str) -> theirs::RollingFileAppender);
        let functions: [Both; 5] = [
            (|d, p| ours::minutely(d, p), |d, p| theirs::minutely(d, p)),
            (|d, p| ours::hourly(d, p), |d, p| theirs::hourly(d, p)),
            (|d, p| ours::daily(d, p), |d, p| theirs::daily(d, p)),
            (|d, p| ours::weekly(d, p), |d, p| theirs::weekly(d, p)),
            (|d, p| ours::never(d, p), |d, p| theirs::never(d, p)),
        ];
        for (ours, theirs) in functions {
            expect_same_files(prefix, |d| ours(d, prefix), |d| theirs(d, prefix));
        }
    }
}

#[test]
fn a_build_appends_to_the_file_that_tracing_appender_has_made() {
    for (ours, theirs) in &UNITS {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let both = || {
            let builder = theirs::Builder::new().rotation(theirs.clone()).filename_prefix("app.log");
            let theirs = builder.build(directory.path()).expect("theirs");
            theirs.make_writer().write_all(LINE).expect("their line");
            let ours = built(ours, Some("app.log"), None, directory.path());
            ours.make_writer().write_all(LINE).expect("our line");
        };
        let mut before = SystemTime::now();
        both();
        while minute(before) != minute(SystemTime::now()) {
            fs::remove_dir_all(directory.path()).expect("removed");
            before = SystemTime::now();
            both();
        }
        let contents: Vec<_> = files(directory.path()).into_values().collect();
        assert_eq!(contents, [LINE.repeat(2)], "{theirs:?}");
    }
}

/// `path_at` of an appender, without the directory.
fn name_at(rotation: &Rotation, prefix: Option<&str>, suffix: Option<&str>, at: OffsetDateTime) -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = built(rotation, prefix, suffix, directory.path()).path_at(at.into());
    let name = path.strip_prefix(directory.path()).expect("a path in the directory");
    name.to_str().expect("a name in UTF-8").to_owned()
}

/// The names that tracing-appender's documentation and its own tests of `rolling` give.
#[test]
fn instants_have_the_names_that_tracing_appender_documents() {
    let morning = datetime!(2020-02-01 10:01:00 UTC);
    let monday = datetime!(2025-02-17 10:01:00 UTC);
    let new_year = datetime!(2025-01-01 10:01:00 UTC);
    let both = (Some("my_prefix"), Some("log"));
    let prefix = (Some("app.log"), None);
    let suffix = (None, Some("log"));
    let cases = [
        (Rotation::MINUTELY, prefix, morning, "app.log.2020-02-01-10-01"),
        (Rotation::HOURLY, prefix, morning, "app.log.2020-02-01-10"),
        (Rotation::DAILY, prefix, morning, "app.log.2020-02-01"),
        (Rotation::WEEKLY, prefix, morning, "app.log.2020-01-26"),
        (Rotation::NEVER, prefix, morning, "app.log"),
        (Rotation::MINUTELY, both, monday, "my_prefix.2025-02-17-10-01.log"),
        (Rotation::HOURLY, both, monday, "my_prefix.2025-02-17-10.log"),
        (Rotation::DAILY, both, monday, "my_prefix.2025-02-17.log"),
        (Rotation::WEEKLY, both, monday, "my_prefix.2025-02-16.log"),
        (Rotation::WEEKLY, both, new_year, "my_prefix.2024-12-29.log"),
        (Rotation::NEVER, both, monday, "my_prefix.log"),
        (Rotation::MINUTELY, suffix, morning, "2020-02-01-10-01.log"),
        (Rotation::DAILY, suffix, morning, "2020-02-01.log"),
        (Rotation::NEVER, suffix, morning, "log"),
        (Rotation::MINUTELY, (None, None), morning, "2020-02-01-10-01"),
        (Rotation::HOURLY, (None, None), morning, "2020-02-01-10"),
        (Rotation::DAILY, (None, None), morning, "2020-02-01"),
        (Rotation::WEEKLY, (None, None), morning, "2020-01-26"),
    ];
    for (rotation, (prefix, suffix), at, name) in cases {
        assert_eq!(name_at(&rotation, prefix, suffix, at), name, "{rotation} at {at}");
    }
}

#[test]
fn a_week_is_named_by_its_sunday_to_the_nanosecond() {
    let name = |at| name_at(&Rotation::WEEKLY, None, None, at);
    let sunday = datetime!(2023-12-31 0:00 UTC);
    assert_eq!(name(sunday - Duration::from_nanos(1)), "2023-12-24");
    assert_eq!(name(sunday), "2023-12-31");
    for day in 0..7 {
        assert_eq!(name(sunday + time::Duration::days(day)), "2023-12-31", "day {day}");
    }
    assert_eq!(name(datetime!(2024-01-06 23:59:59.999999999 UTC)), "2023-12-31");
    assert_eq!(name(datetime!(2024-01-07 0:00 UTC)), "2024-01-07");
    assert_eq!(name(datetime!(2024-02-29 12:00 UTC)), "2024-02-25");
}
