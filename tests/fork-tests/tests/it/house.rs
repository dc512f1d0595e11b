//! The library's modules stand in rooms, and an import points down the list of the rooms or stays in its room. Files,
//! functions, lines and names keep to their limits, and tests stand where they belong.

use crate::pages::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From the top down. Those of one line stand side by side.
const ROOMS: [&[&str]; 14] = [
    &["socket"],
    &["appender", "builder", "non_blocking", "rolling"],
    &["format"],
    &["event"],
    &["sink"],
    &["buffer"],
    &["write"],
    &["upkeep"],
    &["ring"],
    &["names"],
    &["time"],
    &["report"],
    &["process"],
    &["sys"],
];

/// What each module imports: paths without `crate`, by the path of the module.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn rank(path: &str) -> usize {
    let room = path.split("::").next().expect("a first part");
    ROOMS.iter().position(|rooms| rooms.contains(&room)).unwrap_or_else(|| panic!("{path} is in no room"))
}

/// The sources below a directory, by the path of their module.
fn sources(directory: &Path, above: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).expect("sources") {
        let path = entry.expect("readable").path();
        let stem = path.file_stem().expect("a name").to_str().expect("UTF-8");
        let module = if above.is_empty() { stem.to_owned() } else { format!("{above}::{stem}") };
        if path.is_dir() {
            sources(&path, &module, found);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            let module = if stem == "mod" { above.to_owned() } else { module };
            found.insert(module, fs::read_to_string(&path).expect("readable"));
        }
    }
}

/// The sources below a folder of the repository, by the path of their module.
fn below(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    sources(&root().join(folder), "", &mut found);
    found
}

fn library() -> BTreeMap<String, String> {
    below("crates/tracing-prefork/src")
}

/// The paths that a tree of names stands for: `a::{b, c::{d}}` for `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let body = rest.rsplit_once('}').expect("a closed brace").0;
    let (mut depth, mut branches) = (0, vec![String::new()]);
    for letter in body.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            branches.push(String::new());
        } else {
            branches.last_mut().expect("one at least").push(letter);
        }
    }
    let branches = branches.iter().filter(|branch| !branch.trim().is_empty());
    branches.flat_map(|branch| leaves(branch)).map(|leaf| format!("{head}{leaf}")).collect()
}

/// The public names at the root of the crate, and the modules that they come from.
fn exports(root: &str) -> BTreeMap<String, String> {
    let statements = root.split(';').filter_map(|statement| statement.trim().strip_prefix("pub use "));
    let paths = statements.flat_map(leaves);
    paths.filter_map(|path| path.rsplit_once("::").map(|(module, name)| (name.to_owned(), module.to_owned()))).collect()
}

/// What a module imports from this crate, in `use` and elsewhere. Comments do not count: a doc may link upwards.
fn imports_of(module: &str, text: &str, exports: &BTreeMap<String, String>) -> BTreeSet<String> {
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join(" ");
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = BTreeSet::new();
    for (place, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let is_part = |letter: char| letter.is_alphanumeric() || "_:".contains(letter);
        // `$crate` of a macro, and `pub(in crate::..)`, which there is none of.
        if code[..place].ends_with(|letter: char| is_part(letter)) {
            continue;
        }
        let is_use = code[..place].trim_end().ends_with("use");
        let end = if is_use { code[place..].find(';') } else { code[place..].find(|letter| !is_part(letter)) };
        let tree = &code[place..place + end.unwrap_or(code.len() - place)];
        for leaf in leaves(tree) {
            let leaf = leaf.split(" as ").next().expect("a path").trim();
            let path = match leaf.strip_prefix("super::") {
                Some(path) => format!("{parent}::{path}"),
                None => leaf.trim_start_matches("crate::").to_owned(),
            };
            let first = path.split("::").next().expect("a first part");
            found.insert(exports.get(first).map_or(path.clone(), |module| format!("{module}::{first}")));
        }
    }
    found
}

fn imports() -> Imports {
    let library = library();
    let exports = exports(&library["lib"]);
    let modules = library.iter().filter(|(module, _)| *module != "lib");
    modules.map(|(module, text)| (module.clone(), imports_of(module, text, &exports))).collect()
}

#[test]
fn no_import_points_up() {
    let imports = imports();
    let pairs = imports.iter().flat_map(|(module, paths)| paths.iter().map(move |path| (module, path)));
    let up: Vec<_> = pairs.filter(|(module, path)| rank(path) < rank(module)).collect();
    assert!(up.is_empty(), "{} imports point up: {up:#?}", up.len());
    assert!(imports.values().flatten().count() > 200, "the imports are found");
}

/// The modules that a module reaches, itself only if it is in a circle.
fn reached<'a>(from: &str, imports: &'a Imports) -> BTreeSet<&'a str> {
    // A path leads to the module with the longest name that it begins with.
    let module = |path: &str| {
        let mut path = path;
        loop {
            match (imports.get_key_value(path), path.rsplit_once("::")) {
                (Some((module, _)), _) => return Some(module.as_str()),
                (None, Some((above, _))) => path = above,
                (None, None) => return None,
            }
        }
    };
    let (mut found, mut ahead) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(next) = ahead.pop() {
        for module in imports[&next].iter().filter_map(|path| module(path)).filter(|found| *found != next) {
            if found.insert(module) {
                ahead.push(module.to_owned());
            }
        }
    }
    found
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let imports = imports();
    let in_circle: Vec<_> =
        imports.keys().filter(|module| reached(module, &imports).contains(module.as_str())).collect();
    assert!(in_circle.is_empty(), "in a circle: {in_circle:#?}");
}

#[test]
fn the_check_finds_what_points_up_and_what_goes_in_a_circle() {
    let text = "use crate::write::log::{Log, Other};\n// crate::event::put\n\
                fn f() { crate::names::site::f(); super::room::g() }";
    let exports = BTreeMap::from([("Appender".to_owned(), "appender".to_owned())]);
    let found = imports_of("upkeep::job", text, &exports);
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["names::site::f", "upkeep::room::g", "write::log::Log", "write::log::Other"]
    );
    assert!(rank("write::log::Log") < rank("upkeep::job"));
    assert_eq!(
        imports_of("time::zone", "use crate::Appender;", &exports).into_iter().collect::<Vec<_>>(),
        ["appender::Appender"]
    );
    let circle = |path: &str| BTreeSet::from([path.to_owned()]);
    let imports = BTreeMap::from([("a".to_owned(), circle("b::X")), ("b".to_owned(), circle("a::Y"))]);
    assert!(reached("a", &imports).contains("a"));
}

/// `docs/house.md` names each step of an event's path as `` `file:line` `function` ``.
#[test]
fn the_path_of_an_event_is_where_the_page_says() {
    let root = root();
    let page = fs::read_to_string(root.join("docs/house.md")).expect("readable");
    let mut steps = 0;
    for cell in page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1)) {
        let [place, function] = cell.split('`').skip(1).step_by(2).collect::<Vec<_>>()[..] else { continue };
        let Some((file, line)) = place.split_once(":") else { continue };
        let source = fs::read_to_string(root.join("crates/tracing-prefork/src").join(file)).expect("a source");
        let line: usize = line.parse().expect("a number");
        let found = source.lines().nth(line - 1).unwrap_or_default();
        let begins = [format!("fn {function}("), format!("fn {function}<")];
        assert!(begins.iter().any(|begin| found.contains(begin)), "{place} is not {function}: {found}");
        steps += 1;
    }
    assert!(steps > 10, "only {steps} steps");
}

/// The functions of a source that `rustfmt` has formatted: name, and lines from `fn` to the closing brace.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let begins = lines.iter().enumerate().filter_map(|(number, line)| {
        let code = line.trim_start();
        let name = code.split_once("fn ")?.1.split(['(', '<']).next()?;
        let is_definition = !code.starts_with("//") && !code.contains('"') && name.chars().all(is_of_name);
        is_definition.then_some((number, line.len() - code.len(), name.to_owned()))
    });
    let length = |begin: usize, indent: usize| {
        // A declaration ends with a semicolon, a definition with a brace at the column of its `fn`.
        let end = format!("{}}}", " ".repeat(indent));
        let ends = |line: &&str| {
            line.starts_with(&end)
                || line.ends_with(';') && !line.get(indent..).is_some_and(|code| code.starts_with(' '))
        };
        lines[begin..].iter().position(ends).map_or(1, |last| last + 1)
    };
    begins.map(|(begin, indent, name)| (name, length(begin, indent))).collect()
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[test]
fn no_file_has_more_than_400_lines_and_no_function_more_than_60() {
    let library = library();
    let long: Vec<_> =
        library.iter().filter(|(_, text)| text.lines().count() > 400).map(|(module, _)| module).collect();
    assert!(long.is_empty(), "too long: {long:#?}");
    let functions: Vec<_> =
        library.iter().flat_map(|(module, text)| functions(text).into_iter().map(move |it| (module, it))).collect();
    assert!(functions.len() > 500, "the functions are found: {}", functions.len());
    let long: Vec<_> = functions.iter().filter(|(_, (_, lines))| *lines > 60).collect();
    assert!(long.is_empty(), "too long: {long:#?}");
}

#[test]
fn the_check_of_functions_counts_their_lines() {
    let text = "impl A {\n    fn a() {\n        b();\n    }\n}\n\nfn c(\n    x: u8,\n) -> u8 {\n    x\n}\n";
    assert_eq!(functions(text), [("a".to_owned(), 3), ("c".to_owned(), 5)]);
}

/// All sources and pages, by their path in the repository.
fn texts() -> BTreeMap<String, String> {
    let sources = ["benches", "crates", "demo", "examples", "tests"]
        .iter()
        .flat_map(|folder| below(folder).into_iter().map(move |(module, text)| (format!("{folder}::{module}"), text)));
    let pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned).into_iter();
    let docs = fs::read_dir(root().join("docs")).expect("docs");
    let docs = docs.map(|entry| format!("docs/{}", entry.expect("readable").file_name().to_string_lossy()));
    let pages = pages.chain(docs.filter(|name| name.ends_with(".md")));
    sources.chain(pages.map(|name| (name.clone(), fs::read_to_string(root().join(name)).expect("readable")))).collect()
}

#[test]
fn no_line_is_longer_than_120_columns_but_for_rows_of_tables() {
    let is_row = |line: &str| line.trim_start().trim_start_matches(['/', '!', ' ']).starts_with('|');
    let is_long = |line: &&str| line.chars().count() > 120 && !is_row(line);
    let texts = texts();
    let long: Vec<_> =
        texts.iter().flat_map(|(name, text)| text.lines().filter(is_long).map(move |line| (name, line))).collect();
    assert!(long.is_empty(), "too long: {long:#?}");
}

#[test]
fn no_table_has_more_than_six_columns() {
    for (name, text) in texts().iter().filter(|(name, _)| name.ends_with(".md")) {
        for row in text.lines().filter(|line| line.starts_with('|')) {
            let columns = row.replace("\\|", "").matches('|').count() - 1;
            assert!(columns <= 6, "{name}: {row}");
        }
    }
}

#[test]
fn no_test_has_a_name_of_more_than_60_characters() {
    let texts = texts();
    let names = texts.values().flat_map(|text| functions(text)).map(|(name, _)| name);
    let long: Vec<_> = names.filter(|name| name.len() > 60).collect();
    assert!(long.is_empty(), "too long: {long:#?}");
}

/// The conditions of a source that join `let` with something else by `&&`, from the value of their `let` on.
fn let_chains(text: &str) -> Vec<String> {
    let code: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let words = ["if let ", "while let ", "&& let "];
    let places = words.iter().flat_map(|word| code.match_indices(word));
    let mut found = Vec::new();
    for (at, word) in places {
        let rest = &code[at + word.len()..];
        // From the value, which stands behind the pattern, up to the block, whose brace stands in no other bracket.
        let rest = rest.split_once(" = ").map_or(rest, |(_, value)| value);
        let mut depth = 0;
        let end = rest.find(|letter| {
            depth += i32::from("([{".contains(letter)) - i32::from(")]}".contains(letter));
            letter == '{' && depth == 1
        });
        let condition = &rest[..end.unwrap_or(rest.len())];
        let mut depth = 0;
        let is_joined = condition.char_indices().any(|(at, letter)| {
            depth += i32::from("([{".contains(letter)) - i32::from(")]}".contains(letter));
            depth == 0 && condition[at..].starts_with("&& ")
        });
        if is_joined || word.starts_with("&&") {
            found.push(condition.to_owned());
        }
    }
    found
}

/// The compiler of Rust 1.85 does not know them, and clippy does not say so.
#[test]
fn no_source_has_a_let_chain() {
    let sources = ["benches", "crates", "demo", "tests"].into_iter().flat_map(below);
    // The program needs a later Rust.
    let sources = sources.filter(|(module, _)| !module.starts_with("prefork-log"));
    let found: Vec<_> = sources.map(|(module, text)| (module, let_chains(&text))).collect();
    let found: Vec<_> =
        found.iter().filter(|(module, chains)| !chains.is_empty() && !module.ends_with("house")).collect();
    assert!(found.is_empty(), "let chains: {found:#?}");
}

#[test]
fn the_check_of_let_chains_finds_them() {
    let joined = ["if let Some(a) = b\n    && c\n{ }", "if a && let Some(b) = c { }", "while let A { b } = c && d { }"];
    for text in joined {
        assert_eq!(let_chains(text).len(), 1, "{text}");
    }
    assert!(let_chains("if let Some(a) = b.filter(|_| c && d) { e && f }").is_empty());
}

/// The source of each test of a text, from its attribute to the next one.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[test]").skip(1)
}

/// Whether a text has this word, and not as the end of a longer name.
fn calls(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(is_of_name))
}

/// The functions that run a test in a process of its own: those of `common`, and those of this text that call one.
fn callers_of_alone(text: &str) -> Vec<String> {
    let mut callers = ["alone(", "alone_with(", "limited("].map(str::to_owned).to_vec();
    loop {
        let before = callers.len();
        for (name, _) in functions(text) {
            let body = text.split(&format!("fn {name}(")).nth(1).unwrap_or_default();
            let body = body.split("\n}\n").next().unwrap_or_default();
            let call = format!("{name}(");
            if !callers.contains(&call) && callers.iter().any(|caller| calls(body, caller)) {
                callers.push(call);
            }
        }
        if callers.len() == before {
            return callers;
        }
    }
}

#[test]
fn tests_that_fork_or_start_programs_are_alone() {
    let folder = "crates/tracing-prefork/tests";
    let words = ["fork()", "Command::new", "alone(", "again(", "SYS_clone", "setrlimit", "umask("];
    for (module, text) in below(&format!("{folder}/it")) {
        let found = words.iter().find(|word| calls(&text, word));
        assert!(found.is_none(), "{folder}/it: {module} has {found:?}: its place is {folder}/alone");
    }
    let mut counted = 0;
    for (module, text) in below(&format!("{folder}/alone")).iter().filter(|(module, _)| !module.starts_with("examples"))
    {
        let callers = callers_of_alone(text);
        for test in tests(text) {
            let body = test.split("\n}\n").next().unwrap_or_default();
            let is_alone = callers.iter().any(|caller| calls(body, caller));
            assert!(is_alone, "{folder}/alone: {module} has a test that is not alone:{body}");
            counted += 1;
        }
    }
    assert!(counted > 100, "only {counted} tests");
}
