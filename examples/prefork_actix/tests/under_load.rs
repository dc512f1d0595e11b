//! The server under load, with rollovers, a process that is killed, and Ctrl-C.

use server_tests::{End, Example};

/// Two processes with two threads each, which is the default.
const EXAMPLE: Example = Example {
    name: env!("CARGO_PKG_NAME"),
    program: env!("CARGO_BIN_EXE_prefork_actix"),
    process: "process",
    processes: 2,
    end: End::Killed,
    json_and_console: true,
};

#[test]
fn each_answered_request_is_logged_once_though_a_process_dies() {
    EXAMPLE.serves_under_load();
}

#[test]
fn a_console_that_is_no_terminal_has_no_colours() {
    EXAMPLE.has_no_colours_without_a_terminal();
}
