//! The example `settings`, with files as administrators write them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use super::{example, text};
use crate::common::{names, says};

/// The configuration with these lines in its section `log`.
fn configuration(directory: &Path, log: &str) -> String {
    format!("name = \"Anna\"\ndirectory = {:?}\n\n[log]\n{log}\n", directory.join("logs"))
}

/// Runs the example with this configuration and these variables.
fn run(directory: &Path, configuration: &str, variables: &[(&str, &str)]) -> Output {
    let file = directory.join("service.toml");
    fs::write(&file, configuration).expect("written");
    example("settings").arg(file).envs(variables.iter().copied()).output().expect("runs")
}

/// Runs the example, which must refuse the configuration. Returns its message.
fn refused(configuration: impl Fn(&Path) -> String, variables: &[(&str, &str)], status: i32) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let output = run(directory.path(), &configuration(directory.path()), variables);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{message}");
    assert_eq!(names(directory.path()), ["service.toml"], "no file is made: {message}");
    message
}

#[test]
fn the_options_of_the_file_make_the_log_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = "rotation = 'monthly'\nfilename_prefix = 'service'\nfilename_suffix = 'log'\nfile_mode = '640'";
    for _ in 0..2 {
        let output = run(directory.path(), &configuration(directory.path(), log), &[]);
        assert!(output.status.success(), "{output:?}");
        let path = String::from_utf8(output.stdout).expect("UTF-8");
        let mode = fs::metadata(path.trim_end()).expect("the file that it names").permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
    }
    let logs = directory.path().join("logs");
    let dates: Vec<_> = names(&logs).iter().map(|name| name.split('.').nth(1).expect("a date").len()).collect();
    assert!(dates.iter().all(|length| *length == "2026-11".len()), "{:?}", names(&logs));
    let text = text(&logs, "service.", ".log");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.ends_with(r#"  INFO settings: hello name="Anna""#)), "{text}");

    // A variable overrules the file.
    let variables = [("SERVICE_LOG_FILENAME_PREFIX", "other")];
    assert!(run(directory.path(), &configuration(directory.path(), log), &variables).status.success());
    assert_eq!(super::text(&logs, "other.", ".log").lines().count(), 1);
}

#[test]
fn a_wrong_key_ends_with_2_and_is_named() {
    let log = |log: &'static str| move |directory: &Path| configuration(directory, log);
    let message = refused(log("max_log_file = 14"), &[], 2);
    says(&message, &["service.toml", "`max_log_file`", "expected one of", "`max_log_files`"]);
    let message = refused(|directory| format!("directry = 'x'\n{}", configuration(directory, "")), &[], 2);
    says(&message, &["service.toml", "line 1", "`directry`", "expected", "`directory`"]);
}

#[test]
fn a_wrong_value_ends_with_2_and_its_key_is_named() {
    let log = |log: &'static str| move |directory: &Path| configuration(directory, log);
    says(&refused(log("max_age = 30"), &[], 2), &["service.toml", "max_age 30: a number has no unit"]);
    says(&refused(log("file_mode = 640"), &[], 2), &["file_mode 640", "octal"]);
    says(&refused(log("tag = 'a'"), &[], 2), &["service.toml", "tag"]);
    let message = refused(log(""), &[("SERVICE_LOG_MAX_AGE", "never")], 2);
    says(&message, &["SERVICE_LOG_MAX_AGE", "max_age", "never"]);
    let message = refused(|directory| format!("levels = 'loud=loud'\n{}", configuration(directory, "")), &[], 2);
    says(&message, &["service.toml", "levels"]);
}

#[test]
fn a_directory_that_cannot_be_made_ends_with_1() {
    let below_a_file = |directory: &Path| configuration(&directory.join("service.toml"), "filename_prefix = 'a'");
    says(&refused(below_a_file, &[], 1), &["log: ", "service.toml/logs"]);
}
