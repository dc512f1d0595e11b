//! The page of the server is written, with a row for each logger, and every event of ours is in the files.

use std::process::{Command, Stdio};

fn is_installed(program: &str) -> bool {
    let started = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.is_ok()
}

#[test]
fn the_page_of_the_server_has_each_logger_and_its_pictures() {
    if !is_installed("wrk") {
        eprintln!("skipped: wrk is not installed");
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let (docs, logs) = (place.path().join("docs"), place.path().join("logs"));
    std::fs::create_dir(&logs).expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_performance"));
    command.args(["server", "--rounds=1", "--seconds=1", "--docs"]).arg(&docs).arg("--directory").arg(&logs);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(docs.join("performance-server.md")).expect("the page");
    // What it is, full load, two processes, the fixed rate, and three rows of what is in the files.
    let rows = [
        ("no-logging", 4),
        ("prefork", 7),
        ("prefork-buffered", 7),
        ("tracing-appender", 7),
        ("tracing-appender-queue", 5),
    ];
    for (name, count) in rows {
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with(&format!("| `{name}` |"))).collect();
        assert_eq!(rows.len(), count, "{name} in {page}");
        let has_figures = rows.iter().all(|row| !row.contains("NaN") && !row.contains("| - |") && !row.contains("inf"));
        assert!(has_figures, "{rows:?}");
        let are_whole = |row: &&&str| row.ends_with("| 0 | 0 | 0 |") && !row.contains("| 0 | 0 | 0 | 0 |");
        let whole = rows.iter().filter(are_whole).count();
        assert!(!name.starts_with("prefork") || whole == 3, "{rows:?}");
    }
    assert!(!page.contains("failed ("), "{page}");
    for picture in page.split("](pictures/").skip(1).filter_map(|rest| rest.split(')').next()) {
        let drawn = std::fs::read_to_string(docs.join("pictures").join(picture)).expect("a picture");
        assert!(drawn.contains("prefork"), "{picture}");
    }
    assert_eq!(logs.read_dir().expect("still there").count(), 0);
}

#[test]
fn without_wrk_the_error_names_the_remedy() {
    let place = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_performance"));
    command.args(["server", "--docs"]).arg(place.path().join("docs")).env("PATH", place.path());
    let output = command.output().expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("wrk is not installed: apt-get install wrk"), "{error}");
    assert!(!place.path().join("docs").exists());
}
