//! Full disks, killed writers, files that are taken away, limits: a short version of each row of `fork-tests faults`.
//!
//! What needs a file system of its own or another user is skipped where the tests do not run as root.

use crate::program::{Played, play};

/// Nothing is wrong but what the scenario brings about.
#[track_caller]
fn survives(arguments: &[&str]) -> Option<Played> {
    let run = play(arguments);
    if run.is_skipped() {
        return None;
    }
    run.is_right(run.count("processes"), 0, 500);
    Some(run)
}

/// A disk that runs full three times costs nothing but what was refused, for short lines and for long ones.
fn a_full_disk_is_survived(scenario: &str) {
    survives(&[scenario, "--trials=3"]).inspect(|run| assert!(run.count("refused") > 20, "{run:?}"));
    survives(&[scenario, "--trials=3", "--length=5000"]);
    let locked = survives(&[scenario, "--trials=3", "--length=5000", "--lock-writes"]);
    locked.inspect(|run| assert_eq!(run.count("fragments"), 0, "{run:?}"));
}

#[test]
fn ext4_may_run_full() {
    a_full_disk_is_survived("full-ext4");
}

#[test]
fn xfs_may_run_full() {
    a_full_disk_is_survived("full-xfs");
}

#[test]
fn btrfs_may_run_full() {
    a_full_disk_is_survived("full-btrfs");
}

#[test]
fn tmpfs_may_run_full() {
    a_full_disk_is_survived("full-tmpfs");
}

#[test]
fn a_quota_may_be_used_up() {
    survives(&["full-btrfs-quota", "--trials=2"]);
}

#[test]
fn a_file_may_reach_the_largest_size_that_is_allowed() {
    // So long that files are full on a busy machine, too.
    let run = survives(&["full-files", "--rollovers=40", "--length=2000"]).expect("needs no root");
    assert!(run.count("refused") > 100, "{run:?}");
    survives(&["full-files", "--rollovers=40", "--length=5000", "--lock-writes"]);
}

#[test]
fn on_a_full_disk_the_oldest_files_go_and_no_line_is_refused() {
    if let Some(run) = survives(&["oldest-go", "--rollovers=22"]) {
        assert!(run.count("pruned") > 1000, "{run:?}");
    }
}

#[test]
fn writers_may_be_killed_in_the_middle_of_a_line() {
    let run = survives(&["killed", "--trials=200", "--length=5000", "--lock-writes"]).expect("needs no root");
    assert_eq!((run.count("killed"), run.count("glued")), (200, 0), "{run:?}");
    survives(&["killed", "--trials=200", "--length=5000", "--glued"]);
}

/// Nothing at all may be wrong.
#[track_caller]
fn survives_buffered(arguments: &[&str]) -> Option<Played> {
    survives(&[arguments, &["--buffered"]].concat())
}

const ALL_OPTIONS: [&str; 4] = ["--max-file-bytes=4194304", "--compress=zstd", "--on-finished", "--trials=8"];

#[test]
fn buffered_writers_may_be_killed_at_full_speed() {
    let run = survives_buffered(&["killed-at-full-speed", "--trials=30"]).expect("needs no root");
    assert_eq!((run.count("killed"), run.count("fragments")), (30, 0), "{run:?}");
    survives_buffered(&[&["killed-at-full-speed"], &ALL_OPTIONS[..3], &["--trials=5"]].concat());
}

#[test]
fn buffered_writers_may_be_killed_inside_their_writes() {
    // The run itself is wrong if most of the kills miss.
    if let Some(run) = survives_buffered(&["killed-in-writes", "--trials=40"]) {
        assert!(run.count("inside") >= 20 && run.count("partial") > 0, "{run:?}");
        assert_eq!(run.count("fragments"), 0, "{run:?}");
    }
    survives_buffered(&[&["killed-in-writes"], &ALL_OPTIONS[..]].concat());
}

#[test]
fn whoever_recovers_lines_may_be_killed_too() {
    if let Some(run) = survives_buffered(&["killed-recovering", "--trials=16"]) {
        assert!(run.count("recoverers") >= 8 && run.count("partial") > 0, "{run:?}");
        assert_eq!(run.count("fragments"), 0, "{run:?}");
    }
}

#[test]
fn buffered_writers_survive_what_others_do() {
    let killed = survives_buffered(&["killed", "--trials=100", "--length=5000"]).expect("needs no root");
    assert_eq!((killed.count("killed"), killed.count("glued")), (100, 0), "{killed:?}");
    survives_buffered(&["sizes", "--trials=10"]);
    survives_buffered(&["full-tmpfs", "--trials=3"]).inspect(|run| assert!(run.count("refused") > 20, "{run:?}"));
    survives_buffered(&["paused", "--rollovers=20"]);
    survives_buffered(&["crossing-dst-back", "--rollovers=20"]);
    survives_buffered(&["busy-fork", "--processes=20", "--visitors=50", "--rollovers=40", "--lines=8000"]);
}

#[test]
fn programs_may_end_while_their_threads_write_a_line() {
    let run = survives(&["ended", "--trials=100", "--lock-writes"]).expect("needs no root");
    assert_eq!((run.count("killed"), run.count("glued")), (100, 0), "{run:?}");
    survives(&["ended", "--trials=100", "--glued"]);
}

#[test]
fn writers_may_be_killed_while_they_roll_over_link_and_prune() {
    survives(&["killed-at-rollovers", "--trials=60", "--lock-writes"]);
}

#[test]
fn files_may_be_deleted() {
    let run = survives(&["deleted", "--trials=15"]).expect("needs no root");
    assert!(run.count("unnoticed") > 0, "{run:?}");
    survives(&["directory-deleted", "--trials=8"]);
}

#[test]
fn files_may_be_moved_away() {
    survives(&["moved", "--trials=15"]);
    survives(&["directory-moved", "--trials=8"]);
}

#[test]
fn a_volume_may_be_mounted_over_the_directory() {
    survives(&["mounted-over", "--trials=8"]);
}

#[test]
fn a_file_system_may_be_frozen() {
    survives(&["frozen", "--trials=3"]);
}

#[test]
fn files_may_be_cut_to_nothing() {
    survives(&["truncated", "--trials=15"]);
}

#[test]
fn a_directory_may_be_put_in_the_way() {
    survives(&["directory-in-the-way", "--trials=2"]);
}

#[test]
fn files_may_be_impossible_to_open_for_a_while() {
    for scenario in ["directory-closed", "no-descriptors", "privileges-dropped"] {
        if let Some(run) = survives(&[scenario, "--trials=1"]) {
            assert!(run.count("late") > 0, "{run:?}");
        }
    }
    survives(&["lock-closed"]);
}

#[test]
fn the_link_may_be_replaced() {
    survives(&["link-replaced", "--trials=8"]);
}

#[test]
fn signals_cost_nothing() {
    survives(&["signals", "--trials=3000"]);
}

#[test]
fn a_thousand_children_may_be_born_at_rollovers() {
    survives(&["forks-at-rollovers", "--rollovers=100"]).inspect(|run| assert_eq!(run.count("processes"), 1001));
}

#[test]
fn two_users_may_share_a_directory() {
    survives(&["two-users", "--rollovers=30"]);
}
