//! 700 children of a parent whose other threads log and roll over all the time: 500 write ten lines and leave by
//! `_exit`, 200 live on across the next three rollovers. Or 200 that live on across a change of the clocks.

use crate::program::play;

#[test]
fn forked_children_log_on() {
    play(&["busy-fork"]).is_right(701, 20, 40_000);
}

#[test]
fn daemons_log_on() {
    play(&["busy-daemon"]).is_right(701, 20, 40_000);
}

#[test]
fn raw_clones_log_on_and_never_allocate() {
    play(&["busy-clone"]).is_right(701, 20, 40_000);
}

#[test]
fn children_in_local_time_log_on_across_a_change_of_the_clocks() {
    let run = play(&["busy-local"]);
    run.is_right(201, 10, 8000);
    assert_eq!((run.count("threads"), run.count("crossed")), (204, 204), "{run:?}");
}
