//! The repository's pages are true in what a program can check: links lead somewhere, and tests that they name exist.

use crate::program::fork_tests;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace").to_owned()
}

pub(crate) fn pages() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).expect("docs").map(|entry| entry.expect("readable").path());
    let pages =
        docs.chain(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name)));
    pages
        .filter(|page| page.extension().is_some_and(|suffix| suffix == "md"))
        .map(|page| (page.clone(), fs::read_to_string(page).expect("readable")))
        .collect()
}

/// The lines of a page that are not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .scan(false, |in_code, line| {
            let is_fence = line.trim_start().starts_with("```");
            *in_code ^= is_fence;
            Some((!*in_code && !is_fence).then_some(line))
        })
        .flatten()
}

/// What stands between two marks in a page's lines, but for code.
fn between<'a>(text: &'a str, begin: &'static str, end: char) -> impl Iterator<Item = String> + 'a {
    let plain = prose(text).map(|line| line.split('`').step_by(2).collect::<String>());
    plain.flat_map(move |line| {
        let rests = line.split(begin).skip(1).filter_map(|rest| rest.split(end).next());
        rests.map(str::to_owned).collect::<Vec<_>>()
    })
}

/// The targets of a page's links: of `[text](target)`, and of definitions, `[label]: target`.
fn targets(text: &str) -> Vec<String> {
    between(text, "](", ')').chain(definitions(text).into_iter().map(|(_, target)| target.to_owned())).collect()
}

fn definitions(text: &str) -> Vec<(&str, &str)> {
    let found = prose(text).filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
    found.filter(|(label, _)| !label.contains(['[', ']'])).collect()
}

/// The names that a page's headings have in links, as rustdoc and the sites that show repositories make them.
fn headings(text: &str) -> Vec<String> {
    let titles = prose(text).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || "- _".contains(*letter);
    titles.map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut links = 0;
    for (page, text) in pages() {
        for link in targets(&text).into_iter().filter(|link| !link.contains("://")) {
            let (file, place) = link.split_once('#').map_or((&*link, None), |(file, place)| (file, Some(place)));
            let target = if file.is_empty() { page.clone() } else { page.parent().expect("a directory").join(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            let to = if target.is_file() { fs::read_to_string(&target).expect("readable") } else { String::new() };
            let is_there = place.is_none_or(|place| headings(&to).iter().any(|heading| heading == place));
            assert!(is_there, "{}: {link} leads to no heading", page.display());
            links += 1;
        }
        for label in between(&text, "][", ']') {
            let is_defined = definitions(&text).iter().any(|(defined, _)| *defined == label);
            assert!(is_defined, "{}: nothing says where [{label}] leads", page.display());
        }
    }
    assert!(links >= 5, "only {links} links found");
}

#[test]
fn each_example_is_named_in_the_guide_and_in_the_readme() {
    let folder = "crates/tracing-prefork/examples";
    let [guide, readme] =
        ["docs/guide.md", "README.md"].map(|page| fs::read_to_string(root().join(page)).expect("readable"));
    let begin = format!("`{folder}/");
    let in_guide: BTreeSet<_> = guide.split(&begin).skip(1).filter_map(|rest| rest.split('`').next()).collect();
    let examples = fs::read_dir(root().join(folder)).expect("examples").map(|entry| entry.expect("readable"));
    let examples: BTreeSet<_> = examples.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    assert_eq!(in_guide, examples.iter().map(String::as_str).collect());
    for example in examples {
        let name = example.trim_end_matches(".rs");
        assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
    }
    // Those of several processes: a package each.
    let packages = fs::read_dir(root().join("examples")).expect("examples").map(|entry| entry.expect("readable"));
    let packages: Vec<_> = packages.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    assert!(packages.len() >= 3, "only {packages:?}");
    for name in packages {
        let is_named = pages().iter().any(|(page, text)| {
            page.parent() == Some(&root().join("docs")) && text.contains(&format!("`examples/{name}`"))
        });
        assert!(is_named, "no page of docs names {name}");
        let is_named = [format!("`examples/{name}`"), format!("-p {name}`")].iter().any(|text| readme.contains(text));
        assert!(is_named, "README.md does not name {name}");
    }
}

#[test]
fn the_check_of_pages_finds_links_and_headings() {
    let text = "# The `a` of B. C\n[x](y.md#z) `[s](t)` [v][w]\n```\n[no](no)\n```\n\n[w]: u.md\n";
    assert_eq!(targets(text), ["y.md#z", "u.md"]);
    assert_eq!(definitions(text), [("w", "u.md")]);
    assert_eq!(headings(text), ["the-a-of-b-c"]);
}

/// The Rust sources below a folder.
fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("sources").map(|entry| entry.expect("readable").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "rs"));
    files.chain(folders.iter().flat_map(|folder| sources_below(folder))).collect()
}

/// The sources of all tests, also of those beside what they test, and their file names.
fn tests() -> (String, Vec<String>) {
    let folders = [
        "tests/fork-tests/tests",
        "tests/harness/tests",
        "crates/prefork-log/tests",
        "crates/tracing-prefork/tests",
        "crates/tracing-prefork/src",
    ];
    let files: Vec<_> = folders.iter().flat_map(|folder| sources_below(&root().join(folder))).collect();
    let sources = files.iter().map(|file| fs::read_to_string(file).expect("readable")).collect();
    let names = files.iter().map(|file| file.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    (sources, names)
}

#[test]
fn each_test_that_the_guarantees_name_exists() {
    let list = fork_tests(&["list"]).stdout;
    let list = String::from_utf8(list).expect("UTF-8");
    let scenarios: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let (sources, files) = tests();
    let text = fs::read_to_string(root().join("docs/guarantees.md")).expect("readable");
    let mut named = 0;
    // The rows of tables, from their second column on.
    for cells in text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ").map(|row| row.1)) {
        for name in cells.split('`').skip(1).step_by(2) {
            let exists = match name.strip_suffix('*') {
                Some(start) => scenarios.iter().any(|scenario| scenario.starts_with(start)),
                None if name.ends_with(".rs") => files.iter().any(|file| file == name),
                None => scenarios.contains(&name) || sources.contains(&format!("fn {name}(")),
            };
            assert!(exists, "docs/guarantees.md names {name}, which is neither a test nor a scenario");
            named += 1;
        }
    }
    assert!(named > 30, "only {named} tests are named");
}

/// The points of the section "In short" of a page, each as one line.
fn in_short(page: &str) -> Vec<String> {
    let section = page.split("\n## In short\n\n* ").nth(1).and_then(|rest| rest.split("\n\n").next());
    section.into_iter().flat_map(|section| section.split("\n* ")).map(words).collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The points of a page that another page does not have, word by word.
fn missing(page: &str, readme: &str) -> Vec<String> {
    let readme = words(readme);
    in_short(page).into_iter().filter(|point| !readme.contains(point)).collect()
}

#[test]
fn the_readme_has_the_figures_of_the_performance_page() {
    let [page, readme] =
        ["docs/performance.md", "README.md"].map(|page| fs::read_to_string(root().join(page)).expect("readable"));
    let points = in_short(&page);
    assert!(
        points.len() == 2 && points.iter().all(|point| point.contains(|it: char| it.is_ascii_digit())),
        "{points:?}"
    );
    assert_eq!(missing(&page, &readme), [""; 0], ".ci/performance writes both pages");
}

#[test]
fn the_check_of_figures_finds_another_figure() {
    let page = "# A\n\n## In short\n\n* It takes\n  12 us.\n* It costs 3.\n\n## B\n\n* 4\n";
    assert_eq!(in_short(page), ["It takes 12 us.", "It costs 3."]);
    assert_eq!(missing(page, "Yes: it\n  costs. It takes 12\nus. It costs 3. Much."), [""; 0]);
    assert_eq!(missing(page, "It takes 13 us. It costs 3."), ["It takes 12 us."]);
}
