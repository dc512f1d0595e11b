//! The page is written, with a row for each logger, and every event of ours is in the files.

use std::process::Command;

#[test]
fn the_page_has_each_logger_and_its_pictures() {
    let place = tempfile::tempdir().expect("a directory");
    let (docs, logs) = (place.path().join("docs"), place.path().join("logs"));
    std::fs::create_dir(&logs).expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_performance"));
    command
        .args(["page", "--rounds=1", "--events=640", "--seconds=1", "--docs"])
        .arg(&docs)
        .arg("--directory")
        .arg(&logs);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(docs.join("performance.md")).expect("the page");
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
    assert!(!page.contains("registry"), "{page}");
    for picture in page.split("](pictures/").skip(1).filter_map(|rest| rest.split(')').next()) {
        let drawn = std::fs::read_to_string(docs.join("pictures").join(picture)).expect("a picture");
        assert!(drawn.contains("prefork"), "{picture}");
    }
    assert_eq!(logs.read_dir().expect("still there").count(), 0);
}
