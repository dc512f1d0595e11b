//! The package has what a reader needs, and no tests. The links of its documentation lead somewhere.

use crate::pages::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root());
    cargo
}

/// The files below a folder, by their path from there.
fn files_below(folder: &Path, above: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable"));
    let found = entries.flat_map(|entry| {
        let name = format!("{above}{}", entry.file_name().to_str().expect("UTF-8"));
        if entry.path().is_dir() { files_below(&entry.path(), &format!("{name}/")) } else { BTreeSet::from([name]) }
    });
    found.collect()
}

/// Compares what a package has with the texts, and with the files of the folders.
fn has_exactly(package: &str, texts: &[&str], folders: &[&str]) {
    let list = cargo().args(["package", "--package", package, "--list", "--allow-dirty"]).output();
    let list = list.expect("cargo runs");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let listed: BTreeSet<_> = String::from_utf8(list.stdout).expect("UTF-8").lines().map(str::to_owned).collect();

    let crate_folder = root().join("crates").join(package);
    let made_by_cargo = [".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig"];
    let mut expected: BTreeSet<_> = texts.iter().chain(&made_by_cargo).map(|name| (*name).to_owned()).collect();
    for folder in folders {
        let files = files_below(&crate_folder.join(folder), &format!("{folder}/"));
        expected.extend(
            files
                .into_iter()
                .filter(|file| [".md", ".rs", ".service", ".socket", ".svg"].iter().any(|end| file.ends_with(end))),
        );
    }
    // Cargo notes the commit only if it finds a repository.
    expected.retain(|file| file != ".cargo_vcs_info.json" || listed.contains(file));
    let (missing, besides) = (expected.difference(&listed), listed.difference(&expected));
    let (missing, besides): (Vec<_>, Vec<_>) = (missing.collect(), besides.collect());
    assert!(missing.is_empty() && besides.is_empty(), "not in the package: {missing:?}; too much: {besides:?}");
}

#[test]
fn the_package_has_the_pages_and_no_tests() {
    let texts = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "SECURITY.md"];
    has_exactly("tracing-prefork", &texts, &["docs", "examples", "src"]);
}

#[test]
fn the_package_of_the_program_has_its_page_and_no_tests() {
    has_exactly("prefork-log", &["LICENSE-APACHE", "LICENSE-MIT", "README.md"], &["src"]);
}

#[test]
fn each_page_is_a_module_of_the_documentation() {
    let crate_root = fs::read_to_string(root().join("crates/tracing-prefork/src/lib.rs")).expect("readable");
    for page in files_below(&root().join("docs"), "docs/").iter().filter(|page| page.ends_with(".md")) {
        assert!(crate_root.contains(&format!("\"{page}\");")), "src/lib.rs makes no module of {page}");
    }
}

/// The targets of the links of an HTML page that lead to files beside it, and not to other crates or by a script.
fn links(html: &str) -> impl Iterator<Item = &str> {
    let links = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.filter(|link| !["://", "::", "${", "javascript:"].iter().any(|other| link.contains(other)))
}

/// Where a link of a page leads: a file, and a place in it.
fn target(page: &Path, link: &str) -> (PathBuf, Option<String>) {
    let link = link.replace("&amp;", "&");
    let (file, place) = link.split_once('#').map_or((&*link, None), |(file, place)| (file, Some(place.to_owned())));
    let file = if file.is_empty() { page.to_owned() } else { page.parent().expect("a folder").join(file) };
    // `#` alone is the beginning of the page.
    (file, place.filter(|place| !place.is_empty()))
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let mut cargo = cargo();
    cargo.args(["doc", "--package", "tracing-prefork", "--no-deps", "--all-features", "--target-dir"]).arg(folder);
    let made = cargo.env("RUSTDOCFLAGS", "-D warnings").output().expect("cargo runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let folder = folder.join("doc/tracing_prefork");
    let files = files_below(&folder, "").into_iter().map(|name| folder.join(name));
    let pages: BTreeMap<_, _> = files
        .filter(|file| file.extension().is_some_and(|suffix| suffix == "html"))
        .map(|file| (file.canonicalize().expect("there"), fs::read_to_string(file).expect("UTF-8")))
        .collect();
    let mut between_pages = 0;
    for (page, html) in &pages {
        for link in links(html) {
            let (file, place) = target(page, link);
            let file = file.canonicalize();
            let file = file.unwrap_or_else(|error| panic!("{}: {link} leads nowhere: {error}", page.display()));
            let Some((html, place)) = pages.get(&file).zip(place) else { continue };
            let is_there = html.contains(&format!("id=\"{place}\""));
            assert!(is_there, "{}: {link} leads to no place of the page", page.display());
            between_pages += usize::from(link.contains("/_"));
        }
    }
    assert!(between_pages > 3, "only {between_pages} links to places of other pages");
}

#[test]
fn the_check_of_links_finds_files_and_places() {
    let html = "<a href=\"../x.html#y&amp;z\">a</a> <a href=\"https://a.org\">b</a> <a href=\"#c\">d</a>";
    assert_eq!(links(html).collect::<Vec<_>>(), ["../x.html#y&amp;z", "#c"]);
    let page = Path::new("doc/a/b.html");
    assert_eq!(target(page, "../x.html#y&amp;z"), (PathBuf::from("doc/a/../x.html"), Some("y&z".to_owned())));
    assert_eq!(target(page, "#c"), (page.to_owned(), Some("c".to_owned())));
    assert_eq!(target(page, "d.html"), (PathBuf::from("doc/a/d.html"), None));
}
