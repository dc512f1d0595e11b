//! Writers that do wrong on purpose, in several processes: the checker finds each wrong line.

use crate::program::{Played, play};

/// Plays a short scenario with a simple writer instead of the library.
fn play_simple(habit: &str) -> Played {
    play(&["crossing-daily", "--rollovers=60", "--habit", habit])
}

#[test]
fn a_right_writer_in_several_processes_passes() {
    play_simple("right").is_right(9, 20, 1000);
}

#[test]
fn a_writer_in_pieces_in_several_processes_fails() {
    let run = play_simple("tears");
    // A line cut within its own number and followed by the other half of a number cut likewise goes
    // under a false name: then the true one counts as lost.
    // Now and then both halves are next to each other, behind a piece of another line.
    let (torn, lost, glued) = (run.count("torn"), run.count("lost"), run.count("glued") + run.count("fragments"));
    assert!(torn > 100 * lost && torn + lost + glued == run.count("wrong"), "{run:?}");
}

#[test]
fn writers_in_several_processes_fail_with_the_right_count() {
    for (habit, name) in [("loses", "lost"), ("duplicates", "duplicated"), ("misplaces", "misplaced")] {
        let run = play_simple(habit);
        run.is_wrong(name, run.count("wronged"));
    }
}

#[test]
fn processes_that_die_are_counted_and_their_last_lines_excused() {
    play_simple("dies").is_wrong("died", 9);
}

#[test]
fn children_that_hang_in_a_lock_are_counted() {
    let run = play(&["busy-fork", "--habit=locks", "--rollovers=3", "--processes=4", "--visitors=20"]);
    run.is_wrong("hung", run.count("hung"));
}

#[test]
fn writers_in_directories_fail_with_the_right_count() {
    for (habit, name) in [("loses", "lost"), ("duplicates", "duplicated"), ("misplaces", "misplaced")] {
        for scenario in ["crossing-directories", "crossing-dst-back-offset"] {
            let run = play(&[scenario, "--rollovers=30", "--habit", habit]);
            run.is_wrong(name, run.count("wronged"));
        }
    }
}

#[test]
fn raw_clones_that_allocate_are_found() {
    let run = play(&["busy-clone", "--habit=right", "--rollovers=3", "--processes=4", "--visitors=20"]);
    // Besides, such a child may hang: that is why.
    assert!(run.count("other") == 1 && run.count("wrong") == 1 + run.count("hung"), "{run:?}");
}

#[test]
fn lines_written_to_a_file_that_has_been_removed_are_found() {
    for scenario in ["foreign-files-daily", "crossing-directories-pruned"] {
        let run = play(&[scenario, "--habit=removes"]);
        assert!(run.count("lost") > 0 && run.says("lines went to files that had been removed"), "{run:?}");
        assert!(run.says("was removed when there were"), "{run:?}");
    }
}

#[test]
fn a_writer_that_leaves_its_fragments_as_they_are_is_found() {
    // This one is right but for that.
    let run = play(&["full-tmpfs", "--habit=right", "--trials=3"]);
    if !run.is_skipped() {
        run.is_wrong("glued", run.count("glued"));
    }
}

#[test]
fn a_writer_that_acknowledges_what_did_not_fit_is_found() {
    let run = play(&["full-files", "--habit=swallows", "--rollovers=20", "--length=2000"]);
    // So long that some lines find the file full on a busy machine, too; each of those is found.
    assert!(run.count("lost") > 0 && run.count("lost") + run.count("torn") == run.count("wronged"), "{run:?}");
    let all = run.count("lost") + run.count("torn") + run.count("glued");
    assert_eq!(run.count("wrong"), all, "{run:?}");
}

#[test]
fn a_writer_that_keeps_a_deleted_file_open_is_found() {
    let run = play(&["deleted", "--habit=keeps", "--trials=3"]);
    run.is_wrong("lost", run.count("lost"));
}

#[test]
fn a_writer_that_keeps_a_file_open_that_was_moved_away_is_found() {
    let run = play(&["moved", "--habit=keeps", "--trials=3"]);
    run.is_wrong("overdue", run.count("overdue"));
}

#[test]
fn writers_that_bound_compress_or_head_no_files_fail() {
    let run = play(&["sizes", "--habit=right", "--rollovers=1", "--trials=3"]);
    assert!(run.says("bytes, at most") && run.count("wrong") == run.count("other"), "{run:?}");
    let run = play(&["headers", "--habit=right", "--rollovers=1", "--trials=3"]);
    assert!(run.says("does not begin with its first line") && run.says("is not compressed"), "{run:?}");
    let run = play(&["sizes-pruned", "--habit=right", "--rollovers=1", "--trials=3"]);
    assert!(run.says("more than 2097152 together"), "{run:?}");
    let run = play(&["sizes", "--habit=loses", "--rollovers=5", "--trials=3", "--max-file-bytes=1000000000"]);
    assert!(run.count("lost") > 0 && run.count("lost") == run.count("wrong"), "{run:?}");
}

#[test]
fn a_run_of_tracing_appender_fails_where_that_loses_lines() {
    let run = play(&["deleted", "--peer", "--trials=1"]);
    run.is_wrong("lost", run.count("lost"));
}
