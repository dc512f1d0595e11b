//! `docs/prefork-log.md`: each command on the page runs. So do those of the README and of the other pages; those of
//! `docs/troubleshooting.md` in `troubleshooting.rs`.
//!
//! * A block `sh` is run by `sh -eu` in a directory of its own, with the program in `PATH`.
//! * A block `console` has commands behind `$ `, and after each command what it prints.
//! * Blocks of other languages are run by the test that [`ELSEWHERE`] names.

use crate::common::{PROGRAM, text};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The languages whose blocks other tests run, and where.
const ELSEWHERE: [(&str, &str); 2] = [("apache", "apache.rs"), ("ini", "systemd.rs")];

pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) code: String,
}

/// The blocks of code on the page.
pub(crate) fn blocks() -> Vec<Block> {
    blocks_of("docs/prefork-log.md")
}

pub(crate) fn blocks_of(page: &str) -> Vec<Block> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    let page = fs::read_to_string(page).expect("readable");
    let (mut blocks, mut open) = (Vec::new(), None::<(usize, Block)>);
    for line in page.lines() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some((indent, Block { language: language.to_owned(), code: String::new() }));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block)),
            // A block of a list stands further to the right.
            (None, Some((outer, block))) => block.code += &format!("{}\n", line.get(*outer..).unwrap_or_default()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// Runs commands in a directory, with the program in `PATH`.
pub(crate) fn run(commands: &str, directory: &Path) -> Output {
    let program = PathBuf::from(PROGRAM);
    let mut path = program.parent().expect("a directory").as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-euc", commands]).current_dir(directory).env("PATH", path);
    shell.output().expect("it starts")
}

#[test]
fn each_command_on_the_page_runs() {
    let mut run_here = 0;
    for Block { language, code } in blocks() {
        let directory = tempfile::tempdir().expect("a directory");
        let commands = match language.as_str() {
            "sh" => vec![(code.clone(), None)],
            "console" => code
                .split("$ ")
                .skip(1)
                .map(|command| command.split_once('\n').expect("a command"))
                .map(|(command, printed)| (command.to_owned(), Some(printed.to_owned())))
                .collect(),
            other => {
                let file = ELSEWHERE.iter().find(|(language, _)| *language == other).expect(other).1;
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(file).exists());
                continue;
            }
        };
        for (command, printed) in commands {
            let ended = run(&command, directory.path());
            let (stdout, stderr) = (text(ended.stdout), text(ended.stderr));
            assert!(ended.status.success() && stderr.is_empty(), "{command}\n{stderr}");
            assert!(printed.is_none_or(|printed| printed.trim_end() == stdout.trim_end()), "{command}\n{stdout}");
            run_here += 1;
        }
    }
    assert!(run_here >= 8, "{run_here} commands");
}

/// The commands with `prefork-log` in the shell blocks of a page, with directories of the test in the place of theirs.
fn commands_of(page: &str, directory: &Path) -> Vec<String> {
    let blocks = blocks_of(page).into_iter().filter(|block| block.language == "sh");
    let here = |code: String| {
        let (run, logs) = (directory.join("run"), directory.join("logs"));
        let code = code.replace("/run/app", run.to_str().expect("UTF-8"));
        code.replace("/var/log/app", logs.to_str().expect("UTF-8")).replace("program |", "echo a line |")
    };
    blocks.map(|block| here(block.code)).filter(|code| !code.starts_with("cargo run ")).collect()
}

#[test]
fn the_commands_of_the_readme_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let commands = commands_of("README.md", directory.path());
    assert_eq!(commands.len(), 1);
    let ended = run(&commands[0], directory.path());
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", text(ended.stderr));
    let printed = text(ended.stdout);
    assert!(printed.contains("a line") && printed.contains("app."), "{printed}");
}

#[test]
fn the_commands_of_the_guide_and_of_the_socket_run() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("run")).expect("made");
    let [serve] = &commands_of("docs/guide.md", directory.path())[..] else { panic!("another command on the page") };
    let [send] = &commands_of("docs/socket.md", directory.path())[..] else { panic!("another command on the page") };
    // The group is one of this process, and the receiver listens for lines, too.
    let serve = serve.trim_end().replace("--socket-group app", "--socket-group $(id -g)");
    let serve = serve.replace("prefork-log serve", "prefork-log serve --stream-socket run/lines.sock");
    let has_nc = Command::new("sh").args(["-c", "nc -h 2>&1 | grep -q -- '-N'"]).status().expect("it starts").success();
    if !has_nc {
        writeln!(io::stderr(), "SKIPPED: a netcat that has -U and -N is missing").expect("told");
    }
    let send = if has_nc { send.trim_end() } else { "true" };
    let script = format!(
        "{serve} & until test -S run/log.sock && test -S run/lines.sock; do sleep 0.05; done; {send}; kill $!; wait $!"
    );
    let ended = run(&script, directory.path());
    assert!(ended.status.success(), "{}", text(ended.stderr));
    let files = fs::read_dir(directory.path().join("logs")).expect("the log directory");
    let names =
        files.map(|file| file.expect("readable").path()).filter(|path| path.extension() == Some("log".as_ref()));
    let lines: String = names.map(|path| fs::read_to_string(path).expect("readable")).collect();
    assert_eq!(lines, if has_nc { "a line\n" } else { "" });
}

#[test]
fn the_commands_for_those_who_have_logrotate_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let logs = directory.path().join("logs");
    let commands = commands_of("docs/migrating-from-logrotate.md", directory.path());
    let [pipe, remove] = &commands[..] else { panic!("another command on the page") };
    fs::create_dir(&logs).expect("made");
    let old = logs.join("app.log-20010909");
    let written = fs::File::create(&old).expect("made");
    written.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).expect("set");
    for commands in [pipe, remove] {
        let ended = run(commands, directory.path());
        assert!(ended.status.success() && ended.stderr.is_empty(), "{commands}: {}", text(ended.stderr));
    }
    let left = fs::read_dir(logs).expect("listed").map(|file| file.expect("readable").file_name());
    let left: Vec<_> = left.filter_map(|name| name.into_string().ok()).filter(|name| !name.starts_with('.')).collect();
    assert!(left.len() == 1 && left[0].starts_with("app.2"), "{left:?}");
}
