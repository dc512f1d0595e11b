//! A clock that all processes share: exact boundaries, steps, and long periods in milliseconds.

use crate::program::play;

#[test]
fn lines_a_nanosecond_off_a_boundary_are_in_the_right_files() {
    play(&["exact-boundaries"]).is_right(9, 21, 3000);
}

#[test]
fn lines_follow_a_clock_that_steps_forth_and_back() {
    play(&["clock-steps"]).is_right(9, 80, 3000);
}

#[test]
fn hours_are_crossed_together() {
    play(&["crossing-hourly"]).is_right(9, 20, 1000);
}

#[test]
fn days_are_crossed_together() {
    play(&["crossing-daily"]).is_right(9, 20, 1000);
}

#[test]
fn weeks_are_crossed_together() {
    play(&["crossing-weekly"]).is_right(9, 20, 1000);
}

#[test]
fn months_are_crossed_together() {
    play(&["crossing-monthly"]).is_right(9, 20, 1000);
}

#[test]
fn hours_and_days_of_a_fixed_zone_are_crossed_together() {
    play(&["crossing-hourly-east"]).is_right(9, 20, 1000);
    play(&["crossing-daily-west"]).is_right(9, 20, 1000);
}

/// Nine processes in local time, a thread each, that all log before the clocks are changed and after it.
fn crosses_a_change_of_the_clocks(scenario: &str) {
    let run = play(&[scenario]);
    run.is_right(9, 20, 1000);
    assert_eq!(run.count("crossed"), 9, "{run:?}");
}

#[test]
fn the_hour_that_is_left_out_is_crossed_together() {
    crosses_a_change_of_the_clocks("crossing-dst-forth");
}

#[test]
fn the_hour_that_comes_twice_is_crossed_together() {
    crosses_a_change_of_the_clocks("crossing-dst-back");
}

#[test]
fn names_with_the_offset_give_each_pass_its_own_file() {
    crosses_a_change_of_the_clocks("crossing-dst-back-offset");
}

#[test]
fn days_of_23_and_of_25_hours_are_crossed_together() {
    crosses_a_change_of_the_clocks("crossing-dst-forth-daily");
    crosses_a_change_of_the_clocks("crossing-dst-back-daily");
}
