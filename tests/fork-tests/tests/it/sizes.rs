//! Files that are bounded, compressed and begin with a line of their own, while workers are killed and started all the
//! time.

use crate::program::{Played, play};

/// Nothing is wrong, with 16 workers of which one after the other is killed.
#[track_caller]
fn is_right(arguments: &[&str]) -> Played {
    let run = play(arguments);
    run.is_right(17, 1, 2000);
    assert_eq!(run.count("killed"), 30, "{run:?}");
    run
}

#[test]
fn no_line_is_lost_where_files_are_full() {
    let run = is_right(&["sizes"]);
    assert!(run.count("files") > 5 && run.count("largest") >= 256 << 10, "{run:?}");
}

#[test]
fn under_the_write_lock_sizes_hold_and_no_line_is_glued() {
    let run = is_right(&["sizes-locked"]);
    assert!(run.count("largest") <= 256 << 10, "{run:?}");
    assert_eq!(run.count("glued"), 0, "{run:?}");
}

#[test]
fn threads_keep_order_and_bound_while_one_opens_the_next_file() {
    for scenario in ["sizes-threads", "sizes-threads-locked"] {
        let run = play(&[scenario]);
        run.is_right(17, 1, 2000);
        assert!(run.count("files") > 50, "{run:?}");
    }
}

/// The last file is the current one, unless its second is over when the last process compresses.
fn all_but_the_current_file_are_archives(run: &Played) {
    assert!(run.count("files") - run.count("archives") <= 1, "{run:?}");
}

#[test]
fn each_file_and_each_archive_begins_with_its_header() {
    let run = is_right(&["headers"]);
    all_but_the_current_file_are_archives(&run);
    is_right(&["headers", "--compress=zstd", "--lock-writes"]);
}

#[test]
fn no_line_is_lost_where_files_are_compressed() {
    let run = is_right(&["sizes-gzip"]);
    assert!(run.count("archives") > 5 && run.count("on_disk") * 4 < run.count("bytes"), "{run:?}");
    is_right(&["sizes-gzip", "--lock-writes"]);
}

#[test]
fn files_held_by_stopped_processes_are_compressed_later() {
    let run = is_right(&["sizes-gzip-stopped"]);
    all_but_the_current_file_are_archives(&run);
}

#[test]
fn what_max_total_bytes_leaves_has_no_gap() {
    let run = is_right(&["sizes-pruned"]);
    assert!(run.count("pruned") > 0 && run.count("on_disk") <= 2 << 20, "{run:?}");
}

#[test]
fn what_max_total_bytes_leaves_of_archives_has_no_gap() {
    for scenario in ["sizes-gzip-pruned", "sizes-zstd-pruned"] {
        let run = is_right(&[scenario, "--max-total-bytes=1048576"]);
        assert!(run.count("on_disk") <= 1 << 20 && run.count("archives") > 0, "{run:?}");
    }
}
