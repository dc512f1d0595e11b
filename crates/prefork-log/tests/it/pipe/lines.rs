//! What becomes of lines.

use crate::common::{all_lines, ends, files, pipe, succeeds, text};
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

const APP: [&str; 2] = ["--prefix", "app.log"];

#[test]
fn lines_are_in_the_file_and_the_last_one_has_a_newline() {
    let logs = tempfile::tempdir().expect("a directory");
    succeeds(pipe(logs.path(), &APP), b"one\n\ntwo\nlast");
    succeeds(pipe(logs.path(), &APP), b"next\n");
    succeeds(pipe(logs.path(), &APP), b"");
    assert_eq!(files(logs.path())["app.log"], "one\n\ntwo\nlast\nnext\n");
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let logs = tempfile::tempdir().expect("a directory");
    let bytes: Vec<u8> = (0..=255).rev().collect();
    succeeds(pipe(logs.path(), &APP), &bytes);
    let mut expected = bytes;
    expected.push(b'\n');
    assert_eq!(std::fs::read(logs.path().join("app.log")).expect("readable"), expected);
}

#[test]
fn tee_writes_the_same_lines_to_standard_output() {
    let logs = tempfile::tempdir().expect("a directory");
    let ended = succeeds(pipe(logs.path(), &["--prefix", "app.log", "--tee", "--stamp"]), b"one\ntwo\nlast");
    let written = files(logs.path()).remove("app.log").expect("the file");
    assert_eq!(text(ended.stdout), written);
    let stamped = |line: &str| line.as_bytes()[10] == b'T' && line.as_bytes()[26] == b'Z';
    assert!(written.lines().count() == 3 && written.lines().all(stamped), "{written}");
    assert!(written.ends_with("Z last\n"), "{written}");
}

#[test]
fn lines_go_on_into_the_files_when_nobody_reads_tee() {
    let logs = tempfile::tempdir().expect("a directory");
    let mut command = pipe(logs.path(), &["--prefix", "app.log", "--tee"]);
    let (reader, writer) = UnixStream::pair().expect("a socket");
    drop(reader);
    command.stdout(Stdio::from(std::os::fd::OwnedFd::from(writer)));
    let ended = ends(command, b"one\ntwo\n");
    assert!(ended.status.success());
    assert!(text(ended.stderr).contains("standard output: "));
    assert_eq!(all_lines(logs.path()), ["one", "two"]);
}

#[test]
fn a_line_longer_than_a_pipe_stays_whole() {
    let logs = tempfile::tempdir().expect("a directory");
    let long = "x".repeat(3 << 20);
    let input = format!("before\n{long}\nafter\n");
    succeeds(pipe(logs.path(), &["--prefix", "app.log", "--max-file-bytes", "1 MiB"]), input.as_bytes());
    let lines = all_lines(logs.path());
    assert_eq!(lines.len(), 3);
    assert!(lines.contains(&long), "{:?}", files(logs.path()).keys());
}

#[test]
fn what_is_beyond_the_longest_line_is_left_out_and_told() {
    let logs = tempfile::tempdir().expect("a directory");
    let command = pipe(logs.path(), &["--prefix", "app.log", "--max-line", "1 MiB"]);
    let (kept, more) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 7));
    let ended = ends(command, format!("{kept}\n{kept}{more}\nnext\n").as_bytes());
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(text(ended.stderr), "prefork-log: 1 lines were longer than 1048576 bytes\n");
    let written = all_lines(logs.path());
    assert_eq!(written.iter().map(String::len).collect::<Vec<_>>(), [1 << 20, (1 << 20) + 25, 4]);
    assert!(written[1].ends_with("x [1048583 bytes left out]"));
}

#[test]
fn standard_input_may_be_a_file_or_a_socket() {
    let logs = tempfile::tempdir().expect("a directory");
    let input = logs.path().join("input");
    std::fs::write(&input, "from a file\n").expect("written");
    let mut command = pipe(logs.path(), &APP);
    command.stdin(File::open(&input).expect("readable"));
    assert!(command.status().expect("it starts").success());
    let mut command = pipe(logs.path(), &APP);
    let (mut writer, reader) = UnixStream::pair().expect("a socket");
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(reader)));
    let mut child = command.spawn().expect("it starts");
    drop(command);
    writer.write_all(b"from a socket").expect("written");
    drop(writer);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(all_lines(logs.path()), ["from a file", "from a socket"]);
}
