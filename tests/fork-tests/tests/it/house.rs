//! The library's modules stand in rooms, and an import points down the list of the rooms or stays in its room.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From the top down. Those of one line stand side by side.
const ROOMS: [&[&str]; 9] = [
    &["appender", "builder", "rolling"],
    &["event"],
    &["write"],
    &["upkeep"],
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
        } else {
            let module = if stem == "mod" { above.to_owned() } else { module };
            found.insert(module, fs::read_to_string(&path).expect("readable"));
        }
    }
}

fn library() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/tracing-prefork/src");
    sources(&library, "", &mut found);
    found
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
    let text = "use crate::write::log::{Log, Other};\n// crate::event::put\nfn f() { crate::names::site::f(); super::room::g() }";
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
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
