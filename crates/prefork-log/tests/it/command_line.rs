//! The command line: its errors, its help, its completions and its manual pages.

use crate::common::{program, text};

#[test]
fn a_command_line_that_is_wrong_ends_with_two() {
    let ended = program().arg("--no-such-option").output().expect("it starts");
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn the_help_has_examples_and_exit_codes() {
    let help = text(program().args(["pipe", "--help"]).output().expect("it starts").stdout);
    for part in ["Examples:", "--keep 14", "ErrorLog", "Exit codes:", "What is kept:", "How files are made:", "Lines:"]
    {
        assert!(help.contains(part), "{part} is in {help}");
    }
}

#[test]
fn pipe_has_each_option_of_the_library() {
    let help = text(program().args(["pipe", "--help"]).output().expect("it starts").stdout);
    // `--when-full` says what becomes of lines that have no room, and a line of standard input has no level.
    let not_of_pipe = ["when_ring_full", "flush_level"];
    for name in tracing_prefork::Settings::NAMES.iter().filter(|name| !not_of_pipe.contains(name)) {
        let option = name.replace('_', "-");
        let is_there = help.split([' ', ',', ']', '\n']).any(|word| word == format!("--{option}"));
        assert!(is_there, "--{option} is in {help}");
    }
}

#[test]
fn completions_and_pages_know_each_option() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = program().args(["completions", shell]).output().expect("it starts");
        let script = text(ended.stdout);
        assert!(ended.status.success() && script.contains("max-total-bytes"), "{shell}: {script}");
    }
    let page = text(program().arg("man").output().expect("it starts").stdout);
    assert!(page.contains(".TH prefork-log 1") && page.contains("prefork\\-log\\-pipe(1)"), "{page}");
    let directory = tempfile::tempdir().expect("a directory");
    assert!(program().arg("man").arg(directory.path()).status().expect("it starts").success());
    let page = std::fs::read_to_string(directory.path().join("prefork-log-pipe.1")).expect("a page");
    assert!(page.contains("max\\-total\\-bytes") && page.contains("Exit codes"), "{page}");
}
