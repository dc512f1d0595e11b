//! Each command that a page names can be typed: its package, its test program, its example, its script and its fuzz
//! target are there, and `fork-tests` knows the scenario and the options. That the commands do what the page says is
//! for other tests: `page.rs` and `troubleshooting.rs` of `prefork-log` run those with `prefork-log`.

use crate::pages::{pages, root};
use crate::program::fork_tests;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Subcommands of cargo, and of what `cargo install` adds.
const SUBCOMMANDS: [&str; 9] = ["bench", "build", "fuzz", "install", "package", "publish", "run", "test", "tree"];

/// What stands in a page's blocks `sh`, a command a line, and between backticks in its text.
fn commands(page: &str) -> Vec<String> {
    let (mut found, mut language, mut text) = (Vec::new(), None::<String>, String::new());
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), &language) {
            (Some(begun), None) => language = Some(begun.to_owned()),
            (Some(_), Some(_)) => language = None,
            (None, Some(language)) if language == "sh" => found.push(line.to_owned()),
            (None, Some(_)) => {}
            // A paragraph, a row of a table.
            (None, None) => {
                text += &if line.starts_with('|') { format!("\n\n{line}\n\n") } else { format!("{line}\n") }
            }
        }
    }
    for paragraph in text.split("\n\n") {
        found.extend(paragraph.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " ")));
    }
    found.iter().map(|command| command.split(" #").next().unwrap_or_default().trim().to_owned()).collect()
}

/// The packages of this workspace: their names, and where they are.
fn packages() -> BTreeMap<String, PathBuf> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("readable");
    let members = manifest.split_once("members = [").expect("members").1.split_once(']').expect("their end").0;
    let folders = members.split('"').skip(1).step_by(2).map(|member| root().join(member));
    let name = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"').map(str::to_owned))
    };
    folders.map(|folder| (name(&folder).expect("a name"), folder)).collect()
}

/// The words behind each `option`.
fn values<'a>(words: &'a [&str], option: &str) -> Vec<&'a str> {
    words.windows(2).filter(|pair| pair[0] == option).map(|pair| pair[1]).collect()
}

/// A word that stands for others, such as `SCENARIO`.
fn is_placeholder(word: &str) -> bool {
    word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
}

/// What is wrong with the words behind `cargo`.
fn wrong_with_cargo(words: &[&str], packages: &BTreeMap<String, PathBuf>) -> Option<String> {
    let words = words.strip_prefix(&["+nightly"]).unwrap_or(words);
    let (words, behind) = match words.iter().position(|word| *word == "--") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (words, [].as_slice()),
    };
    if !words.first().is_some_and(|subcommand| SUBCOMMANDS.contains(subcommand)) {
        return Some("no such subcommand".to_owned());
    }
    let named = values(words, "-p");
    if let Some(unknown) = named.iter().find(|name| !packages.contains_key(**name)) {
        return Some(format!("no package {unknown}"));
    }
    let folders: Vec<_> = named.iter().map(|name| &packages[*name]).collect();
    let has = |paths: [String; 2]| folders.iter().any(|folder| paths.iter().any(|path| folder.join(path).exists()));
    let is_test = |test: &&str| has([format!("tests/{test}.rs"), format!("tests/{test}/main.rs")]);
    if let Some(unknown) = values(words, "--test").into_iter().find(|test| !is_test(test)) {
        return Some(format!("no test program {unknown}"));
    }
    let is_example = |example: &&str| has([format!("examples/{example}.rs"), format!("examples/{example}/main.rs")]);
    if let Some(unknown) = values(words, "--example").into_iter().find(|example| !is_example(example)) {
        return Some(format!("no example {unknown}"));
    }
    if let Some(unknown) = values(words, "--path").into_iter().find(|path| !root().join(path).is_dir()) {
        return Some(format!("no folder {unknown}"));
    }
    if let Some(unknown) = values(words, "--manifest-path").into_iter().find(|path| !root().join(path).is_file()) {
        return Some(format!("no manifest {unknown}"));
    }
    if let ["fuzz", "run", "--fuzz-dir", folder, target, ..] = words {
        let source = root().join(folder).join(format!("fuzz_targets/{target}.rs"));
        return (!source.exists()).then(|| format!("no fuzz target {target}"));
    }
    if words[0] == "run" && named == ["fork-tests"] { wrong_with_fork_tests(behind) } else { None }
}

/// What is wrong with the words behind `fork-tests`.
fn wrong_with_fork_tests(words: &[&str]) -> Option<String> {
    let printed = |words: &[&str]| String::from_utf8(fork_tests(words).stdout).expect("UTF-8");
    let [subcommand, options @ ..] = words else { return Some("no subcommand".to_owned()) };
    let help = printed(&[subcommand, "--help"]);
    let known: BTreeSet<_> = help.split(|letter: char| !(letter.is_alphanumeric() || letter == '-')).collect();
    let unknown = options.iter().find(|word| word.starts_with("--") && !known.contains(**word));
    if help.is_empty() || unknown.is_some() {
        return Some(format!("{subcommand} does not know {}", unknown.unwrap_or(&"itself")));
    }
    let scenario = options.first().filter(|name| *subcommand == "run" && !is_placeholder(name))?;
    let list = printed(&["list"]);
    let is_there = list.lines().any(|line| line.split_whitespace().next() == Some(scenario));
    (!is_there).then(|| format!("no scenario {scenario}"))
}

/// What is wrong with a script or a folder of this repository.
fn wrong_with_path(path: &str) -> Option<String> {
    let Ok(found) = fs::metadata(root().join(path)) else { return Some("is not there".to_owned()) };
    let is_script = path.starts_with(".ci/") || path.ends_with(".sh");
    (is_script && found.permissions().mode() & 0o111 == 0).then(|| "cannot be executed".to_owned())
}

/// What is wrong with a command. `None` also for what is no command, and for the programs of others.
fn wrong_with(command: &str, packages: &BTreeMap<String, PathBuf>) -> Option<String> {
    let words: Vec<_> = command.split_whitespace().skip_while(|word| is_variable(word)).collect();
    match &words[..] {
        ["cargo", words @ ..] => wrong_with_cargo(words, packages),
        ["python3", path, ..] => wrong_with_path(path),
        // Also without words behind it, and also the name of a folder. Not a pattern, such as `tests/it/<room>`.
        [path, ..] if is_ours(path) => wrong_with_path(path),
        _ => None,
    }
}

fn is_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && is_placeholder(name))
}

fn is_ours(path: &str) -> bool {
    let begins = [".ci/", ".github/", "benches/", "crates/", "docs/", "examples/", "tests/"];
    begins.iter().any(|begin| path.starts_with(begin)) && !path.contains(['<', '*', '{', ':'])
}

#[test]
fn each_command_on_a_page_names_what_is_there() {
    let packages = packages();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        // Its commands of a release that has not been made, and what was removed since, are history.
        if page.ends_with("CHANGELOG.md") {
            continue;
        }
        for command in commands(&text) {
            checked += usize::from(command.starts_with("cargo "));
            wrong.extend(wrong_with(&command, &packages).map(|why| format!("{}: `{command}`: {why}", page.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked >= 30, "only {checked} commands of cargo");
}

#[test]
fn the_check_of_commands_finds_what_is_not_there() {
    let page = "a `cargo run\n-p x` b\n```sh\nA=1 tests/no.sh # why\n```\n| `b` |\n| `c` |\n```rust\n`no`\n```\n";
    assert_eq!(commands(page), ["A=1 tests/no.sh", "cargo run -p x", "b", "c"]);
    let packages = packages();
    let wrong = [
        "cargo walk",
        "cargo run -p nobody",
        "cargo test -p harness --test nothing",
        "cargo run -p tracing-prefork --example nothing",
        "cargo install --path crates/nothing",
        "cargo bench --manifest-path nothing/Cargo.toml",
        "cargo +nightly fuzz run --fuzz-dir tests/fuzz nothing",
        "cargo run -p fork-tests -- walk",
        "cargo run -p fork-tests -- run nothing",
        "cargo run -p fork-tests -- run killed --nothing",
        "A=1 tests/nothing.sh",
        "python3 tests/nothing.py",
    ];
    for command in wrong {
        assert!(wrong_with(command, &packages).is_some(), "{command}");
    }
    let right = [
        "A=1 cargo test -p fork-tests --test it -- house",
        "cargo run -p fork-tests -- run SCENARIO",
        "cargo run -p fork-tests -- run killed --length 5000",
        "tests/it/<room>",
        "ls examples",
    ];
    for command in right {
        assert_eq!(wrong_with(command, &packages), None, "{command}");
    }
}
