//! What `max_log_files` leaves, and what it must not touch.

use crate::program::play;

#[test]
fn the_newest_files_are_left_without_a_gap() {
    let run = play(&["pruned"]);
    run.is_right(33, 20, 100_000);
    assert_eq!(run.count("files"), 5);
    assert!(run.count("pruned") > 20_000, "{run:?}");
    // Not only in the end: files that are still held stay a few seconds longer.
    assert!(run.count("most_files") < 20, "{run:?}");
}

#[test]
fn foreign_files_survive() {
    let run = play(&["foreign-files"]);
    run.is_right(5, 20, 100_000);
    assert_eq!(run.count("files"), 2);
}

#[test]
fn foreign_files_survive_where_names_have_no_suffix() {
    let run = play(&["foreign-files-daily"]);
    run.is_right(5, 20, 1000);
    assert_eq!(run.count("files"), 2);
}
