//! Processes stopped by SIGSTOP across two boundaries, while others go on.

use crate::program::play;

#[test]
fn a_process_that_was_stopped_goes_on_in_the_right_file() {
    play(&["paused"]).is_right(7, 20, 100_000);
}

#[test]
fn threads_of_a_stopped_process_go_on_in_the_right_file() {
    let run = play(&["paused-threads"]);
    run.is_right(7, 20, 100_000);
    assert_eq!(run.count("threads"), 25);
}

#[test]
fn a_file_stays_while_a_stopped_process_may_write_to_it() {
    play(&["paused-pruned"]).is_right(7, 20, 100_000);
}
