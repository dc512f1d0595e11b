//! The options of the command line and of the file of settings.

use crate::common::{ends, files, pipe, succeeds, text};
use std::os::unix::fs::PermissionsExt;

#[test]
fn settings_come_from_a_file_and_the_command_line_comes_first() {
    for (name, settings) in [
        ("app.settings.toml", "filename_prefix = 'other'\nfilename_suffix = 'log'\nfile_mode = '600'\n"),
        ("app.settings.yaml", "filename_prefix: other\nfilename_suffix: log\nfile_mode: '600'\n"),
        ("app.settings.json", r#"{"filename_prefix": "other", "filename_suffix": "log", "file_mode": "600"}"#),
    ] {
        let logs = tempfile::tempdir().expect("a directory");
        let path = logs.path().join(name);
        std::fs::write(&path, settings).expect("written");
        let path = path.to_str().expect("UTF-8");
        succeeds(pipe(&logs.path().join("logs"), &["--settings", path, "--prefix", "app"]), b"one\n");
        let file = logs.path().join("logs/app.log");
        assert_eq!(std::fs::read_to_string(&file).expect("the file"), "one\n");
        assert_eq!(file.metadata().expect("the file").permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn wrong_settings_are_named() {
    let logs = tempfile::tempdir().expect("a directory");
    for (name, settings, error) in [
        ("a.toml", "max_age = 30", "max_age 30: a number has no unit"),
        ("a.yaml", "max_logs: 3", "unknown field `max_logs`"),
        ("a.json", r#"{"file_mode": 640}"#, "file_mode 640: some formats read a number as decimal"),
        ("a.ini", "", "the name must end in .toml, .yaml, .yml or .json"),
    ] {
        let path = logs.path().join(name);
        std::fs::write(&path, settings).expect("written");
        let path = path.to_str().expect("UTF-8");
        let ended = ends(pipe(&logs.path().join("logs"), &["--settings", path]), b"one\n");
        let told = text(ended.stderr);
        assert_eq!(ended.status.code(), Some(2));
        assert!(told.starts_with(&format!("prefork-log: settings {path}: ")) && told.contains(error), "{told}");
    }
    let ended = ends(pipe(logs.path(), &["--settings", "/nowhere.toml"]), b"");
    assert_eq!(text(ended.stderr), "prefork-log: settings /nowhere.toml: No such file or directory (os error 2)\n");
    assert!(!logs.path().join("logs").exists());
}

#[test]
fn wrong_options_are_named() {
    let logs = tempfile::tempdir().expect("a directory");
    for (options, error) in [
        (&["--max-age", "30"][..], "'30' for '--max-age <AGE>': a number has no unit; write \"30 days\""),
        (&["--rotate", "dayly"], "'dayly' for '--rotate <ROTATION>': expected one such as `daily`"),
        (&["--zone", "Nowhere/Else"], "prefork-log: zone \"Nowhere/Else\": "),
        (&["--keep", "0"], "prefork-log: max_log_files(0): "),
        (&["--keep", "2", "--min-log-files", "3"], "prefork-log: min_log_files(3) above max_log_files(2)"),
        (&["--suffix", ".log"], "prefork-log: filename_suffix \".log\": "),
        (&["--when-full", "think"], "[possible values: wait, drop, exit]"),
        (&["--max-line", "much"], "expected a size such as"),
        (&["--max-line", "10 kB"], "prefork-log: --max-line \"10 kB\": give 256 KiB at least"),
    ] {
        let ended = ends(pipe(logs.path(), options), b"one\n");
        let told = text(ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{told}");
        assert!(told.contains(error), "{error}\n{told}");
    }
    assert_eq!(files(logs.path()).len(), 0);
}

#[test]
fn a_directory_that_cannot_be_made_ends_with_one() {
    let ended = ends(pipe("/dev/null/logs".as_ref(), &["--prefix", "app"]), b"one\n");
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(ended.stderr).starts_with("prefork-log: cannot create the log directory /dev/null/logs: "));
}

#[test]
fn files_are_made_and_kept_as_the_options_say() {
    let logs = tempfile::tempdir().expect("a directory");
    let options = ["--prefix", "app", "--suffix", "log", "--rotate", "secondly", "--date-format", "%Y%m%d%H%M%S"];
    let more = ["--keep", "3", "--max-file-bytes", "100 kB", "--latest-symlink", "latest", "--compress", "gzip"];
    let input = "x".repeat(99) + "\n";
    succeeds(pipe(logs.path(), &[&options[..], &more[..]].concat()), input.repeat(5000).as_bytes());
    let link = logs.path().join("latest").read_link().expect("a link");
    assert!(link.to_str().is_some_and(|name| name.starts_with("app.") && name.ends_with(".log")), "{link:?}");
}
