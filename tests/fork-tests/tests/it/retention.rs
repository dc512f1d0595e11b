//! What `max_log_files` leaves, and what it must not touch.

use crate::program::play;

#[test]
fn the_newest_files_are_left_without_a_gap() {
    let run = play(&["pruned"]);
    run.is_right(33, 20, 100_000);
    assert_eq!(run.count("files"), 5);
    assert!(run.count("pruned") > 20_000, "{run:?}");
    assert!(run.removes_files_all_the_time(), "{run:?}");
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

#[test]
fn a_limit_of_the_command_line_leaves_that_many_files() {
    let run =
        play(&["nothing-pruned", "--max-log-files=2", "--no-link", "--processes=8", "--rollovers=5", "--lines=50000"]);
    run.is_right(9, 5, 50_000);
    assert_eq!(run.count("files"), 2);
    assert!(run.count("pruned") > 10_000, "{run:?}");
}
