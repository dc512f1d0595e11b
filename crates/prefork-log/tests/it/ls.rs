//! `prefork-log ls`.

use crate::files::{daily, printed, refused, write_days};
use std::fs;
use std::io::Write;
use tracing_prefork::{Appender, Compression, Rotation};

#[test]
fn each_file_has_a_line_with_what_is_known_of_it() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 2, |builder| builder);
    let logs = daily(2).compress(Compression::Gzip).build(directory.path()).expect("builds");
    writeln!(&logs, "held").expect("written");
    logs.compress().expect("compressed");
    fs::write(directory.path().join("app.conf"), "no log file").expect("written");
    let table = printed(&["ls"], directory.path());
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert_eq!(lines[0], ["BYTES", "FROM", "(UTC)", "TAG", "NO", "STATE", "OPEN", "BY", "NAME"]);
    assert_eq!(lines[1][1..], ["2026-11-21T00:00:00Z", "-", "0", "compressed", "-", "app.2026-11-21.log.gz"]);
    assert_eq!(lines[2][1..], ["2026-11-22T00:00:00Z", "-", "0", "compressed", "-", "app.2026-11-22.log.gz"]);
    let me = std::process::id().to_string();
    assert_eq!(lines[3][..6], ["5", "2026-11-23T00:00:00Z", "-", "0", "open", &me], "{table}");
    assert_eq!(lines[3].last(), Some(&"app.2026-11-23.log"));
}

#[test]
fn json_has_an_object_for_each_file() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 2, |builder| builder.tag("web"));
    write_days(directory.path(), 1, |builder| builder.tag("queue"));
    let read = |arguments: &[&str]| -> Vec<serde_json::Value> {
        serde_json::from_str(&printed(arguments, directory.path())).expect("JSON")
    };
    let rows = read(&["ls", "--json"]);
    assert_eq!(rows.len(), 3);
    let first = rows.iter().find(|row| row["tag"] == "queue").expect("the file of a tag");
    let path = directory.path().join("app.queue.2026-11-21.log");
    let expected = serde_json::json!({
        "pattern": "app.TAG.DATE.log", "path": path, "tag": "queue", "from": "2026-11-21T00:00:00Z",
        "until": "2026-11-22T00:00:00Z", "index": 0, "bytes": 16, "open": false, "open_by": [], "compressed": false,
        "handed_over": false,
    });
    assert_eq!(*first, expected);
    assert_eq!(read(&["ls", "--json", "--tag", "web"]).len(), 2);
    assert_eq!(read(&["ls", "--json", "--prefix", "app", "--suffix", "log", "--rotate", "daily"]), rows);
}

#[test]
fn several_patterns_are_listed_and_a_prefix_chooses() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 2, |builder| builder);
    drop(Appender::builder().rotation(Rotation::HOURLY).filename_prefix("access").build(directory.path()));
    assert_eq!(printed(&["ls"], directory.path()).lines().count(), 4);
    assert_eq!(printed(&["ls", "--prefix", "app"], directory.path()).lines().count(), 3);
    let (code, error) = refused(&["ls", "--prefix", "ap"], directory.path());
    assert_eq!(code, Some(2));
    assert!(error.contains("with that prefix and suffix") && error.contains("--rotate daily"), "{error}");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing");
    for arguments in [&["ls"][..], &["ls", "--rotate", "daily", "--prefix", "app"]] {
        let (code, error) = refused(arguments, &missing);
        assert_eq!(code, Some(1));
        assert!(error.contains(&missing.display().to_string()), "{error}");
        assert!(!missing.exists());
    }
}
