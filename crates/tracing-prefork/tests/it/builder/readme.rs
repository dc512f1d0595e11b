//! The README's table of options and what stands beside it: the code compiles, and lines look as shown.

use std::fs;
use std::path::Path;
use std::time::Duration;
use tracing_prefork::{Appender, Builder, Compression, Period, Rotation, Settings, Weekday, Zone};
use tracing_subscriber::prelude::*;

const README: &str = include_str!("../../../README.md");

/// The code of the table, as it stands there.
fn cells() -> Vec<&'static str> {
    let table = README.split_once("| you want | you write |\n").expect("the table").1;
    let table = table.split_once("\n\n").expect("its end").0;
    let right = table.lines().skip(1).filter_map(|line| line.split(" | ").nth(1));
    right.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

/// Code that compiles, and its text without the builder in front.
macro_rules! code {
    ($($code:expr),* $(,)?) => {
        [$({
            let _ = $code;
            stringify!($code).trim_start_matches("builder()")
        }),*]
    };
}

fn builder() -> Builder {
    Appender::builder().rotation(Rotation::DAILY).filename_prefix("app")
}

fn notify(_finished: &Path, _period: Period) {}

fn upload(_finished: &Path, _period: Period) -> std::io::Result<()> {
    Ok(())
}

#[test]
fn each_piece_of_code_in_the_table_of_options_compiles() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = builder().build(directory.path()).expect("builds");
    let settings: Settings = toml::from_str("filename_prefix = 'app'").expect("settings");
    let compiled = code![
        Rotation::HOURLY.every(6),
        Rotation::DAILY.at(4, 0),
        Rotation::weekly_on(Weekday::Monday),
        builder().zone(Zone::Local),
        builder().max_file_bytes(100 << 20),
        builder().max_total_bytes(10 << 30),
        builder().max_age(Duration::from_secs(14 * 24 * 3600)),
        builder().compress(Compression::Gzip),
        builder().try_on_finished(upload),
        builder().on_finished(notify),
        logs.close(),
        builder().per_process(true),
        Builder::from(settings),
    ];
    let json = stringify!(logs.layer().json());
    let words = ["gzip", "serde", "logs.layer()"];
    for cell in cells() {
        let known = compiled.contains(&cell) || words.contains(&cell) || cell == json;
        assert!(known, "`{cell}` is not in this test");
    }
    for code in compiled.iter().chain([&json]) {
        assert!(cells().contains(code), "`{code}` is not in the README");
    }
}

/// The layer for JSON, and the line that the README shows for `logs.layer()`.
#[test]
fn lines_of_both_layers_look_as_the_readme_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = |subscriber: tracing::Dispatch| {
        tracing::dispatcher::with_default(&subscriber, || {
            tracing::info_span!("request", id = 7)
                .in_scope(|| tracing::info!(target: "my_app::db", ms = 12, "connected"));
        });
    };
    let logs = builder().build(directory.path().join("plain")).expect("builds");
    log(tracing_subscriber::registry().with(logs.layer()).into());
    let text = fs::read_to_string(logs.path()).expect("readable");
    let (time, rest) = text.trim_end().split_once(' ').expect("a time");
    let shown = "2026-11-21T08:33:01.123456Z";
    assert!(README.contains(&format!("`{shown} {rest}`")), "{text}");
    assert_eq!(time.len(), shown.len());

    let logs = builder().build(directory.path().join("json")).expect("builds");
    log(tracing_subscriber::registry().with(logs.layer().json()).into());
    let line: serde_json::Value = serde_json::from_slice(&fs::read(logs.path()).expect("readable")).expect("JSON");
    assert_eq!(line["fields"], serde_json::json!({ "message": "connected", "ms": 12 }));
}
