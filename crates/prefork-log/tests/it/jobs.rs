//! `prefork-log prune`, `compress` and `hand-over`.

use crate::files::{daily, names, printed, refused, write_days};
use std::fs;
use std::io::Write;

#[test]
fn prune_removes_what_a_dry_run_has_named() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 5, |builder| builder);
    let paths = |days: &[u32]| -> String {
        days.iter().map(|day| format!("{}/app.2026-11-{day}.log\n", directory.path().display())).collect()
    };
    assert_eq!(printed(&["prune", "--keep", "2", "--dry-run"], directory.path()), paths(&[21, 22, 23]));
    assert_eq!(names(directory.path()).len(), 5, "a dry run changes nothing");
    assert_eq!(printed(&["prune", "--keep", "2"], directory.path()), "app.DATE.log: 3 files removed\n");
    assert_eq!(names(directory.path()), ["app.2026-11-24.log", "app.2026-11-25.log"]);
    // A file that somebody has open stays.
    let logs = daily(3).build(directory.path()).expect("builds");
    writeln!(&logs, "held").expect("written");
    assert_eq!(printed(&["prune", "--max-total-bytes", "1 B", "--dry-run"], directory.path()), paths(&[25]));
    assert_eq!(printed(&["prune", "--max-total-bytes", "1 B"], directory.path()), "app.DATE.log: 1 file removed\n");
    assert_eq!(names(directory.path()), ["app.2026-11-24.log"]);
}

#[test]
fn prune_without_a_limit_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 2, |builder| builder);
    let (code, error) = refused(&["prune"], directory.path());
    assert_eq!(code, Some(2));
    assert!(error.contains("give --keep, --max-age or --max-total-bytes"), "{error}");
    let (code, error) = refused(&["prune", "--max-age", "30"], directory.path());
    assert_eq!(code, Some(2));
    assert!(error.contains("a number has no unit"), "{error}");
    assert_eq!(names(directory.path()).len(), 2);
}

#[test]
fn files_of_tags_of_the_past_go_too() {
    let directory = tempfile::tempdir().expect("a directory");
    for pid in 100..120 {
        write_days(directory.path(), 1, |builder| builder.tag(pid.to_string()));
    }
    write_days(directory.path(), 2, |builder| builder.tag("new"));
    let named = &["prune", "--prefix", "app", "--suffix", "log", "--rotate", "daily", "--keep", "1"];
    assert!(printed(named, directory.path()).ends_with("app.TAG.DATE.log: 21 files removed\n"));
    assert_eq!(names(directory.path()), ["app.new.2026-11-22.log"]);
}

#[test]
fn compress_makes_archives_of_what_a_dry_run_has_named() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 3, |builder| builder);
    let dry = printed(&["compress", "--keep-uncompressed", "1", "--dry-run"], directory.path());
    assert_eq!(dry.lines().count(), 2);
    assert_eq!(names(directory.path()).len(), 3);
    let done = printed(&["compress", "--keep-uncompressed", "1"], directory.path());
    assert_eq!(done, "app.DATE.log: 2 files compressed\n");
    assert_eq!(names(directory.path()), ["app.2026-11-21.log.gz", "app.2026-11-22.log.gz", "app.2026-11-23.log"]);
    let done = printed(&["compress", "--with", "zstd"], directory.path());
    assert_eq!(done, "app.DATE.log: 1 file compressed\n");
    assert_eq!(names(directory.path())[2], "app.2026-11-23.log.zst");
    let (code, error) = refused(&["compress", "--with", "bzip2"], directory.path());
    assert_eq!(code, Some(2));
    assert!(error.contains("bzip2"), "{error}");
}

#[test]
fn the_command_of_hand_over_runs_once_for_each_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let bucket = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 3, |builder| builder);
    let target = bucket.path().to_str().expect("UTF-8");
    let dry = printed(&["hand-over", "--dry-run", "--", "false"], directory.path());
    assert_eq!(dry.lines().count(), 3);
    // A command that fails is tried again.
    let (code, error) = refused(&["hand-over", "--", "false"], directory.path());
    assert_eq!(code, Some(1));
    assert!(error.contains("false: exit status: 1"), "{error}");
    let (_, error) = refused(&["hand-over", "--", "no-such-program"], directory.path());
    assert!(error.contains("no-such-program cannot be run"), "{error}");
    let done = printed(&["hand-over", "--", "cp", "{}", target], directory.path());
    assert_eq!(done, "app.DATE.log: 3 files handed over\n");
    assert_eq!(names(bucket.path()), names(directory.path()));
    let again = printed(&["hand-over", "--", "false"], directory.path());
    assert_eq!(again, "app.DATE.log: 0 files handed over\n");
    let table = printed(&["ls"], directory.path());
    assert_eq!(table.matches("handed over").count(), 3, "{table}");
}

#[test]
fn the_path_is_the_last_argument_and_the_command_may_remove_it() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 2, |builder| builder);
    assert_eq!(printed(&["hand-over", "--", "rm", "--"], directory.path()), "app.DATE.log: 2 files handed over\n");
    assert_eq!(names(directory.path()), Vec::<String>::new());
}

#[test]
fn files_that_wait_for_the_hook_of_a_program_are_not_pruned() {
    let directory = tempfile::tempdir().expect("a directory");
    write_days(directory.path(), 4, |builder| builder.try_on_finished(|_, _| Err("the bucket is down")));
    let waiting = names(directory.path());
    let done = printed(&["prune", "--keep", "1"], directory.path());
    assert_eq!(done, "app.DATE.log: 0 files removed\n");
    assert_eq!(names(directory.path()), waiting);
    printed(&["hand-over", "--", "true"], directory.path());
    assert_eq!(printed(&["prune", "--keep", "1"], directory.path()), "app.DATE.log: 3 files removed\n");
    fs::write(directory.path().join("app.2026-11-20.log"), "a late one, not handed over\n").expect("written");
    assert_eq!(printed(&["prune", "--keep", "1"], directory.path()), "app.DATE.log: 0 files removed\n");
}
