//! Many processes write one directory, on the system's clock, a file a second.

use crate::program::play;

#[test]
fn a_million_lines_of_32_children_of_one_appender_are_all_there() {
    // With a link and a max_log_files that nothing in the run reaches.
    let run = play(&["nothing-pruned", "--processes=32", "--rollovers=21", "--lines=1000000"]);
    run.is_right(33, 20, 1_000_000);
    assert_eq!(run.count("pruned"), 0);
}

#[test]
fn children_share_the_appender_that_their_parent_built() {
    play(&["built-before-fork"]).is_right(33, 20, 100_000);
}

#[test]
fn children_that_build_their_own_appenders_agree() {
    play(&["built-after-fork"]).is_right(33, 20, 100_000);
}

#[test]
fn processes_that_execute_the_program_again_agree() {
    play(&["executed"]).is_right(33, 20, 100_000);
}

#[test]
fn processes_with_several_threads_each_agree() {
    play(&["built-before-fork", "--processes=6", "--threads=4"]).is_right(7, 20, 100_000);
}

#[test]
fn processes_that_build_at_the_same_moment_agree() {
    play(&["build-at-once"]).is_right(65, 20, 100_000);
}
