//! Log files in directories that a `date_format` leads through, which come and go while many processes write.

use crate::program::play;

#[test]
fn files_in_a_directory_for_each_minute_are_complete() {
    let run = play(&["directories"]);
    run.is_right(33, 20, 100_000);
    assert_eq!(run.count("pruned"), 0);
}

#[test]
fn files_in_a_directory_for_each_day_are_complete() {
    play(&["crossing-directories"]).is_right(9, 20, 1000);
}

#[test]
fn directories_come_and_go_with_their_files() {
    let run = play(&["directories-pruned"]);
    run.is_right(33, 20, 100_000);
    assert_eq!(run.count("files"), 3);
    assert!(run.count("pruned") > 20_000 && run.removes_files_all_the_time(), "{run:?}");
}

#[test]
fn directories_come_and_go_each_40_ms_and_the_links_follow() {
    for keep in [2, 1] {
        let run = play(&["crossing-directories-pruned", &format!("--max-log-files={keep}")]);
        run.is_right(17, 20, 1000);
        assert_eq!(run.count("files"), keep, "{run:?}");
    }
}

#[test]
fn a_directory_stays_while_a_stopped_process_may_write_there() {
    play(&["paused-directories"]).is_right(7, 20, 100_000);
}
