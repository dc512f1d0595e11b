//! 700 children of a parent whose other threads log and roll over all the time: 500 write ten lines
//! and leave by `_exit`, 200 live on across the next three rollovers.

mod program;

use program::play;

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
