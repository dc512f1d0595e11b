//! Processes stopped by SIGSTOP across two boundaries, while others go on.

use crate::program::play;

#[test]
fn a_process_that_was_stopped_goes_on_in_the_right_file() {
    play(&["paused"]).is_right(7, 20, 100_000);
}

#[test]
fn a_process_with_several_threads_that_was_stopped_goes_on_in_the_right_file() {
    let run = play(&["paused-threads"]);
    run.is_right(7, 20, 100_000);
    assert_eq!(run.count("threads"), 25);
}

#[test]
fn the_file_of_a_process_that_was_stopped_is_not_removed_while_it_may_write_there() {
    play(&["paused-pruned"]).is_right(7, 20, 100_000);
}
