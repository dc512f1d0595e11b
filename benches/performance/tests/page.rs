//! The page is written, with a row for each logger, and every event of ours is in the files.

use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What no test of the pages accepts: long lines, wide tables.
fn expect_no_hand_is_needed(page: &str) {
    let is_row = |line: &str| line.starts_with('|');
    let long: Vec<_> = page.lines().filter(|line| !is_row(line) && line.chars().count() > 120).collect();
    assert!(long.is_empty(), "{long:#?}");
    let wide: Vec<_> = page.lines().filter(|line| is_row(line) && line.matches('|').count() > 7).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

/// The points of "In short", each as one line.
fn in_short(page: &str) -> Vec<String> {
    let section = page.split("\n## In short\n\n* ").nth(1).and_then(|rest| rest.split("\n\n").next());
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    section.expect("the section").split("\n* ").map(joined).collect()
}

#[test]
fn the_page_has_each_logger_and_its_pictures() {
    let place = tempfile::tempdir().expect("a directory");
    let (docs, logs, readme) = (place.path().join("docs"), place.path().join("logs"), place.path().join("README.md"));
    fs::create_dir(&logs).expect("a directory");
    fs::copy(Path::new(ROOT).join("README.md"), &readme).expect("a copy");
    let mut command = Command::new(env!("CARGO_BIN_EXE_performance"));
    command.args(["page", "--rounds=1", "--events=640", "--seconds=1", "--busy-bytes=100000"]);
    command.arg("--docs").arg(&docs).arg("--directory").arg(&logs).arg("--readme").arg(&readme);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(docs.join("performance.md")).expect("the page");
    let list = Command::new(env!("CARGO_BIN_EXE_performance")).arg("list").output().expect("the program starts");
    let list = String::from_utf8(list.stdout).expect("UTF-8");
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        assert!(page.matches(&format!("| `{name}` |")).count() >= 3, "{name} in {page}");
        assert!(
            !name.starts_with("prefork") || page.contains(&format!("| `{name}` | 0 | 0 | 0 |")),
            "{name} in {page}"
        );
    }
    assert!(!page.contains("` lost ") || !page.lines().any(|line| line.starts_with("* `prefork")), "{page}");
    for picture in page.split("](pictures/").skip(1).filter_map(|rest| rest.split(')').next()) {
        let drawn = fs::read_to_string(docs.join("pictures").join(picture)).expect("a picture");
        assert!(drawn.contains("prefork"), "{picture}");
    }
    assert_eq!(logs.read_dir().expect("still there").count(), 0);

    let readme = fs::read_to_string(readme).expect("the README");
    assert!(!page.contains("registry") && !page.contains("/tmp"), "{page}");
    expect_no_hand_is_needed(&page);
    expect_no_hand_is_needed(&readme);
    let words = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let points = in_short(&page);
    assert_eq!(points.len(), 2, "{page}");
    for point in points {
        assert!(words.contains(&point), "{point} in {readme}");
    }
    assert_only_those_lines_differ(&readme);
}

/// Nothing but the two sentences is written anew.
fn assert_only_those_lines_differ(readme: &str) {
    let before = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("the README");
    let before: Vec<_> = before.lines().collect();
    let new: Vec<_> = readme.lines().filter(|line| !before.contains(line)).collect();
    assert!(new.len() <= 8, "{new:#?}");
}
