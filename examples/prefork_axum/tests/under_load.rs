//! The server under load, with rollovers, a worker that is told to end, and Ctrl-C.

use server_tests::{End, Example};

#[test]
fn each_answered_request_is_logged_once_though_a_worker_ends() {
    let example = Example {
        name: env!("CARGO_PKG_NAME"),
        program: env!("CARGO_BIN_EXE_prefork_axum"),
        process: "worker",
        processes: 4,
        end: End::Asked,
        json_and_console: false,
    };
    example.serves_under_load();
}
