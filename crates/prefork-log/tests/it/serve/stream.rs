//! Clients in other languages.

use super::receiver::{Stage, text, wait_until};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use tracing_prefork::protocol::MAX_LINE;

#[test]
fn lines_of_a_stream_are_written_whole() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let mut stream = UnixStream::connect(stage.path("stream")).expect("connects");
    let long = "x".repeat(MAX_LINE - 1);
    for piece in ["one\ntw", "o\n", &long, "\nthe last has no newline"] {
        stream.write_all(piece.as_bytes()).expect("sent");
    }
    drop(stream);
    let expected = format!("one\ntwo\n{long}\nthe last has no newline\n");
    wait_until("the lines are there", || text(&stage.logs()).len() == expected.len());
    assert!(text(&stage.logs()) == expected);
    receiver.end();
}

#[test]
fn a_stream_is_read_to_its_end_at_sigterm() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let mut streams: Vec<_> = (0..10).map(|_| UnixStream::connect(stage.path("stream")).expect("connects")).collect();
    for stream in &mut streams {
        stream.write_all(b"a whole line\nthe beginning of another").expect("sent");
    }
    receiver.end();
    let written = text(&stage.logs());
    assert_eq!(written.lines().filter(|line| *line == "a whole line").count(), 10);
    assert_eq!(written.lines().filter(|line| *line == "the beginning of another").count(), 10);
}

/// The client of the page on the socket.
fn client_of_the_page() -> &'static str {
    let page = include_str!("../../../../../docs/socket.md");
    let code = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    code.expect("code in Python")
}

#[test]
fn a_client_in_python_is_understood() {
    let stage = Stage::new();
    let receiver = stage.receiver(&[]);
    let mut command = Command::new("python3");
    command.args(["-c", client_of_the_page()]).arg(stage.socket()).stdin(Stdio::null());
    let Ok(ended) = command.output() else {
        eprintln!("skipped: there is no python3");
        return;
    };
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let long = "x".repeat(100_000);
    assert!(text(&stage.logs()) == format!("from Python\ntwo lines\nin one\ngrößer\n{long}\n"));
    receiver.end();
}
