//! The pages for those who move over, and the page for those in trouble, name each thing that they promise to name.

use crate::pages::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The text with one blank between words.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The folder of tracing-appender's source, which cargo has unpacked for this workspace.
fn tracing_appender() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    let metadata = cargo.args(["metadata", "--format-version", "1", "--offline"]).current_dir(root()).output();
    let metadata = metadata.expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata = String::from_utf8(metadata.stdout).expect("UTF-8");
    let paths = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut manifests = paths.filter(|path| path.contains("/tracing-appender-0.2."));
    let manifest = manifests.next().expect("a dependency of this workspace");
    Path::new(manifest).parent().expect("a folder").to_owned()
}

/// The public items of a source: `Type`, `Type::method`, `Type::CONSTANT` and `function`. No modules, and nothing that
/// is exported from elsewhere.
fn public_items(source: &str) -> BTreeSet<String> {
    let (mut items, mut of) = (BTreeSet::new(), String::new());
    let name =
        |rest: &str| rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned);
    for line in source.lines().take_while(|line| !line.starts_with("mod test")) {
        if let Some(rest) = line.strip_prefix("impl ") {
            of = name(rest).expect("a type");
        }
        let Some(item) = line.trim_start().strip_prefix("pub ") else { continue };
        let item = item.strip_prefix("const fn ").or(item.strip_prefix("fn ")).or(item.strip_prefix("struct "));
        let item = item.or(line.trim_start().strip_prefix("pub const "));
        let Some(item) = item.and_then(name) else { continue };
        items.insert(if line.starts_with(' ') { format!("{of}::{item}") } else { item });
    }
    items
}

/// The words of code in the first cells of a page's tables.
fn in_first_cells(page: &str) -> BTreeSet<String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

#[test]
fn the_page_names_each_item_of_tracing_appender() {
    let sources = [
        ("lib.rs", ""),
        ("rolling.rs", "rolling::"),
        ("rolling/builder.rs", "rolling::"),
        ("non_blocking.rs", "non_blocking::"),
    ];
    let folder = tracing_appender().join("src");
    let mut items = BTreeSet::new();
    for (file, module) in sources {
        let source = fs::read_to_string(folder.join(file)).expect("tracing-appender has the file");
        items.extend(public_items(&source).into_iter().map(|item| format!("{module}{item}")));
    }
    assert!(items.len() >= 37, "{items:#?}");
    let named = in_first_cells(&read("docs/migrating-from-tracing-appender.md"));
    let missing: Vec<_> = items.difference(&named).collect();
    let invented: Vec<_> = named.difference(&items).collect();
    assert!(missing.is_empty() && invented.is_empty(), "not on the page: {missing:?}; not in the crate: {invented:?}");
}

#[test]
fn the_check_of_items_finds_them() {
    let source = [
        "pub mod m;",
        "pub use a::B;",
        "/// pub fn no() {}",
        "pub(crate) fn no() {}",
        "pub fn f<T: X>() {}",
        "pub const C: u8 = 1;",
        "pub struct S<'a>(u8);",
        "impl S<'_> {",
        "    pub const D: Self = S(1);",
        "    pub const fn new() -> Self {",
        "    fn no() {}",
        "}",
        "mod test {",
        "pub fn no() {}",
    ];
    let expected = ["C", "S", "S::D", "S::new", "f"].map(str::to_owned);
    assert_eq!(public_items(&source.join("\n")), BTreeSet::from(expected));
    assert_eq!(in_first_cells("| `a::b`, `c` | `d` |\n|---|---|\n"), BTreeSet::from(["a::b", "c"].map(str::to_owned)));
}

/// The string literals of a piece of source, with the lines that a `\` joins.
fn literals(source: &str) -> Vec<String> {
    let texts = source.split('"').skip(1).step_by(2);
    texts.map(|text| text.split("\\\n").map(str::trim_start).collect::<String>()).collect()
}

/// What `Operation` prints before and behind the path and the reason, by the name of the variant.
fn sentences() -> BTreeMap<String, (String, String)> {
    let source = read("crates/tracing-prefork/src/report/operation.rs");
    let body = source.split_once("fn sentence(").expect("the function").1;
    let body = body.split_once("\n    }\n").expect("its end").0;
    let arms = body.split("Self::").skip(1).map(|arm| {
        let name = arm.split(|letter: char| !letter.is_alphanumeric()).next().expect("a name");
        let texts: [String; 2] = literals(arm).try_into().unwrap_or_else(|texts| panic!("{name}: {texts:?}"));
        let [failed, next] = texts;
        (name.to_owned(), (failed, next))
    });
    arms.collect()
}

/// The variants of an enum, in a source that `rustfmt` has formatted.
fn variants(source: &str, name: &str) -> BTreeSet<String> {
    let body = source.split_once(&format!("enum {name} {{\n")).expect("the enum").1;
    let body = body.split_once("\n}\n").expect("its end").0;
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.filter(|line| line.starts_with(|letter: char| letter.is_ascii_uppercase()));
    lines.filter_map(|line| line.split(['(', ',']).next().map(str::to_owned)).collect()
}

#[test]
fn each_report_is_explained_with_its_text() {
    let source = read("crates/tracing-prefork/src/report/operation.rs");
    let (variants, sentences) = (variants(&source, "Operation"), sentences());
    assert!(variants.len() >= 18, "{variants:?}");
    assert_eq!(variants, sentences.keys().cloned().collect());
    let page = read("docs/troubleshooting.md");
    for (variant, (failed, next)) in sentences {
        let section = page.split_once(&format!("\n### `Operation::{variant}`\n"));
        let section = section.unwrap_or_else(|| panic!("the page has no section on Operation::{variant}")).1;
        let section = on_one_line(section.split("\n#").next().expect("a text"));
        let text = on_one_line(&format!("```text {failed} PATH: REASON; {next} ```"));
        assert!(section.starts_with(&text), "Operation::{variant} prints:\n{text}\nand the page says:\n{section}");
        assert!(section.len() > text.len() + 100, "the page explains Operation::{variant}");
    }
}

#[test]
fn each_hidden_file_is_explained() {
    let source = read("crates/tracing-prefork/src/names/hidden.rs");
    let variants = variants(&source, "Hidden");
    let display = source.split_once("impl fmt::Display for Hidden").expect("the names").1;
    let display = display.split_once("\n}\n").expect("their end").0;
    let constant = |text: &str| text.replace("{NAMES_RECORD}", "names");
    let number = |text: &str| text.replace("{hash:08x}", "NUMBER").replace("{id:016x}", "NUMBER");
    let endings: Vec<_> = literals(display).iter().map(|text| number(&constant(text))).collect();
    assert_eq!(endings.len(), variants.len(), "each kind has an ending: {endings:?}");
    let others = [".prefork.tmp", ".journal", "....rollover.bad", "....NUMBER.ring.bad"];
    let names = endings.iter().map(|ending| format!("....{ending}"));
    let page = read("docs/troubleshooting.md");
    let section = page.split_once("\n## Hidden files\n").expect("the section").1;
    let named = in_first_cells(section);
    for name in names {
        assert!(named.contains(&name), "docs/troubleshooting.md does not name {name}");
    }
    for end in others {
        assert!(
            named.iter().any(|name| name.ends_with(end)),
            "docs/troubleshooting.md names nothing that ends in {end}"
        );
    }
}
